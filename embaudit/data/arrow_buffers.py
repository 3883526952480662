"""One column of vectors read straight out of the record batches of an Arrow IPC file."""

from __future__ import annotations

from collections.abc import Sequence
from io import FileIO

import numpy as np
import pyarrow as pa

from embaudit.data.arrow_messages import LENGTH_BYTES, RecordBatch, Structs, first_of
from embaudit.data.files import FileStamp
from embaudit.data.raw_layouts import RawMatrix, RowMajor
from embaudit.datatypes import Rows, Stored

OFFSETS_AT_ONCE = 1 << 18
"""Offsets of lists checked at once: a batch may hold those of millions of rows."""


class Batches(RowMajor):
    """Rows that are contiguous within each of several stretches of a file.

    Parameters
    ----------
    matrices : sequence of RawMatrix
        At least one; equal in dimension and type.
    stamp : FileStamp
    """

    def __init__(self, matrices: Sequence[RawMatrix], stamp: FileStamp) -> None:
        starts = np.cumsum([0, *(matrix.rows for matrix in matrices)])
        super().__init__(RawMatrix(int(starts[-1]), matrices[0].dim, matrices[0].dtype), stamp)
        self._starts: Rows = starts
        self._stretches = [RowMajor(matrix, stamp) for matrix in matrices]

    def read_rows(self, file: FileIO, first: int, block: Stored) -> None:
        """Fill `block` with the rows from number `first` on."""
        while len(block):
            index = int(np.searchsorted(self._starts, first, side="right")) - 1
            start, stop = self._starts[index : index + 2].tolist()
            self._stretches[index].read_rows(file, first - start, block[: stop - first])
            first, block = stop, block[stop - first :]


class VectorBuffers:
    """Where a file keeps the lists of one column.

    Parameters
    ----------
    file : io.FileIO
        Open at any position.
    stamp : FileStamp
    schema : pyarrow.Schema
    column : str
    """

    def __init__(self, file: FileIO, stamp: FileStamp, schema: pa.Schema, column: str) -> None:
        self._file = file
        self._stamp = stamp
        index = schema.get_field_index(column)
        self._place = first_of(schema, index)
        kind = schema.field(index).type
        self._fixed = pa.types.is_fixed_size_list(kind)
        self._offset_type = np.dtype("<i8" if pa.types.is_large_list(kind) else "<i4")

    def first_length(self, batch: RecordBatch) -> int | None:
        """Return the length of a batch's first list, None where its offsets cannot be read."""
        found = self._arrays(batch)
        if found is None or not batch.little_endian or found[1][1, 1] == 0:
            return None
        start = int(found[1][1, 0])
        if batch.codec is not None:
            data = _unpacked(self._stamp, start, batch.codec, 2 * self._offset_type.itemsize)
        else:
            self._file.seek(start)
            data = self._file.read(2 * self._offset_type.itemsize)
        first, second = np.frombuffer(data, self._offset_type, 2).tolist()
        return int(second - first)

    def layout(
        self, batches: Sequence[RecordBatch], dim: int, dtype: np.dtype[np.generic]
    ) -> RowMajor | None:
        """Return what reads the vectors in place, None where some batch does not allow that.

        Compressed or big-endian batches, nulls and lists of another length do not.
        """
        matrices = []
        for batch in batches:
            if batch.rows:
                matrix = self._matrix(batch, dim, dtype.newbyteorder("<"))
                if matrix is None:
                    return None
                matrices.append(matrix)
        return Batches(matrices, self._stamp)

    def _matrix(
        self, batch: RecordBatch, dim: int, stored: np.dtype[np.generic]
    ) -> RawMatrix | None:
        """Return where the vectors of one batch lie."""
        found = self._arrays(batch)
        if found is None or batch.codec is not None or not batch.little_endian:
            return None
        nodes, buffers = found
        first = 0 if self._fixed else self._first_value(batch.rows, buffers[1], dim)
        start, length = buffers[-1].tolist()
        held = int(nodes[1, 0])
        if nodes[0, 0] != batch.rows or held > length // stored.itemsize:
            # Damaged, which pyarrow says better.
            return None
        if nodes[:, 1].any() or first is None or not 0 <= first <= held - batch.rows * dim:
            return None
        return RawMatrix(batch.rows, dim, stored, offset=start + first * stored.itemsize)

    def _first_value(self, rows: int, buffer: Rows, dim: int) -> int | None:
        """Return where the first of `rows` lists starts, None unless all have the length `dim`."""
        start, length = buffer.tolist()
        if length < (rows + 1) * self._offset_type.itemsize:
            return None
        reader = RowMajor(RawMatrix(rows + 1, 1, self._offset_type, offset=start), self._stamp)
        first = None
        for row in range(0, rows, OFFSETS_AT_ONCE):
            offsets = np.empty(min(OFFSETS_AT_ONCE, rows - row) + 1, self._offset_type)
            reader.fill(self._file, row, offsets)
            if (np.diff(offsets) != dim).any():
                return None
            first = int(offsets[0]) if first is None else first
        return first

    def _arrays(self, batch: RecordBatch) -> tuple[Structs, Structs] | None:
        """Return nodes and buffers of the column, None where a type before it varies in layout."""
        if self._place is None:
            return None
        node, buffer = self._place
        # Validity of the lists, their offsets, validity of the values, the values.
        count = 3 if self._fixed else 4
        nodes, buffers = batch.nodes[node : node + 2], batch.buffers[buffer : buffer + count]
        return (nodes, buffers) if len(nodes) == 2 and len(buffers) == count else None


def _unpacked(stamp: FileStamp, start: int, codec: str, count: int) -> bytes:
    """Return the first bytes of a compressed buffer, unpacking no more than they need."""
    with pa.OSFile(str(stamp.path)) as file:
        file.seek(start)
        if int.from_bytes(file.read(LENGTH_BYTES), "little", signed=True) == -1:
            return bytes(file.read(count))
        with pa.CompressedInputStream(file, codec) as unpacked:
            return bytes(unpacked.read(count))
