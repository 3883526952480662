"""The rows of one fold, as what was fitted without them sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Vector
from embaudit.maps.fold_fit import FoldFit
from embaudit.maps.linear import shrinkage
from embaudit.stats.moments import Scatter


@dataclass(frozen=True)
class HeldOut:
    """Sums over the rows of a fold in the eigenbases of a fit: rotated once, asked often.

    Attributes
    ----------
    fit : FoldFit
        Of all other rows.
    n : int
    away : (array, array)
        How far the means of these rows are from those of the fitted ones, in the eigenbases.
    xx, xy, yy : float64 arrays, shapes (p, p), (p, q), (q, q)
        Sums of products about the means of these rows.
    """

    fit: FoldFit
    n: int
    away: tuple[Vector, Vector]
    xx: Matrix
    xy: Matrix
    yy: Matrix

    @classmethod
    def of(cls, fit: FoldFit, held_out: Scatter) -> HeldOut:
        """Return centred sums over the rows of a fold as a fit without them sees them."""
        (_, x), (_, y) = fit.eigen
        mean_x, mean_y = fit.means
        return cls(
            fit,
            held_out.n,
            ((held_out.mean_x - mean_x) @ x, (held_out.mean_y - mean_y) @ y),
            x.T @ held_out.xx @ x,
            x.T @ held_out.xy @ y,
            y.T @ held_out.yy @ y,
        )

    def ridge_errors(self, side: int, penalties: Sequence[float]) -> tuple[list[float], float]:
        """Return what `AffineMap.squared_error` finds of each linear map of a direction.

        ``||Y~ - X~ M||^2 = total - 2 s.inner + s^T square s`` with the shrinkage s: a penalty costs
        p^2 operations.

        Returns
        -------
        residuals : list of float
            Sum of squares for each penalty.
        total : float
            Sum of squares about the fitted mean.
        """
        source, target = (self.xx, self.yy) if side == 0 else (self.yy, self.xx)
        cross, own = (self.fit.cross, self.xy) if side == 0 else (self.fit.cross.T, self.xy.T)
        away_x, away_y = self.away[side], self.away[1 - side]
        total = float(target.trace() + self.n * (away_y @ away_y))
        inner = np.einsum("ij,ij->i", own, cross) + self.n * away_x * (cross @ away_y)
        square = (source + self.n * np.outer(away_x, away_x)) * (cross @ cross.T)
        values = self.fit.eigen[side][0]
        unit = self.fit.unit(side)
        shrunk = (shrinkage(values, penalty * unit) for penalty in penalties)
        return [float(total - 2.0 * s @ inner + s @ square @ s) for s in shrunk], total
