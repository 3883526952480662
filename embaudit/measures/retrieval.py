"""Retrieval across two spaces: who finds whom, raw and mapped, in plain and in mixed indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from embaudit.data.pair import Pair, even_spans
from embaudit.datatypes import (
    DIRECTIONS,
    TIES,
    Mask,
    Matrix,
    Metric,
    Progress,
    Rows,
    ScoreFunction,
    Stored,
    Vector,
)
from embaudit.measures.neighbors import (
    MAPS,
    OVERLAP,
    RAW,
    QueryResults,
    mixed_id,
    partner_id,
    recall_id,
)
from embaudit.stats.prepare import prepare
from embaudit.stats.topk import NO_ROW, Candidates, Neighbours, candidates_for, resolve
from embaudit.streaming.corpus import Corpus
from embaudit.streaming.query_stack import Found, View
from embaudit.streaming.search import search

QUERIES_AT_ONCE = 2048
CANDIDATES_AT_ONCE = 1 << 20
"""Candidates of one view: 16 MiB, for about ten views."""
VALUES_AT_ONCE = 1 << 21
"""Entries of the query vectors of one view: 2,048 vectors of 1,024 dimensions."""
VIEWS = 2 + len(MAPS)
"""Kinds of query vectors that one search asks: own, raw and mapped."""
ROTATIONS = 3
Precision = type[np.float32] | type[np.float64]

MapRows = Callable[[str, str, Rows, Matrix], Matrix]
"""``(direction, kind, rows, prepared vectors) -> mapped vectors``, each by a map that has not
seen the row's fold."""


def queries_at_once(k: int, dim: int) -> int:
    """Return how many queries one search asks, where k neighbours of vectors are asked for."""
    most = min(CANDIDATES_AT_ONCE // candidates_for(k), VALUES_AT_ONCE // dim)
    return min(QUERIES_AT_ONCE, max(64, most))


@dataclass(frozen=True)
class Queries:
    """Query vectors of both models, as stored.

    Attributes
    ----------
    a, b : arrays, shapes (m, p) and (m, q)
        Row i of both is one query.
    rows : int64 array, shape (m,)
        Where each query stands in the corpus, so that it does not find itself; `NO_ROW` for
        queries that are no rows of it.
    """

    a: Stored
    b: Stored
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: slice | Mask) -> Queries:
        """Return some of the queries."""
        return Queries(self.a[chosen], self.b[chosen], self.rows[chosen])

    @property
    def have_partners(self) -> bool:
        """Whether each query has a row of its own to find."""
        return bool((self.rows != NO_ROW).all())


@dataclass(frozen=True)
class NeighbourSearch:
    """Everything that stays the same from one sample of queries to the next.

    Attributes
    ----------
    pair : Pair
    a, b : Corpus
        Both sides as targets; they share `half`.
    ks : tuple of int
        Numbers of neighbours; the first is that of the results, others are their `at`.
    map_rows : callable
    seed : int
    workers : int
    kinds : mapping of direction to tuple of str
        The maps that are asked, by the kind that `map_rows` knows them by.
    across : bool
        Stored vectors of one side search the other, where dimensions are equal.
    """

    pair: Pair
    a: Corpus
    b: Corpus
    ks: tuple[int, ...]
    map_rows: MapRows
    seed: int
    workers: int
    kinds: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: dict.fromkeys(DIRECTIONS, MAPS)
    )
    across: bool = True

    def run(self, rows: Rows, progress: Progress) -> QueryResults:
        """Return the per-query results of `rows`, shape (m,), distinct kept rows."""

        def part(chosen: slice) -> Queries:
            some = rows[chosen]
            return Queries(self.pair.a.take(some), self.pair.b.take(some), some)

        return self._by_parts(len(rows), part, progress)

    def ask(self, queries: Queries, progress: Progress) -> QueryResults:
        """Return the per-query results of queries that need not be rows.

        Partners are looked for only where every query is a row.
        """
        return self._by_parts(len(queries), queries.part, progress)

    def _by_parts(
        self, count: int, part: Callable[[slice], Queries], progress: Progress
    ) -> QueryResults:
        at_once = queries_at_once(max(self.ks), max(self.pair.a.dim, self.pair.b.dim))
        results: QueryResults | None = None
        for start, stop in even_spans(count, at_once):
            found = self._ask(part(slice(start, stop)), progress)
            results = found if results is None else results.extended(found)
        assert results is not None, "at least one query"
        return results

    def _ask(self, queries: Queries, progress: Progress) -> QueryResults:
        """Search in float32; what its error bound cannot settle is searched again in float64."""
        first = _Round(self, queries, np.float32, progress)
        everyone, unsettled = np.arange(len(queries)), first.unsettled
        if not unsettled.any():
            return first.results(first, everyone)
        again = _Round(self, queries.part(unsettled), np.float64, progress)
        first.settle(unsettled, again)
        results = first.results(first, everyone)
        return results.replaced(unsettled, again.results(first, np.flatnonzero(unsettled)))


