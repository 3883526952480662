"""The linear map: ridge regression from the moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Vector
from embaudit.maps.affine import AffineMap, matched_scale
from embaudit.stats.moments import Scatter

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Grid of penalties, relative to the mean variance of the source."""


@dataclass(frozen=True)
class RidgePath:
    """All ridge maps x -> y from one eigendecomposition of ``X~^T X~``.

    Attributes
    ----------
    mean_x, mean_y : float64 arrays, shapes (p,) and (q,)
    values, vectors : float64 arrays, shapes (p,) and (p, p)
        Eigenvalues and eigenvectors (columns) of ``X~^T X~``.
    cross : float64 array, shape (p, q)
        ``X~^T Y~`` with its rows in the eigenbasis.
    unit : float
        What a penalty of 1 adds to every eigenvalue: their mean over all dimensions.
    target : float
        ``trace(Y~^T Y~)``.
    """

    mean_x: Vector
    mean_y: Vector
    values: Vector
    vectors: Matrix
    cross: Matrix
    unit: float
    target: float

    @classmethod
    def of(
        cls, scatter: Scatter, values: Vector, vectors: Matrix, dim: int | None = None
    ) -> RidgePath:
        """Return the path of centred sums, given the eigendecomposition of ``scatter.xx``.

        `dim` counts the dimensions of the source that its mean variance is over; default is p.
        """
        return cls(
            scatter.mean_x,
            scatter.mean_y,
            values,
            vectors,
            vectors.T @ scatter.xy,
            float(scatter.xx.trace()) / (dim or len(values)),
            float(scatter.yy.trace()),
        )

    def fit(self, penalty: float) -> AffineMap:
        """Return the map for a penalty relative to ``trace(X~^T X~) / p``."""
        inverse, scale = self._shrinkage(penalty)
        return AffineMap(
            matrix=self.vectors @ (self.cross * inverse[:, None]),
            mean_x=self.mean_x,
            mean_y=self.mean_y,
            least_squares_scale=1.0,
            matched_scale=scale,
        )

    def transform(self, rows: Matrix, penalties: Sequence[float]) -> Iterator[Matrix]:
        """Yield `rows`, shape (m, p), mapped with each penalty: what `fit` maps them to.

        Rows are rotated into the eigenbasis once; a penalty then costs no map of its own.
        """
        rotated = (rows - self.mean_x) @ self.vectors
        for penalty in penalties:
            inverse, scale = self._shrinkage(penalty)
            mapped = (rotated * (inverse * scale)) @ self.cross
            mapped += self.mean_y
            yield mapped

    def _shrinkage(self, penalty: float) -> tuple[Vector, float]:
        """Return the shrinkage and the scale that matches the target's variance."""
        inverse = shrinkage(self.values, penalty * self.unit)
        squares = np.einsum("ij,ij->i", self.cross, self.cross)
        mapped = np.maximum(self.values, 0.0) * np.square(inverse)
        return inverse, matched_scale(self.target, float(squares @ mapped))


def shrinkage(values: Vector, ridge: float) -> Vector:
    """Return ``1 / (eigenvalues + ridge)``, shape (p,); 0 where there is nothing."""
    shrunk = np.maximum(values, 0.0) + ridge
    return np.divide(1.0, shrunk, out=np.zeros_like(shrunk), where=shrunk > 0.0)
