"""The low-rank map: reduced-rank regression of the ridge map (Izenman 1975)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Vector
from embaudit.maps.affine import AffineMap, matched_scale
from embaudit.maps.linear import RidgePath, shrinkage
from embaudit.stats.linalg import symmetric_eigen


@dataclass(frozen=True)
class ReducedRank:
    """All reduced-rank maps x -> y of one ridge map.

    The fitted values are projected on the directions of the target in which they, penalty
    included, vary most: of all maps of a rank this one minimises the penalised squared error.

    Attributes
    ----------
    path : RidgePath
    inverse : float64 array, shape (p,)
        The shrinkage of its penalty.
    basis : float64 array, shape (q, q)
        Orthonormal columns, the directions in which fitted values vary most first.
    """

    path: RidgePath
    inverse: Vector
    basis: Matrix

    @classmethod
    def of(cls, path: RidgePath, penalty: float) -> ReducedRank:
        """Return the maps for a penalty relative to ``trace(X~^T X~) / p``."""
        inverse = shrinkage(path.values, penalty * path.unit)
        weighted = path.cross * np.sqrt(inverse)[:, None]
        _, vectors = symmetric_eigen(weighted.T @ weighted)
        return cls(path, inverse, vectors[:, ::-1])

    @property
    def full_rank(self) -> int:
        """The rank from which a map is the ridge map itself."""
        p, q = len(self.inverse), len(self.basis)
        return min(p, q)

    def fit(self, rank: int) -> AffineMap:
        """Return the map of a rank, at least 1."""
        path, kept = self.path, self.basis[:, :rank]
        shrunk = (path.cross * self.inverse[:, None]) @ kept
        squares = np.einsum("ij,ij->i", shrunk, shrunk)
        mapped = float(np.maximum(path.values, 0.0) @ squares)
        return AffineMap(
            matrix=path.vectors @ (shrunk @ kept.T),
            mean_x=path.mean_x,
            mean_y=path.mean_y,
            least_squares_scale=1.0,
            matched_scale=matched_scale(path.target, mapped),
        )

    def gains(self, x: Matrix, y: Matrix) -> Matrix:
        """Return by how much each rank lowers the squared error of rows it was not fitted on.

        Parameters
        ----------
        x, y : float64 arrays, shapes (m, p) and (m, q)

        Returns
        -------
        float64 array, shape (m, full_rank)
            ``|y - mean|^2 - |y - f_r(x)|^2`` for r = 1, 2, ...
        """
        path, kept = self.path, self.basis[:, : self.full_rank]
        rotated = (x - path.mean_x) @ path.vectors
        scores = (rotated * self.inverse) @ path.cross @ kept
        targets = (y - path.mean_y) @ kept
        return np.asarray(np.cumsum((2.0 * targets - scores) * scores, axis=1))


def saves(rank: int, dims: tuple[int, int]) -> bool:
    """Tell whether the factors of a map of some rank hold less than its matrix."""
    p, q = dims
    return rank * (p + q) < p * q


def choose_rank(gains: Sequence[Matrix]) -> int:
    """Return the smallest rank whose held-out error is not clearly above the least.

    Clearly is by more than one standard error of the difference, row by row (Breiman et al. 1984,
    section 3.4.3).

    Parameters
    ----------
    gains : sequence of float64 arrays, shapes (m_f, ranks)
        Of the rows of each fold, as `ReducedRank.gains` returns them.
    """
    ranks = min(part.shape[1] for part in gains)
    rows = np.concatenate([part[:, :ranks] for part in gains])
    best = rows[:, rows.mean(axis=0).argmax()][:, None]
    lost = best - rows
    error = lost.std(axis=0) / np.sqrt(len(rows))
    return int(np.flatnonzero(lost.mean(axis=0) <= error)[0]) + 1
