"""The space that few rows span: with fewer rows than dimensions all algebra fits into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Vector
from embaudit.stats.moments import Scatter

RANK_TOLERANCE = 1e-13
"""Eigenvalues below this share of the largest are rounding."""


@dataclass(frozen=True)
class RowSpace:
    """Coordinates of one side's rows about their mean.

    Attributes
    ----------
    mean : float64 array, shape (d,)
    basis : float64 array, shape (d, r), or None
        Orthonormal columns that span all centred rows; None for the axes themselves.
    """

    mean: Vector
    basis: Matrix | None

    @property
    def dim(self) -> int:
        """Dimension of the rows, d."""
        return len(self.mean)

    @property
    def rank(self) -> int:
        """Number of coordinates, r."""
        return self.dim if self.basis is None else self.basis.shape[1]

    def enter(self, rows: Matrix) -> Matrix:
        """Return coordinates of rows, shape (m, d) to (m, r)."""
        return rows if self.basis is None else np.asarray((rows - self.mean) @ self.basis)

    def leave(self, coordinates: Matrix) -> Matrix:
        """Return rows of coordinates, shape (m, r) to (m, d)."""
        if self.basis is None:
            return coordinates
        return np.asarray(coordinates @ self.basis.T + self.mean)

    def spread(self, columns: Matrix) -> Matrix:
        """Return directions given by coordinates, shape (m, r), along the axes, shape (m, d)."""
        return columns if self.basis is None else np.asarray(columns @ self.basis.T)


def row_space(square: Matrix, mean: Vector, rows: int) -> RowSpace:
    """Return the space of n centred rows from their scatter; the axes unless n - 1 < d.

    Parameters
    ----------
    square : float64 array, shape (d, d)
        ``X~^T X~`` of all rows.
    mean : float64 array, shape (d,)
    rows : int
    """
    if rows > len(mean):
        return RowSpace(mean, None)
    values, vectors = np.linalg.eigh(square)
    kept = values[-(rows - 1) :] > RANK_TOLERANCE * max(values[-1], 0.0)
    kept[-1] = True
    return RowSpace(mean, np.ascontiguousarray(vectors[:, -(rows - 1) :][:, kept]))


def within(scatter: Scatter, space_x: RowSpace, space_y: RowSpace) -> Scatter:
    """Return the same sums in coordinates; no variance is lost."""
    if space_x.basis is None and space_y.basis is None:
        return scatter
    xx, xy, yy = scatter.xx, scatter.xy, scatter.yy
    if space_x.basis is not None:
        xx, xy = space_x.basis.T @ xx @ space_x.basis, space_x.basis.T @ xy
    if space_y.basis is not None:
        yy, xy = space_y.basis.T @ yy @ space_y.basis, xy @ space_y.basis
    return Scatter(
        scatter.n,
        space_x.enter(scatter.mean_x[None])[0],
        space_y.enter(scatter.mean_y[None])[0],
        xx,
        xy,
        yy,
    )
