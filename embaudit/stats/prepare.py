"""Preparing stored rows for a metric: unit rows for cosine, rescaled rows for dot and euclidean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Matrix, Metric, Stored, Vector

SAFE_FLOAT32_NORMS = (1e-15, 1e15)
"""Row norms whose squares stay clear of float32 overflow and underflow."""


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
        """Write prepared rows minus the shift into `out`, shape (m, d), float32 or float64."""
        if self.precise or out.dtype == np.float64:
            np.subtract(self.rows(stored), self.shift, out=out, casting="same_kind")
            return
        if self.metric is Metric.COSINE:
            wide = stored if stored.dtype == np.float32 else stored.astype(np.float32)
            squares = np.einsum("ij,ij->i", wide, wide)
            np.multiply(wide, (1.0 / np.sqrt(squares))[:, None], out=out)
        elif self.scale == 1.0:
            np.subtract(stored, self.shift.astype(np.float32), out=out, casting="same_kind")
            return
        else:
            np.multiply(stored, np.float32(self.scale), out=out, casting="same_kind")
        out -= self.shift.astype(np.float32)


def prepare(stored: Stored, metric: Metric, scale: float = 1.0) -> Matrix:
    """Return rows in float64 as `metric` sees them, shape (m, d); zero rows stay zero."""
    rows = stored.astype(np.float64)
    if metric is Metric.COSINE:
        return unit_rows(rows)
    if scale != 1.0:
        rows *= scale
    return rows


def unit_rows(rows: Matrix) -> Matrix:
    """Return rows of length 1, shape (m, d); zero rows stay zero.

    Each row is divided by its largest entry first, so that no square overflows or vanishes.
    """
    largest = np.abs(rows).max(axis=1, keepdims=True)
    largest[largest == 0.0] = 1.0
    scaled = rows / largest
    norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    norms[norms == 0.0] = 1.0
    return np.asarray(scaled / norms)
