"""Pairwise distances of a sample: representational similarity and paired cosine."""

from __future__ import annotations

import numpy as np

from embaudit.datatypes import TIES, Matrix, Metric, Vector
from embaudit.stats.prepare import unit_rows


def pairwise_distances(rows: Matrix, metric: Metric) -> Vector:
    """Return the distances of all pairs of prepared rows, shape (n (n - 1) / 2,).

    Cosine distance, squared euclidean distance, or inner products below the largest squared norm:
    what is rounding in them is small beside the largest.
    """
    upper = np.triu_indices(len(rows), 1)
    if metric is not Metric.EUCLIDEAN:
        products = rows @ rows.T
        return np.asarray(products.diagonal().max() - products[upper])
    centred = rows - rows.mean(axis=0)
    squares = np.einsum("ij,ij->i", centred, centred)
    distances = squares[:, None] + squares[None, :] - 2.0 * (centred @ centred.T)
    return np.asarray(distances[upper])


def rsa(x: Matrix, y: Matrix, metric: Metric) -> float | None:
    """Return Spearman's correlation of the pairwise distances of both sides.

    Parameters
    ----------
    x, y : float64 arrays, shapes (n, p) and (n, q)
        Prepared rows of a paired sample.
    metric : Metric

    Returns
    -------
    float or None
        In [-1, 1] (Kriegeskorte et al. 2008); None where all distances of a side are equal.
    """
    return spearman(pairwise_distances(x, metric), pairwise_distances(y, metric))


def spearman(first: Vector, second: Vector) -> float | None:
    """Return the rank correlation of two vectors, ties at their mean rank."""
    ranks = [average_ranks(values) for values in (first, second)]
    centred = [r - r.mean() for r in ranks]
    norms = [float(np.linalg.norm(r)) for r in centred]
    if min(norms) == 0.0:
        return None
    return float(np.clip(centred[0] @ centred[1] / (norms[0] * norms[1]), -1.0, 1.0))


def average_ranks(values: Vector) -> Vector:
    """Return 0-based ranks, values equal up to rounding at the mean of theirs."""
    order = np.argsort(values)
    steps = np.diff(values[order])
    starts = np.flatnonzero(np.append(True, steps > TIES * np.abs(values).max()))
    lengths = np.diff(np.append(starts, len(values)))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (lengths - 1) / 2.0, lengths)
    return ranks


def paired_cosine(x: Matrix, y: Matrix, generator: np.random.Generator) -> tuple[Vector, Vector]:
    """Return the cosine of each row with its partner, and with a random other row's partner."""
    x, y = unit_rows(x), unit_rows(y)
    turn = int(generator.integers(1, len(x))) if len(x) > 1 else 0
    other = np.roll(y, turn, axis=0)
    return np.einsum("ij,ij->i", x, y), np.einsum("ij,ij->i", x, other)
