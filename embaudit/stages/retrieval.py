"""Stage 4: pass 2, with more queries and more ranks until the verdict is decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from embaudit.data.pair import Pair
from embaudit.data.queries import take_queries
from embaudit.datatypes import DIRECTIONS, Matrix, Rows
from embaudit.maps.cross_fit import CrossFit
from embaudit.measures.neighbors import (
    MAPS,
    OVERLAP,
    RAW,
    QueryResults,
    applicable,
    depending_on_k,
    mixed_id,
    partner_id,
    recall_id,
)
from embaudit.measures.pairing import Mispairing
from embaudit.measures.retrieval import NeighbourSearch, Queries
from embaudit.stages.ledger import Ledger
from embaudit.stages.population import Population, SamplingOrder
from embaudit.stages.rank_sample import RankSample
from embaudit.stages.timeline import foresee
from embaudit.stats.intervals import (
    Interval,
    chance_corrected,
    clopper_pearson,
    looks,
    mean_interval,
)
from embaudit.stats.topk import NO_ROW
from embaudit.streaming.corpus import Corpus
from embaudit.streaming.fold_moments import FOLDS
from embaudit.verdict import Decision, Evidence, PairingEvidence, Recall, decide

FIRST_QUERIES = 512
WELL_RANKED = 0.1
"""Queries that rank their partner this well count as paired when asked what would be without the
others: a tenth of the mispaired rows remain among them."""
ENDLESS = 1 << 62
"""Population for questions that reach beyond these rows: no sample makes their answer exact."""


@dataclass(frozen=True)
class RetrievalStage:
    """The decision, and what it rests on.

    Attributes
    ----------
    evidence : Evidence
    decision : Decision
    results : QueryResults or None
        Of rows as queries.
    asked : QueryResults or None
        What the recalls rest on: `results`, or those of real queries.
    unasked : int
        Queries that are left.
    mispairing : Mispairing or None
        None, like `results`, where too few rows are left to search.
    without_suspects : Decision or None
        For `mispaired`: the decision on the queries whose partner ranks well.
    search : NeighbourSearch or None
        Asks further rows; None like `results`.
    ranks : RankSample or None
        Ranks further rows; None like `results`.
    ask_in : callable or None
        Asks the queries of `asked` in another index; None like `results`.
    whole : Evidence or None
        Of a sample: the evidence continued to all matched rows.
    """

    evidence: Evidence
    decision: Decision
    results: QueryResults | None = None
    asked: QueryResults | None = None
    unasked: int = 0
    mispairing: Mispairing | None = None
    without_suspects: Decision | None = None
    search: NeighbourSearch | None = None
    ranks: RankSample | None = None
    ask_in: Callable[[NeighbourSearch], QueryResults] | None = None
    whole: Evidence | None = None


@dataclass(frozen=True)
class _Found:
    """What all queries so far have found.

    Attributes
    ----------
    rows : QueryResults
        Of rows as queries.
    asked : QueryResults
        What the recalls rest on: `rows`, or those of real queries.
    population : int
        How many queries `asked` was drawn from.
    alpha : float
        1 - confidence, split over the sample sizes that may be looked at.
    """

    rows: QueryResults
    asked: QueryResults
    population: int
    alpha: float


class _Sample:
    """Queries in seeded order, asked as many as the decision needs."""

    def __init__(
        self,
        ask: Callable[[NeighbourSearch, Rows], QueryResults],
        search: NeighbourSearch,
        order: Rows | SamplingOrder,
        most: int,
    ) -> None:
        self._ask = ask
        self._search = search
        self._order = order
        self._most = min(len(order), most)
        self._results: QueryResults | None = None
        self._count = 0

    @property
    def results(self) -> QueryResults:
        """Of all queries asked so far."""
        if self._results is None:
            self.grow()
        assert self._results is not None, "grown"
        return self._results

    @property
    def left(self) -> int:
        """Number of queries that may still be asked."""
        return self._most - self._count

    @property
    def unasked(self) -> int:
        """Number of queries that there are besides."""
        return len(self._order) - self._count

    @property
    def looks(self) -> int:
        """Number of sample sizes that may be looked at."""
        return looks(min(FIRST_QUERIES, self._most), self._most)

    @property
    def further(self) -> int:
        """Number of queries that are asked next: the first, or as many again as have been asked."""
        return min(max(FIRST_QUERIES, 2 * self._count), self._most) - self._count

    def grow(self) -> None:
        """Ask the next queries."""
        wanted = self._count + self.further
        more = self._ask(self._search, self._order[self._count : wanted])
        self._results = more if self._results is None else self._results.extended(more)
        self._count = wanted

    def ask_in(self, search: NeighbourSearch) -> QueryResults:
        """Ask the same queries in another index."""
        return self._ask(search, self._order[: self._count])


def measure_retrieval(
    population: Population, maps: CrossFit | None, ledger: Ledger, queries: Pair | None = None
) -> RetrievalStage:
    """Search, judge and decide; double the queries while more of them could decide.

    Rows are the queries. Where real `queries` are given, recalls and mixed indexes are theirs, and
    rows are asked for what needs them: partners and shared neighbours. Equal bytes of the rows
    then decide nothing: queries may come from two models all the same.
    """
    options = population.options
    fewest = 4 * options.k + 2
    if maps is None or population.distinct < fewest:
        reason = f"fewer than 4k + 2 = {fewest} distinct rows"
        ledger.skip(applicable(True), reason)
        for k in options.ks[1:]:
            ledger.at(k).skip(depending_on_k(True), reason)
        evidence = _evidence(population, queries is None)
        return RetrievalStage(evidence, decide(evidence, options.policy))
    search = NeighbourSearch(
        pair=population.pair,
        a=corpus_of(population, 0, maps.axes[0]),
        b=corpus_of(population, 1, maps.axes[1]),
        ks=tuple(k for k in options.ks if k < population.n),
        map_rows=maps.transform,
        seed=options.seed,
        workers=options.workers,
    )
    ranks = RankSample(population, maps)
    rows, asked = _samples(population, search, queries)
    with ledger.stage("neighbours"):
        without_partner = _without_partner(population, search) / population.pair.rows
        rows.grow()
        if asked is not None:
            asked.grow()
    while True:
        options.progress.stage("ranks", 1)
        with ledger.stage("ranks"):
            mispairing = ranks.judged(rows.results)
        options.progress.advance()
        pairing = _pairing(mispairing, ranks.judged_raw())
        found = _found(population, rows, asked)
        evidence = _evidence(population, queries is None, found, pairing, without_partner)
        decision = decide(evidence, options.policy)
        growing = [sample for sample in (rows, asked) if sample is not None and sample.left]
        if not decision.open or not growing:
            break
        with ledger.stage("neighbours"):
            for sample in growing:
                foresee(options.progress, sample.further)
                sample.grow()
    _record(population, found, evidence, ledger)
    without = None
    if decision.reason == "mispaired" and queries is None:
        without = _without_suspects(population, found, mispairing)
    return RetrievalStage(
        evidence=evidence,
        decision=decision,
        results=rows.results,
        asked=found.asked,
        unasked=(asked or rows).unasked,
        mispairing=mispairing,
        without_suspects=without,
        search=search,
        ranks=ranks,
        ask_in=(asked or rows).ask_in,
    )


def _samples(
    population: Population, search: NeighbourSearch, queries: Pair | None
) -> tuple[_Sample, _Sample | None]:
    """Return rows as queries, and the real ones where they are given."""
    options = population.options
    most = options.policy.max_queries

    def ask_rows(index: NeighbourSearch, some: Rows) -> QueryResults:
        return index.run(some, options.progress)

    rows = _Sample(ask_rows, search, population.order, most)
    if queries is None:
        return rows, None

    def ask(index: NeighbourSearch, some: Rows) -> QueryResults:
        a, b = take_queries(queries, some, options.metric)
        found = index.ask(Queries(a, b, np.full(len(some), NO_ROW)), options.progress)
        return found.without(OVERLAP)

    order = np.random.default_rng([options.seed, 6]).permutation(queries.rows)
    return rows, _Sample(ask, search, order, most)


def _found(population: Population, rows: _Sample, asked: _Sample | None) -> _Found:
    """Return what rows have found and, where there are real queries, what those have.

    Rows stand for the rows of these files, real queries for those to come.
    """
    alpha = 1.0 - population.options.policy.confidence
    if asked is None:
        return _Found(
            rows.results, rows.results, _population_of_intervals(population), alpha / rows.looks
        )
    most = max(rows.looks, asked.looks)
    return _Found(rows.results, asked.results, ENDLESS, alpha / most)


def _population_of_intervals(population: Population) -> int:
    """Return how many rows intervals are for: endless for a sample, which stands for more."""
    return population.n if population.pair.sampled_of is None else ENDLESS


def corpus_of(population: Population, side: int, axes: Matrix | None) -> Corpus:
    """Return a side of the rows as targets of a search."""
    pair, scan = population.pair, population.scan
    source, scanned = ((pair.a, scan.a), (pair.b, scan.b))[side]
    return Corpus(
        source=source,
        preparation=scanned.preparation,
        kept=population.kept,
        half=population.half,
        axes=axes,
        share=population.options.plan.share,
    )


def _without_partner(population: Population, search: NeighbourSearch) -> int:
    """Count the rows that enter no sample and have no partner to find.

    These are rows with a vector on one side only, and rows set aside as repetitions of a row that
    does not find its partner. The second search runs only where it can matter.
    """
    options = population.options
    lost = population.one_sided
    rows, counts = population.repeated
    allowed = options.policy.max_mispaired * population.pair.rows
    judged = population.same_dim and not options.keep_duplicates and len(rows) > 0
    if not judged or lost + counts.sum() <= allowed:
        return lost
    results = search.run(rows, options.progress)
    found = [results.values[partner_id(direction)] for direction in DIRECTIONS]
    return lost + int(counts[np.minimum(*found) < 1.0].sum())


def _pairing(best: Mispairing, raw: Mispairing | None) -> PairingEvidence:
    raw = raw or best
    return PairingEvidence(
        fraction=best.fraction,
        flat=best.flat,
        by_raw=best.by_raw,
        median_rank=best.median_rank,
        raw_fraction=raw.fraction,
        raw_flat=raw.flat,
    )


def _evidence(
    population: Population,
    rows_are_queries: bool,
    found: _Found | None = None,
    pairing: PairingEvidence | None = None,
    without_partner: float = 0.0,
) -> Evidence:
    """Put the evidence for the rules together."""
    recalls: dict[tuple[str, str], Recall] = {}
    mixed: dict[str, Recall] = {}
    partners: dict[str, Interval] = {}
    related = False
    if found is not None:
        results, asked, alpha = found.rows, found.asked, found.alpha
        for direction in DIRECTIONS:
            for kind in (RAW, *MAPS):
                key = recall_id(direction, kind)
                if key in asked.values:
                    recalls[direction, kind] = _recall(found, key)
            key = partner_id(direction)
            if key in results.values:
                hits = int(results.values[key].sum())
                partners[direction] = clopper_pearson(hits, len(results.rows), alpha)
        for side in ("a", "b"):
            if mixed_id(side) in asked.values:
                mixed[side] = _recall(found, mixed_id(side))
        overlap = mean_interval(results.values[OVERLAP], ENDLESS, alpha)
        related = overlap.low > mean_interval(results.chance[OVERLAP], ENDLESS, alpha).high
    return Evidence(
        rows=population.distinct,
        fit_rows=population.n - population.n // FOLDS,
        dims=population.dims,
        k=population.options.k,
        identical=(
            rows_are_queries
            and population.scan.identical
            and population.pair.only_in == (0, 0)
            and population.pair.sampled_of is None
        ),
        matched_fraction=population.pair.matched_fraction,
        without_partner=without_partner,
        recalls=recalls,
        mixed=mixed,
        partners=partners,
        related=related,
        pairing=pairing,
    )


def _recall(found: _Found, key: str) -> Recall:
    values, chance = found.asked.values[key], found.asked.chance[key]
    return Recall(
        plain=mean_interval(values, found.population, found.alpha),
        corrected=chance_corrected(values, chance, found.population, found.alpha),
        chance=float(chance.mean()),
    )


def _without_suspects(
    population: Population, found: _Found, mispairing: Mispairing
) -> Decision | None:
    """Decide as if rows corresponded, on the queries whose partner ranks well.

    A mixed index stores mispaired rows as strangers, so its recall lacks their share.

    Returns
    -------
    Decision or None
        None when too few queries are left.
    """
    well = np.isin(found.rows.rows, mispairing.rows[mispairing.ranks <= WELL_RANKED])
    if well.sum() < 4 * population.options.k + 2:
        return None
    clean = found.rows.subset(well)
    paired_share = max(1e-9, 1.0 - mispairing.fraction.value)
    for side in ("a", "b"):
        if mixed_id(side) in clean.values:
            corrected = np.minimum(1.0, clean.values[mixed_id(side)] / paired_share)
            clean.values[mixed_id(side)] = corrected
    none, all_of_them = Interval(0.0, 0.0, 0.0), Interval(1.0, 1.0, 1.0)
    own = _Found(clean, clean, _population_of_intervals(population), found.alpha)
    evidence = _evidence(population, False, own)
    assumed = replace(
        evidence,
        partners=dict.fromkeys(evidence.partners, all_of_them),
        pairing=PairingEvidence(none, False, mispairing.by_raw, 0.0, none, False),
    )
    return decide(assumed, population.options.policy)


def _record(population: Population, found: _Found, evidence: Evidence, ledger: Ledger) -> None:
    """Record every measure of retrieval."""
    for key, reason in applicable(population.same_dim).items():
        if reason is not None:
            ledger.skip([key], reason)
    for k in population.options.ks[1:]:
        for key, reason in depending_on_k(population.same_dim).items():
            ledger.at(k).skip([key], reason or f"only {population.n} distinct rows")
    for direction, share in evidence.partners.items():
        ledger.put(
            partner_id(direction),
            share.value,
            n=population.n,
            ci=(share.low, share.high),
            chance=1.0 / population.n,
            queries=len(found.rows.rows),
        )
    for results, of in (
        (found.rows, _population_of_intervals(population)),
        (found.asked, found.population),
    ):
        for k, at_k in {population.options.k: results, **results.at}.items():
            book = ledger if k == population.options.k else ledger.at(k)
            _record_recalls(at_k, population.n, of, found.alpha, k, book)


def _record_recalls(
    results: QueryResults, n: int, of: int, alpha: float, k: int, ledger: Ledger
) -> None:
    """Record the recalls of queries drawn from `of`; those of real queries come last and stand."""
    for key, chance in results.chance.items():
        interval = mean_interval(results.values[key], of, alpha)
        ledger.put(
            key,
            interval.value,
            n=n,
            ci=(interval.low, interval.high),
            chance=float(chance.mean()),
            k=k,
            queries=len(results.rows),
        )
