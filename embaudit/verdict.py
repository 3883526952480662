"""The rules: from evidence and policy to a verdict, or to the verdicts still possible.

Every comparison has three answers: yes, no, or open while its interval straddles the threshold.
The rules are tried in order; an open one adds its verdict to the candidates and the next is tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from embaudit.datatypes import DIRECTIONS, Direction, Verdict
from embaudit.result import Policy
from embaudit.stats.intervals import Interval

MapKind = Literal["orthogonal", "linear"]

NOTABLE_GAIN = 0.02
"""A map, or the more general map, must add this much recall to count."""
MIXING_LOSS = 0.5
"""Raw recall this far above mixed-index recall: the scores of the two sides do not compare."""
SILENT_CHANCE = 0.5
"""Above this chance level recall says nothing."""
UNRELATED_FRACTION = 0.8
UNRELATED_LOW = 0.5
PROOF_OF_PAIRING = 0.01
"""A map whose median partner rank is at most this proves that most rows correspond."""
LAGGING = 0.1
"""Fewer partners found than this, where neighbourhoods agree, are rows that lag."""
ROWS_PER_DIMENSION = 2
"""Rows to fit a map on, per dimension, below which a bad map proves nothing."""
GRADES: tuple[tuple[float, Literal["excellent", "good", "fair"]], ...] = (
    (0.95, "excellent"),
    (0.85, "good"),
    (-1.0, "fair"),
)
DECIDABLE = (
    Verdict.SAFE,
    Verdict.DEGRADED,
    Verdict.ALIGN,
    Verdict.CONCATENATE,
    Verdict.MISPAIRED,
    Verdict.UNRELATED,
)


class Answer(Enum):
    """Of a comparison with an interval."""

    YES = "yes"
    NO = "no"
    OPEN = "open"


def reaches(interval: Interval, threshold: float) -> Answer:
    """Compare by the bound on the cautious side."""
    if interval.low >= threshold:
        return Answer.YES
    return Answer.NO if interval.high < threshold else Answer.OPEN


def every(answers: list[Answer]) -> Answer:
    """Return YES when all are, NO when any is."""
    if Answer.NO in answers:
        return Answer.NO
    return Answer.OPEN if Answer.OPEN in answers else Answer.YES


def some(answers: list[Answer]) -> Answer:
    """Return YES when any is, NO when all are."""
    if Answer.YES in answers:
        return Answer.YES
    return Answer.OPEN if Answer.OPEN in answers else Answer.NO


@dataclass(frozen=True)
class Recall:
    """A recall with its measured chance.

    Attributes
    ----------
    plain : Interval
        The recall itself.
    corrected : Interval
        After correction for chance, (r - c) / (1 - c); rules use this one.
    chance : float
    """

    plain: Interval
    corrected: Interval
    chance: float


@dataclass(frozen=True)
class PairingEvidence:
    """What the partner ranks say; see `embaudit.measures.pairing`.

    Attributes
    ----------
    fraction, flat, by_raw, median_rank
        Of the view that shows the pairing best.
    raw_fraction, raw_flat
        Of the stored vectors; the chosen view's where the dimensions differ.
    """

    fraction: Interval
    flat: bool
    by_raw: bool
    median_rank: float
    raw_fraction: Interval
    raw_flat: bool


@dataclass(frozen=True)
class Evidence:
    """All that the rules look at.

    Attributes
    ----------
    rows : int
        Distinct rows in the statistics.
    fit_rows : int
        Rows a cross-fitted map is fitted on.
    dims : (p, q)
    k : int
    identical : bool
        Both sides hold the same bytes.
    matched_fraction : float
        Of the smaller side's rows, the share that has a partner.
    without_partner : float
        Share of the paired rows with a vector on one side only, or that repeat a row which does
        not find its partner.
    recalls : dict
        Recall by (direction, kind); kind is raw, orthogonal or linear. Without raw where p != q.
    mixed : dict
        Mixed-index recall by the side of the queries, "a" and "b". Empty where p != q.
    partners : dict
        Share of partners found raw by direction. Empty where p != q.
    related : bool
        Own-space overlap is above chance.
    pairing : PairingEvidence or None
        None where too few rows are left to measure anything.
    """

    rows: int
    fit_rows: int
    dims: tuple[int, int]
    k: int
    identical: bool
    matched_fraction: float
    without_partner: float
    recalls: dict[tuple[str, str], Recall]
    mixed: dict[str, Recall]
    partners: dict[str, Interval]
    related: bool
    pairing: PairingEvidence | None

    @property
    def wanted_rows(self) -> int:
        """Rows to fit a map on, below which a bad map proves nothing."""
        return ROWS_PER_DIMENSION * max(self.dims)

    @property
    def few_rows(self) -> bool:
        """Whether a bad map proves nothing."""
        return self.fit_rows < self.wanted_rows


Reason = Literal[
    "identical",
    "too_few_rows",
    "mispaired",
    "unrelated",
    "silent_chance",
    "meets_policy",
    "few_matched",
    "without_partner",
    "rows_lost",
    "loss_without_map",
    "map_recovers",
    "no_map",
    "few_rows_to_fit",
    "straddles",
    "sample",
]


@dataclass(frozen=True)
class Decision:
    """The outcome of the rules.

    Attributes
    ----------
    verdict : Verdict
    candidates : list of Verdict
        One, unless the verdict is inconclusive.
    reason : str
        The rule that decided.
    open : bool
        More queries could settle it.
    chosen : dict of direction to (map, Recall)
        The map chosen for each direction whose recall reaches the policy; for `align`.
    """

    verdict: Verdict
    candidates: list[Verdict]
    reason: Reason
    open: bool = False
    chosen: dict[Direction, tuple[MapKind, Recall]] | None = None


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """Apply the rules in order.

    `safe` is returned by the byte-identity of the files or by rule 2 with every condition
    answered yes; a missing measure is a no.
    """
    if evidence.identical:
        if evidence.rows >= evidence.k + 2:
            return _single(Verdict.SAFE, "identical")
        return _inconclusive(list(DECIDABLE), "too_few_rows")
    if evidence.pairing is None:
        return _inconclusive(list(DECIDABLE), "too_few_rows")
    if max(recall.chance for recall in evidence.recalls.values()) > SILENT_CHANCE:
        return _inconclusive(list(DECIDABLE), "silent_chance")
    paired = _rows_correspond(evidence, evidence.pairing, policy)
    if paired is not None:
        return paired

    candidates: list[Verdict] = []
    for rule in (_safe, _degraded, _align):
        answer = rule(evidence, policy)
        if isinstance(answer, Decision):
            if not candidates:
                return answer
            merged = candidates + [v for v in answer.candidates if v not in candidates]
            return _inconclusive(merged, "straddles", True, answer.chosen)
        if answer is not None:
            candidates.append(answer)
    # A bad map counts as evidence only with rows enough to fit a good one.
    last = [Verdict.ALIGN, Verdict.CONCATENATE] if evidence.few_rows else [Verdict.CONCATENATE]
    if evidence.few_rows and not _pairing_shown(evidence, evidence.pairing):
        last += [Verdict.MISPAIRED, Verdict.UNRELATED]
    possible = candidates + [verdict for verdict in last if verdict not in candidates]
    if len(possible) == 1:
        return _single(Verdict.CONCATENATE, "no_map")
    reason: Reason = "straddles" if candidates else "few_rows_to_fit"
    return _inconclusive(possible, reason, bool(candidates))


def continued(decision: Decision, whole: Evidence, policy: Policy) -> Decision:
    """Return what a decision on a sample leaves possible for all rows.

    Rules are applied once more, to the evidence continued to all rows. That can take certainty
    away and never gives any: what the sample shows stays possible.

    Parameters
    ----------
    decision : Decision
        On the sample.
    whole : Evidence
        With recalls projected to an index of all rows.
    policy : Policy
    """
    for_all = decide(whole, policy)
    possible = {*decision.candidates, *for_all.candidates}
    if possible != set(decision.candidates):
        possible_in_order = [verdict for verdict in DECIDABLE if verdict in possible]
        return _inconclusive(possible_in_order, "sample", chosen=decision.chosen)
    if decision.chosen is None or for_all.chosen is None:
        return decision
    lasting = {way: how for way, how in decision.chosen.items() if way in for_all.chosen}
    return replace(decision, chosen=lasting or for_all.chosen)


def _rows_correspond(
    evidence: Evidence, pairing: PairingEvidence, policy: Policy
) -> Decision | None:
    """Rule 1: return a decision where rows do not correspond."""
    fraction = pairing.fraction
    raw = [evidence.recalls[key] for key in evidence.recalls if key[1] == "raw"]
    if (
        raw
        and min(recall.corrected.value for recall in raw) >= policy.min_aligned_recall
        and all(share.high < LAGGING for share in evidence.partners.values())
        and pairing.raw_flat
    ):
        # Neighbourhoods agree but next to no row is its partner's best match: a lag.
        return _single(Verdict.MISPAIRED, "mispaired")
    if fraction.low <= policy.max_mispaired or not pairing.flat:
        return None
    if evidence.related or fraction.high < UNRELATED_FRACTION:
        decision = _single(Verdict.MISPAIRED, "mispaired")
        if pairing.by_raw or pairing.median_rank <= PROOF_OF_PAIRING:
            return decision
    elif fraction.low >= UNRELATED_LOW:
        decision = _single(Verdict.UNRELATED, "unrelated")
    else:
        decision = _inconclusive([Verdict.MISPAIRED, Verdict.UNRELATED], "straddles")
    if evidence.few_rows:
        # A map fitted on few rows finds no partners even where rows correspond.
        possible = [Verdict.ALIGN, Verdict.CONCATENATE, *decision.candidates]
        return _inconclusive(possible, "few_rows_to_fit")
    return decision


def _pairing_shown(evidence: Evidence, pairing: PairingEvidence) -> bool:
    """Tell whether anything speaks for rows that correspond: shared neighbours, or ranks."""
    return evidence.related or pairing.by_raw or pairing.median_rank <= PROOF_OF_PAIRING


def _safe(evidence: Evidence, policy: Policy) -> Decision | Verdict | None:
    """Rule 2: the stored vectors retrieve each other, mix, and find their own partners."""
    raw = [evidence.recalls.get((direction, "raw")) for direction in DIRECTIONS]
    mixed = [evidence.mixed.get(side) for side in ("a", "b")]
    partners = [evidence.partners.get(direction) for direction in DIRECTIONS]
    measured = [recall for recall in (*raw, *mixed) if recall is not None]
    found = [share for share in partners if share is not None]
    if len(measured) < 4 or len(found) < 2 or evidence.dims[0] != evidence.dims[1]:
        return None
    retrieves = every([reaches(recall.corrected, policy.min_recall) for recall in measured])
    finds = every([reaches(share, 1.0 - policy.max_mispaired) for share in found])
    if retrieves is Answer.NO:
        return None
    missing = _missing_rows(evidence, policy)
    if retrieves is Answer.YES and finds is Answer.YES:
        return missing or _single(Verdict.SAFE, "meets_policy")
    if retrieves is Answer.YES:
        return _rows_lost(evidence, finds, found)
    return Verdict.SAFE if finds is not Answer.NO and missing is None else None


def _missing_rows(evidence: Evidence, policy: Policy) -> Decision | None:
    """Return what is said in place of `safe` where too many rows have nothing to be found."""
    if evidence.matched_fraction < policy.min_matched:
        return _single(Verdict.DEGRADED, "few_matched")
    if evidence.without_partner > policy.max_mispaired:
        return _single(Verdict.DEGRADED, "without_partner")
    return None


def _rows_lost(evidence: Evidence, finds: Answer, partners: list[Interval]) -> Decision:
    """All of rule 2 holds except that rows find their own partner."""
    pairing = evidence.pairing
    assert pairing is not None, "checked before the rules"
    if finds is Answer.OPEN:
        return _inconclusive([Verdict.SAFE, Verdict.MISPAIRED], "rows_lost", more=True)
    # Partners are also lost to near-duplicates that rank just above them: rows are mispaired when
    # at least half of the loss shows in the tail.
    lost = 1.0 - min(share.value for share in partners)
    in_tail = pairing.raw_fraction.low > 0.0 and pairing.raw_fraction.high >= lost / 2.0
    if pairing.raw_flat and in_tail:
        return _single(Verdict.MISPAIRED, "mispaired")
    return _inconclusive([Verdict.DEGRADED, Verdict.MISPAIRED], "rows_lost")


def _may_be_mispaired(evidence: Evidence, policy: Policy) -> bool:
    """Tell whether partners are lost and few rows leave open that those rows do not correspond."""
    pairing = evidence.pairing
    assert pairing is not None, "checked before the rules"
    lost = any(
        reaches(share, 1.0 - policy.max_mispaired) is Answer.NO
        for share in evidence.partners.values()
    )
    return lost and pairing.raw_flat and pairing.raw_fraction.high > policy.max_mispaired


def _degraded(evidence: Evidence, policy: Policy) -> Decision | Verdict | None:
    """Rule 3: same axes, noisier vectors, and no map does better."""
    raw = {d: evidence.recalls[d, "raw"] for d in DIRECTIONS if (d, "raw") in evidence.recalls}
    if evidence.dims[0] != evidence.dims[1] or len(raw) < 2 or len(evidence.mixed) < 2:
        return None
    for direction in DIRECTIONS:
        _, best = best_map(evidence, direction)
        if best.corrected.value - raw[direction].corrected.value > NOTABLE_GAIN:
            return None
    lowest_mixed = min(recall.corrected.value for recall in evidence.mixed.values())
    if max(recall.corrected.value for recall in raw.values()) - lowest_mixed > MIXING_LOSS:
        return None
    answer = every([reaches(r.corrected, policy.min_aligned_recall) for r in raw.values()])
    if answer is Answer.YES:
        if _may_be_mispaired(evidence, policy):
            return _inconclusive([Verdict.DEGRADED, Verdict.MISPAIRED], "rows_lost", more=True)
        return _single(Verdict.DEGRADED, "loss_without_map")
    return Verdict.DEGRADED if answer is Answer.OPEN else None


def _align(evidence: Evidence, policy: Policy) -> Decision | Verdict | None:
    """Rule 4: a map fitted on paired rows recovers the neighbours in a direction."""
    chosen: dict[Direction, tuple[MapKind, Recall]] = {}
    answers = []
    for direction in DIRECTIONS:
        orthogonal = evidence.recalls[direction, "orthogonal"]
        linear = evidence.recalls[direction, "linear"]
        limit = policy.min_aligned_recall
        answer = some([reaches(recall.corrected, limit) for recall in (orthogonal, linear)])
        answers.append(answer)
        if answer is not Answer.YES:
            continue
        kind, recall = best_map(evidence, direction)
        if kind == "orthogonal" and reaches(orthogonal.corrected, limit) is not Answer.YES:
            kind, recall = "linear", linear
        chosen[direction] = (kind, recall)
    answer = some(answers)
    if answer is Answer.YES:
        return Decision(Verdict.ALIGN, [Verdict.ALIGN], "map_recovers", chosen=chosen)
    return Verdict.ALIGN if answer is Answer.OPEN else None


def best_map(evidence: Evidence, direction: str) -> tuple[MapKind, Recall]:
    """Return the orthogonal map unless the linear one is better by a notable gain."""
    orthogonal = evidence.recalls[direction, "orthogonal"]
    linear = evidence.recalls[direction, "linear"]
    if linear.corrected.value - orthogonal.corrected.value > NOTABLE_GAIN:
        return "linear", linear
    return "orthogonal", orthogonal


def grade(recall: float) -> Literal["excellent", "good", "fair"]:
    """Grade a recovered recall."""
    return next(name for limit, name in GRADES if recall >= limit)


def _single(verdict: Verdict, reason: Reason) -> Decision:
    return Decision(verdict, [verdict], reason)


def _inconclusive(
    candidates: list[Verdict],
    reason: Reason,
    more: bool = False,
    chosen: dict[Direction, tuple[MapKind, Recall]] | None = None,
) -> Decision:
    return Decision(Verdict.INCONCLUSIVE, candidates, reason, open=more, chosen=chosen)
