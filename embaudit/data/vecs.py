"""``.fvecs`` and ``.bvecs``: rows that each start with their dimension (corpus-texmex.irisa.fr)."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet, check_array
from embaudit.data.files import FileStamp
from embaudit.data.members import refuse_member
from embaudit.data.raw import RawSet
from embaudit.data.raw_layouts import RawMatrix, RowMajor
from embaudit.datatypes import Stored
from embaudit.errors import InputError

DTYPES = {".fvecs": "<f4", ".bvecs": "u1"}

DIM_BYTES = 4
RECORDS_BYTES = 1 << 20
"""Rows read at once with their dimensions, before these are cut off: they stay in the cache."""


class Prefixed(RowMajor):
    """Rows that each follow their dimension, a little-endian int32."""

    def __init__(self, matrix: RawMatrix, stamp: FileStamp) -> None:
        super().__init__(matrix, stamp)
        self.record = np.dtype([("dim", "<i4"), ("row", matrix.dtype, (matrix.dim,))])
        self.at_once = max(1, RECORDS_BYTES // self.record.itemsize)

    def read_rows(self, file: FileIO, first: int, block: Stored) -> None:
        """Fill `block` with the rows from number `first` on.

        Raises
        ------
        InputError
            When a row has another dimension.
        """
        records = np.empty(min(self.at_once, len(block)), self.record)
        for start in range(0, len(block), self.at_once):
            found = records[: len(block) - start]
            self.fill(file, first + start, found)
            differing = np.flatnonzero(found["dim"] != self.matrix.dim)
            if len(differing):
                # A file that is being rewritten looks damaged: name the cause.
                self.stamp.require_unchanged()
                row = int(differing[0])
                raise InputError(
                    f"{self.stamp.uri}: row {first + start + row} has dimension "
                    f"{found['dim'][row]}, expected {self.matrix.dim} as in row 0; "
                    "write the file again with rows of one length"
                )
            block[start : start + len(found)] = found["row"]


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the rows of `path`, all of the dimension of the first.

    Raises
    ------
    InputError
        When the first dimension is absurd or the size of the file is no multiple of a row's.
    UsageError
        When a column is asked for.
    """
    refuse_member(column, uri)
    stamp = FileStamp.of(path, uri)
    kind = path.suffix[1:].lower()
    dtype = np.dtype(DTYPES[path.suffix.lower()])
    with stamp.reading(kind), FileIO(stamp.path) as file:
        dim = int.from_bytes(file.read(DIM_BYTES), "little", signed=True)
    if dim <= 0:
        raise InputError(
            f"{uri}: not a {kind} file: row 0 has dimension {dim}; expected a little-endian int32 "
            "dimension before each row"
        )
    rows, rest = divmod(stamp.size, DIM_BYTES + dim * dtype.itemsize)
    check_array((max(rows, 1), dim), dtype, uri)
    if rest:
        raise InputError(
            f"{uri}: truncated or no {kind} file: {stamp.size:,} bytes are no whole number of "
            f"rows of dimension {dim} ({DIM_BYTES + dim * dtype.itemsize:,} bytes each); "
            "write or copy it again"
        )
    return RawSet(stamp, Prefixed(RawMatrix(rows, dim, dtype), stamp), kind)
