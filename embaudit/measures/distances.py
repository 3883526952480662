"""Pairwise distances of a sample: representational similarity and paired cosine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from embaudit.datatypes import TIES, Matrix, Metric, Rows, Vector
from embaudit.stats.prepare import SAFE_SQUARES, unit_rows

ROWS_AT_ONCE = 128
"""Rows whose scores with others are computed together: few enough to stay in cache."""


def above_diagonal(square: Matrix) -> Vector:
    """Return the entries above the diagonal row by row, shape (n (n - 1) / 2,)."""
    return pairwise(len(square), lambda rows, columns: square[rows, columns])


def pairwise(count: int, scores: Callable[[slice, slice], Matrix]) -> Vector:
    """Return the scores of all pairs of rows, each pair once, in the order of `above_diagonal`.

    Parameters
    ----------
    count : int
        n.
    scores : callable
        Scores of some rows (first argument) with others, shape (m, o). It is asked for a few rows
        at a time: what is above the diagonal is half of the memory, and fresh memory is slow.

    Returns
    -------
    float64 array, shape (n (n - 1) / 2,)
    """
    found = np.empty(count * (count - 1) // 2)
    parts = by_row(found, count)
    for start in range(0, count, ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, count))
        for place, row in enumerate(scores(rows, slice(start, count))):
            next(parts)[:] = row[place + 1 :]
    return found


def by_row(pairs: Vector, count: int) -> Iterator[Vector]:
    """Yield views of what `pairwise` holds of each row of `count` with the rows after it."""
    start = 0
    for length in range(count - 1, -1, -1):
        yield pairs[start : start + length]
        start += length


def ends(places: Rows, count: int) -> tuple[Rows, Rows]:
    """Return the first and the second row of the pairs in some places of `pairwise`."""
    starts = np.cumsum(np.arange(count, 0, -1)) - count
    first: Rows = np.searchsorted(starts, places, side="right") - 1
    second: Rows = places - starts[first] + first + 1
    return first, second


def squared_distances(rows: Matrix) -> Vector:
    """Return the squared euclidean distances of all pairs of rows, as `pairwise` does."""
    centred = rows - rows.mean(axis=0)
    squares = np.einsum("ij,ij->i", centred, centred)

    def distances(some: slice, others: slice) -> Matrix:
        products: Matrix = centred[some] @ centred[others].T
        products *= -2.0
        products += np.add.outer(squares[some], squares[others])
        return products

    return pairwise(len(rows), distances)


def dissimilarities(rows: Matrix, squared: Vector, metric: Metric) -> Vector:
    """Return how far the rows of every pair are apart as a metric sees it, up to their ranks.

    Squared distances, which order unit rows as cosines do; under dot inner products below the
    largest squared norm: what is rounding in them is small beside the largest.

    Parameters
    ----------
    rows : float64 array, shape (n, d)
        Prepared.
    squared : float64 array, shape (n (n - 1) / 2,)
        Their `squared_distances`.
    metric : Metric
    """
    if metric is not Metric.DOT:
        return squared
    products = pairwise(len(rows), lambda some, others: rows[some] @ rows[others].T)
    return np.asarray(float(np.einsum("ij,ij->i", rows, rows).max()) - products)


def spearman(first: Vector, second: Vector) -> float | None:
    """Return the rank correlation of two vectors, ties at their mean rank."""
    return rank_correlation(average_ranks(first), average_ranks(second))


def rank_correlation(first: Vector, second: Vector) -> float | None:
    """Return the correlation of two vectors of ranks; None where all of one are tied.

    Of the `average_ranks` of `dissimilarities` of two sides it is representational similarity
    (Kriegeskorte et al. 2008).
    """
    centred = [ranks - ranks.mean() for ranks in (first, second)]
    norms = [float(np.linalg.norm(ranks)) for ranks in centred]
    if min(norms) == 0.0:
        return None
    return float(np.clip(centred[0] @ centred[1] / (norms[0] * norms[1]), -1.0, 1.0))


def average_ranks(values: Vector) -> Vector:
    """Return 0-based ranks, values equal up to rounding at the mean of theirs."""
    order = np.argsort(values)
    ascending = values[order]
    apart = np.diff(ascending) > TIES * max(abs(ascending[0]), abs(ascending[-1]))
    ranks = ascending
    if apart.all():
        ranks[order] = np.arange(len(values))
        return ranks
    starts = np.append(0, np.flatnonzero(apart) + 1)
    lengths = np.diff(np.append(starts, len(values)))
    ranks[order] = np.repeat(starts + (lengths - 1) / 2.0, lengths)
    return ranks


def paired_cosine(x: Matrix, y: Matrix, generator: np.random.Generator) -> tuple[Vector, Vector]:
    """Return the cosine of each row with its partner, and with a random other row's partner."""
    turn = int(generator.integers(1, len(x))) if len(x) > 1 else 0
    return row_cosines(x, y), row_cosines(x, np.roll(y, turn, axis=0))


def row_cosines(x: Matrix, y: Matrix) -> Vector:
    """Return the cosine of row i of `x` with row i of `y`, shape (n,); 0 for a zero row."""
    squares = np.stack([np.einsum("ij,ij->i", rows, rows) for rows in (x, y)])
    low, high = SAFE_SQUARES
    if not ((squares > low) & (squares < high)).all():
        return np.asarray(np.einsum("ij,ij->i", unit_rows(x), unit_rows(y)))
    norms = np.sqrt(squares)
    return np.asarray(np.einsum("ij,ij->i", x, y) / norms[0] / norms[1])
