"""Does the verdict hold in every part of the data: the same measures, group by group."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from embaudit.answers.judged import Judged, judged
from embaudit.data.groups import Codes, GroupColumn, Groups, read_groups
from embaudit.datatypes import Mask, Rows, Vector, Verdict
from embaudit.measures.neighbors import RAW, QueryResults, recall_id
from embaudit.measures.pairing import LAMBDA, SUSPECT, View, storey, tail_is_flat
from embaudit.result import Estimate, SliceGroup, Slices
from embaudit.stages.population import Population
from embaudit.stages.rank_sample import PartnerScores
from embaudit.stages.retrieval import ENDLESS, RetrievalStage
from embaudit.stats.intervals import Interval, mean_interval
from embaudit.verdict import PROOF_OF_PAIRING

GROUP_QUERIES = 256
"""Queries that every group gets at least, where it has as many rows."""
FEWEST_ROWS = 20
FIFTHS_FROM = 1 << 16
"""Rows whose values set the ranges of a numeric column."""
NOTABLE_LOSS = 0.05
"""Recall a group must lack against all rows, besides intervals that are apart."""

Difference = Literal["below_policy", "below_whole", "mispaired"]


def measure_slices(
    population: Population, column: GroupColumn, retrieval: RetrievalStage
) -> Slices:
    """Measure recall, cosine of partners and mispairing in every group of a column.

    The column is read twice. Every group is judged on the first rows of the sampling order that
    belong to it, at least 256: those that were queries already are not searched again, so that a
    further search runs only for groups that are small.

    Intervals hold for all groups together: 1 - confidence is divided by the number of intervals
    that are compared (Bonferroni). They are for further items like those of the group: a recall
    over all of forty rows is exact, and says little about whether such items fare worse.
    """
    order = population.order[:]
    groups = read_groups(population.pair, column, order[:FIFTHS_FROM])
    results, mispairing = retrieval.results, retrieval.mispairing
    if results is None or mispairing is None:
        reason = "too few distinct rows are left to measure anything"
        sizes = np.bincount(groups.codes[order], minlength=len(groups.names))
        return Slices(
            column=column.name,
            side=column.side,
            judged=[],
            intervals=0,
            whole=SliceGroup(name="all rows", kind="all", rows=population.n, reason=reason),
            groups=[
                SliceGroup(name=name, kind=kind, rows=int(size), reason=reason)
                for name, kind, size in zip(groups.names, groups.kinds, sizes, strict=True)
            ],
        )
    return _Measurement(population, groups, retrieval, results).slices(column)


class _Measurement:
    """What is measured once for all groups."""

    def __init__(
        self,
        population: Population,
        groups: Groups,
        retrieval: RetrievalStage,
        results: QueryResults,
    ) -> None:
        assert retrieval.search is not None, "there are results"
        assert retrieval.ranks is not None, "there are results"
        assert retrieval.mispairing is not None, "there are results"
        policy = population.options.policy
        self._population = population
        self._groups = groups
        self._verdict = retrieval.decision.verdict
        self._judged: Judged = judged(retrieval, policy.min_recall, policy.min_aligned_recall)
        self._view: View = retrieval.mispairing.view
        # A weak relation looks like mispairing where the sample is too small to show its tail.
        self._proven = retrieval.mispairing.median_rank <= PROOF_OF_PAIRING
        codes = groups.codes[population.order[:]]
        self._sizes = np.bincount(codes, minlength=len(groups.names))
        self._measured = np.flatnonzero(self._sizes >= FEWEST_ROWS).tolist()
        self._chance = {key: float(values.mean()) for key, values in results.chance.items()}

        scores = retrieval.ranks.scores
        queries = self._further(codes, len(results.rows))
        self._results = replace(results, at={})
        if len(queries):
            search = replace(retrieval.search, ks=retrieval.search.ks[:1])
            more = search.run(queries, population.options.progress)
            self._results = self._results.extended(more)
        ranked = self._further(codes, len(scores.rows))
        self._scores = scores.extended(retrieval.ranks.scores_of(ranked)) if len(ranked) else scores
        self._whole_queries = len(results.rows)
        self._whole_ranks = len(scores.rows)

    def _further(self, codes: Codes, asked: int) -> Rows:
        """Return the rows beyond the first `asked` that groups lack, in sampling order."""
        positions = [np.empty(0, np.int64)]
        for number in self._measured:
            first = np.flatnonzero(codes == number)[:GROUP_QUERIES]
            positions.append(first[first >= asked])
        return self._population.order[np.sort(np.concatenate(positions))]

    def slices(self, column: GroupColumn) -> Slices:
        """Return every group, worst first."""
        intervals = max(1, len(self._measured) * (len(self._judged.views) + 1))
        confidence = self._population.options.policy.confidence
        whole = self._whole(1.0 - confidence)
        alpha = (1.0 - confidence) / intervals
        groups = [self._group(number, alpha, whole) for number in range(len(self._groups.names))]
        return Slices(
            column=column.name,
            side=column.side,
            judged=self._judged.ids,
            intervals=intervals,
            whole=whole,
            groups=sorted(groups, key=self._standing),
        )

    def _whole(self, alpha: float) -> SliceGroup:
        queries = np.arange(len(self._results.rows)) < self._whole_queries
        ranked = np.arange(len(self._scores.rows)) < self._whole_ranks
        return self._described("all rows", "all", self._population.n, queries, ranked, alpha)

    def _group(self, number: int, alpha: float, whole: SliceGroup) -> SliceGroup:
        name, kind = self._groups.names[number], self._groups.kinds[number]
        size = int(self._sizes[number])
        if size < FEWEST_ROWS:
            reason = f"fewer than {FEWEST_ROWS} distinct rows"
            return SliceGroup(name=name, kind=kind, rows=size, reason=reason)
        queries = self._groups.codes[self._results.rows] == number
        ranked = self._groups.codes[self._scores.rows] == number
        group = self._described(name, kind, size, queries, ranked, alpha)
        flat = tail_is_flat(self._scores.ranks[self._view][ranked])
        return group.model_copy(update={"differs": self._differences(group, whole, flat)})

    def _described(
        self,
        name: str,
        kind: Literal["all", "value", "range", "other", "null"],
        size: int,
        queries: Mask,
        ranked: Mask,
        alpha: float,
    ) -> SliceGroup:
        scores = self._scores
        ids = [recall_id(*view) for view in self._judged.shown]
        ids += [key for key in self._judged.ids if key not in ids]
        # The lower threshold counts five times as many rows of a small group. It is biased where
        # the relation is weak, and for all rows alike.
        threshold = SUSPECT if self._proven else LAMBDA
        fraction = storey(scores.ranks[self._view][ranked], threshold, alpha)
        mapped = ("a_to_b", self._judged.better_map["a_to_b"])
        return SliceGroup(
            name=name,
            kind=kind,
            rows=size,
            queries=int(queries.sum()),
            recalls={
                key: Estimate.of(mean_interval(self._results.values[key][queries], ENDLESS, alpha))
                for key in ids
            },
            partner_cosine=self._cosine(scores, ("a_to_b", RAW), ranked, alpha),
            partner_cosine_mapped=self._cosine(scores, mapped, ranked, alpha),
            mispaired_fraction=Estimate.of(fraction),
        )

    def _cosine(self, scores: PartnerScores, view: View, ranked: Mask, alpha: float) -> Estimate:
        if view not in scores.cosines:
            return Estimate()
        shares: Vector = (1.0 + scores.cosines[view][ranked]) / 2.0
        interval = mean_interval(shares, ENDLESS, alpha)
        value, low, high = (
            2.0 * end - 1.0 for end in (interval.value, interval.low, interval.high)
        )
        return Estimate.of(Interval(value, low, high))

    def _differences(self, group: SliceGroup, whole: SliceGroup, flat: bool) -> list[Difference]:
        """Say in what a group falls short, by the bound that is kind to it."""
        found: list[Difference] = []
        for key in self._judged.ids:
            value, (_, high) = _known(group.recalls[key])
            whole_value, (whole_low, _) = _known(whole.recalls[key])
            if self._judged.wanted is not None:
                wanted = self._judged.wanted + (1.0 - self._judged.wanted) * self._chance[key]
                if high < wanted <= whole_value:
                    found.append("below_policy")
            if high < whole_low and value < whole_value - NOTABLE_LOSS:
                found.append("below_whole")
        _, (low, _) = _known(group.mispaired_fraction)
        _, (_, whole_high) = _known(whole.mispaired_fraction)
        allowed = max(self._population.options.policy.max_mispaired, whole_high)
        if self._verdict is not Verdict.UNRELATED and self._proven and flat and low > allowed:
            found.append("mispaired")
        return list(dict.fromkeys(found))

    def _standing(self, group: SliceGroup) -> tuple[bool, float, float]:
        """Sort by the lowest recall that matters, then by mispairing; unmeasured groups last."""
        if group.reason is not None:
            return True, 0.0, -float(group.rows)
        lowest = min(_known(group.recalls[key])[0] for key in self._judged.ids)
        return False, lowest, -_known(group.mispaired_fraction)[0]


def _known(estimate: Estimate) -> tuple[float, tuple[float, float]]:
    assert estimate.value is not None, "measured"
    assert estimate.ci is not None, "measured"
    return estimate.value, estimate.ci
