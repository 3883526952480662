"""Cross-fitting: for every fold, maps fitted on the rows of all other folds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import DIRECTIONS, Matrix, Metric, Rows, Vector
from embaudit.maps.affine import AffineMap
from embaudit.maps.linear import PENALTIES, RidgePath
from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.maps.row_space import RowSpace, row_space, within
from embaudit.stats.moments import Moments, Scatter, total
from embaudit.stats.ranks import partner_ranks


@dataclass(frozen=True)
class FoldFit:
    """What is fitted without one fold, and that fold's own sums to judge it by.

    Everything is in the coordinates of `spaces`: those of the rows themselves unless there are
    fewer rows than dimensions.

    Attributes
    ----------
    spaces : (RowSpace, RowSpace)
        Of x and y, the same for all folds.
    train, held_out : Scatter
        Sums over all other folds and over this fold.
    eigen_x, eigen_y : (values, vectors)
        Eigendecompositions of ``train.xx`` and ``train.yy``, eigenvalues ascending.
    orthogonal : (a_to_b, b_to_a)
    ridge : (a_to_b, b_to_a)
        Families of linear maps, one map for each penalty.
    """

    spaces: tuple[RowSpace, RowSpace]
    train: Scatter
    held_out: Scatter
    eigen_x: tuple[Vector, Matrix]
    eigen_y: tuple[Vector, Matrix]
    orthogonal: tuple[AffineMap, AffineMap]
    ridge: tuple[RidgePath, RidgePath]


def fit_folds(moments: list[Moments], workers: int) -> list[FoldFit]:
    """Fit every fold's maps on the other folds.

    Every fold must hold rows in the others; `moments` has one entry for each fold.
    """
    everything = total(moments).scatter()

    def space(side: int) -> RowSpace:
        x = everything if side == 0 else everything.swapped()
        return row_space(x.xx, x.mean_x, x.n)

    def fit(fold: int) -> FoldFit:
        others = total([part for index, part in enumerate(moments) if index != fold])
        train = within(others.scatter(), *spaces)
        eigen_x, eigen_y = _eigen(train.xx), _eigen(train.yy)
        return FoldFit(
            spaces=spaces,
            train=train,
            held_out=within(moments[fold].scatter(), *spaces),
            eigen_x=eigen_x,
            eigen_y=eigen_y,
            orthogonal=fit_orthogonal(train),
            ridge=(
                RidgePath(train, *eigen_x, spaces[0].dim),
                RidgePath(train.swapped(), *eigen_y, spaces[1].dim),
            ),
        )

    with ThreadPoolExecutor(workers) as pool:
        space_x, space_y = pool.map(space, (0, 1))
        spaces = (space_x, space_y)
        return list(pool.map(fit, range(len(moments))))


def _eigen(matrix: Matrix) -> tuple[Vector, Matrix]:
    values, vectors = np.linalg.eigh(matrix)
    return values, vectors


@dataclass(frozen=True)
class CrossFit:
    """The maps of all folds, and which of them may map which row.

    Attributes
    ----------
    fits : list of FoldFit
        One for each fold.
    fold_of : callable
        Fold of each row position.
    penalties : dict of direction to float
        Ridge penalty of the linear maps.
    """

    fits: list[FoldFit]
    fold_of: Callable[[Rows], NDArray[np.int8]]
    penalties: dict[str, float]

    def maps(self, direction: str, kind: str) -> list[AffineMap]:
        """Return the maps of a direction (a_to_b, b_to_a) and kind (orthogonal, linear) by fold.

        They map coordinates of the row spaces; `transform` maps rows.
        """
        return self._maps[direction, kind]

    def transform(self, direction: str, kind: str, rows: Rows, vectors: Matrix) -> Matrix:
        """Map each vector with the map that has not seen its row's fold.

        Parameters
        ----------
        direction, kind : str
        rows : int64 array, shape (m,)
            Positions in the file; negative for vectors that no map has seen, which the first
            fold's map takes.
        vectors : float64 array, shape (m, p)
            Prepared rows of the source side.
        """
        enter, leave = self.fits[0].spaces
        if direction == "b_to_a":
            enter, leave = leave, enter
        maps = self.maps(direction, kind)
        folds = np.where(rows < 0, np.int8(0), self.fold_of(np.maximum(rows, 0)))
        return leave.leave(apply_by_fold(maps, folds, enter.enter(vectors)))

    @cached_property
    def _maps(self) -> dict[tuple[str, str], list[AffineMap]]:
        maps: dict[tuple[str, str], list[AffineMap]] = {}
        for side, direction in enumerate(DIRECTIONS):
            maps[direction, "orthogonal"] = [fit.orthogonal[side] for fit in self.fits]
            maps[direction, "linear"] = [
                fit.ridge[side].fit(self.penalties[direction]) for fit in self.fits
            ]
        return maps


def apply_by_fold(maps: list[AffineMap], folds: NDArray[np.int8], vectors: Matrix) -> Matrix:
    """Map each vector, shape (m, p), with the map of its fold; returns shape (m, q)."""
    mapped = np.empty((len(vectors), maps[0].matrix.shape[1]))
    for fold in np.unique(folds):
        chosen = folds == fold
        mapped[chosen] = maps[fold].transform(vectors[chosen])
    return mapped


def choose_penalties(
    fits: list[FoldFit],
    folds: NDArray[np.int8],
    rows_a: Matrix,
    rows_b: Matrix,
    metric: Metric,
    seed: int,
) -> dict[str, float]:
    """Return the ridge penalty of each direction with the best mean partner rank.

    Chosen by R^2 alone the penalty costs recall: retrieval is what the map is for. R^2 on the
    held-out folds decides ties.

    Parameters
    ----------
    folds : int8 array, shape (m,)
        Fold of each tuning row; it is mapped by the map that has not seen it.
    rows_a, rows_b : float64 arrays, shapes (m, p) and (m, q)
        Prepared tuning rows.
    metric : Metric
    seed : int
        The same random references serve every penalty.
    """
    chosen: dict[str, float] = {}
    for side, direction in enumerate(DIRECTIONS):
        source, target = (rows_a, rows_b) if side == 0 else (rows_b, rows_a)
        enter, leave = fits[0].spaces[side], fits[0].spaces[1 - side]
        mapped = np.empty((len(PENALTIES), *target.shape))
        for fold, fit in enumerate(fits):
            members = folds == fold
            images = fit.ridge[side].transform(enter.enter(source[members]), PENALTIES)
            for index, image in enumerate(images):
                mapped[index, members] = leave.leave(image)
        ranks = {}
        for penalty, rows in zip(PENALTIES, mapped, strict=True):
            generator = np.random.default_rng([seed, 3])
            ranks[penalty] = float(partner_ranks(rows, target, metric, generator).mean())
        best = [penalty for penalty in PENALTIES if ranks[penalty] == min(ranks.values())]
        chosen[direction] = best[0]
        if len(best) > 1:
            chosen[direction] = min(best, key=partial(_held_out_error, fits, side))
    return chosen


def _held_out_error(fits: list[FoldFit], side: int, penalty: float) -> float:
    """Return the residual sum of squares of one direction over all folds."""
    total_error = 0.0
    for fit in fits:
        held_out = fit.held_out if side == 0 else fit.held_out.swapped()
        total_error += fit.ridge[side].fit(penalty).squared_error(held_out)[0]
    return total_error
