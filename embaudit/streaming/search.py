"""Pass 2: every row once as corpus for all query vectors of a sample."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.data.pair import even_spans
from embaudit.datatypes import Progress, Rows, Span, Stored, Vector
from embaudit.stats.parallel import ordered_map
from embaudit.stats.topk import TopK, first_thresholds, survivors
from embaudit.streaming.corpus import Corpus
from embaudit.streaming.pruning import SLACK, Pruner, Pruning, pair_scores
from embaudit.streaming.query_stack import Found, QueryStack, View

CORPUS_BYTES = 6 << 20
"""Corpus rows of one product: 2,048 rows at 768 dimensions run near the peak of a product."""
SCORE_BYTES = 16 << 20
"""Scores of one product."""
GROWTH = 4
"""After each round this many times as many blocks are done as before it. Between rounds everything
found is worked off, so that what is decided there is the same at any thread count."""
PRUNED_FROM = 16
"""Blocks of a corpus from which pruning is tried."""
SMALLEST_BLOCK, SMALL_BLOCK, LARGEST_BLOCK = 64, 1024, 16_384
"""Rows of a block: under a byte budget at least, in a small corpus at least, at most."""
TRIED_ROWS = 96
"""Rows on which pruning is tried before a round."""

Triples = tuple[Rows, Rows, NDArray[Any]]
"""Who, which row, which score: each function says of what."""


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
    workers : int
        Threads; what is found does not depend on them.
    progress : Progress
        Told one step a block.

    Returns
    -------
    dict of name to Found

    Raises
    ------
    InputError
        When a file changes while it is read.
    """
    stack = QueryStack(corpus, views, np.dtype(precision))
    top = TopK(stack.slots, size)
    scanner = _Scanner(corpus, own_rows, stack, top)
    spans = even_spans(corpus.source.rows, scanner.block_rows)
    pruner = None
    if corpus.axes is not None and precision is np.float32 and len(spans) >= PRUNED_FROM:
        pruner = Pruner(stack, corpus.axes, corpus.preparation.shift)
    largest = np.zeros(2)
    progress.stage("neighbours", len(spans))
    stream = zip(spans, corpus.source.blocks(spans, workers + 2), strict=True)
    for count in _rounds(len(spans)):
        blocks: Iterator[tuple[Span, Stored]] = islice(stream, count)
        pruning = None
        scanner.freeze()
        if pruner is not None and count > 1:
            first = next(blocks)
            pruning = pruner.choose(*scanner.tried(first))
            blocks = chain([first], blocks)
        scan = partial(scanner.scan, pruning=pruning)
        for offered, norms in ordered_map(scan, blocks, workers):
            top.add(*offered)
            largest = np.maximum(largest, norms)
            progress.advance()
        top.flush()
    # The source has the last word, after its last block: it may find that its file has changed.
    for _ in stream:
        raise AssertionError("every span has been scanned")
    return stack.candidates(top, largest)


def _rounds(blocks: int) -> Iterator[int]:
    """Yield numbers of blocks that add up to `blocks`, one first."""
    done = 0
    while done < blocks:
        count = min(max(1, (GROWTH - 1) * done), blocks - done)
        yield count
        done += count


