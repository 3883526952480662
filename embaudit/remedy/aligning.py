"""Fitting a map, and measuring on rows it has not seen what it recovers: `embaudit align`."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from embaudit.alignment import Alignment, CurvePoint, MethodFigures
from embaudit.data.id_files import IdSource
from embaudit.data.join import open_pair
from embaudit.data.sources import Source
from embaudit.datatypes import (
    DIRECTIONS,
    JOINT,
    METHODS,
    Direction,
    Matrix,
    Method,
    Metric,
    Progress,
    Rows,
)
from embaudit.errors import InputError, UsageError, did_you_mean
from embaudit.fitting import fitted_map
from embaudit.maps.cross_fit import CrossFit, cross_fit
from embaudit.maps.fitted import FittedMap, RowMapper
from embaudit.maps.fold_fit import row_spaces
from embaudit.maps.low_rank import saves
from embaudit.maps.methods import in_axes
from embaudit.measures.distances import paired_cosine, row_cosines
from embaudit.measures.neighbors import QueryResults
from embaudit.remedy.checksums import described
from embaudit.remedy.learning_curve import FewPairs, asked_as
from embaudit.remedy.mapped_search import OneWay
from embaudit.remedy.records import smaller_indexes
from embaudit.result import Estimate, Policy
from embaudit.stages.ledger import Ledger
from embaudit.stages.lengths import LengthenedMaps, lengthened_maps
from embaudit.stages.linear import FEWEST_ROWS, judged_folds, population_moments
from embaudit.stages.options import Options
from embaudit.stages.population import Population, populate
from embaudit.stages.recipes import Recipes, recipes_of
from embaudit.stats.moments import Scatter, total
from embaudit.stats.parallel import single_threaded_blas
from embaudit.streaming.fold_moments import FOLDS, FoldPlan
from embaudit.verdict import NOTABLE_GAIN, grade
from embaudit.version import __version__

AUTO = "auto"
QUERIES = 2048
TIMED = 200
"""Single queries that are mapped to tell what one costs."""


def align(
    a: Source,
    b: Source,
    *,
    direction: Direction = "a_to_b",
    method: Method | Literal["auto"] = "auto",
    on: str | None = None,
    ids_a: IdSource | None = None,
    ids_b: IdSource | None = None,
    by_row: bool = False,
    column: str | None = None,
    metric: Metric | str = Metric.COSINE,
    k: int = 10,
    policy: Policy | None = None,
    drop_invalid: bool = False,
    keep_duplicates: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    threads: int | None = None,
) -> tuple[FittedMap, Alignment]:
    """Fit a map on all paired rows, and say what such a map recovers on rows it has not seen.

    What is said is cross-fitted: a row is mapped by a map that was fitted without its fold of the
    rows, a quarter of them.

    Parameters
    ----------
    direction : "a_to_b" or "b_to_a"
        From whose vectors to whose space.
    method : "auto", "orthogonal", "low-rank" or "linear"
        "auto" takes the simplest whose recall is within 0.02 of the best.
    policy : Policy, optional
        Its `min_aligned_recall` says which map helps, `confidence` what intervals hold.
    a, b, on, ids_a, ids_b, by_row, column, metric, k, drop_invalid, keep_duplicates, seed, \
progress, threads
        As of `embaudit.compare`.

    Returns
    -------
    FittedMap
        Fitted on all rows.
    Alignment

    Raises
    ------
    EmbauditError
        InputError for sources that cannot be paired, or with too few rows; UsageError for
        impossible options.
    """
    check_choice("--direction", direction, DIRECTIONS)
    if str(method) == JOINT:
        raise UsageError("--method joint: fits two maps; call align_joint")
    check_choice("--method", method, (AUTO, *METHODS, JOINT))
    options = Options.checked(
        metric=metric,
        k=k,
        policy=policy,
        drop_invalid=drop_invalid,
        keep_duplicates=keep_duplicates,
        seed=seed,
        progress=progress,
        threads=threads,
    )
    pair = open_pair(a, b, on=on, ids_a=ids_a, ids_b=ids_b, by_row=by_row, column=column)
    ledger = Ledger()
    with single_threaded_blas(), ledger.stage("total"):
        with ledger.stage("scan"):
            population = populate(pair, options)
        require_rows(population, options.k)
        methods = tuple(known for known in METHODS if method in (AUTO, known))
        return _aligned(OneWay(population, direction), methods, ledger)


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse what is none of the known values.

    Raises
    ------
    UsageError
    """
    if value not in known:
        raise UsageError(
            f"{name} {value}: expected one of {', '.join(known)}{did_you_mean(str(value), known)}"
        )


