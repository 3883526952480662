"""One vector column of an Arrow IPC file or stream (``.arrow``, ``.feather``)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import numpy as np
import pyarrow as pa

from embaudit.data.arrow_messages import (
    FEATHER_V1_MAGIC,
    FILE_MAGIC,
    RecordBatch,
    Structs,
    first_of,
    read_batches,
)
from embaudit.data.columnar import ColumnarSet
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.files import FileStamp
from embaudit.data.raw_layouts import RawMatrix, RowMajor
from embaudit.datatypes import Mask, Rows, Stored
from embaudit.errors import InputError

MAX_BATCH_BYTES = 1 << 30
"""A record batch that cannot be read in place is loaded whole."""

CHUNK_BYTES = 1 << 20
"""Rows read in place at once, before they are copied to the block: they stay in the cache."""


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the vector column of `path`: the named one, else the only one.

    Raises
    ------
    InputError
        When the file is not readable Arrow IPC or the column cannot be chosen.
    """
    return ArrowSet(path, uri, column)


class ArrowFile:
    """An open IPC file or stream: its batches by their messages, and pyarrow's readers.

    Parameters
    ----------
    raw : io.FileIO
    stamp : FileStamp
    """

    def __init__(self, raw: FileIO, stamp: FileStamp) -> None:
        self.raw = raw
        self._stamp = stamp
        self._is_stream = raw.read(len(FILE_MAGIC)) != FILE_MAGIC
        with pa.OSFile(str(stamp.path)) as source:
            self.schema: pa.Schema = self._reader(source).schema

    def column(self, name: str, wanted: Mask) -> Iterator[tuple[int, pa.Array]]:
        """Yield (batch number, values) of a column for the wanted record batches.

        What is in the file is checked in full: pyarrow follows offsets wherever they point.
        """
        options = pa.ipc.IpcReadOptions(
            use_threads=False, included_fields=[self.schema.get_field_index(name)]
        )
        with pa.OSFile(str(self._stamp.path)) as source:
            reader = self._reader(source, options)
            numbers: list[int] = np.flatnonzero(wanted).tolist()
            batches: Iterator[tuple[int, pa.RecordBatch]]
            if self._is_stream:
                batches = itertools.compress(enumerate(reader), wanted.tolist())
            else:
                batches = ((number, reader.get_batch(number)) for number in numbers)
            for number, batch in batches:
                values = batch.column(0)
                values.validate(full=True)
                yield number, values

    def _reader(
        self, source: pa.OSFile, options: pa.ipc.IpcReadOptions | None = None
    ) -> pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader:
        open_reader = pa.ipc.open_stream if self._is_stream else pa.ipc.open_file
        return open_reader(source, options=options)


