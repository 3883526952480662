"""Vectors of several models as one: blocks weighed by what they add to a similarity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embaudit.data.buffers import BufferRing
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import even_spans
from embaudit.datatypes import Mask, Matrix, Metric, Rows, Span, Stored, Vector
from embaudit.errors import InputError, UsageError
from embaudit.stages.population import NORMS
from embaudit.stats.linalg import symmetric_eigen
from embaudit.stats.prepare import Preparation

BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class Projection:
    """Fewer dimensions: ``(x - mean) basis``.

    Attributes
    ----------
    mean : float64 array, shape (d,)
        Zero where inner products are to be kept.
    basis : float64 array, shape (d, r)
    kept : float
        Share of the sum of squares that is kept.
    """

    mean: Vector
    basis: Matrix
    kept: float


class JoinedRows(EmbeddingSet):
    """Rows of several sets side by side, each block times its gain.

    Zero rows of a set are zero blocks.

    Parameters
    ----------
    parts : sequence of EmbeddingSet
        Of equal row count.
    metric : Metric
        Under cosine every block is divided by its length first.
    gains : sequence of float
        What each block is multiplied by.
    projection : Projection, optional
    """

    def __init__(
        self,
        parts: Sequence[EmbeddingSet],
        metric: Metric,
        gains: Sequence[float],
        projection: Projection | None = None,
    ) -> None:
        self.uri = " + ".join(part.uri for part in parts)
        self.rows = parts[0].rows
        self._widths = [part.dim for part in parts]
        self.dim = sum(self._widths) if projection is None else projection.basis.shape[1]
        self.dtype = np.dtype(np.float32)
        self.metric = metric
        self._parts, self._gains = list(parts), list(gains)
        self._projection = projection

    @property
    def held_bytes(self) -> int:
        """Bytes that the sources hold."""
        return sum(part.held_bytes for part in self._parts)

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the joined rows of each span from `slots` reused buffers."""
        ring = BufferRing(spans, slots, self.dim, self.dtype)
        streams = [part.blocks(spans) for part in self._parts]
        for stored in zip(*streams, strict=True):
            out = ring.take(len(stored[0]))
            out[:] = self._joined(stored)
            yield out

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield joined rows by blocks."""
        for start, stop in even_spans(len(rows), max(1, BLOCK_BYTES // (4 * sum(self._widths)))):
            some = [part.take(rows[start:stop]) for part in self._parts]
            yield slice(start, stop), self._joined(some)

    def _joined(self, stored: Sequence[Stored]) -> NDArray[np.float32]:
        """Return rows of all sets, shapes (m, d_i), as one matrix."""
        joined = np.empty((len(stored[0]), sum(self._widths)), np.float32)
        start = 0
        for rows, width, gain in zip(stored, self._widths, self._gains, strict=True):
            into = joined[:, start : start + width]
            plain = Preparation(self.metric, 1.0, 1.0, np.zeros(width), precise=True)
            into[:] = plain.rows(rows) * gain
            start += width
        if self._projection is None:
            return joined
        reduced = (joined - self._projection.mean) @ self._projection.basis
        return reduced.astype(np.float32)


def look(parts: Sequence[EmbeddingSet]) -> tuple[list[Mask], list[float]]:
    """Return which rows of each set are finite, and the mean squared norm of those.

    Raises
    ------
    InputError
        For a set without a finite row that is not zero, and for norms that float32 cannot hold.
    """
    masks, squares = [], []
    low, high = NORMS
    for part in parts:
        spans = even_spans(part.rows, max(1, BLOCK_BYTES // (8 * part.dim)))
        marks, total = [], 0.0
        for rows in part.blocks(spans):
            wide = rows.astype(np.float64)
            finite: Mask = np.asarray(np.isfinite(wide).all(axis=1))
            wide[~finite] = 0.0
            largest = np.abs(wide).max(axis=1)
            least, most = largest[largest > 0.0].min(initial=1.0), largest.max()
            if not low < least <= max(most, 1.0) < high:
                raise InputError(
                    f"{part.uri}: the largest entries of rows lie between {least:.3g} and "
                    f"{most:.3g}; expected {low:g} to {high:g}: rescale the vectors"
                )
            total += float(np.einsum("ij,ij->", wide, wide))
            marks.append(finite)
        kept = np.concatenate(marks)
        if total <= 0.0:
            raise InputError(
                f"{part.uri}: all {part.rows} rows are zero, NaN or inf; check the export"
            )
        masks.append(kept)
        squares.append(total / int(kept.sum()))
    return masks, squares


def gains_of(squares: Sequence[float], weights: Sequence[float], metric: Metric) -> list[float]:
    """Return what each block is multiplied by.

    A row's inner product with itself is on average 1, of which each set has its share of the
    weights: ``sqrt(w_i / sum w / mean |x_i|^2)``. Multiplied by the weight itself, or by nothing, a
    set would count by the square of its weight, or of its norms.

    Parameters
    ----------
    squares : sequence of float
        Mean squared norms; under cosine rows have length 1 whatever these are.
    weights : sequence of float
        Positive.
    metric : Metric
    """
    total = sum(weights)
    if metric is Metric.COSINE:
        squares = [1.0] * len(weights)
    return [
        float(np.sqrt(weight / total / square))
        for weight, square in zip(weights, squares, strict=True)
    ]


def principal(rows: JoinedRows, dim: int) -> Projection:
    """Return the directions that keep most of the rows, by one pass over them.

    Under cosine and dot those of ``X^T X``, which keep inner products (Eckart and Young 1936);
    under euclidean those of the covariance, which keep distances.

    Raises
    ------
    UsageError
        For more directions than there are.
    """
    if isinstance(dim, bool) or not isinstance(dim, int) or not 1 <= dim <= rows.dim:
        raise UsageError(f"--dim {dim}: expected 1 to {rows.dim}, the dimensions of all sets")
    square, mean = np.zeros((rows.dim, rows.dim)), np.zeros(rows.dim)
    for block in rows.blocks(even_spans(rows.rows, max(64, BLOCK_BYTES // (4 * rows.dim)))):
        wide = block.astype(np.float64)
        square += wide.T @ wide
        mean += wide.sum(axis=0)
    mean /= rows.rows
    if rows.metric is Metric.EUCLIDEAN:
        square -= rows.rows * np.outer(mean, mean)
    else:
        mean[:] = 0.0
    total = float(square.trace())
    values, vectors = symmetric_eigen(square)
    kept = float(values[::-1][:dim].sum()) / total if total > 0.0 else 1.0
    return Projection(mean, np.ascontiguousarray(vectors[:, ::-1][:, :dim]), min(1.0, kept))