def require_rows(population: Population, k: int) -> None:
    """Refuse too few rows to fit a map on some and measure k neighbours of others.

    Raises
    ------
    InputError
    """
    fewest = max(2 * FEWEST_ROWS, 2 * (4 * k + 2))
    if population.n < fewest:
        raise InputError(
            f"{population.pair.a.uri}: {population.n} distinct paired rows; a map and its "
            f"measurement at k {k} need at least {fewest}"
        )


@dataclass(frozen=True)
class _Fitted:
    """What is fitted without the rows it is asked about.

    Attributes
    ----------
    plan : FoldPlan
    scatter : Scatter
        Of all rows, A's first.
    recipes : Recipes
    maps : CrossFit
    lengthened : LengthenedMaps or None
        The linear maps, where they gain by targets that have lengths.
    """

    plan: FoldPlan
    scatter: Scatter
    recipes: Recipes
    maps: CrossFit
    lengthened: LengthenedMaps | None

    def fold_maps(self, way: OneWay, method: Method) -> list[FittedMap]:
        """Return the maps fitted without each fold, as they are used."""
        source, target = way.turned((way.population.scan.a, way.population.scan.b))
        return [
            FittedMap(
                affine=in_axes(affine, *way.turned(self.maps.spaces)),
                metric=way.population.options.metric,
                scale=target.preparation.scale,
                direction=way.direction,
                method=method,
                rows=way.population.n,
                norms=(source.norm_min, source.norm_max),
            )
            for affine in self.maps.maps[way.direction, method]
        ]

    def with_lengths(self, method: Method) -> LengthenedMaps | None:
        """Return the maps to targets with lengths, where a method's are those."""
        return self.lengthened if method == "linear" else None

    def residual(
        self, way: OneWay, method: Method, queries: Rows, x: Matrix, y: Matrix
    ) -> float | None:
        """Return the squared residual of rows, relative to their scatter about the fitted mean."""
        enter, leave = way.turned(self.maps.spaces)
        x, y = enter.enter(x), leave.enter(y)
        folds = self.plan.fold_of(queries)
        residual = scatter = 0.0
        for fold, affine in enumerate(self.maps.maps[way.direction, method]):
            own = folds == fold
            away = y[own] - affine.mean_y
            image = (x[own] - affine.mean_x) @ affine.matrix * affine.least_squares_scale
            residual += float(np.square(away - image).sum())
            scatter += float(np.square(away).sum())
        return residual / scatter if scatter > 0.0 else None


