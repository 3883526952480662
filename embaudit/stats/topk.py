"""Exact nearest neighbours: a mergeable accumulator of the best scores, and what settles them.

Scores from a float32 product order rows up to an error bound. More candidates than asked for are
kept, and only where the bound leaves the order around the k-th best open are the candidates
scored again in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Mask, Matrix, Rows, ScoreFunction, Vector

CANDIDATES_PER_NEIGHBOUR = 4
MOST_SPARE = 256
"""Candidates beyond the k-th that settle all but massive ties, which are searched for again."""
NO_ROW = -1
FREE = np.iinfo(np.int64).max
"""Row of a free place while rows are ranked."""


def candidates_for(k: int) -> int:
    """Return how many candidates to keep where k neighbours are asked for."""
    return min(CANDIDATES_PER_NEIGHBOUR * k, k + MOST_SPARE)


class TopK:
    """The `size` best rows of each query; associative under `merge`.

    Equal scores go to the lower row. Blocks must come in ascending order of rows, so that a later
    row needs a strictly better score.

    Parameters
    ----------
    queries : int
    size : int
        Rows kept for each query.
    """

    def __init__(self, queries: int, size: int) -> None:
        self.scores: Matrix = np.full((queries, size), -np.inf)
        self.rows: Rows = np.full((queries, size), NO_ROW, np.int64)
        self._pending: list[tuple[Rows, Rows, NDArray[Any]]] = []
        self._pending_count = 0

    @property
    def size(self) -> int:
        """Rows kept for each query."""
        size: int = self.scores.shape[1]
        return size

    @property
    def thresholds(self) -> Vector:
        """Return the score a further row must exceed, shape (queries,); may lag behind."""
        return self.scores[:, -1].copy()

    def add(self, queries: Rows, rows: Rows, scores: NDArray[Any]) -> None:
        """Offer (query, row, score) triples."""
        self._pending.append((queries, rows, scores))
        self._pending_count += len(queries)
        # Sorting pays once enough has come together; while slots are empty thresholds are urgent.
        if 2 * self._pending_count >= self.scores.size or self.rows[0, -1] == NO_ROW:
            self.flush()

    def merge(self, other: TopK) -> TopK:
        """Return the best rows of both accumulators."""
        merged = TopK(*self.scores.shape)
        for part in (self, other):
            part.flush()
            queries, slots = np.nonzero(part.rows != NO_ROW)
            merged._pending.append(
                (queries, part.rows[queries, slots], part.scores[queries, slots])
            )
        merged.flush()
        return merged

    def flush(self) -> None:
        """Work off what has been offered."""
        if not self._pending:
            return
        queries, rows, scores = (
            np.concatenate(parts) for parts in zip(*self._pending, strict=True)
        )
        self._pending, self._pending_count = [], 0
        # Much has been offered before the lists were as good as they are now. A row that ties with
        # the last one enters if it is lower, which rows offered in ascending order never are.
        entering = scores >= self.scores[queries, -1]
        queries, rows, scores = queries[entering], rows[entering], scores[entering]
        # One key a pair: queries are few, and no file has 2^40 rows.
        order = np.argsort((queries << 40) | rows)
        queries, rows, scores = queries[order], rows[order], scores[order]
        place = np.arange(len(queries)) - np.searchsorted(queries, queries)
        # At most `size` of a query at a time: one that is offered far more makes nothing wide.
        for start in range(0, int(place.max(initial=-1)) + 1, self.size):
            part = (start <= place) & (place < start + self.size)
            self._take(queries[part], place[part] - start, rows[part], scores[part])

    def _take(self, queries: Rows, places: Rows, rows: Rows, scores: NDArray[Any]) -> None:
        """Merge rows into the best ones: some of each query, ascending, at `places` from 0."""
        active, line = np.unique(queries, return_inverse=True)
        shape = len(active), self.size + int(places.max(initial=-1)) + 1
        # A free place has the worst score and the highest row: it comes last.
        held = np.where(self.rows[active] == NO_ROW, FREE, self.rows[active])
        all_scores, all_rows = np.full(shape, -np.inf), np.full(shape, FREE)
        all_scores[:, : self.size], all_rows[:, : self.size] = self.scores[active], held
        all_scores[line, self.size + places] = scores
        all_rows[line, self.size + places] = rows
        if (rows < held.max(axis=1, where=held != FREE, initial=NO_ROW)[line]).any():
            order = np.argsort(all_rows, axis=1, kind="stable")
            all_scores = np.take_along_axis(all_scores, order, axis=1)
            all_rows = np.take_along_axis(all_rows, order, axis=1)
        best = _ranked(all_scores, self.size)
        self.scores[active] = np.take_along_axis(all_scores, best, axis=1)
        found = np.take_along_axis(all_rows, best, axis=1)
        self.rows[active] = np.where(found == FREE, NO_ROW, found)


def _ranked(scores: Matrix, size: int) -> Rows:
    """Return where the `size` largest entries of each line are; of equal ones the first come first.

    A stable sort does that, at three times the price of one that is not: only lines with ties pay.
    """
    negated = -scores
    order = np.argsort(negated, axis=1)
    best = np.take_along_axis(negated, order[:, : size + 1], axis=1)
    tied = ((best[:, 1:] == best[:, :-1]) & np.isfinite(best[:, 1:])).any(axis=1)
    if tied.any():
        order[tied] = np.argsort(negated[tied], axis=1, kind="stable")
    return order[:, :size]


def survivors(
    scores: NDArray[Any], thresholds: NDArray[Any], above: NDArray[np.bool_]
) -> tuple[Rows, Rows, NDArray[Any]]:
    """Pick the scores of a block that exceed their query's threshold.

    Parameters
    ----------
    scores : float array, shape (block rows, queries), contiguous
    thresholds : float array, shape (queries,)
    above : bool array, shape (block rows, queries), contiguous
        Room for the marks.

    Returns
    -------
    queries, block_rows : int64 arrays
    scores : float array
    """
    np.greater(scores, thresholds, out=above)
    places = np.flatnonzero(above)
    rows, queries = np.divmod(places, scores.shape[1])
    return queries, rows, scores.reshape(-1)[places]


def first_thresholds(scores: NDArray[Any], size: int) -> NDArray[Any]:
    """Return what the best `size` rows of a block exceed, shape (queries,).

    Rows that tie with the last of them do too; minus infinity where there are no more rows.

    Parameters
    ----------
    scores : float array, shape (block rows, queries)
    """
    if len(scores) <= size:
        return np.full(scores.shape[1], -np.inf, scores.dtype)
    by_query = np.ascontiguousarray(scores.T)
    local = np.partition(by_query, len(scores) - size, axis=1)[:, len(scores) - size]
    return np.asarray(np.nextafter(local, scores.dtype.type(-np.inf)))


@dataclass(frozen=True)
class Candidates:
    """Rows that may be among the k best of each query, scores within `error` of the exact ones.

    Attributes
    ----------
    rows : int64 array, shape (m, c)
        `NO_ROW` where there are fewer.
    scores : float64 array, shape (m, c)
        Descending.
    error : float64 array, shape (m,)
        Bound of the absolute error of the scores.
    bound : float64 array, shape (m,)
        No row left out has a larger (inexact) score; minus infinity when none was left out.
    """

    rows: Rows
    scores: Matrix
    error: Vector
    bound: Vector

    @classmethod
    def of(cls, top: TopK, queries: Rows, constant: Vector, error: Vector) -> Candidates:
        """Return what an accumulator holds for some of its queries, shape (m,).

        `constant` (m,) is added to each query's scores.
        """
        top.flush()
        rows = top.rows[queries]
        full = rows[:, -1] != NO_ROW
        scores = top.scores[queries] + constant[:, None]
        return cls(rows, scores, error, np.where(full, scores[:, -1], -np.inf))

    def union(self, other: Candidates) -> Candidates:
        """Return the candidates of two disjoint corpora as one; `self`'s come first in ties."""
        scores = np.concatenate([self.scores, other.scores], axis=1)
        rows = np.concatenate([self.rows, other.rows], axis=1)
        order = np.lexsort((rows, -scores), axis=1)
        return Candidates(
            np.take_along_axis(rows, order, axis=1),
            np.take_along_axis(scores, order, axis=1),
            np.maximum(self.error, other.error),
            np.maximum(self.bound, other.bound),
        )

    def offset(self, rows: int) -> Candidates:
        """Return the same candidates with row numbers moved up, to tell two corpora apart."""
        moved = np.where(self.rows == NO_ROW, NO_ROW, self.rows + rows)
        return Candidates(moved, self.scores, self.error, self.bound)


