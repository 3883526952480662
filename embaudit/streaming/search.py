"""Pass 2: every row once as corpus for all query vectors of a sample."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import even_spans
from embaudit.datatypes import Mask, Matrix, Metric, Progress, Rows, Span, Stored, Vector
from embaudit.stats.parallel import ordered_map
from embaudit.stats.prepare import Preparation
from embaudit.stats.topk import Candidates, TopK, survivors

CORPUS_BYTES = 12 << 20
"""Corpus rows of one product; 4,096 rows at 768 dimensions were fastest."""
SCORE_BYTES = 32 << 20
"""Scores of one product."""


@dataclass(frozen=True)
class Corpus:
    """One side as the target of a search.

    Attributes
    ----------
    source : EmbeddingSet
    preparation : Preparation
    kept : bool array, shape (rows,)
        Rows that may be returned.
    half : bool array, shape (rows,)
        The seeded half of the rows; a search reports both halves apart where asked.
    """

    source: EmbeddingSet
    preparation: Preparation
    kept: Mask
    half: Mask

    @property
    def metric(self) -> Metric:
        """The metric rows are scored by."""
        return self.preparation.metric

    def by_angle(self) -> Corpus:
        """Return the corpus under cosine, shifted by nothing: its unit mean was not measured."""
        preparation = replace(
            self.preparation,
            metric=Metric.COSINE,
            scale=1.0,
            norm=1.0,
            shift=np.zeros_like(self.preparation.shift),
            precise=True,
        )
        return replace(self, preparation=preparation)

    def exact(self, vectors: Matrix, queries: Rows, rows: Rows) -> Vector:
        """Return float64 scores of pairs from the stored rows.

        Parameters
        ----------
        vectors : float64 array, shape (m, d)
            Query vectors in the prepared space.
        queries, rows : int64 arrays, shape (pairs,)
            Positions in `vectors`, and corpus rows.

        Returns
        -------
        float64 array, shape (pairs,)
            Inner products, or under euclidean minus half the squared distance, by differences.
        """
        scores = np.empty(len(rows))
        unique, inverse = np.unique(rows, return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        bounds = np.searchsorted(inverse[order], np.arange(len(unique) + 1))
        for positions, stored in self.source.gather(unique):
            block = self.preparation.rows(stored)
            pairs = order[bounds[positions.start] : bounds[positions.stop]]
            for low, high in even_spans(len(pairs), 4096):
                part = pairs[low:high]
                left, right = vectors[queries[part]], block[inverse[part] - positions.start]
                if self.metric is Metric.EUCLIDEAN:
                    left -= right
                    scores[part] = -0.5 * np.einsum("ij,ij->i", left, left)
                else:
                    scores[part] = np.einsum("ij,ij->i", left, right)
        return scores


@dataclass(frozen=True)
class View:
    """One kind of query vectors into a corpus.

    Attributes
    ----------
    vectors : float64 array, shape (m, d)
        In the corpus's prepared space.
    by_half : bool
        Keep the best rows of each half apart, for mixed indexes.
    """

    vectors: Matrix
    by_half: bool = False


@dataclass(frozen=True)
class Found:
    """Candidates of one view.

    Attributes
    ----------
    all : Candidates
    halves : (Candidates, Candidates) or None
        Of rows inside and outside the seeded half, where asked for.
    """

    all: Candidates
    halves: tuple[Candidates, Candidates] | None


def search(
    corpus: Corpus,
    own_rows: Rows,
    views: Mapping[str, View],
    size: int,
    precision: type[np.float32] | type[np.float64],
    workers: int,
    progress: Progress,
) -> dict[str, Found]:
    """Return the best `size` rows of every query of every view, its own row left out.

    Scores are products with corpus rows minus the mean of the corpus: a constant for each query,
    so rankings stay and the digits of rows with a large common mean are kept.

    Parameters
    ----------
    corpus : Corpus
    own_rows : int64 array, shape (m,)
        Row of each query, the same for every view.
    views : mapping of name to View
    size : int
        Candidates kept for each query (and half).
    precision : float32 or float64
        Of the products.
    """
    layout = _Layout(corpus, views, np.dtype(precision))
    tops = [TopK(high - low, size) for low, high, _ in layout.lists]
    spans = even_spans(corpus.source.rows, layout.block_rows)
    own_order = np.argsort(own_rows, kind="stable")
    own_sorted = own_rows[own_order]
    buffers = threading.local()
    largest = np.zeros(2)

    def scan(item: tuple[Span, Stored]) -> tuple[list[tuple[Rows, Rows, NDArray[Any]]], Vector]:
        (start, stop), stored = item
        if not hasattr(buffers, "corpus"):
            buffers.corpus = np.empty((layout.block_rows, layout.width), precision)
            buffers.scores = np.empty((layout.block_rows, layout.columns), precision)
        rows = np.flatnonzero(corpus.kept[start:stop])
        inside = corpus.half[start:stop][rows]
        if layout.any_halves:
            rows = np.concatenate([rows[inside], rows[~inside]])
        cut = int(inside.sum())
        block = buffers.corpus[: len(rows)]
        whole = len(rows) == stop - start and not layout.any_halves
        norms = layout.fill(stored if whole else stored[rows], block)
        scores = np.matmul(block, layout.queries.T, out=buffers.scores[: len(rows)])
        position = np.full(stop - start, -1)
        position[rows] = np.arange(len(rows))
        low, high = np.searchsorted(own_sorted, [start, stop])
        queries = own_order[low:high]
        own = position[own_rows[queries] - start]
        for column in layout.view_starts:
            scores[own[own >= 0], column + queries[own >= 0]] = -np.inf
        parts = []
        for top, (first, last, half) in zip(tops, layout.lists, strict=True):
            part = slice(0, cut) if half == 1 else slice(cut, None) if half == 0 else slice(None)
            chosen = scores[part, first:last]
            # Scores are compared without the per-query constant, as the accumulator holds them.
            found, where, values = survivors(
                chosen, top.thresholds.astype(scores.dtype), top.rows.shape[1]
            )
            parts.append((found, start + rows[part][where], values))
        return parts, norms

    progress.stage("neighbours", len(spans))
    stream = zip(spans, corpus.source.blocks(spans, workers + 2), strict=True)
    for parts, norms in ordered_map(scan, stream, workers):
        for top, part in zip(tops, parts, strict=True):
            top.add(*part)
        largest = np.maximum(largest, norms)
        progress.advance()
    return layout.candidates(tops, largest)


class _Layout:
    """How views are stacked into one query matrix, and what the stacked scores mean."""

    def __init__(
        self, corpus: Corpus, views: Mapping[str, View], dtype: np.dtype[np.floating[Any]]
    ) -> None:
        self._preparation = corpus.preparation
        self._names = list(views)
        self._views = [views[name] for name in self._names]
        shift = corpus.preparation.shift
        # Under cosine and dot the mean of the corpus is taken from the queries too where it
        # dominates them; what that leaves out is a number for each corpus row: one more column.
        self._shift_queries = corpus.metric is Metric.EUCLIDEAN or corpus.preparation.precise
        self._euclidean = corpus.metric is Metric.EUCLIDEAN
        self.width = len(shift) + int(self._shift_queries)
        stacked = np.concatenate([view.vectors for view in self._views])
        centred = stacked - shift if self._shift_queries else stacked
        self.constants: Vector = stacked @ shift
        if self._euclidean:
            self.constants = -0.5 * np.einsum("ij,ij->i", centred, centred)
        self.queries = np.ones((len(stacked), self.width), dtype)
        self.queries[:, : len(shift)] = centred
        self.query_norms = np.sqrt(np.einsum("ij,ij->i", centred, centred))
        self.columns = len(stacked)
        self.block_rows = int(
            np.clip(
                min(
                    CORPUS_BYTES // (self.width * dtype.itemsize),
                    SCORE_BYTES // (self.columns * dtype.itemsize),
                ),
                64,
                16_384,
            )
        )
        self.any_halves = any(view.by_half for view in self._views)
        counts = [len(view.vectors) for view in self._views]
        self.view_starts = [sum(counts[:index]) for index in range(len(counts))]
        self.lists: list[tuple[int, int, int | None]] = []
        for view, start, count in zip(self._views, self.view_starts, counts, strict=True):
            halves: tuple[int | None, ...] = (1, 0) if view.by_half else (None,)
            self.lists += [(start, start + count, half) for half in halves]

    def fill(self, stored: Stored, out: NDArray[Any]) -> Vector:
        """Write corpus rows into `out`; return the largest norm and the largest extra column."""
        shift = self._preparation.shift
        rows = out[:, : len(shift)]
        if self._shift_queries and not self._euclidean:
            centred = self._preparation.rows(stored) - shift
            rows[:] = centred
            out[:, -1] = centred @ shift
        else:
            self._preparation.fill(stored, rows)
        squares = np.einsum("ij,ij->i", rows, rows)
        if self._euclidean:
            np.multiply(squares, -0.5, out=out[:, -1])
        extra = float(np.abs(out[:, -1]).max(initial=0.0)) if self._shift_queries else 0.0
        return np.array([np.sqrt(float(squares.max(initial=0.0))), extra])

    def candidates(self, tops: list[TopK], largest: Vector) -> dict[str, Found]:
        """Turn the accumulators into candidates with error bounds, by view."""
        norm, extra = largest
        shift_norm = float(np.linalg.norm(self._preparation.shift))
        unit = float(np.finfo(self.queries.dtype).eps) / 2.0
        # Rounding of a product of length d grows like sqrt(d) (Higham and Mary 2019); the rounding
        # of prepared rows and of the shift adds a few units of their own size.
        products = np.sqrt(self.width) * (self.query_norms * norm + extra)
        rounding = 8.0 * (self.query_norms * (norm + shift_norm) + extra)
        errors = unit * (products + rounding)
        # Lost too is what vanishes beside the constant, or altogether, where scales differ much.
        last_digit = float(np.finfo(np.float64).eps) * np.abs(self.constants)
        errors += (np.sqrt(self.width) + 8.0) * last_digit
        errors += self.width * float(np.finfo(self.queries.dtype).tiny)
        found: dict[str, Found] = {}
        position = 0
        for name, view, start in zip(self._names, self._views, self.view_starts, strict=True):
            part = slice(start, start + len(view.vectors))
            count = 2 if view.by_half else 1
            lists = [
                Candidates.of(top, self.constants[part], errors[part])
                for top in tops[position : position + count]
            ]
            position += count
            if view.by_half:
                found[name] = Found(lists[0].union(lists[1]), (lists[0], lists[1]))
            else:
                found[name] = Found(lists[0], None)
        return found
