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
    """

    matrix: Matrix
    mean_x: Vector
    mean_y: Vector
    least_squares_scale: float
    matched_scale: float

    def transform(self, rows: Matrix) -> Matrix:
        """Map rows, shape (m, p), with the variance-matched scale; returns shape (m, q)."""
        mapped = (rows - self.mean_x) @ (self.matrix * self.matched_scale)
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
        away_x = held_out.mean_x - self.mean_x
        away_y = held_out.mean_y - self.mean_y
        n, s, matrix = held_out.n, self.least_squares_scale, self.matrix
        shifted = away_x @ matrix
        total = float(held_out.yy.trace() + n * (away_y @ away_y))
        cross = float((held_out.xy * matrix).sum() + n * (shifted @ away_y))
        square = float(((held_out.xx @ matrix) * matrix).sum() + n * (shifted @ shifted))
        return total - 2.0 * s * cross + s * s * square, total


def matched_scale(scatter: Scatter, mapped_square: float) -> float:
    """Return the factor that gives mapped rows the target's variance, 0 where they have none."""
    if mapped_square <= 0.0:
        return 0.0
    return math.sqrt(max(0.0, float(scatter.yy.trace())) / mapped_square)
