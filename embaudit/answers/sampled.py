"""What a sample of the rows leaves open about all of them: `--sample`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from embaudit.answers.index_size import Growth
from embaudit.datatypes import Metric, Rows, SilentProgress, Verdict
from embaudit.measures.neighbors import mixed_id, partner_id, recall_id
from embaudit.measures.retrieval import QUERIES_AT_ONCE, NeighbourSearch
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage
from embaudit.stats.intervals import NOTHING_KNOWN, Interval, clopper_pearson
from embaudit.stats.topk import candidates_for
from embaudit.streaming.corpus import Corpus
from embaudit.streaming.query_stack import View
from embaudit.streaming.search import search
from embaudit.verdict import DECIDABLE, Recall, continued

REST_ON_RECALL = {Verdict.SAFE, Verdict.DEGRADED, Verdict.ALIGN}
"""Verdicts that a larger index may take back: recall falls as more rows come between."""

NEAR_DUPLICATE = 1 / 3
"""Of the distance to the farthest neighbour looked at: nearer ones belong to a group whose other
members a larger index holds. Without groups, distances of neighbours in ten dimensions or more
differ by less."""


def rests_on_recall(retrieval: RetrievalStage) -> bool:
    """Tell whether what a sample shows has to be continued to all rows before it is said."""
    candidates = set(retrieval.decision.candidates)
    return bool(candidates & REST_ON_RECALL) and candidates != set(DECIDABLE)


def judge_sample(
    population: Population, retrieval: RetrievalStage, growth: Growth, rows: int
) -> RetrievalStage:
    """Return the stage with the decision that its sample allows about all rows.

    Parameters
    ----------
    growth : Growth
        What the queries find in parts of the sample.
    rows : int
        That the sample was drawn from. Repetitions among them count: the larger the index, the more
        cautious the projection.

    Neighbours that are near-duplicates of the query, which a sample rarely holds, count as lost
    at the lower ends: recall may be flat at every size that holds at most k of a group, and fall
    where the group outgrows k.
    """
    policy = population.options.policy
    alpha = 1.0 - policy.confidence
    evidence = retrieval.evidence
    unseen = near_duplicates(population, retrieval, rows)

    def grown(key: str) -> Interval:
        end = growth.continued(key, rows, alpha)
        return replace(end, low=max(0.0, end.low - unseen))

    def recall(key: str, measured: Recall) -> Recall:
        plain = grown(key)
        return Recall(plain, _corrected(plain, measured.chance), measured.chance)

    recalls = {view: recall(recall_id(*view), found) for view, found in evidence.recalls.items()}
    mixed = {side: recall(mixed_id(side), found) for side, found in evidence.mixed.items()}
    partners = {direction: grown(partner_id(direction)) for direction in evidence.partners}
    whole = replace(
        evidence,
        recalls=recalls,
        mixed=mixed,
        partners=partners,
        without_partner=_at_most(evidence.without_partner, population.pair.rows, alpha),
    )
    return replace(retrieval, decision=continued(retrieval.decision, whole, policy), whole=whole)


def near_duplicates(population: Population, retrieval: RetrievalStage, rows: int) -> float:
    """Return the share of the k nearest of all rows that near-duplicates may take, 0 to 1.

    Parameters
    ----------
    rows : int
        That the sample was drawn from.

    Returns
    -------
    float
        ``c rows / (n k)``, at most 1: c is how many near-duplicates a query has among the n sampled
        rows, the mean of up to 2,048 queries, in the space that holds more of them. 0 where the
        sample shows none.
    """
    found, queries = retrieval.search, retrieval.results
    if found is None or queries is None:
        return 0.0
    some = queries.rows[:QUERIES_AT_ONCE]
    k, larger = population.options.k, rows / population.n
    most = max(_near(found, corpus, some, k).mean() for corpus in (found.a, found.b))
    return min(1.0, float(most) * larger / k)


def _near(found: NeighbourSearch, corpus: Corpus, rows: Rows, k: int) -> NDArray[np.int64]:
    """Count the near-duplicates that each row has in its own space, shape (m,)."""
    stored = corpus.source.take(rows)
    if corpus.metric is Metric.DOT:
        # Vectors of one direction need not have large inner products; angles tell groups.
        corpus = corpus.by_angle()
    own = {"own": View(corpus.preparation.rows(stored))}
    size, silent = candidates_for(k), SilentProgress()
    scores = search(corpus, rows, own, size, np.float32, found.workers, silent)["own"].all.scores
    squares = -2.0 * scores if corpus.metric is Metric.EUCLIDEAN else 2.0 - 2.0 * scores
    farthest = squares[:, -1:]
    near = (squares < NEAR_DUPLICATE**2 * farthest) & (farthest > 0.0)
    counts: NDArray[np.int64] = near.sum(axis=1)
    return counts


def _corrected(plain: Interval, chance: float) -> Interval:
    """Return a recall corrected for the chance of the sample, which is no less than that of all."""
    if chance >= 1.0:
        return NOTHING_KNOWN
    value, low, high = (
        (end - chance) / (1.0 - chance) for end in (plain.value, plain.low, plain.high)
    )
    return Interval(value, low, high)


def _at_most(share: float, rows: int, alpha: float) -> float:
    """Return the share of all rows that a share of sampled ones does not rule out."""
    return clopper_pearson(round(share * rows), rows, alpha).high
