"""Fitting the map that an audit recommends."""

from __future__ import annotations

from embaudit.data.id_files import IdSource
from embaudit.data.join import open_pair
from embaudit.data.sources import Source
from embaudit.datatypes import DIRECTIONS, METHODS, Direction, Method, Metric, Progress
from embaudit.errors import InputError, UsageError, did_you_mean
from embaudit.maps.cross_fit import cross_fit
from embaudit.maps.fitted import FittedMap
from embaudit.maps.fold_fit import row_spaces
from embaudit.maps.methods import Recipe, fit_affine
from embaudit.stages.lengths import LengthenedMaps, lengthened_maps
from embaudit.stages.linear import FEWEST_ROWS, judged_folds, population_moments
from embaudit.stages.options import Options
from embaudit.stages.population import Population, populate
from embaudit.stages.recipes import recipes_of
from embaudit.stats.linalg import thin_svd
from embaudit.stats.moments import Scatter, total
from embaudit.stats.parallel import single_threaded_blas
from embaudit.streaming.fold_moments import FoldPlan


def fit_map(
    a: Source,
    b: Source,
    *,
    direction: Direction = "a_to_b",
    method: Method = "orthogonal",
    on: str | None = None,
    ids_a: IdSource | None = None,
    ids_b: IdSource | None = None,
    by_row: bool = False,
    column: str | None = None,
    metric: Metric | str = Metric.COSINE,
    drop_invalid: bool = False,
    keep_duplicates: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    threads: int | None = None,
) -> FittedMap:
    """Fit a map between the spaces of two sets on all their paired rows.

    `embaudit.compare` says whether a map helps, which one, and what it recovers on rows it has
    not seen; the map it judged was fitted on three quarters of the rows.

    Parameters
    ----------
    direction : "a_to_b" or "b_to_a"
        From whose vectors to whose space.
    method : "orthogonal", "low-rank" or "linear"
        A rotation with scale and offset, or a ridge regression whose penalty, and rank, are
        chosen on held-out rows.
    a, b, on, ids_a, ids_b, by_row, column, metric, drop_invalid, keep_duplicates, seed, progress, \
threads
        As of `embaudit.compare`.

    Raises
    ------
    EmbauditError
        InputError for sources that cannot be paired, or with too few rows; UsageError for
        impossible options.
    """
    _check("direction", direction, DIRECTIONS)
    _check("method", method, METHODS)
    options = Options.checked(
        metric=metric,
        drop_invalid=drop_invalid,
        keep_duplicates=keep_duplicates,
        seed=seed,
        progress=progress,
        threads=threads,
    )
    pair = open_pair(a, b, on=on, ids_a=ids_a, ids_b=ids_b, by_row=by_row, column=column)
    with single_threaded_blas():
        population = populate(pair, options)
        if population.n < FEWEST_ROWS:
            raise InputError(
                f"{pair.a.uri}: {population.n} distinct paired rows; a map needs at least "
                f"{FEWEST_ROWS}"
            )
        plan = FoldPlan.seeded(population.kept, options.seed)
        moments = population_moments(population, plan)
        scatter = total(moments).scatter()
        recipe = Recipe("orthogonal")
        if method != "orthogonal":
            folds = judged_folds(population, plan, moments, row_spaces(scatter))
            recipes = recipes_of(folds, direction, [method])
            recipe = recipes.recipes[method]
            if method == "linear":
                maps = cross_fit(folds.fits, recipes.penalties, plan.fold_of, folds.workers)
                found = lengthened_maps(population, plan, folds.tuning, maps, direction, recipe)
                if found is not None:
                    return fitted_map(population, scatter, direction, recipe, found)
        return fitted_map(population, scatter, direction, recipe)


def fitted_map(
    population: Population,
    scatter: Scatter,
    direction: Direction,
    recipe: Recipe,
    lengthened: LengthenedMaps | None = None,
) -> FittedMap:
    """Return the map of a direction as it is used, fitted to the sums over all rows unless given.

    Parameters
    ----------
    population : Population
    scatter : Scatter
        Of all rows, A's first.
    direction : "a_to_b" or "b_to_a"
    recipe : Recipe
    lengthened : LengthenedMaps, optional
        The linear maps to targets with lengths.
    """
    scans = population.scan.a, population.scan.b
    source, target = scans if direction == "a_to_b" else scans[::-1]
    if lengthened is None:
        affine = fit_affine(scatter if direction == "a_to_b" else scatter.swapped(), recipe)
    else:
        affine = lengthened.whole
    factors = None
    if recipe.rank is not None:
        u, s, vt = thin_svd(affine.matrix)
        factors = u[:, : recipe.rank] * s[: recipe.rank], vt[: recipe.rank]
    return FittedMap(
        affine=affine,
        metric=population.options.metric,
        scale=source.preparation.scale,
        direction=direction,
        method=recipe.method,
        rows=population.n if lengthened is None else lengthened.rows,
        norms=(source.norm_min, source.norm_max),
        unit=population.options.metric is Metric.COSINE and target.normalized,
        factors=factors,
    )


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(
            f"{name}={value!r}: expected {' or '.join(known)}{did_you_mean(str(value), known)}"
        )
