"""The story of one comparison, top to bottom."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from embaudit.advice.context import Context, Request
from embaudit.advice.findings import findings
from embaudit.advice.recommendation import recommendation
from embaudit.advice.summary import summary
from embaudit.answers.distributions import measure_distributions
from embaudit.answers.index_size import SHARES, observe_growth, project, refuse_projection
from embaudit.answers.layouts import measure_layouts
from embaudit.answers.rerun import check_rerun, noise_floor
from embaudit.answers.rows import measure_rows, row_table, worst_rows
from embaudit.answers.sampled import judge_sample, rests_on_recall
from embaudit.answers.slices import measure_slices
from embaudit.answers.thresholds import measure_thresholds
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.groups import GroupColumn, group_column
from embaudit.data.id_files import IdSource
from embaudit.data.join import open_pair
from embaudit.data.pair import Pair
from embaudit.data.queries import open_queries
from embaudit.data.sources import Source
from embaudit.datatypes import Metric, Progress
from embaudit.errors import UsageError
from embaudit.result import (
    Audit,
    Estimate,
    Pairing,
    Policy,
    Projection,
    QueryFiles,
    Sample,
    SetInfo,
)
from embaudit.row_table import RowTable
from embaudit.stages.ledger import Ledger
from embaudit.stages.linear import measure_linear
from embaudit.stages.memory import memory_plan
from embaudit.stages.options import Options
from embaudit.stages.population import Population, populate
from embaudit.stages.retrieval import FIRST_QUERIES, RetrievalStage, measure_retrieval
from embaudit.stages.row_causes import measure_row_causes
from embaudit.stages.sample import measure_sample
from embaudit.stages.timeline import finish, follow
from embaudit.stats.parallel import single_threaded_blas
from embaudit.streaming.scan import SideScan
from embaudit.version import __version__


def compare(
    a: Source,
    b: Source,
    *,
    on: str | None = None,
    ids_a: IdSource | None = None,
    ids_b: IdSource | None = None,
    by_row: bool = False,
    column: str | None = None,
    queries_a: Source | None = None,
    queries_b: Source | None = None,
    rerun: Source | None = None,
    slice_by: str | None = None,
    rows: Callable[[RowTable], None] | None = None,
    layouts: bool = False,
    metric: Metric | str = Metric.COSINE,
    k: int | Sequence[int] = 10,
    policy: Policy | None = None,
    drop_invalid: bool = False,
    keep_duplicates: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    threads: int | None = None,
    threshold: float | None = None,
    index_size: int | str | None = None,
    sample: int | str | None = None,
    memory: int | str | None = None,
) -> Audit:
    """Say whether the vectors of two sets may be compared directly.

    Parameters
    ----------
    a, b : path, array or EmbeddingSet
        Row i of both describes one item, unless ids say which rows do. A path may name a column
        of a Parquet file, ``"x.parquet::new"``. Arrays have shape (n, p) and (n, q).
    on : str, optional
        Column of Parquet files whose ids join the rows, in any order.
    ids_a, ids_b : path, or sequence of str or int, optional
        Ids of sets that store none, one for each row: text with a line each, or a 1-D ``.npy``.
    by_row : bool
        Pair by position even where Parquet ids differ in order.
    column : str, optional
        Vector column of Parquet files that have several.
    queries_a, queries_b : path, array or EmbeddingSet, optional
        Real queries, encoded by the model of `a` and by that of `b`, row i of both the same query.
        Recalls and mixed indexes are then theirs; without them rows are the queries.
    rerun : path, array or EmbeddingSet, optional
        A second run of the model of `a` on the rows of `a`: its noise floor. Every difference is
        then told as a multiple of that between the two runs; the verdict is as without it.
    slice_by : str, optional
        Column of A, else of B (Parquet or Arrow): recall, cosine of partners and mispairing are
        told for each of its values, or ranges of its numbers. Reads the column twice, and
        searches once more for small groups.
    rows : callable, optional
        Called once with a `RowTable`: what was measured of single rows, worst first.
    layouts : bool
        Lay 500 rows out on a plane, as they are in each space, for the HTML report.
    metric : "cosine", "dot" or "euclidean"
        The metric the vectors are searched with.
    k : int or sequence of int
        Neighbours asked for. The first decides; recalls at the others are in `measures_at_k`.
    policy : Policy, optional
        Thresholds, confidence, and the most queries to spend.
    drop_invalid : bool
        Go on without rows that hold NaN or inf.
    keep_duplicates : bool
        Keep rows whose vectors both repeat an earlier row's.
    seed : int
        Of every random choice; the same seed gives the same result at any thread count.
    progress : Progress, optional
        Told about stages and steps; an `embaudit.datatypes.WholeProgress` also how long all of it
        will take and how far it is.
    threads : int, optional
        Worker threads; default is the processors available.
    threshold : float, optional
        A score of A's that decides today, in the metric's own unit: `thresholds` says where it
        lands on B's scores. A table of a few is made without it.
    index_size : int or str, optional
        Rows of a larger index, ``"10M"``: `projection` continues the recalls to it.
    sample : int or str, optional
        Rows to draw of the matched ones, ``"20k"``, for a quick look: no others are read. Recalls
        are then continued to all matched rows, and the verdict says what that leaves possible.
    memory : int or str, optional
        Bytes to keep to, ``"512MB"``: blocks of rows become smaller, and no number changes but in
        its last digits. Arrays that are passed in are not counted.

    Returns
    -------
    Audit
        The verdict with its evidence.

    Raises
    ------
    EmbauditError
        InputError for sources that cannot be audited, UsageError for impossible options.
    """
    options = Options.checked(
        metric=metric,
        k=k,
        policy=policy,
        drop_invalid=drop_invalid,
        keep_duplicates=keep_duplicates,
        seed=seed,
        progress=progress,
        threads=threads,
        threshold=threshold,
        index_size=index_size,
        sample=sample,
        memory=memory,
    )
    opened = partial(
        open_pair,
        on=on,
        ids_a=ids_a,
        by_row=by_row,
        column=column,
        sample=options.sample,
        seed=options.seed,
    )
    pair = opened(a, b, ids_b=ids_b)
    most = max(options.ks)
    if most >= pair.rows:
        taken = "paired" if pair.sampled_of is None else "sampled"
        raise UsageError(
            f"--k {most} needs more than {most:,} rows and {pair.rows:,} rows of {pair.a.uri} are "
            f"{taken}; pass a smaller --k or more rows"
        )
    queries = open_queries(queries_a, queries_b, pair)
    groups = None if slice_by is None else group_column(pair, slice_by)
    again = None
    if rerun is not None:
        again = opened(a, rerun, ids_b=ids_a)
        check_rerun(again.b, again.a)
    request = None
    sources = (a, b, ids_a, ids_b, queries_a, queries_b, rerun)
    if all(isinstance(name, str | os.PathLike | None) for name in sources):
        names = (_name(source) for source in (ids_a, ids_b, queries_a, queries_b))
        request = Request(on, by_row, column, *names)
    with single_threaded_blas():
        options = replace(
            options,
            progress=_followed(options, pair, again, queries),
            plan=memory_plan(pair, options),
        )
        floor = None if again is None else _audit(again, options.plain(), request, queries=None)
        audit = _audit(pair, options, request, queries, floor, groups, rows, layouts=layouts)
        finish(options.progress)
        return audit


def _followed(options: Options, pair: Pair, again: Pair | None, queries: Pair | None) -> Progress:
    """Return the listener that the stages tell what they do."""
    asked = [one.rows for one in (pair, queries) if one is not None]
    most = min(FIRST_QUERIES, options.policy.max_queries)
    larger = options.index_size is not None or pair.sampled_of is not None
    return follow(
        options,
        [one for one in (again, pair) if one is not None],
        [min(most, count) for count in asked],
        SHARES if larger else (),
    )


def _name(source: Source | IdSource | None) -> str | None:
    return None if source is None else str(source)


def _audit(
    pair: Pair,
    options: Options,
    request: Request | None,
    queries: Pair | None = None,
    floor: Audit | None = None,
    groups: GroupColumn | None = None,
    rows: Callable[[RowTable], None] | None = None,
    *,
    layouts: bool = False,
) -> Audit:
    """Run the stages in order and put the audit together.

    Parameters
    ----------
    queries : Pair, optional
        Real queries.
    floor : Audit, optional
        Of A against a second run of its model.
    groups : GroupColumn, optional
        What to slice by.
    rows : callable, optional
        Takes the table of measured rows.
    layouts : bool
        Lay rows out on a plane.
    """
    ledger = Ledger()
    with ledger.stage("total"):
        with ledger.stage("scan"):
            population = populate(pair, options)
        refuse_projection(population)
        options.progress.stage("thresholds", 1)
        with ledger.stage("thresholds"):
            thresholds = measure_thresholds(population)
        options.progress.advance()
        linear = measure_linear(population, ledger)
        sample = measure_sample(population, ledger)
        retrieval = measure_retrieval(population, linear.maps, ledger, queries)
        projection, retrieval = _continued(population, retrieval, ledger)
        slices = None
        if groups is not None:
            with ledger.stage("slices"):
                slices = measure_slices(population, groups, retrieval)
        options.progress.stage("causes", 1)
        row_causes = measure_row_causes(population, linear, sample, retrieval, ledger)
        measured_rows = measure_rows(population, retrieval)
        if rows is not None:
            rows(row_table(pair, measured_rows))
        distributions = measure_distributions(population, linear, sample, retrieval)
        laid_out = measure_layouts(population, ledger) if layouts else None

    measures = ledger.measures()
    context = Context(
        request=request,
        population=population,
        linear=linear,
        sample=sample,
        retrieval=retrieval,
        measures=measures,
        a=_set_info(pair.source("a"), population.scan.a, sample.levels[0]),
        b=_set_info(pair.source("b"), population.scan.b, sample.levels[1]),
        pairing=_pairing(population, retrieval),
        same_source=_same_source(pair),
        query_files=_query_files(queries),
        slices=slices,
        row_causes=row_causes,
        rerun=None if floor is None else noise_floor(measures, floor),
    )
    return Audit(
        embaudit_version=__version__,
        verdict=retrieval.decision.verdict,
        candidates=retrieval.decision.candidates,
        summary=summary(context),
        policy=options.policy,
        metric=options.metric,
        k=options.k,
        seed=options.seed,
        a=context.a,
        b=context.b,
        pairing=context.pairing,
        sample=_sample(pair),
        queries=context.query_files,
        measures=measures,
        measures_at_k=ledger.measures_at_k(),
        metrics=sample.metric_rows,
        thresholds=thresholds,
        projection=projection,
        rerun=context.rerun,
        slices=slices,
        distributions=distributions,
        layouts=laid_out,
        worst=worst_rows(pair, measured_rows),
        recommendation=recommendation(context),
        findings=findings(context),
        timing=ledger.timing,
    )


def _continued(
    population: Population, retrieval: RetrievalStage, ledger: Ledger
) -> tuple[Projection | None, RetrievalStage]:
    """Project the recalls where that is asked or a sample's verdict needs it, and judge by them."""
    whole = population.pair.sampled_of
    unsure = whole is not None and rests_on_recall(retrieval)
    index_size = population.options.index_size or (whole if unsure else None)
    if index_size is None:
        return None, retrieval
    with ledger.stage("projection"):
        growth = observe_growth(population, retrieval)
        if growth is None:
            return None, retrieval
        projection = project(population, growth, index_size)
        if unsure and whole is not None:
            retrieval = judge_sample(population, retrieval, growth, whole)
    return projection, retrieval


