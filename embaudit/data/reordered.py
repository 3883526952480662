"""Rows of a set in another selection or order, still read by blocks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

from embaudit.data.buffers import BufferRing, recut
from embaudit.data.embedding_set import ArraySet, EmbeddingSet
from embaudit.data.spool import SPACE_MARGIN, Spool, room_for
from embaudit.datatypes import Rows, Span, Stored
from embaudit.errors import InputError

HELD_BYTES = 64 << 20
"""A sample of at most this size is read once and held."""


def reordered(source: EmbeddingSet, rows: Rows) -> EmbeddingSet:
    """Return `rows` of a set, in that order, as a set of their own.

    Ascending rows are read from the source itself; any other order is written to a temporary
    file once, row by row, so that every later pass reads in order.

    Parameters
    ----------
    source : EmbeddingSet
    rows : int64 array, shape (m,)
        Distinct row positions.

    Raises
    ------
    InputError
        When the disk has no room for the temporary file.
    """
    if np.array_equal(rows, np.arange(source.rows)):
        return source
    if (np.diff(rows) > 0).all():
        return SelectedSet(source, rows)
    return SpooledSet(source, rows)


def sampled(source: EmbeddingSet, rows: Rows) -> EmbeddingSet:
    """Return a sample of a set as a set of its own; a small one is held in memory.

    Parameters and refusals are those of `reordered`.
    """
    if len(rows) * source.dim * source.dtype.itemsize > HELD_BYTES:
        return reordered(source, rows)
    return ArraySet(source.take(rows), source.uri)


class SelectedSet(EmbeddingSet):
    """Some rows of a set, in its own order.

    Parameters
    ----------
    source : EmbeddingSet
    rows : int64 array, shape (m,)
        Ascending, distinct.
    """

    def __init__(self, source: EmbeddingSet, rows: Rows) -> None:
        self.uri, self.dim, self.dtype = source.uri, source.dim, source.dtype
        self.rows = len(rows)
        self._source = source
        self._selected = rows

    @property
    def held_bytes(self) -> int:
        """Bytes that the source holds."""
        return self._source.held_bytes

    @property
    def decodes(self) -> bool:
        """Whether the source decodes."""
        return self._source.decodes

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the selected rows of each span from `slots` reused buffers."""
        ring = BufferRing(spans, slots, self.dim, self.dtype)
        wanted = np.concatenate([np.arange(start, stop) for start, stop in spans])
        pieces = (
            (int(wanted[positions.start + offset]), block[offset : offset + length])
            for positions, block in self._source.gather(self._selected[wanted])
            for offset, length in _runs(wanted[positions])
        )
        return recut(pieces, spans, ring)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield selected rows by blocks."""
        return self._source.gather(self._selected[rows])


class SpooledSet(EmbeddingSet):
    """Rows of a set in any order, copied once to a temporary file.

    Parameters
    ----------
    source : EmbeddingSet
    rows : int64 array, shape (m,)
        Distinct; row i of this set is row ``rows[i]`` of `source`.
    """

    def __init__(self, source: EmbeddingSet, rows: Rows) -> None:
        self.uri, self.dim, self.dtype = source.uri, source.dim, source.dtype
        self.rows = len(rows)
        _require_room(self.uri, self.rows * self.dim * self.dtype.itemsize)
        try:
            self._copy(source, rows)
        except OSError as error:
            raise InputError(
                f"{self.uri}: joining needs a temporary file in {tempfile.gettempdir()}, which "
                f"could not be written ({error.strerror or error}); free some room or set TMPDIR"
            ) from error

    def _copy(self, source: EmbeddingSet, rows: Rows) -> None:
        self._spool = Spool(self.uri, self.rows, self.dim, self.dtype)
        # Every row of the source is written at its place; neighbours in one write.
        targets = np.argsort(rows, kind="stable")
        for positions, block in source.gather(rows[targets]):
            places = targets[positions]
            order = np.argsort(places)
            places, data = places[order], block[order]
            for offset, length in _runs(places):
                self._spool.write(int(places[offset]), data[offset : offset + length])

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers."""
        return self._spool.blocks(spans, slots)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield rows by blocks."""
        return self._spool.gather(rows)


def _runs(rows: Rows) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) of the runs of consecutive values."""
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(rows) != 1) + 1, [len(rows)]])
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        yield start, stop - start


def _require_room(uri: str, size: int) -> None:
    there, free = room_for(size)
    if not there:
        raise InputError(
            f"{uri}: joining needs {size + SPACE_MARGIN:,} bytes in {tempfile.gettempdir()} and "
            f"{free:,} are free; free some or set TMPDIR to a folder with room"
        )
