"""Two sets in one space: who finds its partner, and how the sets lie to each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import even_spans
from embaudit.datatypes import Mask, Matrix, Progress, Rows, Stored, Vector
from embaudit.stats.parallel import ordered_map

BLOCK_ROWS = 4096
"""Rows that all queries meet at once."""
QUERIES_AT_ONCE = 2048
PAIRS_AT_ONCE = 1 << 22
"""Pairs of rows whose distances are held."""


@dataclass(frozen=True)
class PartnerRanks:
    """How many rows of the other side a vector finds before its partner, for each query.

    Rows as near as the partner count half: a space in which all rows are one has found nobody.

    Attributes
    ----------
    a_to_b, b_to_a : float64 arrays, shape (m,)
    """

    a_to_b: Vector
    b_to_a: Vector


def partner_ranks(
    a: EmbeddingSet,
    b: EmbeddingSet,
    indexes: Sequence[Mask],
    queries: Rows,
    workers: int,
    progress: Progress,
) -> list[PartnerRanks]:
    """Rank the partner of each query among the rows of indexes of the other side, by cosine.

    Parameters
    ----------
    a, b : EmbeddingSet
        Float32 rows of length 1, of one dimension; row i of both is one item.
    indexes : sequence of bool array, shape (rows,)
        Rows that are in each; the first has those of all others. A partner need not be.
    queries : int64 array, shape (m,)
    workers : int
    progress : Progress
    """
    found = [
        _ranks(a, b, indexes, queries[start:stop], workers, progress)
        for start, stop in even_spans(len(queries), QUERIES_AT_ONCE)
    ]
    forward, backward = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
    return [PartnerRanks(*both) for both in zip(forward, backward, strict=True)]


def _ranks(
    a: EmbeddingSet,
    b: EmbeddingSet,
    indexes: Sequence[Mask],
    queries: Rows,
    workers: int,
    progress: Progress,
) -> tuple[Matrix, Matrix]:
    """Return the ranks in both directions, shapes (indexes, queries)."""
    x, y = a.take(queries), b.take(queries)
    own = _paired(x, y)
    spans = even_spans(a.rows, BLOCK_ROWS)

    def count(item: tuple[tuple[int, int], Stored, Stored]) -> tuple[Matrix, Matrix]:
        (start, stop), rows_a, rows_b = item
        some = indexes[0][start:stop]
        within = [index[start:stop][some] for index in indexes]
        return (
            _before(x, rows_b if some.all() else rows_b[some], own, within),
            _before(y, rows_a if some.all() else rows_a[some], own, within),
        )

    blocks = zip(spans, a.blocks(spans, workers + 2), b.blocks(spans, workers + 2), strict=True)
    progress.stage("partners", len(spans))
    # A query meets its own partner too, which ties with itself.
    forward = np.array([np.where(index[queries], -0.5, 0.0) for index in indexes])
    backward = forward.copy()
    for in_b, in_a in ordered_map(count, blocks, workers):
        forward += in_b
        backward += in_a
        progress.advance()
    return forward, backward


def _paired(x: Stored, y: Stored) -> Vector:
    return np.asarray(np.einsum("ij,ij->i", x, y, dtype=np.float64))


def _before(queries: Stored, rows: Stored, own: Vector, within: Sequence[Mask]) -> Matrix:
    """Count the rows of each index nearer than each query's partner, those as near by half."""
    scores = queries @ rows.T
    # What a float32 product of unit rows may be off by.
    error = np.float32(np.finfo(np.float32).eps * math.sqrt(queries.shape[1]))
    limit = own.astype(np.float32)[:, None]
    # What cannot be compared, NaN, counts as nearer.
    above, reached = ~(scores <= limit + error), ~(scores < limit - error)
    counts = np.empty((len(within), len(queries)))
    for place, index in enumerate(within):
        chosen = slice(None) if index.all() else np.flatnonzero(index)
        counts[place] = np.count_nonzero(above[:, chosen], axis=1)
        counts[place] += np.count_nonzero(reached[:, chosen], axis=1)
    return 0.5 * counts


def reciprocal_rank(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Return the mean of ``1 / (1 + rows before the partner)`` over both directions.

    Parameters
    ----------
    x, y : float32 arrays, shape (m, d)
        Rows of length 1; row i of both is one item.
    """
    own, everyone = _paired(x, y), [np.ones(len(x), np.bool_)]
    both = [_before(x, y, own, everyone) - 0.5, _before(y, x, own, everyone) - 0.5]
    return float(np.mean([1.0 / (1.0 + ranks) for ranks in both]))


def modality_gap(x: Matrix, y: Matrix) -> float:
    """Return the distance between the means of unit rows, shape (m, d) (Liang et al. 2022)."""
    return float(np.linalg.norm(x.mean(axis=0) - y.mean(axis=0)))


def alignment(x: Matrix, y: Matrix) -> float:
    """Return the mean squared distance of partners among unit rows (Wang and Isola 2020)."""
    return float(np.square(x - y).sum(axis=1).mean())


def uniformity(rows: Matrix) -> float:
    """Return ``log mean exp(-2 |u - v|^2)`` over pairs of unit rows (Wang and Isola 2020).

    Parameters
    ----------
    rows : float64 array, shape (m, d), m at least 2
    """
    count, total = len(rows), 0.0
    for start, stop in even_spans(count, max(1, PAIRS_AT_ONCE // count)):
        # |u - v|^2 = 2 - 2 u.v
        total += float(np.exp(4.0 * (rows[start:stop] @ rows.T) - 4.0).sum())
    return math.log((total - count) / (count * (count - 1)))
