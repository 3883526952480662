"""What a sample of the rows leaves open about all of them: `--sample`."""

from __future__ import annotations

from dataclasses import replace

from embaudit.answers.index_size import Growth
from embaudit.datatypes import Verdict
from embaudit.measures.neighbors import mixed_id, partner_id, recall_id
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage
from embaudit.stats.intervals import NOTHING_KNOWN, Interval, clopper_pearson
from embaudit.verdict import DECIDABLE, Recall, continued

REST_ON_RECALL = {Verdict.SAFE, Verdict.DEGRADED, Verdict.ALIGN}
"""Verdicts that a larger index may take back: recall falls as more rows come between."""


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
    """
    policy = population.options.policy
    alpha = 1.0 - policy.confidence
    evidence = retrieval.evidence

    def recall(key: str, measured: Recall) -> Recall:
        plain = growth.continued(key, rows, alpha)
        return Recall(plain, _corrected(plain, measured.chance), measured.chance)

    recalls = {view: recall(recall_id(*view), found) for view, found in evidence.recalls.items()}
    mixed = {side: recall(mixed_id(side), found) for side, found in evidence.mixed.items()}
    partners = {
        direction: growth.continued(partner_id(direction), rows, alpha)
        for direction in evidence.partners
    }
    whole = replace(
        evidence,
        recalls=recalls,
        mixed=mixed,
        partners=partners,
        without_partner=_at_most(evidence.without_partner, population.pair.rows, alpha),
    )
    return replace(retrieval, decision=continued(retrieval.decision, whole, policy), whole=whole)


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
