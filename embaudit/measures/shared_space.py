"""Two sets in one space: who finds its partner, and how the sets lie to each other."""

from __future__ import annotations

import math
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
    kept: Mask,
    queries: Rows,
    workers: int,
    progress: Progress,
) -> PartnerRanks:
    """Rank the partner of each query among all kept rows of the other side, by cosine.

    Parameters
    ----------
    a, b : EmbeddingSet
        Float32 rows of length 1, of one dimension; row i of both is one item.
    kept : bool array, shape (rows,)
        Rows that may be found.
    queries : int64 array, shape (m,)
        Kept rows.
    workers : int
    progress : Progress
    """
    found = [
        _ranks(a, b, kept, queries[start:stop], workers, progress)
        for start, stop in even_spans(len(queries), QUERIES_AT_ONCE)
    ]
    return PartnerRanks(
        np.concatenate([one.a_to_b for one in found]),
        np.concatenate([one.b_to_a for one in found]),
    )


def _ranks(
    a: EmbeddingSet,
    b: EmbeddingSet,
    kept: Mask,
    queries: Rows,
    workers: int,
    progress: Progress,
) -> PartnerRanks:
    x, y = a.take(queries), b.take(queries)
    own = _paired(x, y)
    spans = even_spans(a.rows, BLOCK_ROWS)

    def count(item: tuple[tuple[int, int], Stored, Stored]) -> tuple[Vector, Vector]:
        (start, stop), rows_a, rows_b = item
        some = kept[start:stop]
        return (
            _before(x, rows_b if some.all() else rows_b[some], own),
            _before(y, rows_a if some.all() else rows_a[some], own),
        )

    blocks = zip(spans, a.blocks(spans, workers + 2), b.blocks(spans, workers + 2), strict=True)
    progress.stage("partners", len(spans))
    # A query meets its own partner too, which ties with itself.
    forward, backward = np.full(len(queries), -0.5), np.full(len(queries), -0.5)
    for in_b, in_a in ordered_map(count, blocks, workers):
        forward += in_b
        backward += in_a
        progress.advance()
    return PartnerRanks(forward, backward)


def _paired(x: Stored, y: Stored) -> Vector:
    return np.asarray(np.einsum("ij,ij->i", x, y, dtype=np.float64))


def _before(queries: Stored, rows: Stored, own: Vector) -> Vector:
    """Count the rows nearer than each query's partner, those as near by half."""
    scores = queries @ rows.T
    # What a float32 product of unit rows may be off by.
    error = np.float32(np.finfo(np.float32).eps * math.sqrt(queries.shape[1]))
    limit = own.astype(np.float32)[:, None]
    above = np.count_nonzero(scores > limit + error, axis=1)
    reached = np.count_nonzero(scores >= limit - error, axis=1)
    return np.asarray(0.5 * (above + reached))


def reciprocal_rank(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Return the mean of ``1 / (1 + rows before the partner)`` over both directions.

    Parameters
    ----------
    x, y : float32 arrays, shape (m, d)
        Rows of length 1; row i of both is one item.
    """
    own = _paired(x, y)
    both = [_before(x, y, own) - 0.5, _before(y, x, own) - 0.5]
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
