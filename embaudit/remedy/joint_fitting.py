"""Fitting two heads into one shared space, on some folds of the rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.datatypes import JOINT, JOINT_DIRECTIONS, Rows
from embaudit.errors import UsageError
from embaudit.maps.affine import AffineMap
from embaudit.maps.canonical import CanonicalPath
from embaudit.maps.fitted import FittedMap
from embaudit.measures.shared_space import reciprocal_rank
from embaudit.remedy.mapped_set import MappedSet
from embaudit.stages.ledger import Ledger
from embaudit.stages.linear import population_moments
from embaudit.stages.options import Options
from embaudit.stages.population import Population
from embaudit.stats.moments import Moments, total
from embaudit.stats.prepare import unit_rows
from embaudit.streaming.fold_moments import FOLDS, FoldPlan

if TYPE_CHECKING:
    from embaudit.maps.contrastive import Both, Contrastive, Trained, TrainedHead

PENALTIES = (100.0, 10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4)
POWERS = (0.0, 1.0, 2.0, 4.0)
"""Of the correlation by which directions are weighed. Large penalties and small powers come first:
they move the rows of a side least against each other."""
AS_GOOD = 0.005
"""Mean reciprocal ranks that are as good as the best: the first of these is taken."""
TRAINED_ROWS = 1 << 17
TRAINED_VALUES = 1 << 26
"""Entries of both sides that training holds: 256 MiB."""

JointMaps: TypeAlias = tuple[FittedMap, FittedMap]
"""A's head and B's."""


@dataclass(frozen=True)
class CanonicalRecipe:
    """What was chosen: the penalty, and the power of the correlation that weighs a direction."""

    penalty: float
    power: float


@dataclass(frozen=True)
class Fitting:
    """Fits heads on some folds of the rows.

    Attributes
    ----------
    population : Population
    plan : FoldPlan
    moments : list of Moments
        Of each fold.
    dim : int
        Of the shared space, at most.
    """

    population: Population
    plan: FoldPlan
    moments: list[Moments]
    dim: int

    @classmethod
    def of(cls, population: Population, dim: int, ledger: Ledger) -> Fitting:
        """Run pass 1 over a population."""
        plan = FoldPlan.seeded(population.kept, population.options.seed)
        with ledger.stage("moments"):
            moments = population_moments(population, plan)
        return cls(population, plan, moments, dim)

    def rows(self, folds: Sequence[int], most: int) -> Rows:
        """Return some rows of folds, in random order."""
        rows = self.population.order[: 2 * FOLDS * most]
        return rows[np.isin(self.plan.fold_of(rows), folds)][:most]

    def recipe(self, folds: Sequence[int], judged: Rows) -> CanonicalRecipe:
        """Return the recipe whose heads, fitted on folds, let partners of other rows meet best."""
        path = self._path(folds)
        x, y = self.population.prepared(judged)
        found: dict[CanonicalRecipe, float] = {}
        for penalty in PENALTIES:
            directions = path.directions(penalty)
            u, v = (
                head.transform(rows)
                for head, rows in zip(directions.heads(0.0, self.dim), (x, y), strict=True)
            )
            for power in POWERS:
                weights = np.power(directions.correlations[: self.dim], power)
                images = (_single(unit_rows(side * weights)) for side in (u, v))
                found[CanonicalRecipe(penalty, power)] = reciprocal_rank(*images)
        enough = max(found.values()) - AS_GOOD
        return next(recipe for recipe, value in found.items() if value >= enough)

    def closed_form(self, folds: Sequence[int], recipe: CanonicalRecipe) -> JointMaps:
        """Return the heads of canonical correlations."""
        a, b = self._path(folds).directions(recipe.penalty).heads(recipe.power, self.dim)
        return self._head(a, 0), self._head(b, 1)

    def until_best(
        self, folds: Sequence[int], start: JointMaps, hidden: int, judged: Rows
    ) -> Further:
        """Return heads trained further on the rows of folds, until other rows do no better."""
        pairs, judged_pairs = self._trained_on(folds, start), self._images(start, judged)
        training = contrastive_of(hidden, self.population.options)
        return _further(start, training.until_best(pairs, judged_pairs, reciprocal_rank), pairs)

    def for_epochs(
        self, folds: Sequence[int], start: JointMaps, hidden: int, epochs: int
    ) -> Further:
        """Return heads trained further on the rows of folds, for a number of epochs."""
        pairs = self._trained_on(folds, start)
        training = contrastive_of(hidden, self.population.options)
        return _further(start, training.for_epochs(pairs, epochs), pairs)

    def mapped(self, heads: JointMaps) -> tuple[EmbeddingSet, EmbeddingSet]:
        """Return both sets in the shared space."""
        pair = self.population.pair
        return MappedSet(pair.a, [heads[0]]), MappedSet(pair.b, [heads[1]])

    def _trained_on(self, folds: Sequence[int], start: JointMaps) -> Both:
        width = 2 * start[0].dims[1]
        return self._images(start, self.rows(folds, min(TRAINED_ROWS, TRAINED_VALUES // width)))

    def _images(self, heads: JointMaps, rows: Rows) -> Both:
        a, b = (side.take(rows) for side in self.mapped(heads))
        return a, b

    def _path(self, folds: Sequence[int]) -> CanonicalPath:
        return CanonicalPath.of(total([self.moments[fold] for fold in folds]).scatter())

    def _head(self, affine: AffineMap, side: int) -> FittedMap:
        scan = (self.population.scan.a, self.population.scan.b)[side]
        preparation = scan.preparation
        # A side of far smaller rows has been prepared with the other's scale: here each has its
        # own, so that float32 holds the map.
        change = 2.0 ** -round(math.log2(preparation.norm))
        scale = change * preparation.scale
        return FittedMap(
            affine=replace(
                affine,
                matrix=affine.matrix / change,
                mean_x=affine.mean_x * change,
                # Undone where the result is divided by the scale.
                least_squares_scale=scale,
                matched_scale=scale,
            ),
            metric=self.population.options.metric,
            scale=scale,
            direction=JOINT_DIRECTIONS[side],
            method=JOINT,
            rows=self.population.n,
            norms=(scan.norm_min, scan.norm_max),
            unit=True,
        )


@dataclass(frozen=True)
class Further:
    """Heads that were trained.

    Attributes
    ----------
    heads : (FittedMap, FittedMap)
    epochs : int
    temperature : float
    pairs : int
        Trained on.
    """

    heads: JointMaps
    epochs: int
    temperature: float
    pairs: int


def _further(start: JointMaps, found: Trained, pairs: Both) -> Further:
    heads = _behind(start[0], found.a), _behind(start[1], found.b)
    return Further(heads, found.epochs, found.temperature, len(pairs[0]))


def contrastive_of(hidden: int, options: Options) -> Contrastive:
    """Return what trains heads.

    Raises
    ------
    UsageError
        Where PyTorch is not installed.
    """
    try:
        from embaudit.maps.contrastive import Contrastive
    except (ImportError, OSError):
        raise UsageError(
            "training heads needs the package torch, which cannot be loaded; pip install "
            "'embaudit[train]', or pass --heads cca"
        ) from None
    return Contrastive(hidden, options.seed, options.progress)


def _single(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return rows.astype(np.float32)


def _behind(start: FittedMap, trained: TrainedHead) -> FittedMap:
    """Return a map followed by a head."""
    if trained.matrix is None:
        return replace(start, hidden=trained.layer)
    affine = replace(
        start.affine,
        matrix=start.affine.matrix @ trained.matrix,
        mean_y=np.zeros(trained.matrix.shape[1]),
    )
    return replace(start, affine=affine)
