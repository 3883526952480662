"""A fitted map between two spaces: centre, multiply, scale, add the target's mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

from embaudit.datatypes import Matrix, Vector
from embaudit.stats.moments import Scatter


@dataclass(frozen=True)
class AffineMap:
    """``y = scale (x - mean_x) matrix + mean_y``.

    Attributes
    ----------
    matrix : float64 array, shape (p, q)
    mean_x, mean_y : float64 arrays, shapes (p,) and (q,)
    least_squares_scale : float
        Minimises the squared residual on the rows the map was fitted on.
    matched_scale : float
        Gives mapped rows the variance of the target; better for retrieval, because under cosine
        the target's mean is added back and a shrunken row points at the mean.
    isometric : bool
        The rows of the matrix are orthonormal: before scaling it keeps every length.
    """

    matrix: Matrix
    mean_x: Vector
    mean_y: Vector
    least_squares_scale: float
    matched_scale: float
    isometric: bool = False

    def transform(self, rows: Matrix) -> Matrix:
        """Map rows, shape (m, p), with the variance-matched scale; returns shape (m, q)."""
        mapped = (rows - self.mean_x) @ self.matrix
        mapped *= self.matched_scale
        mapped += self.mean_y
        return mapped

    def squared_error(self, held_out: Scatter) -> tuple[float, float]:
        """Return the residual and total sum of squares of rows the map was not fitted on.

        Parameters
        ----------
        held_out : Scatter
            Sums of the held-out rows.

        Returns
        -------
        residual, total : float
            ``sum ||y - f(x)||^2`` with the least-squares scale, and ``sum ||y - mean_y||^2``
            about the fitted mean.
        """
        n, scale = held_out.n, self.least_squares_scale
        away_y = held_out.mean_y - self.mean_y
        shifted = (held_out.mean_x - self.mean_x) @ self.matrix
        total = float(held_out.yy.trace() + n * (away_y @ away_y))
        cross = float((held_out.xy * self.matrix).sum() + n * (shifted @ away_y))
        square = mapped_square(held_out.xx, self.matrix, self.isometric)
        square += float(n * (shifted @ shifted))
        return total - 2.0 * scale * cross + scale * scale * square, total


def mapped_square(square: Matrix, matrix: Matrix, isometric: bool) -> float:
    """Return ``trace(M^T X~^T X~ M)``: the summed squares of rows mapped without scale."""
    return float(square.trace() if isometric else ((square @ matrix) * matrix).sum())


def matched_scale(target_square: float, square: float) -> float:
    """Return the factor that takes squares of mapped rows to the target's, 0 without any."""
    if square <= 0.0:
        return 0.0
    return math.sqrt(max(0.0, target_square) / square)
