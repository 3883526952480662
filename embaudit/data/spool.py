"""Rows in a temporary file, where reading them again costs no decoding and no search."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from embaudit.data.files import FileStamp
from embaudit.data.raw_layouts import RawMatrix, RowMajor
from embaudit.datatypes import Rows, Span, Stored

SPACE_MARGIN = 64 << 20
"""Room left on the disk beside a spool."""


class Spool:
    """A temporary file of rows; it vanishes with the process however that ends.

    The file has no name where the system allows it.

    Parameters
    ----------
    uri : str
        What the rows come from, for messages.
    rows, dim : int
    dtype : numpy.dtype

    Raises
    ------
    OSError
        When the folder of temporary files takes none.
    """

    def __init__(self, uri: str, rows: int, dim: int, dtype: np.dtype[np.generic]) -> None:
        self._row_bytes = dim * dtype.itemsize
        self._file = tempfile.TemporaryFile(prefix="embaudit-", buffering=0)  # noqa: SIM115
        self._finalizer = weakref.finalize(self, self._file.close)
        self._file.truncate(rows * self._row_bytes)
        stamp = FileStamp(Path(tempfile.gettempdir()), uri, 0, 0)
        self._layout = RowMajor(RawMatrix(rows, dim, dtype), stamp)

    def write(self, first: int, rows: Stored) -> None:
        """Write rows from number `first` on, shape (m, dim), contiguous."""
        self._file.seek(first * self._row_bytes)
        left = rows.reshape(-1).view(np.uint8).data
        while len(left):
            left = left[self._file.write(left) :]

    def blocks(self, spans: Sequence[Span], slots: int) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers."""
        # A generator of its own: it keeps the file while rows are drawn.
        yield from self._layout.blocks(self._file, spans, slots)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield ascending distinct rows by blocks."""
        yield from self._layout.gather(self._file, rows)

    def close(self) -> None:
        """Give the room back."""
        self._finalizer()


def room_for(size: int) -> tuple[bool, int]:
    """Return whether a temporary file of `size` bytes has room, and how much there is."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    return free >= size + SPACE_MARGIN, free
