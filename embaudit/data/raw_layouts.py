"""Reading rows out of a file that stores a matrix as it is in memory."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO

import numpy as np

from embaudit.data.buffers import BufferRing, recut
from embaudit.data.embedding_set import GATHER_BYTES
from embaudit.data.files import FileStamp
from embaudit.datatypes import Rows, Span, Stored

WINDOW_BYTES = 32 << 20
"""Rows of a column-major file held at once: they cost one read a column, so few and large."""

PAGE = 4096
CACHE_LINE = 64


@dataclass(frozen=True)
class RawMatrix:
    """Where and how a file stores a matrix.

    Attributes
    ----------
    rows, dim : int
    dtype : numpy.dtype
        As stored: the byte order may not be the machine's.
    fortran_order : bool
        Columns, not rows, are contiguous.
    offset : int
        Byte at which the data start.
    """

    rows: int
    dim: int
    dtype: np.dtype[np.generic]
    fortran_order: bool = False
    offset: int = 0


class Layout(ABC):
    """Turns spans and rows into reads of an open file.

    Parameters
    ----------
    matrix : RawMatrix
    stamp : FileStamp
        The file, for the refusal when it ends early.

    Attributes
    ----------
    dtype : numpy.dtype
        Of the rows that are handed out, in native byte order.
    """

    def __init__(self, matrix: RawMatrix, stamp: FileStamp) -> None:
        self.matrix = matrix
        self.stamp = stamp
        self.dtype = matrix.dtype.newbyteorder("=")

    @abstractmethod
    def blocks(self, file: FileIO, spans: Sequence[Span], slots: int) -> Iterator[Stored]:
        """Yield the rows of each span; see `EmbeddingSet.blocks`."""

    @abstractmethod
    def gather(self, file: FileIO, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield ascending distinct `rows` by blocks; see `EmbeddingSet.gather`."""

    def fill(self, file: FileIO, item: int, array: Stored) -> None:
        """Read the values from number `item` on into a contiguous `array`, as stored.

        Raises
        ------
        InputError
            When the file has become too short.
        """
        file.seek(self.matrix.offset + item * array.itemsize)
        missing = array.reshape(-1).view(np.uint8).data
        # A single read stops at 2 GiB on Linux.
        while len(missing):
            count = file.readinto(missing)
            if not count:
                raise self.stamp.changed()
            missing = missing[count:]


class RowMajor(Layout):
    """Rows are contiguous (C order): a span is one read."""

    def blocks(self, file: FileIO, spans: Sequence[Span], slots: int) -> Iterator[Stored]:
        """Yield the rows of each span."""
        ring = BufferRing(spans, slots, self.matrix.dim, self.dtype)
        for start, stop in spans:
            block = ring.take(stop - start)
            self.read_rows(file, start, block)
            yield block

    def gather(self, file: FileIO, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows`, neighbouring ones by one read."""
        step = max(1, GATHER_BYTES // (self.matrix.dim * self.dtype.itemsize))
        buffer = np.empty((min(step, len(rows)), self.matrix.dim), self.dtype)
        for start in range(0, len(rows), step):
            wanted = rows[start : start + step]
            block = buffer[: len(wanted)]
            bounds = [0, *(np.flatnonzero(np.diff(wanted) != 1) + 1), len(wanted)]
            for first, last in itertools.pairwise(bounds):
                self.read_rows(file, int(wanted[first]), block[first:last])
            yield slice(start, start + len(wanted)), block

    def read_rows(self, file: FileIO, first: int, block: Stored) -> None:
        """Fill `block`, shape (count, dim), with the rows from number `first` on."""
        self.fill(file, first * self.matrix.dim, block)
        if not self.matrix.dtype.isnative:
            block.byteswap(inplace=True)


class ColumnMajor(Layout):
    """Columns are contiguous (Fortran order): rows come in windows, one read a column."""

    def __init__(self, matrix: RawMatrix, stamp: FileStamp) -> None:
        super().__init__(matrix, stamp)
        column_bytes = WINDOW_BYTES // matrix.dim
        if column_bytes > PAGE:
            column_bytes -= column_bytes % PAGE
        self.window_rows = max(1, column_bytes // matrix.dtype.itemsize)

    def blocks(self, file: FileIO, spans: Sequence[Span], slots: int) -> Iterator[Stored]:
        """Yield the rows of each span, reading several short ones at once."""
        ring = BufferRing(spans, slots, self.matrix.dim, self.dtype)
        return recut(self._windows(file, spans), spans, ring)

    def gather(self, file: FileIO, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows`, those within one window by one read a column."""
        columns = self._column_buffer()
        position = 0
        while position < len(rows):
            first = int(rows[position])
            end = int(np.searchsorted(rows, first + self.window_rows))
            self._fill_columns(file, first, int(rows[end - 1]) + 1, columns)
            block = columns[:, rows[position:end] - first].T
            yield slice(position, end), np.ascontiguousarray(block, dtype=self.dtype)
            position = end

    def _windows(self, file: FileIO, spans: Sequence[Span]) -> Iterator[tuple[int, Stored]]:
        """Yield (first row, rows) of windows that cover `spans`; each is void after the next."""
        columns = self._column_buffer()
        last = 0
        for start, stop in spans:
            first = max(start, last)
            while first < stop:
                last = min(first + self.window_rows, spans[-1][1])
                self._fill_columns(file, first, last, columns)
                yield first, columns[:, : last - first].T
                first = last

    def _column_buffer(self) -> Stored:
        """Return room for a window, shape (dim, window_rows), in the stored byte order.

        Columns a multiple of a page apart compete for the same few cache lines, which made the
        transposed copy 8 times slower at dimension 1,024: one extra line spreads them.
        """
        apart = self.window_rows + CACHE_LINE // self.matrix.dtype.itemsize
        return np.empty((self.matrix.dim, apart), self.matrix.dtype)[:, : self.window_rows]

    def _fill_columns(self, file: FileIO, first: int, last: int, columns: Stored) -> None:
        """Read rows ``[first, last)`` of every column."""
        for index, column in enumerate(columns):
            self.fill(file, index * self.matrix.rows + first, column[: last - first])
