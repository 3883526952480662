"""Where a score threshold chosen on A's scores lands on B's: `--threshold`, and a small table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from embaudit.data.pair import even_spans
from embaudit.datatypes import Mask, Matrix, Metric, Rows, Stored, Vector
from embaudit.errors import UsageError
from embaudit.figures import ScorePoint
from embaudit.measures.distances import by_row, ends, pairwise
from embaudit.measures.thresholds import FEWEST_PAIRS, Pairs, agreement, carried, passes
from embaudit.result import CI, CarriedThreshold, ThresholdRow, Thresholds
from embaudit.stages.population import Population
from embaudit.stats.intervals import Interval
from embaudit.stats.parallel import ordered_map

SAMPLE_ROWS = 2048
FEWEST_ROWS = 16
NEAREST_QUANTILES = (0.25, 0.5, 0.75)
"""Of the scores of sampled rows with the nearest other one: the thresholds of the table."""

CURVE_SHARES = (
    *(0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2),
    *(place * power for power in (0.1, 0.01, 0.001, 0.0001) for place in (1.0, 0.5, 0.2)),
)
"""Of all pairs; the few with the best scores are those that a threshold is about."""
ENOUGH_PAIRS = 200
"""Passing pairs at which a rare threshold needs no larger sample."""
WIDE_PAIRS = 1 << 23
ANCHORS = 512
"""Rows of each half that are held against all of it, at least; more while the pairs are fewer."""
GROWTH = 8
BLOCK_PAIRS = 1 << 19
MOST_HELD = 1 << 17
"""Pairs with the best scores on B that are held where a threshold is rare."""


@dataclass(frozen=True)
class _Half:
    """Pairs within one half of the sample, scores as similarities.

    Attributes
    ----------
    own : Pairs
        A against A, and B against B.
    cross : Pairs or None
        A against A, and A against B; None where the dimensions differ.
    lowest, highest : float
        Of A's scores.
    """

    own: Pairs
    cross: Pairs | None
    lowest: float
    highest: float


def measure_thresholds(population: Population) -> Thresholds | None:
    """Carry thresholds on A's scores to B by the share of pairs that pass them.

    Scores are those a user of the metric sees. Pairs are those within two halves of one seeded
    sample of 2,048 rows: the threshold on B is read off the first half and judged on the second.
    A threshold that is asked for and passed by too few of these pairs is looked at again in 16,384
    rows, then in eight times as many, up to all, at least 512 rows of each half against all of it:
    only for such a threshold may both files be read once more.

    Returns
    -------
    Thresholds or None
        None where fewer than 16 rows are left.

    Raises
    ------
    UsageError
        For a threshold that no pair passes, or every pair.
    """
    options, metric = population.options, population.options.metric
    rows = population.order[:SAMPLE_ROWS]
    if len(rows) < FEWEST_ROWS:
        return None
    sides = _Sides(population)
    stored = (sides.stored(half) for half in (rows[0::2], rows[1::2]))
    fit, judge = ordered_map(sides.all_pairs, stored, options.workers)
    found: list[ThresholdRow] = []
    if options.threshold is not None:
        threshold = _similarity(options.threshold, metric)
        few = min(fit.own.passing(threshold), judge.own.passing(threshold)) < FEWEST_PAIRS
        looked_at, wide = len(rows), (fit, judge)
        if few and population.n > len(rows):
            looked_at, wide = _widened(sides, threshold)
        _refuse_useless(options.threshold, metric, wide)
        found.append(_row(threshold, True, looked_at, *wide, population))
    for threshold in _near_pairs(fit, len(rows[0::2])):
        found.append(_row(threshold, False, len(rows), fit, judge, population))
    return Thresholds(n=len(rows), metric=metric, rows=found, curve=_curve(fit, metric))


def _curve(half: _Half, metric: Metric) -> list[ScorePoint]:
    """Return the scores that the same shares of all pairs reach, where enough do."""
    sides = [half.own.wanted, half.own.found[0]]
    if half.cross is not None:
        sides.append(half.cross.found.ravel())
    shares = [share for share in CURVE_SHARES if share * half.own.count >= FEWEST_PAIRS]
    scores = [np.quantile(side, [1.0 - share for share in shares]).tolist() for side in sides]
    points = []
    for share, *reached in zip(shares, *scores, strict=True):
        a, b, *cross = (_similarity(score, metric) for score in reached)
        points.append(ScorePoint(share=share, a=a, b=b, cross=cross[0] if cross else None))
    return points


def _similarity(score: float, metric: Metric) -> float:
    """Turn a score as users see it into a similarity, or back."""
    return -score if metric is Metric.EUCLIDEAN else score


def _near_pairs(half: _Half, rows: int) -> list[float]:
    """Return quantiles of the scores of rows with their nearest other row, to four digits."""
    nearest = np.full(rows, -np.inf)
    for place, scores in enumerate(by_row(half.own.wanted, rows)):
        later = nearest[place + 1 :]
        nearest[place] = scores.max(initial=nearest[place])
        np.maximum(later, scores, out=later)
    quantiles = np.quantile(nearest, NEAREST_QUANTILES)
    return list(dict.fromkeys(float(f"{value:.4g}") for value in quantiles))


def _refuse_useless(threshold: float, metric: Metric, halves: tuple[_Half, _Half]) -> None:
    """Refuse a threshold that returns nothing, or everything."""
    similarity = _similarity(threshold, metric)
    total = sum(half.own.count for half in halves)
    passing = sum(half.own.passing(similarity) for half in halves)
    if 0 < passing < total:
        return
    ends = (min(half.lowest for half in halves), max(half.highest for half in halves))
    low, high = sorted(_similarity(end, metric) for end in ends)
    what = "distances" if metric is Metric.EUCLIDEAN else "scores"
    raise UsageError(
        f"--threshold {threshold:g}: {'every one' if passing else 'none'} of {total:,} sampled "
        f"pairs of A passes it; their {metric} {what} lie from {low:.6g} to {high:.6g}"
    )


def _row(
    threshold: float,
    asked: bool,
    rows: int,
    fit: _Half,
    judge: _Half,
    population: Population,
) -> ThresholdRow:
    """Carry one threshold over, or say why it cannot be."""
    metric = population.options.metric
    alpha = 1.0 - population.options.policy.confidence
    counts = fit.own.passing(threshold), judge.own.passing(threshold)
    total = fit.own.count + judge.own.count

    def judged(pairs: Pairs, carried_to: float | None) -> CarriedThreshold | None:
        agreed = None
        if carried_to is not None:
            agreed = agreement(pairs, threshold, carried_to, alpha)
        if carried_to is None or agreed is None:
            return None
        precision, recall = agreed.precision, agreed.recall
        return CarriedThreshold(
            threshold=_similarity(carried_to, metric),
            precision=precision.value if precision else None,
            precision_ci=_ci(precision),
            recall=recall.value if recall else None,
            recall_ci=_ci(recall),
        )

    own = cross = unchanged = reason = None
    if min(counts) < FEWEST_PAIRS:
        reason = f"only {sum(counts)} of {total:,} sampled pairs pass it"
    else:
        own = judged(judge.own, carried(fit.own, threshold))
        unchanged = judged(judge.own, threshold)
        if fit.cross is not None and judge.cross is not None:
            cross = judged(judge.cross, carried(fit.cross, threshold))
    return ThresholdRow(
        threshold=_similarity(threshold, metric),
        asked=asked,
        share=sum(counts) / total,
        n=rows,
        pairs=counts[1],
        own=own,
        cross=cross,
        unchanged=unchanged,
        reason=reason,
    )


def _ci(interval: Interval | None) -> CI | None:
    return None if interval is None else (interval.low, interval.high)


def _widened(sides: _Sides, threshold: float) -> tuple[int, tuple[_Half, _Half]]:
    """Look at growing prefixes of the sampling order until enough pairs pass, or at every row."""
    order = sides.population.order
    size = GROWTH * SAMPLE_ROWS
    while True:
        rows = order[:size]
        halves = (
            sides.near_pairs(rows[0::2], threshold),
            sides.near_pairs(rows[1::2], threshold),
        )
        passing = min(half.own.passing(threshold) for half in halves)
        if passing >= ENOUGH_PAIRS or size >= len(order):
            return len(rows), halves
        size *= GROWTH


class _Sides:
    """Both sides' rows and their scores as a user of the metric sees them."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self._metric = population.options.metric
        self._scale = population.scan.a.preparation.scale

    def all_pairs(self, stored: tuple[Stored, Stored]) -> _Half:
        """Return every pair within some rows, each once, and once in each order across."""
        a, b = self._prepared(stored)
        rows = len(a)

        def scores(queries: Matrix, corpus: Matrix) -> Vector:
            return pairwise(rows, lambda some, others: self._scores(queries[some], corpus[others]))

        rows_of = partial(ends, count=rows)
        wanted = scores(a, a)
        own = Pairs(rows_of, wanted, scores(b, b)[None], len(wanted))
        cross = None
        if self.population.same_dim:
            both = np.stack([scores(a, b), scores(b, a)])
            cross = Pairs(rows_of, wanted, both, both.size)
        return _Half(own, cross, float(wanted.min()), float(wanted.max()))

    def near_pairs(self, rows: Rows, threshold: float) -> _Half:
        """Return the near pairs of the first rows with all of them; the others are counted.

        Held are the pairs that pass on A, and those with the best scores on B.
        """
        anchors = min(len(rows), max(ANCHORS, WIDE_PAIRS // len(rows)))
        anchor_a, anchor_b = self._prepared(self.stored(rows[:anchors]))
        same_dim = self.population.same_dim
        # Ascending rows are read in one sweep; a place below the anchor's has had the pair.
        places = np.argsort(rows)
        own, cross = _Held(threshold), _Held(threshold)
        lowest, highest = np.inf, -np.inf

        def blocks() -> Iterator[tuple[Rows, tuple[Stored, Stored]]]:
            for start, stop in even_spans(len(rows), max(1, BLOCK_PAIRS // anchors)):
                block = places[start:stop]
                yield block, self.stored(rows[block])

        def score(item: tuple[Rows, tuple[Stored, Stored]]) -> tuple[Rows, Mask, list[Matrix]]:
            block, stored = item
            a, b = self._prepared(stored)
            new = np.arange(anchors)[:, None] < block[None, :]
            scores = [self._scores(anchor_a, a), self._scores(anchor_b, b)]
            if same_dim:
                scores.append(self._scores(anchor_a, b))
            return block, new, scores

        for block, new, scores in ordered_map(score, blocks(), self.population.options.workers):
            lowest = min(lowest, float(scores[0].min(where=new, initial=np.inf)))
            highest = max(highest, float(scores[0].max(where=new, initial=-np.inf)))
            own.add(block, new, scores[0], scores[1])
            if same_dim:
                cross.add(block, new, scores[0], scores[2])
        count = anchors * len(rows) - anchors * (anchors + 1) // 2
        return _Half(own.pairs(count), cross.pairs(count) if same_dim else None, lowest, highest)

    def stored(self, rows: Rows) -> tuple[Stored, Stored]:
        """Return the rows of both sides."""
        pair = self.population.pair
        return pair.a.take(rows), pair.b.take(rows)

    def _prepared(self, stored: tuple[Stored, Stored]) -> tuple[Matrix, Matrix]:
        scan = self.population.scan
        return scan.a.preparation.rows(stored[0]), scan.b.preparation.rows(stored[1])

    def _scores(self, queries: Matrix, corpus: Matrix) -> Matrix:
        """Return similarities in the user's unit: distances have a minus."""
        if self._metric is Metric.COSINE:
            return queries @ corpus.T
        if self._metric is Metric.DOT:
            return queries @ corpus.T / self._scale / self._scale
        mean = corpus.mean(axis=0)
        queries, corpus = queries - mean, corpus - mean
        squares = np.square(queries).sum(axis=1)[:, None] + np.square(corpus).sum(axis=1)
        squares -= 2.0 * (queries @ corpus.T)
        return np.asarray(-np.sqrt(np.maximum(squares, 0.0)) / self._scale)


class _Held:
    """Pairs that pass on wanted scores, and those with the best found scores."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._floor = -np.inf
        self._beneath = -np.inf
        self._parts: list[tuple[Rows, Rows, Vector, Vector]] = []
        self._count = 0

    def add(self, block: Rows, new: Mask, wanted: Matrix, found: Matrix) -> None:
        """Offer the pairs of anchors with a block of rows that are `new`."""
        passing = passes(wanted, self._threshold)
        failing = float(wanted.max(where=new & ~passing, initial=-np.inf))
        self._beneath = max(self._beneath, failing)
        first, second = np.nonzero(new & (passing | (found >= self._floor)))
        self._parts.append((first, block[second], wanted[first, second], found[first, second]))
        self._count += len(first)
        if self._count > 2 * MOST_HELD:
            self._trim()

    def pairs(self, count: int) -> Pairs:
        """Return what is held, of `count` pairs in all."""
        first, second, wanted, found = self._joined()

        def rows_of(places: Rows) -> tuple[Rows, Rows]:
            return first[places], second[places]

        return Pairs(rows_of, wanted, found[None], count, self._floor, self._beneath)

    def _joined(self) -> tuple[Rows, Rows, Vector, Vector]:
        first, second, wanted, found = (
            np.concatenate(arrays) for arrays in zip(*self._parts, strict=True)
        )
        return first, second, wanted, found

    def _trim(self) -> None:
        first, second, wanted, found = self._joined()
        self._floor = float(np.partition(found, len(found) - MOST_HELD)[len(found) - MOST_HELD])
        keep = (found >= self._floor) | passes(wanted, self._threshold)
        self._parts = [(first[keep], second[keep], wanted[keep], found[keep])]
        self._count = int(keep.sum())
