"""Reused memory for blocks of rows, and cutting what a file yields to the spans asked for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from embaudit.datatypes import Span, Stored


class BufferRing:
    """Reused arrays handed out in turn, so that reading allocates nothing after the start.

    Parameters
    ----------
    spans : sequence of (start, stop)
        What will be read; the longest decides the size.
    slots : int
        Number of arrays: one stays untouched until `slots` further arrays are asked for.
    dim : int
    dtype : numpy.dtype
    """

    def __init__(
        self, spans: Sequence[Span], slots: int, dim: int, dtype: np.dtype[np.generic]
    ) -> None:
        longest = max((stop - start for start, stop in spans), default=0)
        self._turn = itertools.cycle([np.empty((longest, dim), dtype) for _ in range(slots)])

    def take(self, rows: int) -> Stored:
        """Return the next array, shape (rows, dim), holding whatever it held before."""
        return next(self._turn)[:rows]


def recut(
    pieces: Iterator[tuple[int, Stored]], spans: Sequence[Span], ring: BufferRing
) -> Iterator[Stored]:
    """Yield the rows of each span, copied from `pieces` into `ring` where necessary.

    Parameters
    ----------
    pieces : iterator of (first row, rows)
        Ascending, disjoint and covering every span. A writeable piece may be void once the next
        is drawn; what cannot be written to keeps its rows, and spans within it are not copied.
    spans : sequence of (start, stop)
        Ascending and disjoint.
    ring : BufferRing
    """
    first = last = 0
    piece: Stored = np.empty(0)
    for start, stop in spans:
        while last <= start < stop:
            first, piece = next(pieces)
            last = first + len(piece)
        if start < stop <= last and not piece.flags.writeable:
            yield piece[start - first : stop - first]
            continue
        block = ring.take(stop - start)
        row = start
        while row < stop:
            if row == last:
                first, piece = next(pieces)
                last = first + len(piece)
            end = min(stop, last)
            block[row - start : end - start] = piece[row - first : end - first]
            row = end
        yield block
