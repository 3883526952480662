"""The story of one comparison, top to bottom."""

from __future__ import annotations

import os
from collections.abc import Sequence

from embaudit.advice.context import Context, Request
from embaudit.advice.findings import findings
from embaudit.advice.recommendation import recommendation
from embaudit.advice.summary import summary
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.id_files import IdSource
from embaudit.data.join import open_pair
from embaudit.data.pair import Pair
from embaudit.data.sources import Source
from embaudit.datatypes import Metric, Progress
from embaudit.errors import UsageError
from embaudit.result import Audit, Estimate, Pairing, Policy, SetInfo
from embaudit.stages.ledger import Ledger
from embaudit.stages.linear import measure_linear
from embaudit.stages.options import Options
from embaudit.stages.population import Population, populate
from embaudit.stages.retrieval import RetrievalStage, measure_retrieval
from embaudit.stages.sample import measure_sample
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
    metric: Metric | str = Metric.COSINE,
    k: int | Sequence[int] = 10,
    policy: Policy | None = None,
    drop_invalid: bool = False,
    keep_duplicates: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    threads: int | None = None,
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
        Told about stages and steps.
    threads : int, optional
        Worker threads; default is the processors available.

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
    )
    pair = open_pair(a, b, on=on, ids_a=ids_a, ids_b=ids_b, by_row=by_row, column=column)
    most = max(options.ks)
    if most >= pair.rows:
        raise UsageError(
            f"--k {most} needs more than {most} rows and {pair.rows} rows of {pair.a.uri} are "
            "paired; pass a smaller --k or more rows"
        )
    request = None
    if all(isinstance(name, str | os.PathLike | None) for name in (a, b, ids_a, ids_b)):
        request = Request(on, _name(ids_a), _name(ids_b), by_row, column)
    with single_threaded_blas():
        return _audit(pair, options, request)


def _name(source: IdSource | None) -> str | None:
    return None if source is None else str(source)


def _audit(pair: Pair, options: Options, request: Request | None) -> Audit:
    """Run the stages in order and put the audit together."""
    ledger = Ledger()
    with ledger.stage("total"):
        with ledger.stage("scan"):
            population = populate(pair, options)
        linear = measure_linear(population, ledger)
        sample = measure_sample(population, ledger)
        retrieval = measure_retrieval(population, linear.maps, ledger)

    measures = ledger.measures()
    context = Context(
        request=request,
        population=population,
        linear=linear,
        sample=sample,
        retrieval=retrieval,
        measures=measures,
        a=_set_info(pair.a, population.scan.a, pair.only_in[0], sample.levels[0]),
        b=_set_info(pair.b, population.scan.b, pair.only_in[1], sample.levels[1]),
        pairing=_pairing(population, retrieval),
        same_source=pair.a.identity() is not None and pair.a.identity() == pair.b.identity(),
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
        measures=measures,
        measures_at_k=ledger.measures_at_k(),
        metrics=sample.metric_rows,
        recommendation=recommendation(context),
        findings=findings(context),
        timing=ledger.timing,
    )


def _set_info(source: EmbeddingSet, side: SideScan, unmatched: int, levels: int | None) -> SetInfo:
    return SetInfo(
        uri=source.uri,
        rows=source.rows + unmatched,
        dim=source.dim,
        dtype=source.dtype.name,
        normalized=side.normalized,
        zero_rows=int(side.zero.sum()),
        nonfinite_rows=int((~side.finite).sum()),
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
