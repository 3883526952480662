"""Preparing stored rows for a metric: unit rows for cosine, rescaled rows for dot and euclidean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Matrix, Metric, Stored, Vector

SAFE_FLOAT32_NORMS = (1e-15, 1e15)
"""Row norms whose squares stay clear of float32 overflow and underflow."""
SAFE_SQUARES = (1e-280, 1e280)
"""Sums of squares that float64 has neither lost nor let overflow."""
CACHED_BYTES = 1 << 20
"""Rows prepared together."""
MEAN_DOMINATES = 8.0
"""A mean this many times the deviation costs float32 unit rows a digit: prepare in float64."""


@dataclass(frozen=True)
class Preparation:
    """How rows of one side enter the statistics.

    Attributes
    ----------
    metric : Metric
    scale : float
        Power of two that multiplies rows under dot and euclidean, so that their root mean square
        norm is near 1, or smaller where the other side's rows are larger; 1 under cosine.
    norm : float
        Root mean square norm of the prepared rows.
    shift : float64 array, shape (d,)
        Provisional mean of the prepared rows, representable in float32.
    precise : bool
        Prepare in float64: for float64 files, extreme norms, or a mean so large that float32 unit
        rows would lose the digits of the deviation.
    """

    metric: Metric
    scale: float
    norm: float
    shift: Vector
    precise: bool

    def rescaled(self, scale: float) -> Preparation:
        """Return the preparation with another scale, norm and shift moved along."""
        change = scale / self.scale
        return replace(self, scale=scale, norm=self.norm * change, shift=self.shift * change)

    def rows(self, stored: Stored) -> Matrix:
        """Return prepared rows in float64, exact up to its rounding; zero rows stay zero."""
        return prepare(stored, self.metric, self.scale)

    def fill(self, stored: Stored, out: NDArray[Any]) -> None:
        """Write prepared rows minus the shift into `out`, shape (m, d), float32 or float64.

        Under cosine no row may be zero; norms are within `SAFE_FLOAT32_NORMS` unless `precise`.
        """
        precise = self.precise or out.dtype == np.float64
        shift = self.shift.astype(out.dtype)
        # A few rows at a time go through every step while they are in cache.
        step = max(1, CACHED_BYTES // (8 * out.shape[1]))
        for start in range(0, len(stored), step):
            rows, into = stored[start : start + step], out[start : start + step]
            if precise:
                np.subtract(self.rows(rows), self.shift, out=into, casting="same_kind")
                continue
            if self.metric is Metric.COSINE:
                wide = rows if rows.dtype == np.float32 else rows.astype(np.float32)
                squares = np.einsum("ij,ij->i", wide, wide)
                np.multiply(wide, (1.0 / np.sqrt(squares))[:, None], out=into)
            else:
                np.multiply(rows, np.float32(self.scale), out=into, casting="same_kind")
            into -= shift


def prepare(stored: Stored, metric: Metric, scale: float = 1.0) -> Matrix:
    """Return rows in float64 as `metric` sees them, shape (m, d); zero rows stay zero."""
    rows = stored.astype(np.float64)
    if metric is Metric.COSINE:
        return unit_rows(rows, out=rows)
    if scale != 1.0:
        rows *= scale
    return rows


def mean_dominates(mean: Vector, mean_square: float) -> bool:
    """Tell whether rows of this mean and mean squared norm have little besides their mean."""
    square = float(mean @ mean)
    return square > MEAN_DOMINATES**2 * max(0.0, mean_square - square)


def unit_rows(rows: Matrix, out: Matrix | None = None) -> Matrix:
    """Return rows of length 1, shape (m, d); zero rows stay zero.

    Parameters
    ----------
    rows : float64 array, shape (m, d)
    out : float64 array, shape (m, d), optional
        Takes the result; may be `rows`.
    """
    squares = np.einsum("ij,ij->i", rows, rows)
    low, high = SAFE_SQUARES
    plain = (squares > low) & (squares < high)
    divisors = np.sqrt(squares)[:, None]
    if not plain.all():
        # Divided by its largest entry first, no row's squares overflow or vanish.
        largest = np.abs(rows[~plain]).max(axis=1, keepdims=True)
        largest[largest == 0.0] = 1.0
        scaled = rows[~plain] / largest
        norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
        norms[norms == 0.0] = 1.0
        divisors[~plain] = 1.0
    units = np.asarray(np.divide(rows, divisors, out=out))
    if not plain.all():
        units[~plain] = scaled / norms
    return units