def _sample(pair: Pair) -> Sample | None:
    return None if pair.sampled_of is None else Sample(rows=pair.rows, of=pair.sampled_of)


def _query_files(queries: Pair | None) -> QueryFiles | None:
    if queries is None:
        return None
    return QueryFiles(a=queries.a.uri, b=queries.b.uri, rows=queries.rows)


def _same_source(pair: Pair) -> bool:
    identity = pair.source("a").identity()
    return identity is not None and identity == pair.source("b").identity()


def _set_info(source: EmbeddingSet, side: SideScan, levels: int | None) -> SetInfo:
    return SetInfo(
        uri=source.uri,
        rows=source.rows,
        dim=source.dim,
        dtype=source.dtype.name,
        normalized=side.normalized,
        zero_rows=len(side.zero_rows),
        nonfinite_rows=len(side.nonfinite_rows),
        duplicate_rows=side.duplicate_rows,
        constant_columns=side.constant_columns,
        value_levels=levels,
        norm_min=side.norm_min,
        norm_mean=side.norm_mean,
        norm_max=side.norm_max,
    )


def _pairing(population: Population, retrieval: RetrievalStage) -> Pairing:
    evidence = retrieval.evidence.pairing
    fraction = evidence.fraction if evidence else None
    return Pairing(
        by=population.pair.by,
        rows=population.pair.rows,
        distinct_rows=population.distinct,
        only_in_a=population.pair.only_in[0],
        only_in_b=population.pair.only_in[1],
        dropped_rows=population.dropped_rows,
        mispaired_fraction=Estimate(
            value=fraction.value if fraction else None,
            ci=(fraction.low, fraction.high) if fraction else None,
        ),
    )
