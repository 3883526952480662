"""The linear map: ridge regression from the moments."""

from __future__ import annotations

import numpy as np

from embaudit.datatypes import Matrix, Vector
from embaudit.maps.affine import AffineMap, matched_scale
from embaudit.stats.moments import Scatter

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Grid of penalties, relative to the mean variance of the source."""


class RidgePath:
    """All ridge maps x -> y from one eigendecomposition of ``X~^T X~``.

    Parameters
    ----------
    scatter : Scatter
    values, vectors : float64 arrays, shapes (p,) and (p, p)
        Eigenvalues and eigenvectors (columns) of ``scatter.xx``.
    """

    def __init__(self, scatter: Scatter, values: Vector, vectors: Matrix) -> None:
        self._scatter = scatter
        self._values = np.maximum(values, 0.0)
        self._vectors = vectors
        self._rotated_cross = vectors.T @ scatter.xy

    def fit(self, penalty: float) -> AffineMap:
        """Return the map for a penalty relative to ``trace(X~^T X~) / p``."""
        ridge = penalty * float(self._scatter.xx.trace()) / len(self._values)
        shrunk = self._values + ridge
        inverse = np.divide(1.0, shrunk, out=np.zeros_like(shrunk), where=shrunk > 0.0)
        matrix = self._vectors @ (self._rotated_cross * inverse[:, None])
        weights = self._values * np.square(inverse)
        mapped_square = float((np.square(self._rotated_cross).sum(axis=1) * weights).sum())
        return AffineMap(
            matrix=matrix,
            mean_x=self._scatter.mean_x,
            mean_y=self._scatter.mean_y,
            least_squares_scale=1.0,
            matched_scale=matched_scale(self._scatter, mapped_square),
        )
