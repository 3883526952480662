"""Query vectors of several views, stacked into one matrix for one product a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Matrix, Metric, Rows, Stored, Vector
from embaudit.stats.topk import Candidates, TopK
from embaudit.streaming.corpus import Corpus

SMALL_NORM = 1e-15
"""Root mean square norm below which squares are summed in float64."""


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


class QueryStack:
    """How views are stacked, and what the stacked scores mean.

    Scores are products with corpus rows minus the mean of the corpus: a constant for each query,
    so rankings stay and the digits of rows with a large common mean are kept. A column of the
    scores is one query of one view; its best rows are kept in a slot, or in one for each half.

    Attributes
    ----------
    queries : float array, shape (columns, width)
    width : int
        Dimensions, and one more where corpus rows have a number of their own.
    constants : float64 array, shape (columns,)
        What is added to a column's scores in the end.
    centred : float64 array, shape (columns, d)
        Query vectors, less the shift where it is taken from them.
    query_norms : float64 array, shape (columns,)
    view_columns : list of slice
        Columns of each view.
    slots : int
        Number of lists of best rows.
    slot_of : int64 array, shape (2, columns)
        Slot of each column for rows outside (0) and inside (1) the seeded half.
    """

    def __init__(
        self, corpus: Corpus, views: Mapping[str, View], dtype: np.dtype[np.floating[Any]]
    ) -> None:
        self._preparation = corpus.preparation
        self._views = dict(views)
        shift = corpus.preparation.shift
        # Under cosine and dot the mean of the corpus is taken from the queries too where it
        # dominates them; what that leaves out is a number for each corpus row: one more column.
        self._shift_queries = corpus.metric is Metric.EUCLIDEAN or corpus.preparation.precise
        self._euclidean = corpus.metric is Metric.EUCLIDEAN
        self.width = len(shift) + int(self._shift_queries)
        stacked = np.concatenate([view.vectors for view in self._views.values()])
        centred = stacked - shift if self._shift_queries else stacked
        self.constants: Vector = stacked @ shift
        if self._euclidean:
            self.constants = -0.5 * np.einsum("ij,ij->i", centred, centred)
        self.centred = centred
        self.queries: NDArray[Any] = np.ones((len(stacked), self.width), dtype)
        self.queries[:, : len(shift)] = centred
        self.query_norms: Vector = np.sqrt(np.einsum("ij,ij->i", centred, centred))
        self.view_columns: list[slice] = []
        self.slots = 0
        self.slot_of: Rows = np.empty((2, len(stacked)), np.int64)
        start = 0
        for view in self._views.values():
            columns = slice(start, start + len(view.vectors))
            for half in (1, 0) if view.by_half else (slice(None),):
                self.slot_of[half, columns] = np.arange(self.slots, self.slots + len(view.vectors))
                self.slots += len(view.vectors)
            self.view_columns.append(columns)
            start = columns.stop

    @property
    def columns(self) -> int:
        """Number of queries of all views."""
        return len(self.queries)

    @property
    def any_halves(self) -> bool:
        """Whether the best rows of a half are asked for."""
        return any(view.by_half for view in self._views.values())

    def fill(self, stored: Stored, out: NDArray[Any]) -> NDArray[Any]:
        """Write corpus rows into `out`; return their squared norms, shape (rows,)."""
        shift = self._preparation.shift
        rows = out[:, : len(shift)]
        if self._shift_queries and not self._euclidean:
            centred = self._preparation.rows(stored) - shift
            rows[:] = centred
            out[:, -1] = centred @ shift
        else:
            self._preparation.fill(stored, rows)
        # Of rows far smaller than the other side's float32 loses the squares.
        wide = np.float64 if self._preparation.norm < SMALL_NORM else rows.dtype
        squares = np.einsum("ij,ij->i", rows, rows, dtype=wide)
        if self._euclidean:
            np.multiply(squares, -0.5, out=out[:, -1])
        return np.asarray(squares)

    def largest(self, block: NDArray[Any], squares: NDArray[Any]) -> Vector:
        """Return the largest norm of filled rows and the largest number of their own."""
        extra = float(np.abs(block[:, -1]).max(initial=0.0)) if self._shift_queries else 0.0
        return np.array([np.sqrt(float(squares.max(initial=0.0))), extra])

    def rounding(self, largest: Vector) -> Vector:
        """Bound what rounding makes of the scores of each column, shape (columns,).

        Rounding of a product of length d grows like sqrt(d) (Higham and Mary 2019); the rounding
        of prepared rows and of the shift adds a few units of their own size.

        Parameters
        ----------
        largest : float64 array, shape (2,)
            What `largest` returned, the larger of all blocks.
        """
        norm, extra = largest
        shift_norm = float(np.linalg.norm(self._preparation.shift))
        unit = float(np.finfo(self.queries.dtype).eps) / 2.0
        products = np.sqrt(self.width) * (self.query_norms * norm + extra)
        rounding = 8.0 * (self.query_norms * (norm + shift_norm) + extra)
        errors = unit * (products + rounding)
        # Lost too is what vanishes beside the constant, or altogether, where scales differ much.
        last_digit = float(np.finfo(np.float64).eps) * np.abs(self.constants)
        errors += (np.sqrt(self.width) + 8.0) * last_digit
        errors += self.width * float(np.finfo(self.queries.dtype).tiny)
        return np.asarray(errors)

    def candidates(self, top: TopK, largest: Vector) -> dict[str, Found]:
        """Turn the accumulator into candidates with error bounds, by view."""
        errors = self.rounding(largest)
        found: dict[str, Found] = {}
        for (name, view), columns in zip(self._views.items(), self.view_columns, strict=True):
            lists = [
                Candidates.of(top, slots, self.constants[columns], errors[columns])
                for slots in self.slot_of[::-1, columns][: 2 if view.by_half else 1]
            ]
            if view.by_half:
                found[name] = Found(lists[0].union(lists[1]), (lists[0], lists[1]))
            else:
                found[name] = Found(lists[0], None)
        return found
