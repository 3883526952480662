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

    def squared_errors(self, held_out: Scatter, penalties: Sequence[float]) -> list[float]:
        """Return the residual sum of squares of held-out rows with each penalty.

        It is what `AffineMap.squared_error` finds of the fitted map. The held-out sums are rotated
        into the eigenbasis once; a penalty then costs p^2 operations.
        """
        n = held_out.n
        away_x = (held_out.mean_x - self.mean_x) @ self.vectors
        away_y = held_out.mean_y - self.mean_y
        total = float(held_out.yy.trace() + n * (away_y @ away_y))
        inner = np.einsum("ij,ij->i", self.vectors.T @ held_out.xy, self.cross)
        inner += n * away_x * (self.cross @ away_y)
        square = self.vectors.T @ held_out.xx @ self.vectors
        square += n * np.outer(away_x, away_x)
        square *= self.cross @ self.cross.T
        inverses = [self._shrinkage(penalty)[0] for penalty in penalties]
        return [float(total - 2.0 * one @ inner + one @ square @ one) for one in inverses]

    def _shrinkage(self, penalty: float) -> tuple[Vector, float]:
        """Return ``1 / (eigenvalues + ridge)`` and the scale that matches the target's variance."""
        values = np.maximum(self.values, 0.0)
        shrunk = values + penalty * self.unit
        inverse = np.divide(1.0, shrunk, out=np.zeros_like(shrunk), where=shrunk > 0.0)
        squares = np.einsum("ij,ij->i", self.cross, self.cross)
        return inverse, matched_scale(self.target, float(squares @ (values * np.square(inverse))))
