"""The ridge penalty of each direction: by retrieval on rows that no map has seen."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import DIRECTIONS, Matrix, Metric
from embaudit.maps.fold_fit import FoldFit
from embaudit.maps.held_out import HeldOut
from embaudit.maps.linear import PENALTIES
from embaudit.stats.ranks import Partners


@dataclass(frozen=True)
class Tuning:
    """Rows that penalties are chosen on.

    Attributes
    ----------
    folds : int8 array, shape (m,)
        Fold of each row; it is mapped by the map that has not seen it.
    rows : (float64 array, float64 array), shapes (m, p) and (m, q)
        Prepared rows of both sides.
    metric : Metric
    seed : int
        The same random references serve every penalty.
    """

    folds: NDArray[np.int8]
    rows: tuple[Matrix, Matrix]
    metric: Metric
    seed: int

    def trial(self, fit: FoldFit, held_out: HeldOut, fold: int) -> Trial:
        """Try every penalty on the rows of a fold."""
        images, errors, totals = [], [], []
        for side in range(len(DIRECTIONS)):
            source = fit.spaces[side].enter(self.rows[side][self.folds == fold])
            images.append(np.stack(list(fit.ridge(side).transform(source, PENALTIES))))
            residuals, total = held_out.ridge_errors(side, PENALTIES)
            errors.append(residuals)
            totals.append(total)
        return Trial((images[0], images[1]), np.array(errors), np.array(totals))


@dataclass(frozen=True)
class Trial:
    """What every penalty makes of the rows of one fold.

    Attributes
    ----------
    images : (float64 array, float64 array), shapes (penalties, m, q) and (penalties, m, p)
        Tuning rows of the fold, mapped in either direction.
    errors : float64 array, shape (directions, penalties)
        Residual sums of squares of all rows of the fold.
    totals : float64 array, shape (directions,)
        Their sums of squares about the fitted mean.
    """

    images: tuple[Matrix, Matrix]
    errors: Matrix
    totals: Matrix


def choose_penalties(
    tuning: Tuning, fits: Sequence[FoldFit], trials: Sequence[Trial], workers: int = 1
) -> dict[str, int]:
    """Return, by direction, which of `PENALTIES` has the best mean partner rank.

    Chosen by R^2 alone the penalty costs recall: retrieval is what the map is for. R^2 on the
    held-out folds decides ties.
    """
    errors = np.sum([trial.errors for trial in trials], axis=0)
    chosen: dict[str, int] = {}
    for side, direction in enumerate(DIRECTIONS):
        leave = fits[0].spaces[1 - side]
        images = np.empty((len(PENALTIES), len(tuning.folds), leave.dim))
        for fold, trial in enumerate(trials):
            images[:, tuning.folds == fold] = leave.leave(trial.images[side])
        partners = Partners(tuning.rows[1 - side], tuning.metric)

        def mean_rank(image: Matrix, partners: Partners = partners) -> float:
            return float(partners.ranks(image, np.random.default_rng([tuning.seed, 3])).mean())

        with ThreadPoolExecutor(workers) as pool:
            ranks = np.array(list(pool.map(mean_rank, images)))
        best = np.flatnonzero(ranks == ranks.min())
        chosen[direction] = int(best[errors[side][best].argmin()])
    return chosen