@dataclass(frozen=True)
class Neighbours:
    """The k best rows of each query, and every candidate that ties with the k-th.

    Attributes
    ----------
    rows : int64 array, shape (m, k)
        Equal scores go to the lower row.
    reached : int64 array, shape (m, c)
        Rows whose score reaches the k-th best, `NO_ROW` elsewhere.
    kth : float64 array, shape (m,)
        Score of the k-th best row, less the tolerance for ties; exact where `open` is set.
    open : bool array, shape (m,)
        Rows that were left out may reach the k-th best: their scores must be asked for.
    """

    rows: Rows
    reached: Rows
    kth: Vector
    open: Mask

    def hits(self, rows: Rows, exact: ScoreFunction) -> Vector:
        """Count, for each query, how many of `rows`, shape (m, r), reach its k-th best score.

        `NO_ROW` never counts. A row outside the candidates is scored with `exact` where rows
        that were left out may reach the k-th best.
        """
        base = int(max(rows.max(), self.reached.max())) + 1
        offsets = base * np.arange(len(rows))[:, None]
        known = np.sort((self.reached + offsets)[self.reached != NO_ROW])
        asked = rows + offsets
        places = np.searchsorted(known, asked)
        hit = np.zeros(rows.shape, np.bool_)
        inside = places < len(known)
        hit[inside] = known[places[inside]] == asked[inside]
        hit &= rows != NO_ROW
        queries, slots = np.nonzero(self.open[:, None] & ~hit & (rows != NO_ROW))
        if len(queries):
            scores = exact(queries, rows[queries, slots])
            hit[queries, slots] = scores >= self.kth[queries]
        counts: Vector = hit.sum(axis=1).astype(np.float64)
        return counts


