"""Cross-fitting: for every fold, maps fitted on the rows of all other folds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Matrix, Metric, Rows, Vector
from embaudit.maps.affine import AffineMap
from embaudit.maps.linear import PENALTIES, RidgePath
from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.stats.moments import Moments, Scatter, total
from embaudit.stats.ranks import partner_ranks

DIRECTIONS = ("a_to_b", "b_to_a")


@dataclass(frozen=True)
class FoldFit:
    """What is fitted without fold `fold`, and that fold's own sums to judge it by.

    Attributes
    ----------
    train, held_out : Scatter
        Sums over all other folds and over this fold.
    eigen_x, eigen_y : (values, vectors)
        Eigendecompositions of ``train.xx`` and ``train.yy``, eigenvalues ascending.
    orthogonal : (a_to_b, b_to_a)
    ridge : (a_to_b, b_to_a)
        Families of linear maps, one map for each penalty.
    """

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

    def fit(fold: int) -> FoldFit:
        train = total([part for index, part in enumerate(moments) if index != fold]).scatter()
        eigen_x = _eigen(train.xx)
        eigen_y = _eigen(train.yy)
        return FoldFit(
            train=train,
            held_out=moments[fold].scatter(),
            eigen_x=eigen_x,
            eigen_y=eigen_y,
            orthogonal=fit_orthogonal(train),
            ridge=(RidgePath(train, *eigen_x), RidgePath(train.swapped(), *eigen_y)),
        )

    with ThreadPoolExecutor(workers) as pool:
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
        """Return the maps of a direction (a_to_b, b_to_a) and kind (orthogonal, linear) by fold."""
        return self._maps[direction, kind]

    def transform(self, direction: str, kind: str, rows: Rows, vectors: Matrix) -> Matrix:
        """Map each vector with the map that has not seen its row's fold.

        Parameters
        ----------
        direction, kind : str
        rows : int64 array, shape (m,)
            Positions in the file.
        vectors : float64 array, shape (m, p)
            Prepared rows of the source side.
        """
        maps = self.maps(direction, kind)
        return apply_by_fold(maps, self.fold_of(rows), vectors)

    @cached_property
    def _maps(self) -> dict[tuple[str, str], list[AffineMap]]:
        maps = {}
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
    chosen = {}
    for side, direction in enumerate(DIRECTIONS):
        source, target = (rows_a, rows_b) if side == 0 else (rows_b, rows_a)
        ranks = {}
        for penalty in PENALTIES:
            mapped = apply_by_fold([fit.ridge[side].fit(penalty) for fit in fits], folds, source)
            generator = np.random.default_rng([seed, 3])
            ranks[penalty] = float(partner_ranks(mapped, target, metric, generator).mean())
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
