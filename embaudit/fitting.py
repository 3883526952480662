"""Fitting the map that an audit recommends."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np

from embaudit.data.id_files import IdSource
from embaudit.data.join import open_pair
from embaudit.data.sources import Source
from embaudit.datatypes import DIRECTIONS, Direction, Metric, Progress
from embaudit.errors import InputError, UsageError, did_you_mean
from embaudit.maps.affine import AffineMap
from embaudit.maps.fitted import FittedMap
from embaudit.maps.fold_fit import row_spaces
from embaudit.maps.linear import PENALTIES, RidgePath
from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.maps.row_space import within
from embaudit.stages.linear import FEWEST_ROWS, judged_folds, population_moments
from embaudit.stages.options import Options
from embaudit.stages.population import populate
from embaudit.stats.moments import Scatter, total
from embaudit.stats.parallel import single_threaded_blas
from embaudit.streaming.fold_moments import FoldPlan
from embaudit.verdict import MapKind


def fit_map(
    a: Source,
    b: Source,
    *,
    direction: Direction = "a_to_b",
    method: MapKind = "orthogonal",
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
    method : "orthogonal" or "linear"
        A rotation with scale and offset, or a ridge regression whose penalty is chosen on
        held-out rows.
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
    _check("method", method, get_args(MapKind))
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
        penalty = None
        if method == "linear":
            folds = judged_folds(population, plan, moments, row_spaces(scatter))
            penalty = PENALTIES[folds.penalties()[direction]]
        affine = _fit(scatter if direction == "a_to_b" else scatter.swapped(), penalty)
    return FittedMap(
        affine=affine,
        metric=options.metric,
        scale=population.scan.a.preparation.scale,
        direction=direction,
        method=method,
        rows=population.n,
    )


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(
            f"{name}={value!r}: expected {' or '.join(known)}{did_you_mean(str(value), known)}"
        )


def _fit(scatter: Scatter, penalty: float | None) -> AffineMap:
    """Return the map x -> y of the rows themselves: orthogonal, or ridge where a penalty is given.

    It is fitted in the spaces that the rows span, as the audit's maps are.
    """
    space_x, space_y = row_spaces(scatter)
    inside = within(scatter, space_x, space_y)
    if penalty is None:
        fitted, _ = fit_orthogonal(inside)
    else:
        fitted = RidgePath.of(inside, *np.linalg.eigh(inside.xx), space_x.dim).fit(penalty)
    return replace(
        fitted,
        matrix=space_x.spread(space_y.spread(fitted.matrix).T).T,
        mean_x=scatter.mean_x,
        mean_y=scatter.mean_y,
    )
