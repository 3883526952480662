"""The linear map: ridge regression from the moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    dim : int, optional
        Dimensions of the source that its mean variance is over; default is p.
    """

    def __init__(
        self, scatter: Scatter, values: Vector, vectors: Matrix, dim: int | None = None
    ) -> None:
        self._scatter = scatter
        self._dim = dim or len(values)
        self._values = np.maximum(values, 0.0)
        self._vectors = vectors
        self._rotated_cross = vectors.T @ scatter.xy
        self._cross_squares = np.square(self._rotated_cross).sum(axis=1)

    def fit(self, penalty: float) -> AffineMap:
        """Return the map for a penalty relative to ``trace(X~^T X~) / p``."""
        inverse, scale = self._shrinkage(penalty)
        return AffineMap(
            matrix=self._vectors @ (self._rotated_cross * inverse[:, None]),
            mean_x=self._scatter.mean_x,
            mean_y=self._scatter.mean_y,
            least_squares_scale=1.0,
            matched_scale=scale,
        )

    def transform(self, rows: Matrix, penalties: Sequence[float]) -> Iterator[Matrix]:
        """Yield `rows`, shape (m, p), mapped with each penalty: what `fit` maps them to.

        Rows are rotated into the eigenbasis once; a penalty then costs no map of its own.
        """
        rotated = (rows - self._scatter.mean_x) @ self._vectors
        for penalty in penalties:
            inverse, scale = self._shrinkage(penalty)
            mapped = (rotated * (inverse * scale)) @ self._rotated_cross
            mapped += self._scatter.mean_y
            yield mapped

    def _shrinkage(self, penalty: float) -> tuple[Vector, float]:
        """Return ``1 / (eigenvalues + ridge)`` and the scale that matches the target's variance."""
        ridge = penalty * float(self._scatter.xx.trace()) / self._dim
        shrunk = self._values + ridge
        inverse = np.divide(1.0, shrunk, out=np.zeros_like(shrunk), where=shrunk > 0.0)
        weights = self._values * np.square(inverse)
        return inverse, matched_scale(self._scatter, float(self._cross_squares @ weights))
