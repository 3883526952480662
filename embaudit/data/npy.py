"""NPY files: format 1.0 to 3.0, C or Fortran order, any byte order."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.files import FileStamp
from embaudit.data.members import refuse_member
from embaudit.data.npy_header import read_header
from embaudit.data.raw import RawSet, layout_of


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the matrix in `path`.

    Raises
    ------
    InputError
        When the file is not a readable NPY matrix.
    UsageError
        When a column is asked for.
    """
    refuse_member(column, uri)
    stamp = FileStamp.of(path, uri)
    with stamp.reading("NPY"), FileIO(stamp.path) as file:
        matrix = read_header(file, stamp.size, uri)
    return RawSet(stamp, layout_of(matrix, stamp), "NPY")
