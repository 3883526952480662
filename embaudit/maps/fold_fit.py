"""What is fitted without one fold of the rows, and the sums it is fitted on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from embaudit.datatypes import Matrix, Vector
from embaudit.maps.affine import AffineMap
from embaudit.maps.linear import RidgePath
from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.maps.row_space import RowSpace, row_space, within
from embaudit.stats.linalg import symmetric_eigen
from embaudit.stats.moments import Moments, Scatter, total

FOLD_BYTES = 1 << 30
"""What the decompositions of folds that are worked on together may take."""
MATRICES_OF_A_FOLD = 16
"""Square matrices alive while a fold is decomposed, LAPACK's own included."""


Spaces = tuple[RowSpace, RowSpace]
"""Of x and y."""


@dataclass(frozen=True)
class Fold:
    """The centred sums over the rows of a fold, and over all others; each is handed over once.

    Attributes
    ----------
    number : int
    sums : dict of str to Scatter
    """

    number: int
    sums: dict[str, Scatter]

    def held_out(self) -> Scatter:
        """Return the sums over the rows of the fold."""
        return self.sums.pop("held_out")

    def train(self) -> Scatter:
        """Return the sums over all other rows; whoever fits may overwrite them."""
        return self.sums.pop("train")


def folds_of(parts: list[Moments], spaces: Spaces) -> Iterator[Fold]:
    """Yield the folds in order; `parts` is emptied on the way, what is done is held as one sum.

    Parameters
    ----------
    parts : list of Moments
        One for each fold; every fold must hold rows in the others.
    spaces : (RowSpace, RowSpace)
        Sums are given in their coordinates.
    """
    done: list[Moments] = []
    number = 0
    while parts:
        own = parts.pop(0)
        # No name but the fold's keeps large sums while it is worked on.
        fold = Fold(
            number,
            {
                "train": within(total([*done, *parts]).scatter(), *spaces),
                "held_out": within(own.scatter(), *spaces),
            },
        )
        if done:
            done[0].absorb(own)
        else:
            done.append(own)
        del own
        if not parts:
            done.clear()
        yield fold
        number += 1


def row_spaces(everything: Scatter) -> Spaces:
    """Return the spaces that rows span: the axes unless there are fewer rows than dimensions."""
    return (
        row_space(everything.xx, everything.mean_x, everything.n),
        row_space(everything.yy, everything.mean_y, everything.n),
    )


def folds_at_once(spaces: Spaces, most: int, fold_bytes: int = FOLD_BYTES) -> int:
    """Return how many folds may be worked on together, at most `most`, in so many bytes."""
    widest = max(space.rank for space in spaces)
    return max(1, min(most, fold_bytes // (8 * MATRICES_OF_A_FOLD * widest**2)))


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

    spaces: Spaces
    means: tuple[Vector, Vector]
    eigen: tuple[tuple[Vector, Matrix], tuple[Vector, Matrix]]
    cross: Matrix
    orthogonal: tuple[AffineMap, AffineMap]

    @classmethod
    def of(cls, train: Scatter, spaces: Spaces) -> FoldFit:
        """Fit the centred sums of all rows but the fold's."""
        orthogonal = fit_orthogonal(train)
        eigen_x, eigen_y = symmetric_eigen(train.xx), symmetric_eigen(train.yy)
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
