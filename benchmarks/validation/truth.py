"""What is true of a pair: brute force over all rows and all queries, from the definitions alone.

This module imports nothing of embaudit. Everything is dense, in float64: whole rows of the n x n
score matrices, sorted, for every query. It answers what a user would see:

- *raw recall*: stored vectors of one side query the other side's index; of the k rows returned,
  the share whose score to the query's own vector there reaches the k-th best;
- *mixed recall*: a random half of an index holds the other side's vectors; of a query's own k
  neighbours that are stored as the other side's, the share whose score reaches the k-th best of
  that index, over the half and its complement, and averaged over several halves;
- *partner found*: the share of queries for which no other row scores above their own (by cosine
  where the metric is the inner product, whose largest value need not be a row's own partner);
- *mapped recall*: the best of many maps (orthogonal with two scales, ridge at five penalties),
  fitted on part of the rows and judged on the others: on half, and on four fifths of the rows.

Recalls are corrected for chance, (r - c) / (1 - c), where c is the exact mean over all pairs of
different queries of the recall when a query is given the list of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
Matrix = NDArray[np.float64]
Map = Callable[[Matrix], Matrix]
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
PENALTIES_OF_MANY_ROWS = (1e-4, 1e-2)
MANY_ROWS = 6000
HALVES = 6
HALVES_OF_MANY_ROWS = 1
CELLS_AT_ONCE = 4_000_000
TIES = 1e-12
TINY = 1e-300


@dataclass(frozen=True)
class Truth:
    """Brute-force values of one pair; recalls are corrected for chance.

    Attributes
    ----------
    rows, distinct : int
        Rows as stored, and those whose two vectors do not both repeat an earlier row's.
    dims : (int, int)
    moved : float
        Share of the stored rows that construction mispaired.
    raw, mixed, found : dict of str to float
        By direction ("ab", "ba"), by side ("a", "b"), by direction. Empty where dimensions differ.
    plain : dict of str to float
        Raw and mixed recalls without the correction, keys ``raw ab`` and so on.
    half, most : dict of str to float
        Mapped recall by direction of maps fitted on half, and on four fifths of the rows.
    overlap, overlap_chance : float
        Of the neighbours within each space, both ways.
    chance : float
        The largest chance level of the recalls.
    """

    rows: int
    distinct: int
    dims: tuple[int, int]
    moved: float
    raw: dict[str, float]
    mixed: dict[str, float]
    found: dict[str, float]
    plain: dict[str, float]
    half: dict[str, float]
    most: dict[str, float]
    overlap: float
    overlap_chance: float
    chance: float

    @property
    def direct(self) -> float:
        """The smallest of raw and mixed recall, both ways; 0 where the dimensions differ."""
        return min([*self.raw.values(), *self.mixed.values()], default=0.0)

    @property
    def partners(self) -> float:
        """The smaller share of partners found."""
        return min(self.found.values(), default=0.0)


@dataclass
class _Tally:
    """Hits of all queries, and what chance would have hit."""

    rows: int
    hits: float = 0.0
    queries: int = 0
    listed: Matrix = field(init=False)
    wanted: Matrix = field(init=False)

    def __post_init__(self) -> None:
        self.listed, self.wanted = np.zeros(self.rows), np.zeros(self.rows)

    def add(self, lists: NDArray[np.int64], right: NDArray[np.bool_]) -> None:
        """Count lists of rows, shape (m, k), against marks of right rows, shape (m, n)."""
        self.hits += float(np.take_along_axis(right, lists, axis=1).sum())
        self.queries += len(lists)
        self.listed += np.bincount(lists.ravel(), minlength=self.rows)
        self.wanted += right.sum(axis=0)

    def mean(self, k: int) -> float:
        return self.hits / (k * self.queries)

    def chance(self, k: int) -> float:
        """Mean over pairs of different queries: all pairs less each query with its own list."""
        pairs = self.queries * (self.queries - 1)
        return (float(self.listed @ self.wanted) - self.hits) / (k * pairs) if pairs else 0.0

    def corrected(self, k: int) -> float:
        chance = self.chance(k)
        return (self.mean(k) - chance) / (1.0 - chance) if chance < 1.0 else 0.0


def distinct_rows(a: Rows, b: Rows) -> NDArray[np.int64]:
    """Return the first of every group of rows whose vectors repeat on both sides."""
    both = np.hstack([a, b])
    return np.sort(np.unique(both, axis=0, return_index=True)[1])


def prepared(rows: Rows, metric: str) -> Matrix:
    """Return float64 rows, of unit length under cosine."""
    exact = rows.astype(np.float64)
    return exact / np.linalg.norm(exact, axis=1, keepdims=True) if metric == "cosine" else exact


def scores(queries: Matrix, corpus: Matrix, metric: str) -> Matrix:
    """Return scores of all queries and rows, larger is nearer, shape (m, n)."""
    if metric != "euclidean":
        return np.asarray(queries @ corpus.T)
    middle = corpus.mean(axis=0)
    x, y = queries - middle, corpus - middle
    return np.asarray(2.0 * x @ y.T - np.square(x).sum(1)[:, None] - np.square(y).sum(1))


def kth_best(table: Matrix, k: int) -> Matrix:
    """Return each row's k-th largest value less the tolerance for ties, shape (m, 1)."""
    place = table.shape[1] - k
    kth = np.partition(table, place, axis=1)[:, place : place + 1]
    return np.asarray(kth - TIES * np.maximum(1.0, np.abs(kth)))


