"""Measuring a map again, on pairs it was not fitted on: `embaudit verify`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from embaudit.alignment import MappedSource, Verification
from embaudit.data.id_files import IdSource
from embaudit.data.join import open_pair
from embaudit.data.sources import Source
from embaudit.datatypes import Progress
from embaudit.errors import InputError, UsageError
from embaudit.maps.fitted import FittedMap
from embaudit.maps.map_file import Held, MapNotes, read_map
from embaudit.measures.distances import row_cosines
from embaudit.remedy.applying import check_norms, check_source
from embaudit.remedy.checksums import described
from embaudit.remedy.mapped_search import OneWay
from embaudit.result import Estimate, Policy
from embaudit.stages.ledger import Ledger
from embaudit.stages.options import Options
from embaudit.stages.population import Population, populate
from embaudit.stats.parallel import single_threaded_blas
from embaudit.version import __version__

DEFAULT_K = 10


def verify(
    path: str | os.PathLike[str],
    a: Source,
    b: Source,
    *,
    on: str | None = None,
    ids_a: IdSource | None = None,
    ids_b: IdSource | None = None,
    by_row: bool = False,
    column: str | None = None,
    policy: Policy | None = None,
    drop_invalid: bool = False,
    keep_duplicates: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Verification:
    """Say what a saved map recovers on pairs of today.

    As many pairs are drawn as a figure was recorded among: recall falls with the size of an index,
    which is no drift.

    Parameters
    ----------
    path : path
        What `embaudit align` or `save_map` wrote.
    a, b : path, array or EmbeddingSet
        Paired rows of the same two models, A's first whatever the map's direction.
    policy : Policy, optional
        Its `min_aligned_recall` must be reached, its `max_queries` bounds the work.
    on, ids_a, ids_b, by_row, column, drop_invalid, keep_duplicates, seed, progress, threads
        As of `embaudit.compare`.

    Raises
    ------
    EmbauditError
        InputError for a damaged map, sets of other dimensions, too few rows.
    """
    fitted, notes = read_map(path)
    direction, method = fitted.direction, fitted.method
    if method == "joint" or direction == "a_to_joint" or direction == "b_to_joint":
        raise UsageError(f"{os.fsdecode(path)}: a head of a shared space; call verify_joint")
    options = Options.checked(
        metric=fitted.metric,
        k=notes.k or DEFAULT_K,
        policy=policy,
        drop_invalid=drop_invalid,
        keep_duplicates=keep_duplicates,
        seed=seed,
        progress=progress,
        threads=threads,
    )
    pair = open_pair(
        a,
        b,
        on=on,
        ids_a=ids_a,
        ids_b=ids_b,
        by_row=by_row,
        column=column,
    )
    sides = (pair.a, pair.b) if direction == "a_to_b" else (pair.b, pair.a)
    check_source(fitted, sides[0])
    if sides[1].dim != fitted.dims[1]:
        raise InputError(
            f"{sides[1].uri}: dimension {sides[1].dim}; the map leads to {fitted.dims[1]}"
        )
    ledger = Ledger()
    with single_threaded_blas(), ledger.stage("total"):
        fewest = 4 * options.k + 2
        population, held_out = comparable(populate(pair, options), fitted, notes, fewest)
        way = OneWay(population, direction, endless=True)
        queries = population.order[: max(options.policy.max_queries, fewest)]
        stored = sides[0].take(queries)
        check_norms(fitted, sides[0], stored)
        found = way.mapped([fitted]).run(queries, options.progress)
        _, y = way.vectors(queries)
        cosine = float(row_cosines(fitted.exact(stored), y).mean())
    now = way.sight(found, cosine)
    reached = way.corrected(found)
    assert reached is not None, "asked"
    recorded = held_out.get("recall")
    before = None if recorded is None else Estimate(value=recorded.value, ci=recorded.ci)
    sources = described(pair)
    fault = _fault(now.recall, reached, before, options.policy)
    return Verification(
        embaudit_version=__version__,
        map=os.fsdecode(path),
        direction=direction,
        method=method,
        metric=fitted.metric,
        k=options.k,
        seed=seed,
        passed=fault is None,
        fault=fault,
        min_aligned_recall=options.policy.min_aligned_recall,
        a=sources[0],
        b=sources[1],
        pairs=population.n,
        fitted_on=fitted.rows,
        queries=len(queries),
        now=now,
        recorded=before,
        same_inputs=same_inputs(notes, sources),
        timing=ledger.timing,
    )


def same_inputs(notes: MapNotes, sides: Sequence[MappedSource]) -> bool:
    """Return whether these are the files that a map was fitted on."""
    return [one.sha256 for one in notes.inputs] == [one.sha256 for one in sides]


def comparable(
    population: Population, fitted: FittedMap, notes: MapNotes, fewest: int
) -> tuple[Population, dict[str, Held]]:
    """Return as many of the rows as some figure was measured among, and those figures.

    Recall falls as an index grows, which is no drift, and of few rows nearly all are found.

    Raises
    ------
    InputError
        For fewer rows than any figure was measured among, or than neighbours take.
    """
    rows, held_out = max(fitted.rows, fewest), notes.held_out
    if notes.by_rows:
        measured = notes.measured(population.n)
        fewest = max(fewest, min(one.rows for one in notes.by_rows))
        if measured is not None:
            rows, held_out = measured.rows, measured.held_out
    if population.n < fewest:
        raise InputError(
            f"{population.pair.a.uri}: {population.n} distinct paired rows; what was measured of "
            f"this map can be held against at least {fewest}"
        )
    return population.drawn(rows), held_out


def _fault(
    now: Estimate | None, reached: float, recorded: Estimate | None, policy: Policy
) -> str | None:
    """Return why a map no longer does, None where it does."""
    if reached < policy.min_aligned_recall:
        return (
            f"recall, {reached:.3f} corrected for chance, is below the "
            f"{policy.min_aligned_recall:g} that is asked"
        )
    low = fallen_below(now, recorded)
    if low is None:
        return None
    return f"recall has fallen below the interval that was recorded, from {low:.3f}"


def fallen_below(now: Estimate | None, recorded: Estimate | None) -> float | None:
    """Return where the recorded interval begins if that of today lies wholly below, else None."""
    if recorded is None or recorded.ci is None or now is None or now.ci is None:
        return None
    return recorded.ci[0] if now.ci[1] < recorded.ci[0] else None
