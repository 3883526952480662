"""Cross-fitting: for every fold, maps fitted on the rows of all other folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import DIRECTIONS, Matrix, Metric, Rows, Vector
from embaudit.maps.affine import AffineMap
from embaudit.maps.linear import PENALTIES, RidgePath
from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.maps.row_space import RowSpace, row_space, within
from embaudit.stats.moments import Moments, Scatter, total
from embaudit.stats.ranks import Partners

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
            unit=float(values.sum()) / self.spaces[side].dim,
            target=float(target_values.sum()),
        )

    def linear(self, side: int, penalty: float) -> AffineMap:
        """Return the linear map of a direction with one penalty."""
        return self.ridge(side).fit(penalty)


def _eigen(matrix: Matrix) -> tuple[Vector, Matrix]:
    values, vectors = np.linalg.eigh(matrix)
    return values, vectors


def fold_workers(sums: FoldSums, workers: int) -> int:
    """Return how many folds may be worked on together."""
    widest = max(len(sums.everything.mean_x), len(sums.everything.mean_y))
    return max(1, min(workers, len(sums), FOLD_BYTES // (8 * MATRICES_OF_A_FOLD * widest**2)))


def fit_folds(sums: FoldSums, workers: int) -> list[FoldFit]:
    """Fit every fold's maps on the other folds."""
    with ThreadPoolExecutor(fold_workers(sums, workers)) as pool:
        return list(
            pool.map(lambda fold: FoldFit.of(sums.without(fold), sums.spaces), range(len(sums)))
        )


@dataclass(frozen=True)
class CrossFit:
    """The maps of all folds, and which of them may map which row.

    Attributes
    ----------
    spaces : (RowSpace, RowSpace)
        Of x and y: the maps are between their coordinates.
    maps : dict of (direction, kind) to list of AffineMap
        By direction (a_to_b, b_to_a) and kind (orthogonal, linear), one map for each fold.
    fold_of : callable
        Fold of each row position.
    axes : (array or None, array or None)
        Of each side, those with most variance first, as the first fold's map sees them; None with
        fewer rows than dimensions.
    """

    spaces: tuple[RowSpace, RowSpace]
    maps: dict[tuple[str, str], list[AffineMap]]
    fold_of: Callable[[Rows], NDArray[np.int8]]
    axes: tuple[Matrix | None, Matrix | None]

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
        enter, leave = self.spaces
        if direction == "b_to_a":
            enter, leave = leave, enter
        folds = np.where(rows < 0, np.int8(0), self.fold_of(np.maximum(rows, 0)))
        return leave.leave(apply_by_fold(self.maps[direction, kind], folds, enter.enter(vectors)))


def cross_fit(
    fits: list[FoldFit],
    penalties: dict[str, float],
    fold_of: Callable[[Rows], NDArray[np.int8]],
    workers: int = 1,
) -> CrossFit:
    """Return the maps of all folds, the linear ones with the penalty of their direction."""
    maps: dict[tuple[str, str], list[AffineMap]] = {}
    with ThreadPoolExecutor(workers) as pool:
        for side, direction in enumerate(DIRECTIONS):
            maps[direction, "orthogonal"] = [fit.orthogonal[side] for fit in fits]
            linear = partial(FoldFit.linear, side=side, penalty=penalties[direction])
            maps[direction, "linear"] = list(pool.map(linear, fits))
    x, y = (
        vectors[:, ::-1] if space.basis is None else None
        for space, (_, vectors) in zip(fits[0].spaces, fits[0].eigen, strict=True)
    )
    return CrossFit(fits[0].spaces, maps, fold_of, (x, y))


def apply_by_fold(maps: list[AffineMap], folds: NDArray[np.int8], vectors: Matrix) -> Matrix:
    """Map each vector, shape (m, p), with the map of its fold; returns shape (m, q)."""
    mapped = np.empty((len(vectors), maps[0].matrix.shape[1]))
    for fold in np.unique(folds):
        chosen = folds == fold
        mapped[chosen] = maps[fold].transform(vectors[chosen])
    return mapped


def choose_penalties(
    fits: list[FoldFit],
    sums: FoldSums,
    folds: NDArray[np.int8],
    rows: tuple[Matrix, Matrix],
    metric: Metric,
    seed: int,
    workers: int = 1,
) -> dict[str, float]:
    """Return the ridge penalty of each direction with the best mean partner rank.

    Chosen by R^2 alone the penalty costs recall: retrieval is what the map is for. R^2 on the
    held-out folds decides ties.

    Parameters
    ----------
    folds : int8 array, shape (m,)
        Fold of each tuning row; it is mapped by the map that has not seen it.
    rows : (float64 array, float64 array), shapes (m, p) and (m, q)
        Prepared tuning rows of both sides.
    metric : Metric
    seed : int
        The same random references serve every penalty.
    """

    def images(side: int, fold: int) -> Matrix:
        source = fits[fold].spaces[side].enter(rows[side][folds == fold])
        return np.stack(list(fits[fold].ridge(side).transform(source, PENALTIES)))

    def errors(side: int, fold: int) -> list[float]:
        held_out = sums.of(fold)
        if side == 1:
            held_out = held_out.swapped()
        return fits[fold].ridge(side).squared_errors(held_out, PENALTIES)

    everyone = range(len(fits))
    chosen: dict[str, float] = {}
    with ThreadPoolExecutor(workers) as pool:
        for side, direction in enumerate(DIRECTIONS):
            leave = fits[0].spaces[1 - side]
            mapped = np.empty((len(PENALTIES), len(folds), leave.dim))
            for fold, image in enumerate(pool.map(partial(images, side), everyone)):
                mapped[:, folds == fold] = leave.leave(image)

            partners = Partners(rows[1 - side], metric)

            def mean_rank(image: Matrix, partners: Partners = partners) -> float:
                return float(partners.ranks(image, np.random.default_rng([seed, 3])).mean())

            ranks = list(pool.map(mean_rank, mapped))
            best = [index for index, rank in enumerate(ranks) if rank == min(ranks)]
            if len(best) > 1:
                total_errors = np.sum(list(pool.map(partial(errors, side), everyone)), axis=0)
                best = [min(best, key=lambda index: total_errors[index])]
            chosen[direction] = PENALTIES[best[0]]
    return chosen
