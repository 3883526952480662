"""The pair as five metrics see it, on one seeded sample of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import TIES, Mask, Matrix, Rows, Vector
from embaudit.measures.distances import above_diagonal, average_ranks, rank_correlation
from embaudit.stats.parallel import ordered_map
from embaudit.stats.prepare import unit_rows

FLOAT32_TIES = 1e-6
CACHED_BYTES = 1 << 19
"""Rows whose differences from another are taken together: both stay in a core's cache."""


@dataclass(frozen=True)
class Scores:
    """Where scores lie: mean, 5% and 95% quantile, in the metric's own unit."""

    mean: float
    q05: float
    q95: float


@dataclass(frozen=True)
class MetricComparison:
    """What one metric says; recalls and scores are None where the dimensions differ.

    Attributes
    ----------
    metric : str
    overlap : float
        Own-space neighbours that A and B share under this metric.
    recall_a_to_b, recall_b_to_a : float or None
        Raw recall within the sample.
    rsa : float or None
        Spearman's correlation of all pairwise scores.
    agreement_a, agreement_b : float
        Own-space neighbours that this metric shares with the audit's metric, within A and B.
    partners, random : Scores or None
        Of rows with their partner, and with another row's. Similarities under cosine and dot,
        distances otherwise (hamming: share of differing sign bits).
    """

    metric: str
    overlap: float
    recall_a_to_b: float | None
    recall_b_to_a: float | None
    rsa: float | None
    agreement_a: float
    agreement_b: float
    partners: Scores | None
    random: Scores | None


def _inner(a: Matrix, b: Matrix) -> Matrix:
    return a @ b.T


def _cosine(a: Matrix, b: Matrix) -> Matrix:
    units = unit_rows(a)
    return units @ (units if b is a else unit_rows(b)).T


def _euclidean(a: Matrix, b: Matrix) -> Matrix:
    queries, corpus = _about_mean(a, b)
    squares = np.square(queries).sum(axis=1)[:, None] + np.square(corpus).sum(axis=1)
    return np.asarray(2.0 * (queries @ corpus.T) - squares)