def resolve(
    candidates: Candidates, k: int, exact: ScoreFunction, tolerance: Vector | float
) -> Neighbours:
    """Find the k best rows of each query, scoring again only what the error bound leaves open.

    Parameters
    ----------
    candidates : Candidates
        At least k rows for each query.
    k : int
    exact : callable
        ``exact(queries, rows)`` returns float64 scores of pairs.
    tolerance : float or array, shape (m,)
        Scores this close are ties.
    """
    rows, scores = candidates.rows, candidates.scores
    kth = scores[:, k - 1].copy()
    tolerance = np.broadcast_to(np.asarray(tolerance, np.float64), kth.shape)
    margin = (2.0 * candidates.error + tolerance)[:, None]
    with np.errstate(invalid="ignore"):
        near = (np.abs(scores - kth[:, None]) <= margin) & (rows != NO_ROW)
    unsettled = near.sum(axis=1) > 1
    near &= unsettled[:, None]
    settled_scores = scores.copy()
    queries, slots = np.nonzero(near)
    if len(queries):
        settled_scores[queries, slots] = exact(queries, rows[queries, slots])
        # What is clearly above or below keeps its side whatever the exact scores are.
        above = (scores > kth[:, None] + margin) & unsettled[:, None]
        below = (scores < kth[:, None] - margin) & unsettled[:, None]
        settled_scores[above] = np.inf
        settled_scores[below] = -np.inf
        ranked = -np.sort(-settled_scores[unsettled], axis=1)
        kth[unsettled] = ranked[:, k - 1]
    limit = kth - tolerance
    reached = (settled_scores >= limit[:, None]) & (rows != NO_ROW)
    reached[~unsettled, k:] = False
    # Order: clearly better than the k-th first, then the ties by row.
    tied = reached & (settled_scores <= (kth + tolerance)[:, None])
    group = np.where(reached, tied.astype(np.int64), 2)
    order = np.lexsort((np.where(group == 1, rows, 0), group), axis=1)[:, :k]
    is_open = (candidates.bound + candidates.error >= limit) & np.isfinite(candidates.bound)
    return Neighbours(
        np.take_along_axis(rows, order, axis=1),
        np.where(reached, rows, NO_ROW),
        limit,
        is_open,
    )