def best(table: Matrix, k: int) -> NDArray[np.int64]:
    """Return each row's k largest entries, shape (m, k)."""
    place = table.shape[1] - k
    return np.argpartition(table, place, axis=1)[:, place:]


@dataclass(frozen=True)
class _MapView:
    """One map's vectors of the rows it has not seen."""

    part: str
    vectors: Matrix
    judged: NDArray[np.bool_]


def fitted(x: Matrix, y: Matrix, penalties: tuple[float, ...]) -> list[Map]:
    """Return maps from x's space to y's, fitted on paired rows."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    cx, cy = x - mean_x, y - mean_y
    left, _, right = np.linalg.svd(cx.T @ cy, full_matrices=False)
    turn = left @ right
    turned = cx @ turn
    size = float(np.linalg.norm(cy))
    spread = size / max(float(np.linalg.norm(turned)), TINY)
    fit = float((turned * cy).sum()) / max(float(np.square(turned).sum()), TINY)
    matrices = [spread * turn, fit * turn]
    values, basis = np.linalg.eigh(cx.T @ cx)
    values, rotated = np.maximum(values, 0.0), basis.T @ (cx.T @ cy)
    unit = float(values.mean())
    for penalty in penalties:
        ridge = basis @ (rotated / (values + penalty * unit)[:, None])
        matrices.append(ridge * (size / max(float(np.linalg.norm(cx @ ridge)), TINY)))
    return [_affine(matrix, mean_x, mean_y) for matrix in matrices]


def _affine(matrix: Matrix, mean_x: Matrix, mean_y: Matrix) -> Map:
    return lambda rows: (rows - mean_x) @ matrix + mean_y


def _splits(n: int) -> Iterator[tuple[str, NDArray[np.int64], int]]:
    """Yield the part fitted on, each row's fold, and how many folds are judged."""
    random = np.random.default_rng(11)
    yield "half", random.permutation(np.arange(n) % 2), 1 if n > MANY_ROWS else 2
    if n <= MANY_ROWS:
        yield "most", random.permutation(np.arange(n) % 5), 5


def _map_views(x: Matrix, y: Matrix) -> list[_MapView]:
    n = len(x)
    penalties = PENALTIES_OF_MANY_ROWS if n > MANY_ROWS else PENALTIES
    views = []
    for part, folds, judged_folds in _splits(n):
        judged = folds < judged_folds
        columns = [np.zeros((n, y.shape[1])) for _ in range(2 + len(penalties))]
        for fold in range(judged_folds):
            out = folds == fold
            for column, apply in zip(columns, fitted(x[~out], y[~out], penalties), strict=True):
                column[out] = apply(x[out])
        views += [_MapView(part, column, judged) for column in columns]
    return views


