"""Whether a linear map gains by giving unit targets their lengths back, and the maps if so."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embaudit.data.pair import even_spans
from embaudit.datatypes import DIRECTIONS, Direction, Mask, Matrix, Metric, Rows, Vector
from embaudit.maps.affine import AffineMap
from embaudit.maps.cross_fit import CrossFit, apply_by_fold
from embaudit.maps.lengths import Lengthened
from embaudit.maps.linear import PENALTIES, RidgePath
from embaudit.maps.methods import Recipe
from embaudit.maps.penalties import Tuning
from embaudit.stages.population import Population
from embaudit.stats.parallel import ordered_map
from embaudit.stats.prepare import unit_rows
from embaudit.stats.ranks import Partners
from embaudit.streaming.fold_moments import FOLDS, FoldPlan

MOST_ROWS = 1 << 14
MOST_VALUES = 1 << 24
"""Entries of both sides that are held: 64 MiB, and nearly as much again for each thread."""
ROWS_AT_ONCE = 1024
SURE = 2.0
"""Standard errors by which recall must rise. Neither R^2 nor cosine tell where it will fall: from a
source that lacks what the target's rows differ in."""
NOTHING_TO_GAIN = 0.995


@dataclass(frozen=True)
class LengthenedMaps:
    """Linear maps to targets with lengths.

    Attributes
    ----------
    penalty : float
    folds : list of AffineMap
        Fitted without each fold.
    whole : AffineMap
        Fitted on rows of all.
    rows : int
        That `whole` was fitted on.
    """

    penalty: float
    folds: list[AffineMap]
    whole: AffineMap
    rows: int


def most_pairs(population: Population) -> int:
    """Return how many pairs at most are given lengths."""
    return min(MOST_ROWS, MOST_VALUES // sum(population.dims))


def lengthened_maps(
    population: Population,
    plan: FoldPlan,
    tuning: Tuning,
    maps: CrossFit,
    direction: Direction,
    recipe: Recipe,
) -> LengthenedMaps | None:
    """Return linear maps that find more of the tuning rows' neighbours than those at hand.

    None where they do not, under dot and euclidean, and with fewer rows than dimensions.

    Parameters
    ----------
    population : Population
    plan : FoldPlan
    tuning : Tuning
        Each row is mapped by maps that have not seen its fold.
    maps : CrossFit
    direction : "a_to_b" or "b_to_a"
    recipe : Recipe
        Of the linear maps at hand.
    """
    assert recipe.penalty is not None, "a linear map has one"
    side, penalty = DIRECTIONS.index(direction), recipe.penalty
    few = any(space.basis is not None for space in maps.spaces)
    if few or population.options.metric is not Metric.COSINE:
        return None
    source, target = tuning.rows[side], tuning.rows[1 - side]
    k = min(population.options.k, len(target) - 2)
    if k < 1:
        return None
    before = apply_by_fold(maps.maps[direction, "linear"], tuning.folds, source)
    recalls = _recalls(before, target, k)
    if recalls.mean() >= NOTHING_TO_GAIN:
        return None
    rows = np.sort(population.order[-most_pairs(population) :])
    x, y = _held(population, rows, side)
    folds = plan.fold_of(rows)
    masks = [folds != fold for fold in range(FOLDS)] + [np.ones(len(rows), np.bool_)]
    if min(np.count_nonzero(mask) for mask in masks) <= max(population.dims):
        return None

    def fit(mask: Mask) -> RidgePath:
        return Lengthened.of(x[mask], y[mask]).path(penalty)

    *by_fold, whole = ordered_map(fit, masks, population.options.workers)
    images = np.empty((len(PENALTIES), *target.shape))
    for fold, path in enumerate(by_fold):
        own = tuning.folds == fold
        images[:, own] = np.stack(list(path.transform(source[own], PENALTIES)))
    best = _best(images, target, tuning.seed)
    gain = _recalls(images[best], target, k) - recalls
    if gain.mean() <= SURE * gain.std() / math.sqrt(len(gain)):
        return None
    chosen = PENALTIES[best]
    fitted = [path.fit(chosen) for path in by_fold]
    return LengthenedMaps(chosen, fitted, whole.fit(chosen), len(rows))


def _held(
    population: Population, rows: Rows, side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return prepared rows of the source and of the target."""
    held = [np.empty((len(rows), dim), np.float32) for dim in population.dims]
    for start, stop in even_spans(len(rows), ROWS_AT_ONCE):
        for whole, part in zip(held, population.prepared(rows[start:stop]), strict=True):
            whole[start:stop] = part
    return held[side], held[1 - side]


def _best(images: Matrix, target: Matrix, seed: int) -> int:
    """Return which images, shape (penalties, m, q), rank the partners best."""
    partners = Partners(target, Metric.COSINE)
    ranks = [partners.ranks(one, np.random.default_rng([seed, 3])).mean() for one in images]
    return int(np.argmin(ranks))


def _recalls(images: Matrix, target: Matrix, k: int) -> Vector:
    """Return the share of each row's k nearest targets that its image finds, own row excluded."""
    units = unit_rows(target)
    truth = units @ units.T
    found = unit_rows(images) @ units.T
    np.fill_diagonal(truth, -np.inf)
    np.fill_diagonal(found, -np.inf)
    kth = np.partition(truth, -k, axis=1)[:, -k]
    nearest = np.argpartition(found, -k, axis=1)[:, -k:]
    reached = np.take_along_axis(truth, nearest, axis=1) >= kth[:, None] - 1e-12
    return np.asarray(reached.mean(axis=1))
