"""The pair as five metrics see it, on one seeded sample of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import TIES, Mask, Matrix, Vector
from embaudit.measures.distances import spearman
from embaudit.stats.prepare import unit_rows

FLOAT32_TIES = 1e-6


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
    return unit_rows(a) @ unit_rows(b).T


def _euclidean(a: Matrix, b: Matrix) -> Matrix:
    mean = b.mean(axis=0)
    a, b = a - mean, b - mean
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)
    return np.asarray(2.0 * (a @ b.T) - squares)


def _manhattan(a: Matrix, b: Matrix) -> Matrix:
    # float32 rows: seven times as fast, and the table shows four digits.
    mean = b.mean(axis=0)
    queries, corpus = (a - mean).astype(np.float32), (b - mean).astype(np.float32)
    scores = np.empty((len(a), len(b)))
    difference = np.empty_like(corpus)
    for row, query in enumerate(queries):
        np.abs(np.subtract(corpus, query, out=difference), out=difference)
        scores[row] = -difference.sum(axis=1)
    return scores


def _hamming(a: Matrix, b: Matrix) -> Matrix:
    signs_a, signs_b = np.where(a > 0.0, 1.0, -1.0), np.where(b > 0.0, 1.0, -1.0)
    return np.asarray((signs_a @ signs_b.T / a.shape[1] - 1.0) / 2.0)


SIMILARITIES: dict[str, Callable[[Matrix, Matrix], Matrix]] = {
    "cosine": _cosine,
    "dot": _inner,
    "euclidean": _euclidean,
    "manhattan": _manhattan,
    "hamming": _hamming,
}
"""Scores of all pairs of stored rows, shape (m, n), larger is nearer; negative for distances,
squared for euclidean."""


def compare_metrics(rows_a: Matrix, rows_b: Matrix, chosen: str, k: int) -> list[MetricComparison]:
    """Compare both sides under every metric, the chosen one first.

    Parameters
    ----------
    rows_a, rows_b : float64 arrays, shapes (n, p) and (n, q)
        Stored rows of a paired sample, n > k + 1.
    chosen : str
        The audit's metric.
    k : int
    """
    names = [chosen, *(name for name in SIMILARITIES if name != chosen)]
    reference: tuple[Mask, Mask] | None = None
    table = []
    for name in names:
        similarity = SIMILARITIES[name]
        own_a, own_b = similarity(rows_a, rows_a), similarity(rows_b, rows_b)
        ties = FLOAT32_TIES if name == "manhattan" else TIES
        reached_a, reached_b = reaching(own_a, k, ties), reaching(own_b, k, ties)
        reference = reference or (reached_a, reached_b)
        upper = np.triu_indices(len(own_a), 1)
        forward = backward = partners = random = None
        if rows_a.shape[1] == rows_b.shape[1]:
            cross = similarity(rows_a, rows_b)
            forward = _recall(cross, reached_b, k)
            backward = _recall(np.ascontiguousarray(cross.T), reached_a, k)
            partners = _summary(name, np.diagonal(cross))
            random = _summary(name, cross[upper])
        table.append(
            MetricComparison(
                metric=name,
                overlap=(_recall(own_a, reached_b, k) + _recall(own_b, reached_a, k)) / 2.0,
                recall_a_to_b=forward,
                recall_b_to_a=backward,
                # Below the largest score: what is rounding in them is small beside the largest.
                rsa=spearman(own_a.max() - own_a[upper], own_b.max() - own_b[upper]),
                agreement_a=_recall(own_a, reference[0], k),
                agreement_b=_recall(own_b, reference[1], k),
                partners=partners,
                random=random,
            )
        )
    return table


def reaching(scores: Matrix, k: int, ties: float) -> Mask:
    """Mark, for each row, the other rows whose score reaches its k-th best, shape (n, n)."""
    masked = scores.copy()
    np.fill_diagonal(masked, -np.inf)
    kth = -np.partition(-masked, k - 1, axis=1)[:, k - 1]
    reached: Mask = masked >= (kth - ties * np.abs(scores).max(axis=1))[:, None]
    return reached


def _recall(scores: Matrix, reached: Mask, k: int) -> float:
    """Return the share of each row's k best others that reach the true k-th best."""
    masked = scores.copy()
    np.fill_diagonal(masked, -np.inf)
    best = np.argpartition(-masked, k - 1, axis=1)[:, :k]
    return float(np.take_along_axis(reached, best, axis=1).mean())


def _summary(metric: str, scores: Vector) -> Scores:
    """Sum up scores, distances as such."""
    if metric == "euclidean":
        scores = np.sqrt(np.maximum(-scores, 0.0))
    elif metric in {"manhattan", "hamming"}:
        scores = -scores
    low, high = np.quantile(scores, [0.05, 0.95])
    return Scores(float(scores.mean()), float(low), float(high))
