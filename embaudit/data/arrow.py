"""One vector column of an Arrow IPC file or stream (``.arrow``, ``.feather``)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import numpy as np
import pyarrow as pa

from embaudit.data.arrow_buffers import VectorBuffers
from embaudit.data.arrow_messages import (
    FEATHER_V1_MAGIC,
    FILE_MAGIC,
    RecordBatch,
    read_batches,
)
from embaudit.data.columnar import ColumnarSet
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.files import FileStamp
from embaudit.data.raw import RawSet
from embaudit.datatypes import Mask, Rows, Span, Stored
from embaudit.errors import InputError

MAX_BATCH_BYTES = 1 << 30
"""A record batch that cannot be read in place is loaded whole."""


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

    Where no record batch is compressed, has nulls or rows of another length, vectors are read in
    place; else batches are loaded, one at a time.
    """

    # A loaded batch is whole already: cutting it up saves no memory.
    batch_bytes = MAX_BATCH_BYTES
    _batches: Sequence[RecordBatch] = ()

    def __init__(self, path: Path, uri: str, column: str | None = None) -> None:
        super().__init__(path, uri, column)
        with self._opened() as file:
            layout = self._buffers(file).layout(self._batches, self.dim, self.dtype)
        self._in_place: RawSet | None = None
        if layout is not None:
            self._in_place = RawSet(self._stamp, layout, "Arrow IPC", self.column)
            return
        for batch in self._batches:
            self._require_loadable(batch.rows, batch.rows * self.dim * self.dtype.itemsize)

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers."""
        if self._in_place is not None:
            return self._in_place.blocks(spans, slots)
        return super().blocks(spans, slots)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows` by blocks, reading little else where they are read in place."""
        if self._in_place is not None:
            return self._in_place.gather(rows)
        return super().gather(rows)

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
            if not self._batches:
                # Before pyarrow opens it, which asks for as much memory as a damaged length says.
                self._batches = read_batches(raw, self._stamp.size)
            raw.seek(0)
            yield ArrowFile(raw, self._stamp)

    def _schema(self, file: ArrowFile) -> pa.Schema:
        return file.schema

    def _group_sizes(self, file: ArrowFile) -> Sequence[int]:
        return [batch.rows for batch in self._batches]

    def _read_dim(self, file: ArrowFile, kind: pa.DataType) -> int:
        """Return the length of the vectors, from the offsets of the first list where possible."""
        if not pa.types.is_fixed_size_list(kind):
            batch = next(batch for batch in self._batches if batch.rows)
            length = self._buffers(file).first_length(batch)
            if length is not None and length > 0:
                return length
            self._require_loadable(batch.rows, batch.body_bytes)
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

    @property
    def decodes(self) -> bool:
        """Whether record batches are loaded, not read in place."""
        return self._in_place is None

    @property
    def held_bytes(self) -> int:
        """Bytes of the largest record batch, decoded and as stored, where batches are loaded."""
        if self._in_place is not None:
            return 0
        most = max((batch.rows for batch in self._batches), default=0)
        return super().held_bytes + 2 * most * self.dim * self.dtype.itemsize

    def _buffers(self, file: ArrowFile) -> VectorBuffers:
        return VectorBuffers(file.raw, self._stamp, file.schema, self.column)

    def _require_loadable(self, rows: int, size: int) -> None:
        """Refuse a batch that would have to be loaded whole and is large."""
        if size > MAX_BATCH_BYTES:
            raise InputError(
                f"{self.uri}: a record batch of {rows:,} rows, {size:,} bytes, in a file that is "
                "compressed or has nulls or rows of another length; write smaller record batches"
            )