class _Round:
    """One search of a sample in one precision, and what follows from it."""

    def __init__(
        self,
        search_of: NeighbourSearch,
        queries: Queries,
        precision: Precision,
        progress: Progress,
    ) -> None:
        self._search = search_of
        self._rows = queries.rows
        self._size = candidates_for(max(search_of.ks))
        self._same_dim = search_of.across and search_of.pair.a.dim == search_of.pair.b.dim
        # The other side's rows enter a corpus's space as stored, in that corpus's units.
        self._stored = {"a": queries.a, "b": queries.b}
        self._vectors: dict[tuple[str, str], Matrix] = {}
        self._found: dict[tuple[str, str], Found] = {}
        self._lists: dict[tuple[int, str, str], Neighbours] = {}
        self._mixed: dict[tuple[int, str], list[Neighbours]] = {}
        self._open = np.zeros(len(queries), np.bool_)
        for side, corpus in (("a", search_of.a), ("b", search_of.b)):
            self._look(side, corpus, precision, progress)
        if self._same_dim:
            for side in ("a", "b"):
                self._mix(side)
        self._partners: dict[str, Vector] = {}
        if self._same_dim and queries.have_partners:
            self._partners = self._partners_found(precision, progress)

    @property
    def unsettled(self) -> Mask:
        """Mark the queries for which rows left out may change something, shape (m,)."""
        return self._open

    def settle(self, unsettled: Mask, again: _Round) -> None:
        """Hand out the rows that a second search has found where they were unsettled."""
        for key, lists in self._lists.items():
            rows = lists.rows.copy()
            rows[unsettled] = again._lists[key].rows
            self._lists[key] = replace(lists, rows=rows)

    def results(self, sample: _Round, positions: Rows) -> QueryResults:
        """Return the per-query values.

        Parameters
        ----------
        sample : _Round
            The round of the whole sample, itself or the one this round searches again: chance is
            measured by handing each query the rows found by the sample's other queries.
        positions : int64 array, shape (m,)
            Where this round's queries stand in the sample.
        """
        count = len(sample._rows)
        generator = np.random.default_rng([self._search.seed, 2, count])
        # A lone query can only be handed its own rows, which says nothing against chance.
        turns = generator.permutation(np.arange(1, count))[:ROTATIONS] if count > 1 else [0]
        first, *others = (
            self._results_at(k, sample, [(positions + turn) % count for turn in turns])
            for k in self._search.ks
        )
        first.values.update(self._partners)
        return replace(first, at=dict(zip(self._search.ks[1:], others, strict=True)))

    def _results_at(self, k: int, sample: _Round, turned: list[Rows]) -> QueryResults:
        values: dict[str, Vector] = {}
        chance: dict[str, Vector] = {}
        for key, listed, hits in self._questions(k):
            found = hits(self._lists[listed].rows) / k
            handed = sample._lists[listed].rows
            by_chance = np.mean([hits(handed[others]) / k for others in turned], axis=0)
            if key in values:
                found, by_chance = (values[key] + found) / 2.0, (chance[key] + by_chance) / 2.0
            values[key], chance[key] = found, by_chance
        return QueryResults(self._rows, values, chance)

    def _questions(
        self, k: int
    ) -> Iterator[tuple[str, tuple[int, str, str], Callable[[Rows], Vector]]]:
        """Yield measure, the view whose rows are judged, and what counts their hits.

        A measure that comes twice is the mean of both.
        """
        for direction in DIRECTIONS:
            source, target = direction[0], direction[-1]
            truth = _Truth(self._lists[k, target, "own"], self._exact(target, "own"))
            yield OVERLAP, (k, source, "own"), truth
            for kind in (RAW, *self._search.kinds[direction]):
                if (k, target, kind) in self._lists:
                    yield recall_id(direction, kind), (k, target, kind), truth
        for side in ("a", "b") if self._same_dim else ():
            hits = _MixedTruth(
                self._mixed[k, side], self._mixed_exact(side), self._corpus(side).half
            )
            yield mixed_id(side), (k, side, "own"), hits

    def _look(
        self,
        side: str,
        corpus: Corpus,
        precision: Precision,
        progress: Progress,
    ) -> None:
        """Search one corpus with all views and settle the neighbours."""
        other = "b" if side == "a" else "a"
        direction = f"{other}_to_{side}"
        own = corpus.preparation.rows(self._stored[side])
        across = self._search.a if other == "a" else self._search.b
        source = across.preparation.rows(self._stored[other])
        views = {"own": View(own, by_half=self._same_dim)}
        if self._same_dim:
            views[RAW] = View(source, by_half=True)
        for kind in self._search.kinds[direction]:
            views[kind] = View(self._search.map_rows(direction, kind, self._rows, source))
        found = search(
            corpus, self._rows, views, self._size, precision, self._search.workers, progress
        )
        for kind, view in views.items():
            self._vectors[side, kind] = view.vectors
            self._found[side, kind] = found[kind]
            for k in self._search.ks:
                self._lists[k, side, kind] = self._resolved(
                    k, side, kind, found[kind].all, self._exact(side, kind)
                )

    def _corpus(self, side: str) -> Corpus:
        return self._search.a if side == "a" else self._search.b

    def _exact(self, side: str, kind: str) -> _Exact:
        return _Exact(self._corpus(side), self._vectors[side, kind])

    def _resolved(
        self, k: int, side: str, kind: str, candidates: Candidates, exact: ScoreFunction
    ) -> Neighbours:
        neighbours = resolve(candidates, k, exact, self._ties(k, side, kind, candidates))
        self._open |= neighbours.open
        return neighbours

    def _ties(self, k: int, side: str, kind: str, candidates: Candidates) -> Vector:
        """Return the tolerance for ties of each query, shape (m,)."""
        kth = np.abs(candidates.scores[:, k - 1])
        corpus = self._corpus(side)
        if corpus.metric is Metric.EUCLIDEAN:
            return TIES * kth
        size = np.linalg.norm(self._vectors[side, kind], axis=1) * corpus.preparation.norm
        return np.asarray(TIES * np.maximum(kth, size))

    def _mix(self, side: str) -> None:
        """Search an index half of whose rows are the other side's vectors, and its complement.

        Rows of the other side are numbered from the row count up. First the rows inside the
        seeded half are the other side's, then those outside.
        """
        other = "b" if side == "a" else "a"
        native, foreign = self._found[side, "own"].halves, self._found[other, RAW].halves
        assert native is not None, "own neighbours are searched by half"
        assert foreign is not None, "raw neighbours are searched by half"
        total = self._search.pair.rows
        indexes = [native[1 - config].union(foreign[config].offset(total)) for config in (0, 1)]
        for k in self._search.ks:
            self._mixed[k, side] = [
                self._resolved(k, side, "own", index, self._mixed_exact(side)) for index in indexes
            ]

    def _mixed_exact(self, side: str) -> ScoreFunction:
        other = "b" if side == "a" else "a"
        native, foreign = self._exact(side, "own"), self._exact(other, RAW)
        total = self._search.pair.rows

        def score(queries: Rows, rows: Rows) -> Vector:
            scores = np.empty(len(rows))
            is_foreign = rows >= total
            scores[~is_foreign] = native(queries[~is_foreign], rows[~is_foreign])
            scores[is_foreign] = foreign(queries[is_foreign], rows[is_foreign] - total)
            return scores

        return score

    def _partners_found(self, precision: Precision, progress: Progress) -> dict[str, Vector]:
        """Return, for both directions, whether no other row scores above the true partner."""
        found = {}
        for direction, target in (("a_to_b", "b"), ("b_to_a", "a")):
            corpus, vectors = self._corpus(target), self._vectors[target, RAW]
            candidates = self._found[target, RAW].all
            partner = self._vectors[target, "own"]
            if corpus.metric is Metric.DOT:
                # The largest inner product need not be a row's own partner: cosine decides.
                other = "b" if target == "a" else "a"
                vectors = prepare(self._stored[other], Metric.COSINE)
                partner = prepare(self._stored[target], Metric.COSINE)
                corpus = corpus.by_angle()
                candidates = search(
                    corpus,
                    self._rows,
                    {RAW: View(vectors)},
                    candidates_for(1),
                    precision,
                    self._search.workers,
                    progress,
                )[RAW].all
            found[partner_id(direction)] = self._is_found(corpus, vectors, partner, candidates)
        return found

    def _is_found(
        self, corpus: Corpus, vectors: Matrix, partner: Matrix, candidates: Candidates
    ) -> Vector:
        if corpus.metric is Metric.EUCLIDEAN:
            own = -0.5 * np.square(vectors - partner).sum(axis=1)
            tolerance = TIES * np.abs(own)
        else:
            own = np.einsum("ij,ij->i", vectors, partner)
            tolerance = TIES * np.maximum(np.abs(own), np.linalg.norm(vectors, axis=1))
        error = candidates.error
        beaten = candidates.scores[:, 0] > own + tolerance + error
        near = (np.abs(candidates.scores - own[:, None]) <= (tolerance + error)[:, None]) & (
            ~beaten[:, None]
        )
        queries, slots = np.nonzero(near)
        if len(queries):
            exact = corpus.exact(vectors, queries, candidates.rows[queries, slots])
            above = exact > (own + tolerance)[queries]
            beaten[queries[above]] = True
        self._open |= ~beaten & (candidates.bound > own + tolerance - error)
        return np.where(beaten, 0.0, 1.0)


@dataclass(frozen=True)
class _Exact:
    """Exact scores of (query, row) pairs of one view."""

    corpus: Corpus
    vectors: Matrix

    def __call__(self, queries: Rows, rows: Rows) -> Vector:
        return self.corpus.exact(self.vectors, queries, rows)


@dataclass(frozen=True)
class _Truth:
    """Counts how many rows reach each query's k-th best true score."""

    neighbours: Neighbours
    exact: ScoreFunction

    def __call__(self, rows: Rows) -> Vector:
        return self.neighbours.hits(rows, self.exact)


@dataclass(frozen=True)
class _MixedTruth:
    """Counts the rows that, stored as the other side's vector, reach their mixed index.

    `configurations` has the index that takes the rows inside `half` from the other side, then the
    one that takes those outside: each row counts in the one where it is stored as the other's.
    """

    configurations: list[Neighbours]
    exact: ScoreFunction
    half: Mask

    def __call__(self, rows: Rows) -> Vector:
        inside = self.half[rows]
        counts = np.zeros(len(rows))
        for neighbours, foreign in zip(self.configurations, (inside, ~inside), strict=True):
            moved = np.where(foreign, rows + len(self.half), NO_ROW)
            counts += neighbours.hits(moved, self.exact)
        return counts