class ArrowSet(ColumnarSet[ArrowFile]):
    """The vectors in one list column of an Arrow IPC file or stream.

    Record batches without compression, nulls or rows of another length are read in place;
    others are loaded, one at a time.
    """

    # A loaded batch is whole already: cutting it up saves no memory.
    batch_bytes = MAX_BATCH_BYTES

    @contextmanager
    def _opened(self) -> Iterator[ArrowFile]:
        with (
            self._stamp.reading("Arrow IPC", pa.ArrowException, ValueError),
            FileIO(self._stamp.path) as raw,
        ):
            if raw.read(len(FEATHER_V1_MAGIC)) == FEATHER_V1_MAGIC:
                raise InputError(
                    f"{self.uri}: Feather version 1, which holds no vectors; "
                    "write it again with pyarrow.feather.write_feather"
                )
            raw.seek(0)
            yield ArrowFile(raw, self._stamp)

    def _schema(self, file: ArrowFile) -> pa.Schema:
        return file.schema

    def _group_sizes(self, file: ArrowFile) -> Sequence[int]:
        self._batches = read_batches(file.raw, self._stamp.size)
        return [batch.rows for batch in self._batches]

    def _read_dim(self, file: ArrowFile, kind: pa.DataType) -> int:
        """Return the length of the vectors, from the offsets of the first rows where possible."""
        if not pa.types.is_fixed_size_list(kind):
            batch = next(batch for batch in self._batches if batch.rows)
            offsets = self._offsets(file, batch, kind, 2)
            if offsets is not None and offsets[1] > offsets[0]:
                return int(offsets[1] - offsets[0])
            self._require_loadable(batch)
        return super()._read_dim(file, kind)

    def _values(
        self, file: ArrowFile, column: str, batch_rows: int, wanted: Mask
    ) -> Iterator[tuple[int, pa.Array]]:
        """Yield (first row, values) of the wanted batches, at most `batch_rows` at a time."""
        wanted = wanted & (np.diff(self._group_starts) > 0)
        found = 0
        for number, values in file.column(column, wanted):
            first, last = self._group_starts[number : number + 2].tolist()
            if len(values) != last - first:
                raise ValueError(f"{len(values)} rows in a record batch of {last - first}")
            found += 1
            for start in range(0, len(values), batch_rows):
                yield first + start, values.slice(start, batch_rows)
        if found != wanted.sum():
            raise ValueError(f"{found} of {wanted.sum()} record batches")

    def _vectors(self, file: ArrowFile, wanted: Mask) -> Iterator[tuple[int, Stored]]:
        """Yield (first row, rows) of the wanted batches."""
        kind = file.schema.field(self.column).type
        step = max(1, CHUNK_BYTES // (self.dim * self.dtype.itemsize))
        buffer = np.empty((step, self.dim), self.dtype)
        numbers = np.flatnonzero(wanted & (np.diff(self._group_starts) > 0)).tolist()
        layouts = {number: self._in_place(file, self._batches[number], kind) for number in numbers}
        loaded = self._no_groups()
        for number, layout in layouts.items():
            if layout is None:
                self._require_loadable(self._batches[number], self.dim)
                loaded[number] = True
        # One pass over what is loaded: a stream can only be read from its start.
        pieces = super()._vectors(file, loaded)
        for number, layout in layouts.items():
            row, last = self._group_starts[number : number + 2].tolist()
            if layout is not None:
                for start in range(0, last - row, step):
                    rows = buffer[: last - row - start]
                    layout.read_rows(file.raw, start, rows)
                    yield row + start, rows
                continue
            while row < last:
                piece = next(pieces)
                yield piece
                row += len(piece[1])

    def _in_place(self, file: ArrowFile, batch: RecordBatch, kind: pa.DataType) -> RowMajor | None:
        """Return what reads the vectors of a batch from the file, None where that cannot be."""
        found = self._arrays(file, batch, kind)
        if found is None or found[0][:, 1].any():
            return None
        nodes, buffers = found
        first = 0
        if not pa.types.is_fixed_size_list(kind):
            offsets = self._offsets(file, batch, kind, batch.rows + 1)
            if offsets is None or (np.diff(offsets) != self.dim).any():
                return None
            first = int(offsets[0])
        start, length = buffers[-1].tolist()
        held = min(int(nodes[1, 0]), length // self.dtype.itemsize)
        if not 0 <= first <= held - batch.rows * self.dim:
            return None
        stored = self.dtype.newbyteorder("<")
        offset = start + first * self.dtype.itemsize
        return RowMajor(RawMatrix(batch.rows, self.dim, stored, offset=offset), self._stamp)

    def _offsets(
        self, file: ArrowFile, batch: RecordBatch, kind: pa.DataType, count: int
    ) -> Rows | None:
        """Return where the first lists of a batch start, None where that cannot be read."""
        found = self._arrays(file, batch, kind)
        stored = np.dtype("<i8" if pa.types.is_large_list(kind) else "<i4")
        if found is None or found[1][1, 1] < count * stored.itemsize:
            return None
        matrix = RawMatrix(1, count, stored, offset=int(found[1][1, 0]))
        offsets = np.empty((1, count), stored.newbyteorder("="))
        RowMajor(matrix, self._stamp).read_rows(file.raw, 0, offsets)
        starts: Rows = offsets[0].astype(np.int64)
        return starts

    def _arrays(
        self, file: ArrowFile, batch: RecordBatch, kind: pa.DataType
    ) -> tuple[Structs, Structs] | None:
        """Return nodes and buffers of the vector column, None unless they are stored plainly."""
        place = first_of(file.schema, file.schema.get_field_index(self.column))
        if place is None or not batch.plain:
            return None
        count = 3 if pa.types.is_fixed_size_list(kind) else 4
        nodes = batch.nodes[place[0] : place[0] + 2]
        buffers = batch.buffers[place[1] : place[1] + count]
        return (nodes, buffers) if len(nodes) == 2 and len(buffers) == count else None

    def _require_loadable(self, batch: RecordBatch, dim: int | None = None) -> None:
        """Refuse a batch that would have to be loaded whole and is large."""
        size = batch.body_bytes if dim is None else batch.rows * dim * self.dtype.itemsize
        if size > MAX_BATCH_BYTES:
            raise InputError(
                f"{self.uri}: a record batch of {batch.rows:,} rows, {size:,} bytes, that is "
                "compressed or has nulls or rows of another length; write smaller record batches"
            )