def _manhattan(a: Matrix, b: Matrix) -> Matrix:
    # float32 rows: seven times as fast, and the table shows four digits.
    queries, corpus = (rows.astype(np.float32) for rows in _about_mean(a, b))
    distances = np.zeros((len(a), len(b)))
    ones = np.ones(corpus.shape[1], np.float32)
    step = max(1, CACHED_BYTES // corpus[0].nbytes)
    differences = np.empty((step, corpus.shape[1]), np.float32)
    for start in range(0, len(corpus), step):
        stop = min(start + step, len(corpus))
        for place, query in enumerate(queries[:stop] if b is a else queries):
            # Of a set against itself, what is above the diagonal stands below it too.
            first = max(start, place + 1) if b is a else start
            gaps = np.subtract(corpus[first:stop], query, out=differences[: stop - first])
            distances[place, first:stop] = np.abs(gaps, out=gaps) @ ones
    if b is a:
        distances += distances.T
    return np.negative(distances, out=distances)


def _hamming(a: Matrix, b: Matrix) -> Matrix:
    # Sums of fewer than 2^24 signs are exact in float32.
    signs = _signs(a)
    agreeing = signs @ (signs if b is a else _signs(b)).T
    return np.asarray((agreeing.astype(np.float64) / a.shape[1] - 1.0) / 2.0)


def _about_mean(a: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
    """Return both minus the mean of `b`, one array where they are one."""
    mean = b.mean(axis=0)
    corpus = b - mean
    return (corpus if a is b else a - mean), corpus


def _signs(rows: Matrix) -> NDArray[np.float32]:
    return np.where(rows > 0.0, np.float32(1.0), np.float32(-1.0))


SIMILARITIES: dict[str, Callable[[Matrix, Matrix], Matrix]] = {
    "cosine": _cosine,
    "dot": _inner,
    "euclidean": _euclidean,
    "manhattan": _manhattan,
    "hamming": _hamming,
}
"""Scores of all pairs of stored rows, shape (m, n), larger is nearer; negative for distances,
squared for euclidean. A set against itself is one array, given twice: half the work."""

SLOWEST = "manhattan"


@dataclass(frozen=True)
class _Own:
    """The neighbours within one side under one metric.

    Attributes
    ----------
    best : int64 array, shape (n, k)
        Each row's k nearest others.
    reached : bool array, shape (n, n)
        The others whose score reaches the k-th best.
    ranks : float64 array, shape (n (n - 1) / 2,)
        Of the scores of all pairs.
    """

    best: Rows
    reached: Mask
    ranks: Vector

    @classmethod
    def of(cls, scores: Matrix, k: int, ties: float) -> _Own:
        """Return what the scores of all pairs say, shape (n, n)."""
        best = _best(scores, k)
        # Below the largest score: what is rounding in them is small beside the largest.
        ranks = average_ranks(scores.max() - above_diagonal(scores))
        return cls(best, _reaching(scores, best, ties), ranks)


def compare_metrics(
    rows_a: Matrix, rows_b: Matrix, chosen: str, k: int, workers: int = 1
) -> list[MetricComparison]:
    """Compare both sides under every metric, the chosen one first.

    Parameters
    ----------
    rows_a, rows_b : float64 arrays, shapes (n, p) and (n, q)
        Stored rows of a paired sample, n > k + 1.
    chosen : str
        The audit's metric.
    k : int
    workers : int
        Threads, a metric each.
    """

    def compared(name: str) -> tuple[MetricComparison, _Own, _Own]:
        return _compared(name, rows_a, rows_b, k)

    # The slowest one first, so that no thread waits for it at the end.
    names = sorted(SIMILARITIES, key=lambda name: name != SLOWEST)
    found = dict(zip(names, ordered_map(compared, names, workers), strict=True))
    _, reference_a, reference_b = found[chosen]
    table = []
    for name in sorted(SIMILARITIES, key=lambda name: name != chosen):
        row, own_a, own_b = found[name]
        agreement_a = _recall(own_a.best, reference_a.reached)
        agreement_b = _recall(own_b.best, reference_b.reached)
        table.append(replace(row, agreement_a=agreement_a, agreement_b=agreement_b))
    return table


def _compared(
    name: str, rows_a: Matrix, rows_b: Matrix, k: int
) -> tuple[MetricComparison, _Own, _Own]:
    """Compare both sides under one metric, as if it were the chosen one."""
    similarity = SIMILARITIES[name]
    ties = FLOAT32_TIES if name == "manhattan" else TIES
    own_a, own_b = (_Own.of(similarity(rows, rows), k, ties) for rows in (rows_a, rows_b))
    forward = backward = partners = random = None
    if rows_a.shape[1] == rows_b.shape[1]:
        cross = similarity(rows_a, rows_b)
        forward = _recall(_best(cross, k), own_b.reached)
        backward = _recall(_best(np.ascontiguousarray(cross.T), k), own_a.reached)
        partners = _summary(name, np.diagonal(cross))
        random = _summary(name, above_diagonal(cross))
    row = MetricComparison(
        metric=name,
        overlap=(_recall(own_a.best, own_b.reached) + _recall(own_b.best, own_a.reached)) / 2.0,
        recall_a_to_b=forward,
        recall_b_to_a=backward,
        rsa=rank_correlation(own_a.ranks, own_b.ranks),
        agreement_a=1.0,
        agreement_b=1.0,
        partners=partners,
        random=random,
    )
    return row, own_a, own_b


def _best(scores: Matrix, k: int) -> Rows:
    """Return each row's k best others, shape (n, k)."""
    negative = np.negative(scores)
    np.fill_diagonal(negative, np.inf)
    return np.argpartition(negative, k - 1, axis=1)[:, :k]


def _reaching(scores: Matrix, best: Rows, ties: float) -> Mask:
    """Mark, for each row, the other rows whose score reaches its k-th best, shape (n, n)."""
    kth = np.take_along_axis(scores, best, axis=1).min(axis=1)
    size = np.maximum(scores.max(axis=1), -scores.min(axis=1))
    reached: Mask = scores >= (kth - ties * size)[:, None]
    np.fill_diagonal(reached, False)
    return reached


def _recall(best: Rows, reached: Mask) -> float:
    """Return the share of each row's best others that reach the true k-th best."""
    return float(np.take_along_axis(reached, best, axis=1).mean())


def _summary(metric: str, scores: Vector) -> Scores:
    """Sum up scores, distances as such."""
    if metric == "euclidean":
        scores = np.sqrt(np.maximum(-scores, 0.0))
    elif metric in {"manhattan", "hamming"}:
        scores = -scores
    low, high = np.quantile(scores, [0.05, 0.95])
    return Scores(float(scores.mean()), float(low), float(high))
