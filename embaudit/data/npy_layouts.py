"""Reading rows out of an NPY file whose rows, or whose columns, are contiguous."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from io import FileIO

import numpy as np

from embaudit.data.buffers import BufferRing, recut
from embaudit.data.embedding_set import GATHER_BYTES
from embaudit.data.files import FileStamp
from embaudit.data.npy_header import NpyHeader
from embaudit.datatypes import Rows, Span, Stored

WINDOW_BYTES = 32 << 20
"""Rows of a column-major file held at once: they cost one read a column, so few and large."""

PAGE = 4096
CACHE_LINE = 64


class Layout(ABC):
    """Turns spans and rows into reads of an open file.

    Parameters
    ----------
    header : NpyHeader
    stamp : FileStamp
        The file, for the refusal when it ends early.
    """

    def __init__(self, header: NpyHeader, stamp: FileStamp) -> None:
        self.header = header
        self.stamp = stamp
        self.native = header.dtype.newbyteorder("=")
        self.row_bytes = header.dim * header.dtype.itemsize

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
        file.seek(self.header.offset + item * array.itemsize)
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
        ring = BufferRing(spans, slots, self.header.dim, self.native)
        for start, stop in spans:
            block = ring.take(stop - start)
            self.fill(file, start * self.header.dim, block)
            yield self._to_native(block)

    def gather(self, file: FileIO, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows`, neighbouring ones by one read."""
        step = max(1, GATHER_BYTES // self.row_bytes)
        buffer = np.empty((min(step, len(rows)), self.header.dim), self.native)
        for start in range(0, len(rows), step):
            wanted = rows[start : start + step]
            block = buffer[: len(wanted)]
            bounds = [0, *(np.flatnonzero(np.diff(wanted) != 1) + 1), len(wanted)]
            for first, last in itertools.pairwise(bounds):
                self.fill(file, int(wanted[first]) * self.header.dim, block[first:last])
            yield slice(start, start + len(wanted)), self._to_native(block)

    def _to_native(self, block: Stored) -> Stored:
        return block if self.header.dtype.isnative else block.byteswap(inplace=True)


class ColumnMajor(Layout):
    """Columns are contiguous (Fortran order): rows come in windows, one read a column."""

    def __init__(self, header: NpyHeader, stamp: FileStamp) -> None:
        super().__init__(header, stamp)
        column_bytes = WINDOW_BYTES // header.dim
        if column_bytes > PAGE:
            column_bytes -= column_bytes % PAGE
        self.window_rows = max(1, column_bytes // header.dtype.itemsize)

    def blocks(self, file: FileIO, spans: Sequence[Span], slots: int) -> Iterator[Stored]:
        """Yield the rows of each span, reading several short ones at once."""
        ring = BufferRing(spans, slots, self.header.dim, self.native)
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
            yield slice(position, end), np.ascontiguousarray(block, dtype=self.native)
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
        apart = self.window_rows + CACHE_LINE // self.header.dtype.itemsize
        return np.empty((self.header.dim, apart), self.header.dtype)[:, : self.window_rows]

    def _fill_columns(self, file: FileIO, first: int, last: int, columns: Stored) -> None:
        """Read rows ``[first, last)`` of every column."""
        for index, column in enumerate(columns):
            self.fill(file, index * self.header.rows + first, column[: last - first])
