"""Sets whose file stores the matrix as it is in memory, read by blocks into reused buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.files import FileStamp
from embaudit.data.raw_layouts import ColumnMajor, Layout, RawMatrix, RowMajor
from embaudit.datatypes import Rows, Span, Stored


class RawSet(EmbeddingSet):
    """A matrix that lies uncompressed in one stretch of a file.

    The file is never memory-mapped: a mapped file that shrinks kills the process.

    Parameters
    ----------
    stamp : FileStamp
    layout : Layout
        Where the matrix lies, and how it is turned into rows.
    kind : str
        The file's format, for messages.
    member : str, optional
        What names the matrix within the file, where that may hold several.
    """

    def __init__(
        self, stamp: FileStamp, layout: Layout, kind: str, member: str | None = None
    ) -> None:
        self.uri = stamp.uri
        self.rows, self.dim = layout.matrix.rows, layout.matrix.dim
        self.dtype = layout.dtype
        self._stamp = stamp
        self._layout = layout
        self._kind = kind
        self._member = member

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers."""
        with self._opened() as file:
            yield from self._layout.blocks(file, spans, slots)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows` by blocks, reading little else where rows are contiguous in the file."""
        with self._opened() as file:
            yield from self._layout.gather(file, rows)

    def identity(self) -> tuple[str, ...]:
        """Return the resolved path, and the member where the file may hold several."""
        path = str(self._stamp.path)
        return (path,) if self._member is None else (path, self._member)

    def require_unchanged(self) -> None:
        """Refuse the file when it is no longer the one that was opened.

        Raises
        ------
        InputError
        """
        self._stamp.require_unchanged()

    @contextmanager
    def _opened(self) -> Iterator[FileIO]:
        """Open the file unbuffered, so that data go straight into the caller's memory."""
        with self._stamp.reading(self._kind), FileIO(self._stamp.path) as file:
            yield file


def layout_of(matrix: RawMatrix, stamp: FileStamp) -> Layout:
    """Return the layout that reads a matrix of either order."""
    return (ColumnMajor if matrix.fortran_order else RowMajor)(matrix, stamp)
