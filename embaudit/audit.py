"""The story of one comparison, top to bottom."""

from __future__ import annotations

from embaudit.advice.context import Context
from embaudit.advice.findings import findings
from embaudit.advice.recommendation import recommendation
from embaudit.advice.summary import summary
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.order import check_row_order, row_count_error
from embaudit.data.pair import Pair
from embaudit.data.sources import Source, open_set
from embaudit.datatypes import Metric, Progress, SilentProgress
from embaudit.errors import UsageError, did_you_mean
from embaudit.result import Audit, Estimate, Pairing, Policy, SetInfo
from embaudit.stages.ledger import Ledger
from embaudit.stages.linear import measure_linear
from embaudit.stages.population import Options, Population, populate
from embaudit.stages.retrieval import RetrievalStage, measure_retrieval
from embaudit.stages.sample import measure_sample
from embaudit.stats.parallel import single_threaded_blas, worker_count
from embaudit.streaming.scan import SideScan
from embaudit.version import __version__


def compare(
    a: Source,
    b: Source,
    *,
    column: str | None = None,
    metric: Metric | str = Metric.COSINE,
    k: int = 10,
    policy: Policy | None = None,
    by_row: bool = False,
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
        Sets of equal row count; row i of both describes one item. A path may name a column of a
        Parquet file, ``"x.parquet::new"``. Arrays have shape (n, p) and (n, q).
    column : str, optional
        Vector column of Parquet files that have several.
    metric : "cosine", "dot" or "euclidean"
        The metric the vectors are searched with.
    k : int
        Neighbours asked for.
    policy : Policy, optional
        Thresholds, confidence, and the most queries to spend.
    by_row : bool
        Pair by position even where Parquet ids differ in order.
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
    if k < 1:
        raise UsageError(f"--k must be at least 1, not {k}")
    if seed < 0:
        raise UsageError(f"--seed must be at least 0, not {seed}")
    options = Options(
        metric=_known_metric(metric),
        k=k,
        policy=policy or Policy(),
        drop_invalid=drop_invalid,
        keep_duplicates=keep_duplicates,
        seed=seed,
        workers=worker_count(threads),
        progress=progress or SilentProgress(),
    )
    pair = _paired(open_set(a, column=column), open_set(b, column=column), by_row)
    if k >= pair.rows:
        raise UsageError(
            f"--k {k} needs more than {k} rows and {pair.a.uri} has {pair.rows}; "
            "pass a smaller --k or more rows"
        )
    with single_threaded_blas():
        return _audit(pair, options)


def _known_metric(metric: Metric | str) -> Metric:
    names = [str(known) for known in Metric]
    if str(metric) not in names:
        raise UsageError(
            f"--metric {metric}: expected one of {', '.join(names)}"
            f"{did_you_mean(str(metric), names)}"
        )
    return Metric(str(metric))


def _paired(a: EmbeddingSet, b: EmbeddingSet, by_row: bool) -> Pair:
    """Pair rows by position."""
    if a.rows != b.rows:
        raise row_count_error(a, b)
    if not by_row:
        check_row_order(a, b)
    return Pair(a, b)


def _audit(pair: Pair, options: Options) -> Audit:
    """Run the stages in order and put the audit together."""
    ledger = Ledger()
    with ledger.stage("total"):
        with ledger.stage("scan"):
            population = populate(pair, options)
        linear = measure_linear(population, ledger)
        metric_rows = measure_sample(population, ledger)
        retrieval = measure_retrieval(population, linear.maps, ledger)

    context = Context(
        options=options,
        a=_set_info(pair.a, population.scan.a),
        b=_set_info(pair.b, population.scan.b),
        pairing=_pairing(population, retrieval),
        same_source=pair.a.identity() is not None and pair.a.identity() == pair.b.identity(),
        concentration=linear.concentration,
        retrieval=retrieval,
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
        measures=ledger.measures(),
        metrics=metric_rows,
        recommendation=recommendation(context),
        findings=findings(context),
        timing=ledger.timing,
    )


def _set_info(source: EmbeddingSet, side: SideScan) -> SetInfo:
    return SetInfo(
        uri=source.uri,
        rows=source.rows,
        dim=source.dim,
        dtype=source.dtype.name,
        normalized=side.normalized,
        zero_rows=int(side.zero.sum()),
        nonfinite_rows=int((~side.finite).sum()),
        duplicate_rows=side.duplicate_rows,
        norm_min=side.norm_min,
        norm_mean=side.norm_mean,
        norm_max=side.norm_max,
    )


def _pairing(population: Population, retrieval: RetrievalStage) -> Pairing:
    evidence = retrieval.evidence.pairing
    fraction = evidence.fraction if evidence else None
    return Pairing(
        by="row",
        rows=population.pair.rows,
        distinct_rows=population.n,
        only_in_a=0,
        only_in_b=0,
        dropped_rows=population.dropped_rows,
        mispaired_fraction=Estimate(
            value=fraction.value if fraction else None,
            ci=(fraction.low, fraction.high) if fraction else None,
        ),
    )
