"""The pair as other metrics see it, on one seeded sample of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Mask, Matrix, Metric
from embaudit.measures.distances import rsa
from embaudit.stats.prepare import prepare

TIES = 1e-12
"""Scores this close, relative to a query's largest, differ by rounding."""


@dataclass(frozen=True)
class MetricComparison:
    """What one metric says; recalls are None where the dimensions differ."""

    metric: Metric
    overlap: float
    recall_a_to_b: float | None
    recall_b_to_a: float | None
    rsa: float | None


def compare_metrics(rows_a: Matrix, rows_b: Matrix, k: int) -> list[MetricComparison]:
    """Compare both sides under every metric.

    Parameters
    ----------
    rows_a, rows_b : float64 arrays, shapes (n, p) and (n, q)
        Stored rows of a paired sample, n > k + 1; recalls are within the sample.
    k : int
    """
    return [_compare(rows_a, rows_b, metric, k) for metric in Metric]


def _compare(rows_a: Matrix, rows_b: Matrix, metric: Metric, k: int) -> MetricComparison:
    a, b = prepare(rows_a, metric), prepare(rows_b, metric)
    own_a, own_b = similarities(a, a, metric), similarities(b, b, metric)
    reached_a, reached_b = reaching(own_a, k), reaching(own_b, k)
    overlap = (_recall(own_a, reached_b, k) + _recall(own_b, reached_a, k)) / 2.0
    forward = backward = None
    if a.shape[1] == b.shape[1]:
        cross = similarities(a, b, metric)
        forward = _recall(cross, reached_b, k)
        backward = _recall(np.ascontiguousarray(cross.T), reached_a, k)
    return MetricComparison(
        metric=metric,
        overlap=overlap,
        recall_a_to_b=forward,
        recall_b_to_a=backward,
        rsa=rsa(a, b, metric),
    )


def similarities(queries: Matrix, corpus: Matrix, metric: Metric) -> Matrix:
    """Return scores of prepared rows, shape (n, n), larger is nearer."""
    if metric is not Metric.EUCLIDEAN:
        return queries @ corpus.T
    mean = corpus.mean(axis=0)
    queries, corpus = queries - mean, corpus - mean
    squares = np.einsum("ij,ij->i", corpus, corpus)
    own = np.einsum("ij,ij->i", queries, queries)
    return np.asarray(2.0 * (queries @ corpus.T) - squares[None, :] - own[:, None])


def reaching(scores: Matrix, k: int) -> Mask:
    """Mark, for each row, the other rows whose score reaches its k-th best, shape (n, n)."""
    masked = scores.copy()
    np.fill_diagonal(masked, -np.inf)
    kth = -np.partition(-masked, k - 1, axis=1)[:, k - 1]
    reached: Mask = masked >= (kth - TIES * np.abs(scores).max(axis=1))[:, None]
    return reached


def _recall(scores: Matrix, reached: Mask, k: int) -> float:
    """Return the share of each row's k best others that reach the true k-th best."""
    masked = scores.copy()
    np.fill_diagonal(masked, -np.inf)
    best = np.argpartition(-masked, k - 1, axis=1)[:, :k]
    return float(np.take_along_axis(reached, best, axis=1).mean())
