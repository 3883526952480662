"""Stage 4: pass 2, with more queries and more ranks until the verdict is decided."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from embaudit.datatypes import DIRECTIONS
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
from embaudit.measures.retrieval import NeighbourSearch
from embaudit.stages.ledger import Ledger
from embaudit.stages.population import Population
from embaudit.stages.rank_sample import RankSample
from embaudit.stats.intervals import (
    Interval,
    chance_corrected,
    clopper_pearson,
    looks,
    mean_interval,
)
from embaudit.streaming.fold_moments import FOLDS
from embaudit.streaming.search import Corpus
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
    mispairing : Mispairing or None
        None, like `results`, where too few rows are left to search.
    without_suspects : Decision or None
        For `mispaired`: the decision on the queries whose partner ranks well.
    """

    evidence: Evidence
    decision: Decision
    results: QueryResults | None = None
    mispairing: Mispairing | None = None
    without_suspects: Decision | None = None


def measure_retrieval(
    population: Population, maps: CrossFit | None, ledger: Ledger
) -> RetrievalStage:
    """Search, judge and decide; double the queries while more of them could decide."""
    options = population.options
    fewest = 4 * options.k + 2
    if maps is None or population.distinct < fewest:
        reason = f"fewer than 4k + 2 = {fewest} distinct rows"
        ledger.skip(applicable(True), reason)
        for k in options.ks[1:]:
            ledger.at(k).skip(depending_on_k(True), reason)
        evidence = _evidence(population)
        return RetrievalStage(evidence, decide(evidence, options.policy))
    search = NeighbourSearch(
        pair=population.pair,
        a=_corpus(population, "a"),
        b=_corpus(population, "b"),
        ks=tuple(k for k in options.ks if k < population.n),
        map_rows=maps.transform,
        seed=options.seed,
        workers=options.workers,
    )
    ranks = RankSample(population, maps)
    most = min(population.n, options.policy.max_queries)
    count = min(FIRST_QUERIES, most)
    with ledger.stage("neighbours"):
        without_partner = _without_partner(population, search) / population.pair.rows
        results = search.run(population.order[:count], options.progress)
    while True:
        with ledger.stage("ranks"):
            mispairing = ranks.judged(results)
        pairing = _pairing(mispairing, ranks.judged_raw())
        evidence = _evidence(population, results, pairing, without_partner)
        decision = decide(evidence, options.policy)
        if not decision.open or count == most:
            break
        wanted = min(2 * count, most)
        with ledger.stage("neighbours"):
            more = search.run(population.order[count:wanted], options.progress)
        results, count = results.extended(more), wanted
    _record(population, results, evidence, ledger)
    without = None
    if decision.reason == "mispaired":
        without = _without_suspects(population, results, mispairing)
    return RetrievalStage(evidence, decision, results, mispairing, without)


def _corpus(population: Population, side: str) -> Corpus:
    source = population.pair.a if side == "a" else population.pair.b
    scanned = population.scan.a if side == "a" else population.scan.b
    return Corpus(source, scanned.preparation, population.kept, population.half)


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


def _alpha(population: Population) -> float:
    """Return 1 - confidence, split over the sample sizes that may be looked at."""
    policy = population.options.policy
    most = min(population.n, policy.max_queries)
    return (1.0 - policy.confidence) / looks(min(FIRST_QUERIES, most), most)


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
    results: QueryResults | None = None,
    pairing: PairingEvidence | None = None,
    without_partner: float = 0.0,
) -> Evidence:
    """Put the evidence for the rules together."""
    alpha, rows = _alpha(population), population.n
    recalls: dict[tuple[str, str], Recall] = {}
    mixed: dict[str, Recall] = {}
    partners: dict[str, Interval] = {}
    related = False
    if results is not None:
        for direction in DIRECTIONS:
            for kind in (RAW, *MAPS):
                key = recall_id(direction, kind)
                if key in results.values:
                    recalls[direction, kind] = _recall(results, key, rows, alpha)
            key = partner_id(direction)
            if key in results.values:
                hits = int(results.values[key].sum())
                partners[direction] = clopper_pearson(hits, len(results.rows), alpha)
        for side in ("a", "b"):
            if mixed_id(side) in results.values:
                mixed[side] = _recall(results, mixed_id(side), rows, alpha)
        overlap = mean_interval(results.values[OVERLAP], ENDLESS, alpha)
        related = overlap.low > mean_interval(results.chance[OVERLAP], ENDLESS, alpha).high
    return Evidence(
        rows=population.distinct,
        fit_rows=population.n - population.n // FOLDS,
        dims=population.dims,
        k=population.options.k,
        identical=population.scan.identical and population.pair.only_in == (0, 0),
        matched_fraction=population.pair.matched_fraction,
        without_partner=without_partner,
        recalls=recalls,
        mixed=mixed,
        partners=partners,
        related=related,
        pairing=pairing,
    )


def _recall(results: QueryResults, key: str, rows: int, alpha: float) -> Recall:
    values, chance = results.values[key], results.chance[key]
    return Recall(
        plain=mean_interval(values, rows, alpha),
        corrected=chance_corrected(values, chance, rows, alpha),
        chance=float(chance.mean()),
    )


def _without_suspects(
    population: Population, results: QueryResults, mispairing: Mispairing
) -> Decision | None:
    """Decide as if rows corresponded, on the queries whose partner ranks well.

    A mixed index stores mispaired rows as strangers, so its recall lacks their share.

    Returns
    -------
    Decision or None
        None when too few queries are left.
    """
    well = np.isin(results.rows, mispairing.rows[mispairing.ranks <= WELL_RANKED])
    if well.sum() < 4 * population.options.k + 2:
        return None
    clean = results.subset(well)
    paired_share = max(1e-9, 1.0 - mispairing.fraction.value)
    for side in ("a", "b"):
        if mixed_id(side) in clean.values:
            corrected = np.minimum(1.0, clean.values[mixed_id(side)] / paired_share)
            clean.values[mixed_id(side)] = corrected
    none, all_of_them = Interval(0.0, 0.0, 0.0), Interval(1.0, 1.0, 1.0)
    evidence = _evidence(population, clean)
    assumed = replace(
        evidence,
        partners=dict.fromkeys(evidence.partners, all_of_them),
        pairing=PairingEvidence(none, False, mispairing.by_raw, 0.0, none, False),
    )
    return decide(assumed, population.options.policy)


def _record(
    population: Population, results: QueryResults, evidence: Evidence, ledger: Ledger
) -> None:
    """Record every measure of retrieval."""
    count = len(results.rows)
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
            queries=count,
        )
    _record_recalls(population, results, population.options.k, ledger)
    for k, results_at in results.at.items():
        _record_recalls(population, results_at, k, ledger.at(k))


def _record_recalls(population: Population, results: QueryResults, k: int, ledger: Ledger) -> None:
    for key, chance in results.chance.items():
        interval = mean_interval(results.values[key], population.n, _alpha(population))
        ledger.put(
            key,
            interval.value,
            n=population.n,
            ci=(interval.low, interval.high),
            chance=float(chance.mean()),
            k=k,
            queries=len(results.rows),
        )
