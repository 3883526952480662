"""What is fitted without one fold of the rows, and the sums it is fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Vector
from embaudit.maps.affine import AffineMap
from embaudit.maps.linear import RidgePath
from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.maps.row_space import RowSpace, row_space, within
from embaudit.stats.moments import Moments, Scatter, total

FOLD_BYTES = 1 << 30
"""What the decompositions of folds that are worked on together may take."""
MATRICES_OF_A_FOLD = 16
"""Square matrices alive while a fold is decomposed, LAPACK's own included."""


class FoldSums:
    """Centred sums over each fold and over all others, made when they are asked for.

    Everything is in the coordinates of `spaces`: those of the rows themselves unless there are
    fewer rows than dimensions.

    Parameters
    ----------
    parts : sequence of Moments
        One for each fold; every fold must hold rows in the others.

    Attributes
    ----------
    everything : Scatter
        Over all rows.
    spaces : (RowSpace, RowSpace)
        Of x and y, the same for all folds.
    """

    def __init__(self, parts: Sequence[Moments]) -> None:
        self._parts = parts
        scatter = total(parts).scatter()
        self.spaces = (
            row_space(scatter.xx, scatter.mean_x, scatter.n),
            row_space(scatter.yy, scatter.mean_y, scatter.n),
        )
        self.everything = within(scatter, *self.spaces)

    def __len__(self) -> int:
        return len(self._parts)

    def of(self, fold: int) -> Scatter:
        """Return the sums over the rows of a fold."""
        return within(self._parts[fold].scatter(), *self.spaces)

    def without(self, fold: int) -> Scatter:
        """Return the sums over the rows of all other folds."""
        others = [part for index, part in enumerate(self._parts) if index != fold]
        return within(total(others).scatter(), *self.spaces)

    def workers(self, most: int, fold_bytes: int = FOLD_BYTES) -> int:
        """Return how many folds may be worked on together, at most `most`, in so many bytes."""
        widest = max(len(self.everything.mean_x), len(self.everything.mean_y))
        fitting = fold_bytes // (8 * MATRICES_OF_A_FOLD * widest**2)
        return max(1, min(most, len(self), fitting))


@dataclass(frozen=True)
class FoldFit:
    """What is fitted without one fold.

    Attributes
    ----------
    spaces : (RowSpace, RowSpace)
        Of x and y: everything is in their coordinates.
    means : (array, array)
        Of the rows that were fitted on.
    eigen : ((values, vectors), (values, vectors))
        Eigendecompositions of ``X~^T X~`` and ``Y~^T Y~``, eigenvalues ascending.
    cross : float64 array, shape (p, q)
        ``X~^T Y~`` in both eigenbases.
    orthogonal : (a_to_b, b_to_a)
    """

    spaces: tuple[RowSpace, RowSpace]
    means: tuple[Vector, Vector]
    eigen: tuple[tuple[Vector, Matrix], tuple[Vector, Matrix]]
    cross: Matrix
    orthogonal: tuple[AffineMap, AffineMap]

    @classmethod
    def of(cls, train: Scatter, spaces: tuple[RowSpace, RowSpace]) -> FoldFit:
        """Fit the centred sums of all rows but the fold's."""
        orthogonal = fit_orthogonal(train)
        eigen_x, eigen_y = _eigen(train.xx), _eigen(train.yy)
        return cls(
            spaces,
            (train.mean_x, train.mean_y),
            (eigen_x, eigen_y),
            eigen_x[1].T @ train.xy @ eigen_y[1],
            orthogonal,
        )

    def ridge(self, side: int) -> RidgePath:
        """Return the linear maps of a direction, one for each penalty: 0 is a_to_b, 1 b_to_a."""
        (values, vectors), (target_values, target_vectors) = self.eigen[side], self.eigen[1 - side]
        return RidgePath(
            mean_x=self.means[side],
            mean_y=self.means[1 - side],
            values=values,
            vectors=vectors,
            cross=(self.cross if side == 0 else self.cross.T) @ target_vectors.T,
            unit=self.unit(side),
            target=float(target_values.sum()),
        )

    def unit(self, side: int) -> float:
        """Return the mean variance of a side, what a penalty of 1 adds to every eigenvalue."""
        return float(self.eigen[side][0].sum()) / self.spaces[side].dim

    def linear(self, side: int, penalty: float) -> AffineMap:
        """Return the linear map of a direction with one penalty."""
        return self.ridge(side).fit(penalty)


def _eigen(matrix: Matrix) -> tuple[Vector, Matrix]:
    values, vectors = np.linalg.eigh(matrix)
    return values, vectors