def _aligned(
    way: OneWay, methods: tuple[Method, ...], ledger: Ledger
) -> tuple[FittedMap, Alignment]:
    """Return the map, fitted on all rows, and what its like recovers on rows they have not seen."""
    population, progress = way.population, way.population.options.progress
    # Half of the rows at most: fewer pairs are fitted on the others.
    queries = population.order[: min(QUERIES, population.n // 2)]
    fitted = _fit(way, methods, ledger)
    with ledger.stage("neighbours"):
        before = way.stored(fitted.maps.axes, fitted.maps.transform, methods).run(queries, progress)
    x, y = way.vectors(queries)
    figures = _figures(way, fitted, before, queries, x, y)
    chosen = next(one for one in figures if one.chosen)
    recipe = fitted.recipes.recipes[chosen.method]
    with ledger.stage("fit"):
        final = fitted_map(
            population, fitted.scatter, way.direction, recipe, fitted.with_lengths(chosen.method)
        )
        lengths = fitted.with_lengths(chosen.method) is not None
        few = FewPairs(way, recipe, len(queries), lengths).maps()
    with ledger.stage("mapped neighbours"):
        maps = fitted.fold_maps(way, chosen.method)
        after = way.mapped(
            maps,
            fitted.plan,
            fitted.maps.axes[1 - way.side],
            asked_as(way, few),
            tuple(map(str, few)),
        ).run(queries, progress)
        smaller = smaller_indexes(way, maps, fitted.plan)
    image = fitted.maps.transform(way.direction, chosen.method, queries, x)
    turn = np.random.default_rng([population.options.seed, 5])
    cosine, random = paired_cosine(image, y, turn)
    stored = float(row_cosines(x, y).mean()) if population.same_dim else None
    recall, raw = way.corrected(before, chosen.method), way.corrected(before)
    assert recall is not None, "the chosen map has been asked"
    policy = population.options.policy
    helps = (
        recall >= policy.min_aligned_recall
        and recall - (raw or 0.0) > NOTABLE_GAIN
        and (chosen.residual is None or chosen.residual < 1.0)
    )
    curve = [
        CurvePoint(pairs=size, recall=found)
        for size in few
        if (found := way.estimate(after, str(size))) is not None
    ]
    curve.append(CurvePoint(pairs=final.rows - final.rows // FOLDS, recall=chosen.recall))
    sides = described(population.pair)
    return final, Alignment(
        embaudit_version=__version__,
        direction=way.direction,
        method=chosen.method,
        metric=population.options.metric,
        k=population.options.k,
        seed=population.options.seed,
        helps=helps,
        min_aligned_recall=policy.min_aligned_recall,
        grade=grade(recall) if helps else None,
        a=sides[0],
        b=sides[1],
        pairs=population.n,
        fitted_on=final.rows,
        queries=len(queries),
        methods=figures,
        before=way.sight(before, stored),
        after=way.sight(after, float(cosine.mean())),
        random_cosine=float(random.mean()),
        smaller_indexes=smaller,
        curve=sorted(curve, key=lambda point: point.pairs),
        timing=ledger.timing | {"query": _query_seconds(final)},
    )


def _fit(way: OneWay, methods: tuple[Method, ...], ledger: Ledger) -> _Fitted:
    population = way.population
    plan = FoldPlan.seeded(population.kept, population.options.seed)
    with ledger.stage("moments"):
        moments = population_moments(population, plan)
    with ledger.stage("maps"):
        scatter = total(moments).scatter()
        folds = judged_folds(population, plan, moments, row_spaces(scatter))
        recipes = recipes_of(folds, way.direction, methods)
        maps = cross_fit(folds.fits, recipes.penalties, plan.fold_of, folds.workers)
        maps.maps[way.direction, "low-rank"] = recipes.low_rank
        lengthened = None
        if "linear" in recipes.recipes:
            recipe = recipes.recipes["linear"]
            lengthened = lengthened_maps(
                population, plan, folds.tuning, maps, way.direction, recipe
            )
        if lengthened is not None:
            maps.maps[way.direction, "linear"] = lengthened.folds
            recipes.recipes["linear"] = replace(recipe, penalty=lengthened.penalty)
    return _Fitted(plan, scatter, recipes, maps, lengthened)


def _figures(
    way: OneWay, fitted: _Fitted, found: QueryResults, queries: Rows, x: Matrix, y: Matrix
) -> list[MethodFigures]:
    """Return what each method recovers, the chosen one marked."""
    figures = []
    for method, recipe in fitted.recipes.recipes.items():
        recall = way.estimate(found, method)
        assert recall is not None, "every method has been asked"
        figures.append(
            MethodFigures(
                method=method,
                recall=recall,
                residual=fitted.residual(way, method, queries, x, y),
                penalty=recipe.penalty,
                rank=recipe.rank,
                lengths=fitted.with_lengths(method) is not None,
            )
        )
    # A low-rank map whose factors hold as much as the matrix is no simpler than a linear one.
    dims = way.population.dims
    offered = [one for one in figures if one.rank is None or saves(one.rank, dims)] or figures
    best = max(_value(one.recall) for one in offered)
    simplest = next(one for one in offered if _value(one.recall) >= best - NOTABLE_GAIN)
    return [one.model_copy(update={"chosen": one is simplest}) for one in figures]


def _value(estimate: Estimate) -> float:
    return -math.inf if estimate.value is None else estimate.value


def _query_seconds(fitted: FittedMap) -> float:
    """Return the seconds that mapping one query takes, the median of many."""
    p, q = fitted.dims
    mapper = RowMapper(fitted, np.dtype(np.float32))
    query, out = np.ones((1, p), np.float32), np.empty((1, q), np.float32)
    seconds = []
    for _ in range(TIMED):
        started = time.perf_counter()
        mapper.map(query, out)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))
