"""Partners that stand elsewhere: single rows searched for in the whole other file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from embaudit.datatypes import Mask, Matrix, Metric, Progress, Rows, Vector
from embaudit.stats.prepare import unit_rows
from embaudit.stats.topk import NO_ROW
from embaudit.streaming.corpus import Corpus
from embaudit.streaming.query_stack import View
from embaudit.streaming.search import search

CLEAR_RATIO = 0.6
"""Distance of the best match relative to the second below which it is a partner (Lowe 2004)."""
CANDIDATES = 4

Carry = Callable[[str, Rows, Matrix], Matrix]
"""``(direction, rows, prepared vectors) -> vectors`` in the target's space."""


def partners_elsewhere(
    corpora: dict[str, Corpus], carry: Carry, rows: Rows, workers: int, progress: Progress
) -> tuple[Rows, Mask]:
    """Search for the partners of some rows of A in all of B, and back again.

    A row is found where its best match is clearly nearer than the second best and finds the row
    in turn, in all of A. Reads both files once.

    Parameters
    ----------
    corpora : dict of side to Corpus
    carry : callable
        Brings vectors of one side into the other's space; itself for stored vectors.
    rows : int64 array, shape (m,)
    workers : int
    progress : Progress

    Returns
    -------
    found : int64 array, shape (m,)
        The best match of each row in B.
    sure : bool array, shape (m,)
        Whether the match is clear and mutual.
    """
    a, b = corpora["a"], corpora["b"]
    no_row = np.full(len(rows), NO_ROW)
    there = carry("a_to_b", rows, _vectors(a, rows))
    forward, clear = _best(b, there, no_row, workers, progress)
    back = carry("b_to_a", forward, _vectors(b, forward))
    backward, _ = _best(a, back, no_row, workers, progress)
    return forward, clear & (backward == rows)


def matched_by_chance(corpus: Corpus, rows: Rows, workers: int, progress: Progress) -> int:
    """Return how many of the rows have a clear, mutual best match among the others of their side.

    None of those is a partner, so this is what a search for partners finds where there are none:
    hardly any row in many dimensions, every third in two. Reads the file twice.
    """
    forward, clear = _best(corpus, _vectors(corpus, rows), rows, workers, progress)
    backward, _ = _best(corpus, _vectors(corpus, forward), forward, workers, progress)
    return int((clear & (backward == rows)).sum())


def _vectors(corpus: Corpus, rows: Rows) -> Matrix:
    return corpus.preparation.rows(corpus.source.take(rows))


def _best(
    target: Corpus, vectors: Matrix, own: Rows, workers: int, progress: Progress
) -> tuple[Rows, Mask]:
    """Return the nearest row of each vector but its own, and whether it is clearly nearest."""
    if target.metric is Metric.DOT:
        # The largest inner product need not be the partner.
        target = target.by_angle()
    view = {"it": View(vectors)}
    found = search(target, own, view, CANDIDATES, np.float32, workers, progress)["it"].all
    best, second = np.maximum(found.rows[:, 0], 0), np.maximum(found.rows[:, 1], 0)
    near, far = (_distances(target, vectors, chosen) for chosen in (best, second))
    nearest = np.where(near <= far, best, second)
    return nearest, np.minimum(near, far) < CLEAR_RATIO * np.maximum(near, far)


def _distances(target: Corpus, vectors: Matrix, rows: Rows) -> Vector:
    stored = target.preparation.rows(target.source.take(rows))
    if target.metric is not Metric.EUCLIDEAN:
        vectors, stored = unit_rows(vectors), unit_rows(stored)
    return np.asarray(np.linalg.norm(vectors - stored, axis=1))