class _Scanner:
    """Scores blocks of a corpus and picks what may enter the best rows; works in threads."""

    def __init__(self, corpus: Corpus, own_rows: Rows, stack: QueryStack, top: TopK) -> None:
        self._corpus = corpus
        self._stack = stack
        self._top = top
        # A column's own row; the queries of every view are the same rows.
        self._own = np.tile(own_rows, stack.columns // len(own_rows))
        itemsize = stack.queries.dtype.itemsize
        most = min(
            CORPUS_BYTES // (stack.width * itemsize), SCORE_BYTES // (stack.columns * itemsize)
        )
        # A small corpus is cut all the same: every thread has a block, and pruning its rounds.
        small = max(SMALL_BLOCK, -(-corpus.source.rows // PRUNED_FROM))
        largest = min(small, LARGEST_BLOCK)
        self.block_rows = int(np.clip(corpus.share * most, SMALLEST_BLOCK, largest))
        self._buffers = threading.local()
        self._frozen = self._thresholds()

    def freeze(self) -> None:
        """Remember what has been found, for decisions that must not depend on the threads."""
        self._frozen = self._thresholds()

    def scan(self, item: tuple[Span, Stored], pruning: Pruning | None) -> tuple[Triples, Vector]:
        """Return what one block offers, slots, corpus rows and scores, and its largest norms."""
        rows, block, squares = self._filled(item)
        stack = self._stack
        norms = stack.largest(block, squares)
        thresholds = self._thresholds()
        above = None
        if pruning is not None:
            above = self._pruned(block, squares, thresholds, self._slack(norms), pruning)
        if above is None:
            above = self._plain(block, thresholds, rows)
        columns, places, values = above
        found = rows[places]
        slots = stack.slot_of[self._corpus.half[found].astype(np.int8), columns]
        # A column's threshold is the lower one of its halves.
        entering = (values > self._top.thresholds[slots]) & (found != self._own[columns])
        return (slots[entering], found[entering], values[entering]), norms

    def tried(self, item: tuple[Span, Stored]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return some rows of a block, their squares, and what their bounds must exceed."""
        (start, stop), stored = item
        kept = np.flatnonzero(self._corpus.kept[start:stop])
        some = kept[:: max(1, len(kept) // TRIED_ROWS)]
        block = self._room("corpus", len(some), self._stack.width)
        squares = self._stack.fill(stored[some], block)
        norms = self._stack.largest(block, squares)
        return block, squares, self._frozen - self._slack(norms)

    def _pruned(
        self,
        block: NDArray[Any],
        squares: NDArray[Any],
        thresholds: NDArray[Any],
        slack: NDArray[Any],
        pruning: Pruning,
    ) -> Triples | None:
        """Return columns, places and scores above the thresholds; None where bounds do not help."""
        queries, used, others = self._stack.queries, pruning.columns, pruning.others
        room = self._room("scores", len(block), len(used))
        bounds = pruning.upper(block, squares, room)
        if not pruning.pays(bounds, (self._frozen - slack)[used]):
            return None
        marks = self._room("above", len(block), len(used))
        chosen, places, _ = survivors(bounds, (thresholds - slack)[used], marks)
        columns = used[chosen]
        values = pair_scores(block, queries, places, columns)
        above = values > thresholds[columns]
        found = columns[above], places[above], values[above]
        if len(others) == 0:
            return found
        room = self._room("scores", len(block), len(others))
        scores = np.matmul(block, queries[others].T, out=room)
        marks = self._room("above", len(block), len(others))
        chosen, places, values = survivors(scores, thresholds[others], marks)
        return (
            np.concatenate([found[0], others[chosen]]),
            np.concatenate([found[1], places]),
            np.concatenate([found[2], values]),
        )

    def _plain(self, block: NDArray[Any], thresholds: NDArray[Any], rows: Rows) -> Triples:
        """Return columns, places in the block and scores above the thresholds."""
        columns = self._stack.columns
        scores = np.matmul(
            block, self._stack.queries.T, out=self._room("scores", len(block), columns)
        )
        if np.isneginf(thresholds).any():
            # The first block would pass whole: its own best rows set a threshold that ties reach.
            thresholds = np.maximum(thresholds, self._first_thresholds(scores, rows))
        return survivors(scores, thresholds, self._room("above", len(block), columns))

    def _first_thresholds(self, scores: NDArray[Any], rows: Rows) -> NDArray[Any]:
        # One more than is kept: a query's own row is among the best.
        size = self._top.size + 1
        if not self._stack.any_halves:
            return first_thresholds(scores, size)
        inside = self._corpus.half[rows]
        both = first_thresholds(scores[inside], size), first_thresholds(scores[~inside], size)
        return np.asarray(np.minimum(*both))

    def _thresholds(self) -> NDArray[Any]:
        """Return the lowest score of each column that may enter one of its lists."""
        found = self._top.thresholds[self._stack.slot_of]
        return np.asarray(found.min(axis=0).astype(self._stack.queries.dtype))

    def _slack(self, norms: Vector) -> NDArray[Any]:
        """Return what rounding may take from the bounds of a block, shape (columns,)."""
        slack: Vector = SLACK * self._stack.rounding(norms)
        return np.asarray(slack, self._stack.queries.dtype)

    def _filled(self, item: tuple[Span, Stored]) -> tuple[Rows, NDArray[Any], NDArray[Any]]:
        """Return the usable rows of a block: by number, as they are scored, and their squares."""
        (start, stop), stored = item
        kept = self._corpus.kept[start:stop]
        rows = np.arange(start, stop)
        if not kept.all():
            rows, stored = rows[kept], stored[kept]
        block = self._room("corpus", len(rows), self._stack.width)
        return rows, block, self._stack.fill(stored, block)

    def _room(self, name: str, rows: int, columns: int) -> NDArray[Any]:
        """Return a buffer of this thread, shape (rows, columns), contiguous."""
        if not hasattr(self._buffers, name):
            width = self._stack.width if name == "corpus" else self._stack.columns
            dtype = np.dtype(np.bool_) if name == "above" else self._stack.queries.dtype
            setattr(self._buffers, name, np.empty(self.block_rows * width, dtype))
        room: NDArray[Any] = getattr(self._buffers, name)
        return room[: rows * columns].reshape(rows, columns)
