"""A map as it is used: rows as stored in, rows as stored out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embaudit.data.embedding_set import check_array
from embaudit.datatypes import MapDirection, MapMethod, Mask, Matrix, Metric, Stored, Vector
from embaudit.errors import InputError
from embaudit.maps.affine import AffineMap
from embaudit.maps.hidden import HiddenLayer
from embaudit.maps.low_rank import saves
from embaudit.stats.prepare import (
    SAFE_FLOAT32_NORMS,
    Preparation,
    mean_dominates,
    prepare,
    unit_rows,
)

CACHED_BYTES = 4 << 20
"""Rows that go through every step of a map together."""


@dataclass(frozen=True)
class FittedMap:
    """A map from one model's vectors to the other's, or to a space shared by both.

    Attributes
    ----------
    affine : AffineMap
        Between rows prepared for the metric.
    metric : Metric
        Under cosine rows are divided by their norm before they are mapped.
    scale : float
        Multiplies rows under dot and euclidean before they are mapped, and divides the result.
    direction : "a_to_b", "b_to_a", "a_to_joint" or "b_to_joint"
    method : "orthogonal", "low-rank", "linear" or "joint"
    rows : int
        Rows it was fitted on.
    norms : (float, float)
        Smallest and largest norm of the source rows, as stored.
    unit : bool
        Mapped rows get length 1: as the target's rows have, under cosine, and in a shared space.
    factors : (float64 array, float64 array) or None
        Of a low-rank map: shapes (p, r) and (r, q), their product is the map's matrix.
    space : str or None
        Which shared space a joint map leads to: its two heads have the same.
    hidden : HiddenLayer or None
        Of a joint map: what its mapped rows, at length 1, go through.
    """

    affine: AffineMap
    metric: Metric
    scale: float
    direction: MapDirection
    method: MapMethod
    rows: int
    norms: tuple[float, float]
    unit: bool = False
    factors: tuple[Matrix, Matrix] | None = None
    space: str | None = None
    hidden: HiddenLayer | None = None

    @property
    def dims(self) -> tuple[int, int]:
        """Dimensions of what goes in and of what comes out."""
        p, q = self.affine.matrix.shape
        return p, q

    @property
    def rank(self) -> int | None:
        """Rank of a low-rank map."""
        return None if self.factors is None else self.factors[0].shape[1]

    def transform(self, rows: Stored) -> NDArray[np.float32]:
        """Map rows of the source model into the target model's space.

        Parameters
        ----------
        rows : array, shape (m, p)
            Vectors as stored, of any dtype a file may have.

        Returns
        -------
        float32 array, shape (m, q)
            Search the target's index with them, in the same metric. Under cosine a zero row stays
            zero: it has no direction.

        Raises
        ------
        InputError
            For another shape, for NaN or inf, and for rows so large that float32 holds no result.
        """
        rows = np.asarray(rows)
        check_array(rows.shape, rows.dtype, "<rows>")
        p, _ = self.dims
        if rows.shape[1] != p:
            raise InputError(f"<rows>: dimension {rows.shape[1]}; the map takes {p}")
        if not np.isfinite(rows).all():
            raise InputError("<rows>: hold NaN or inf; leave those rows out")
        mapped = self.exact(rows)
        if np.abs(mapped).max() > np.finfo(np.float32).max:
            raise InputError("<rows>: too large to be mapped to float32; rescale the vectors")
        return mapped.astype(np.float32)

    def exact(self, rows: Stored) -> Matrix:
        """Map finite rows, shape (m, p), in float64; `transform` for those who check."""
        prepared = prepare(rows, self.metric, self.scale)
        mapped = self.affine.transform(prepared) / self.scale
        if self.hidden is not None:
            mapped = self.hidden.transform(unit_rows(mapped))
        if self.unit:
            unit_rows(mapped, out=mapped)
        if self.metric is Metric.COSINE:
            mapped[~prepared.any(axis=1)] = 0.0
        return mapped


class RowMapper:
    """A fitted map in float32, for many rows: one product a block, within rounding of `transform`.

    Used by one thread at a time.

    Parameters
    ----------
    fitted : FittedMap
    dtype : numpy.dtype
        Of the rows as stored.
    """

    def __init__(self, fitted: FittedMap, dtype: np.dtype[np.generic]) -> None:
        mean = fitted.affine.mean_x
        # A map that float32 does not hold marks every row.
        with np.errstate(over="ignore"):
            shift = mean.astype(np.float32).astype(np.float64)
        cosine = fitted.metric is Metric.COSINE
        precise = bool(dtype == np.float64 or (cosine and mean_dominates(mean, 1.0)))
        self._cosine = cosine
        self._direct = cosine and not precise
        self._preparation = Preparation(
            metric=fitted.metric,
            scale=fitted.scale,
            norm=1.0,
            shift=shift,
            precise=cosine or precise,
        )
        self._unit = fitted.unit
        with np.errstate(over="ignore", invalid="ignore"):
            self._shifted_offset = _offset(fitted, self._preparation.shift)
            self._offset = _offset(fitted, np.zeros_like(mean))
            self._matrices = _matrices(fitted)
            self._hidden = None if fitted.hidden is None else fitted.hidden.single()
        self._step = max(64, CACHED_BYTES // (4 * max(fitted.dims)))
        self._prepared = np.empty((self._step, fitted.dims[0]), np.float32)

    def map(self, stored: Stored, out: NDArray[np.float32]) -> Mask:
        """Write mapped rows into `out`, shape (m, q); mark those that are not finite, shape (m,).

        Under cosine a zero row stays zero.
        """
        bad = np.zeros(len(stored), np.bool_)
        for start in range(0, len(stored), self._step):
            part = slice(start, start + self._step)
            with np.errstate(all="ignore"):
                bad[part] = self._map(stored[part], out[part])
        return bad

    def _map(self, stored: Stored, out: NDArray[np.float32]) -> Mask:
        direct = self._direct and self._map_directly(stored, out)
        if not direct:
            rows = self._prepared[: len(stored)]
            self._preparation.fill(stored, rows)
            self._multiply(rows, out)
            out += self._shifted_offset
        if self._hidden is not None:
            _divide(out, np.einsum("ij,ij->i", out, out))
            out[:] = self._hidden.transform(out)
        squares = np.einsum("ij,ij->i", out, out)
        if self._unit:
            if not np.isfinite(squares).all():
                squares = _rescaled(out, squares)
            _divide(out, squares)
        bad: Mask = ~np.isfinite(squares)
        if self._cosine and not direct:
            # Rows with a zero among them are prepared in float64 and mapped to where the mean goes.
            out[zero_rows(stored)] = 0.0
        if bad.any():
            # Squares overflow long before values do.
            bad[bad] = ~np.isfinite(out[bad]).all(axis=1)
        return bad

    def _map_directly(self, stored: Stored, out: NDArray[np.float32]) -> bool:
        """Multiply rows as they are stored and divide their images by their norms.

        That saves a copy of unit rows. Returns False, and has not mapped them, where float32 would
        lose the squares of a row: one that is zero, extreme or not finite.
        """
        wide = stored
        if stored.dtype != np.float32:
            wide = self._prepared[: len(stored)]
            wide[:] = stored
        squares = np.einsum("ij,ij->i", wide, wide)
        low, high = SAFE_FLOAT32_NORMS
        if not (squares.min() > low * low and squares.max() < high * high):
            return False
        self._multiply(wide, out)
        out *= (1.0 / np.sqrt(squares))[:, None]
        out += self._offset
        return True

    def _multiply(self, rows: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        *inner, last = self._matrices
        for matrix in inner:
            rows = rows @ matrix
        np.matmul(rows, last, out=out)


def _matrices(fitted: FittedMap) -> list[NDArray[np.float32]]:
    """Return what rows are multiplied by, one after the other."""
    matrices: tuple[Matrix, ...] = (fitted.affine.matrix,)
    if fitted.factors is not None and saves(fitted.factors[0].shape[1], fitted.dims):
        matrices = fitted.factors
    first, *rest = matrices
    gain = fitted.affine.matched_scale / fitted.scale
    return [(gain * first).astype(np.float32), *(m.astype(np.float32) for m in rest)]


def _offset(fitted: FittedMap, shift: Vector) -> NDArray[np.float32]:
    """Return what is added to the images of rows from which `shift` was subtracted."""
    affine = fitted.affine
    moved = affine.matched_scale * ((shift - affine.mean_x) @ affine.matrix)
    offset: NDArray[np.float32] = ((affine.mean_y + moved) / fitted.scale).astype(np.float32)
    return offset


def zero_rows(stored: Stored) -> Mask:
    """Mark rows of zeros, shape (m,)."""
    zero: Mask = stored[:, 0] == 0
    # Few rows begin with a zero; only those are looked at further.
    zero[zero] = ~stored[zero].any(axis=1)
    return zero


def space_of(heads: Sequence[FittedMap]) -> str:
    """Return the SHA-256 of the numbers of both heads: what says that they belong together."""
    found = hashlib.sha256()
    for head in heads:
        tensors = [head.affine.matrix, head.affine.mean_x]
        if head.hidden is not None:
            tensors += [head.hidden.skip, head.hidden.inner, head.hidden.bias, head.hidden.outer]
        for tensor in tensors:
            found.update(np.ascontiguousarray(tensor, "<f8").data)
    return found.hexdigest()


def _rescaled(rows: NDArray[np.float32], squares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divide rows whose squares overflow by their largest entry; return the squared lengths."""
    wild = ~np.isfinite(squares)
    rows[wild] /= np.abs(rows[wild]).max(axis=1, keepdims=True)
    squares[wild] = np.einsum("ij,ij->i", rows[wild], rows[wild])
    return squares


def _divide(rows: NDArray[np.float32], squares: NDArray[np.float32]) -> None:
    """Give rows, whose squared lengths are told, length 1 in place; zero rows stay zero."""
    squares = np.where(squares > 0.0, squares, np.float32(1.0))
    np.multiply(rows, (1.0 / np.sqrt(squares))[:, None], out=rows)