@dataclass
class _Toward:
    """What queries of `source` find among the rows of `target`, and mixing there."""

    source: Matrix
    target: Matrix
    metric: str
    k: int
    raw: float = 0.0
    plain_raw: float = 0.0
    mixed: float = 0.0
    plain_mixed: float = 0.0
    found: float = 0.0
    overlap: float = 0.0
    overlap_chance: float = 0.0
    chance: float = 0.0
    mapped: dict[str, float] = field(default_factory=dict)

    def search(self) -> None:
        """Ask every row, by blocks of queries."""
        n, same = len(self.target), self.source.shape[1] == self.target.shape[1]
        views = _map_views(self.source, self.target)
        raw, overlap, mixed = _Tally(n), _Tally(n), _Tally(n)
        tallies = [_Tally(n) for _ in views]
        random = np.random.default_rng(12)
        count = HALVES_OF_MANY_ROWS if n > MANY_ROWS else HALVES
        halves = [random.random(n) < 0.5 for _ in range(count)]
        step = max(1, CELLS_AT_ONCE // n)
        for start in range(0, n, step):
            rows = np.arange(start, min(start + step, n))
            own = self._table(self.target[rows], self.target, rows)
            right = own >= kth_best(own, self.k)
            overlap.add(best(self._table(self.source[rows], self.source, rows), self.k), right)
            if same:
                raw.add(best(self._table(self.source[rows], self.target, rows), self.k), right)
                self.found += self._find_partners(rows)
                self._mix(rows, own, halves, mixed)
            for view, tally in zip(views, tallies, strict=True):
                asked = rows[view.judged[rows]]
                if len(asked):
                    table = self._table(view.vectors[asked], self.target, asked)
                    tally.add(best(table, self.k), right[view.judged[rows]])
        self.found /= n
        self.overlap, self.overlap_chance = overlap.mean(self.k), overlap.chance(self.k)
        self.chance = self.overlap_chance
        if same:
            self.raw, self.plain_raw = raw.corrected(self.k), raw.mean(self.k)
            self.mixed, self.plain_mixed = mixed.corrected(self.k), mixed.mean(self.k)
            self.chance = max(self.chance, raw.chance(self.k), mixed.chance(self.k))
        for view, tally in zip(views, tallies, strict=True):
            recall = tally.corrected(self.k)
            self.mapped[view.part] = max(recall, self.mapped.get(view.part, -1.0))

    def _table(self, queries: Matrix, corpus: Matrix, own: NDArray[np.int64]) -> Matrix:
        """Return scores; a query's own row is not returned to it."""
        table = scores(queries, corpus, self.metric)
        table[np.arange(len(own)), own] = -np.inf
        return table

    def _find_partners(self, rows: NDArray[np.int64]) -> int:
        """Count the queries that no other row suits better than their own; cosine under dot."""
        metric = "cosine" if self.metric == "dot" else self.metric
        x, y = prepared(self.source[rows], metric), prepared(self.target, metric)
        table = scores(x, y, metric)
        partner = table[np.arange(len(rows)), rows][:, None]
        slack = TIES * np.maximum(1.0, np.abs(partner))
        return int((table <= partner + slack).all(axis=1).sum())

    def _mix(
        self,
        rows: NDArray[np.int64],
        own: Matrix,
        halves: list[NDArray[np.bool_]],
        tally: _Tally,
    ) -> None:
        """Ask indexes that hold the other side's vectors in a half of the rows."""
        lists = best(own, self.k)
        foreign = self._table(self.target[rows], self.source, rows)
        for half in halves:
            reached = np.zeros(own.shape, np.bool_)
            for moved in (half, ~half):
                index = np.where(moved, foreign, own)
                reached |= moved & (foreign >= kth_best(index, self.k))
            tally.add(lists, reached)


def measure(
    a: Rows, b: Rows, moved: NDArray[np.bool_], metric: str = "cosine", k: int = 10
) -> Truth:
    """Return the truth of a pair.

    Parameters
    ----------
    a, b : arrays, shapes (n, p) and (n, q)
        Rows that are zero on a side do not count under cosine.
    moved : bool array, shape (n,)
        Rows that construction mispaired.
    metric : "cosine", "dot" or "euclidean"
    k : int
    """
    keep = distinct_rows(a, b)
    if metric == "cosine":
        keep = keep[a[keep].any(axis=1) & b[keep].any(axis=1)]
    x, y = prepared(a[keep], metric), prepared(b[keep], metric)
    ab, ba = _Toward(x, y, metric, k), _Toward(y, x, metric, k)
    ab.search()
    ba.search()
    same = x.shape[1] == y.shape[1]
    return Truth(
        rows=len(a),
        distinct=len(keep),
        dims=(x.shape[1], y.shape[1]),
        moved=float(moved.mean()),
        raw={"ab": ab.raw, "ba": ba.raw} if same else {},
        mixed={"a": ba.mixed, "b": ab.mixed} if same else {},
        found={"ab": ab.found, "ba": ba.found} if same else {},
        plain={
            "raw ab": ab.plain_raw,
            "raw ba": ba.plain_raw,
            "mixed a": ba.plain_mixed,
            "mixed b": ab.plain_mixed,
        }
        if same
        else {},
        half={"ab": ab.mapped["half"], "ba": ba.mapped["half"]},
        most={
            "ab": ab.mapped.get("most", ab.mapped["half"]),
            "ba": ba.mapped.get("most", ba.mapped["half"]),
        },
        overlap=(ab.overlap + ba.overlap) / 2.0,
        overlap_chance=(ab.overlap_chance + ba.overlap_chance) / 2.0,
        chance=max(ab.chance, ba.chance),
    )
