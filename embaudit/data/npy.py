"""NPY files, read by blocks into reused buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.files import FileStamp
from embaudit.data.npy_header import read_header
from embaudit.data.npy_layouts import ColumnMajor, Layout, RowMajor
from embaudit.datatypes import Rows, Span, Stored
from embaudit.errors import UsageError


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the matrix in `path`.

    Raises
    ------
    InputError
        When the file is not a readable NPY matrix.
    UsageError
        When a column is asked for.
    """
    if column is not None:
        raise UsageError(f"--column applies to Parquet; {uri} has none")
    return NpySet(path, uri)


class NpySet(EmbeddingSet):
    """The matrix of one ``.npy`` file: format 1.0 to 3.0, C or Fortran order, any byte order.

    The file is never memory-mapped: a mapped file that shrinks kills the process.

    Parameters
    ----------
    path : pathlib.Path
    uri : str, optional
        The source as the user typed it; default is `path`.

    Raises
    ------
    InputError
        When the file is missing, not NPY, damaged or holds no matrix of numbers.
    """

    def __init__(self, path: Path, uri: str | None = None) -> None:
        self.uri = str(path) if uri is None else uri
        self._stamp = FileStamp.of(path, self.uri)
        with self._opened() as file:
            header = read_header(file, self._stamp.size, self.uri)
        self.rows, self.dim = header.rows, header.dim
        self.dtype = header.dtype.newbyteorder("=")
        layout: type[Layout] = ColumnMajor if header.fortran_order else RowMajor
        self._layout = layout(header, self._stamp)

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers."""
        with self._opened() as file:
            yield from self._layout.blocks(file, spans, slots)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows` by blocks, reading little else where rows are contiguous in the file."""
        with self._opened() as file:
            yield from self._layout.gather(file, rows)

    def identity(self) -> tuple[str, ...]:
        """Return the resolved path."""
        return (str(self._stamp.path),)

    @contextmanager
    def _opened(self) -> Iterator[FileIO]:
        """Open the file unbuffered, so that data go straight into the caller's memory."""
        with self._stamp.reading("NPY"), FileIO(self._stamp.path) as file:
            yield file
