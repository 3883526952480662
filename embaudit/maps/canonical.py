"""Regularised canonical correlation analysis: two heads into one space, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Vector
from embaudit.maps.affine import AffineMap
from embaudit.maps.fold_fit import Spaces, row_spaces
from embaudit.maps.linear import shrinkage
from embaudit.maps.row_space import within
from embaudit.stats.linalg import symmetric_eigen, thin_svd
from embaudit.stats.moments import Scatter


@dataclass(frozen=True)
class CanonicalDirections:
    """Directions along which paired rows agree most, of unit variance, for one penalty.

    Attributes
    ----------
    x, y : float64 arrays, shapes (p, r) and (q, r)
    correlations : float64 array, shape (r,)
        In [0, 1], descending; the penalty counts as variance.
    means : (float64 array, float64 array)
        Of both sides.
    """

    x: Matrix
    y: Matrix
    correlations: Vector
    means: tuple[Vector, Vector]

    def heads(self, power: float, dim: int) -> tuple[AffineMap, AffineMap]:
        """Return the maps of both sides into the leading `dim` directions.

        Each direction is weighed by a power of its correlation (Gong et al. 2014): with 0 those
        in which rows do not agree count as much as any.
        """
        weights = np.power(self.correlations[:dim], power)
        return self._head(self.x, weights, 0), self._head(self.y, weights, 1)

    def _head(self, directions: Matrix, weights: Vector, side: int) -> AffineMap:
        return AffineMap(
            matrix=directions[:, : len(weights)] * weights,
            mean_x=self.means[side],
            mean_y=np.zeros(len(weights)),
            least_squares_scale=1.0,
            matched_scale=1.0,
        )


@dataclass(frozen=True)
class CanonicalPath:
    """The decompositions of centred sums from which the directions for every penalty follow.

    Attributes
    ----------
    spaces : (RowSpace, RowSpace)
        That the rows span; everything else is in their coordinates.
    means : (float64 array, float64 array)
        Of both sides, along the axes.
    eigen : ((values, vectors), (values, vectors))
        Of ``X~^T X~`` and ``Y~^T Y~``.
    cross : float64 array, shape (p, q)
        ``X~^T Y~`` in both eigenbases.
    rows : int
        That were summed.
    """

    spaces: Spaces
    means: tuple[Vector, Vector]
    eigen: tuple[tuple[Vector, Matrix], tuple[Vector, Matrix]]
    cross: Matrix
    rows: int

    @classmethod
    def of(cls, scatter: Scatter) -> CanonicalPath:
        """Decompose centred sums."""
        spaces = row_spaces(scatter)
        inside = within(scatter, *spaces)
        # The decomposition may overwrite what it is given.
        eigen_x, eigen_y = symmetric_eigen(inside.xx.copy()), symmetric_eigen(inside.yy.copy())
        cross = eigen_x[1].T @ inside.xy @ eigen_y[1]
        return cls(spaces, (scatter.mean_x, scatter.mean_y), (eigen_x, eigen_y), cross, scatter.n)

    def directions(self, penalty: float) -> CanonicalDirections:
        """Return the directions for a penalty on both sides, relative to their mean variances.

        Canonical correlation analysis with ridge penalties (Vinod 1976): the singular vectors of
        ``(X~^T X~ + a I)^-1/2 X~^T Y~ (Y~^T Y~ + b I)^-1/2``.
        """
        inverse_x, inverse_y = (self._inverse(side, penalty) for side in (0, 1))
        whitened = inverse_x[:, None] * self.cross * inverse_y
        u, correlations, vt = thin_svd(whitened)
        return CanonicalDirections(
            x=self._along_axes(0, u * inverse_x[:, None]),
            y=self._along_axes(1, vt.T * inverse_y[:, None]),
            correlations=np.minimum(correlations, 1.0),
            means=self.means,
        )

    def _inverse(self, side: int, penalty: float) -> Vector:
        """Return 1 over the deviations along the eigenvectors; 0 where there is no variance."""
        values = np.maximum(self.eigen[side][0], 0.0)
        unit = float(values.sum()) / self.spaces[side].dim
        return np.sqrt(shrinkage(values, penalty * unit))

    def _along_axes(self, side: int, directions: Matrix) -> Matrix:
        along = self.spaces[side].spread((self.eigen[side][1] @ directions).T).T
        return along * math.sqrt(self.rows)
