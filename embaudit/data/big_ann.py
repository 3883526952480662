"""``.fbin``, ``.f16bin``, ``.u8bin``, ``.i8bin``: row count, dimension, then the rows.

The format of the big-ann-benchmarks; both numbers are little-endian uint32.
"""

from __future__ import annotations

import struct
from io import FileIO
from pathlib import Path

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet, check_array
from embaudit.data.files import FileStamp
from embaudit.data.members import refuse_member
from embaudit.data.raw import RawSet
from embaudit.data.raw_layouts import RawMatrix, RowMajor
from embaudit.errors import InputError

DTYPES = {".fbin": "<f4", ".f16bin": "<f2", ".u8bin": "u1", ".i8bin": "i1"}

HEADER = struct.Struct("<II")


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the rows of `path`.

    Raises
    ------
    InputError
        When the size of the file is not what its header promises.
    UsageError
        When a column is asked for.
    """
    refuse_member(column, uri)
    stamp = FileStamp.of(path, uri)
    kind = path.suffix[1:].lower()
    dtype = np.dtype(DTYPES[path.suffix.lower()])
    with stamp.reading(kind), FileIO(stamp.path) as file:
        header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        raise InputError(f"{uri}: truncated inside the {kind} header; write or copy it again")
    rows, dim = HEADER.unpack(header)
    promised = HEADER.size + rows * dim * dtype.itemsize
    if stamp.size != promised:
        raise InputError(
            f"{uri}: the header promises {rows:,} rows of dimension {dim:,}, {promised:,} bytes "
            f"of {kind}, the file holds {stamp.size:,}; write or copy it again"
        )
    check_array((rows, dim), dtype, uri)
    matrix = RawMatrix(rows, dim, dtype, offset=HEADER.size)
    return RawSet(stamp, RowMajor(matrix, stamp), kind)
