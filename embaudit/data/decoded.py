"""Sets whose every read decodes: their first pass keeps a copy that later passes read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.spool import Spool, room_for
from embaudit.datatypes import Rows, Span, Stored

MOUNTS = Path("/proc/self/mounts")
IN_MEMORY = {"tmpfs", "ramfs"}


class DecodedSet(EmbeddingSet):
    """A set that is decoded once.

    The first pass over all rows writes them to a temporary file as it hands them out; whatever is
    read later comes from there. Without room on the disk, or where temporary files lie in memory,
    the source is read every time.

    Parameters
    ----------
    source : EmbeddingSet
    """

    def __init__(self, source: EmbeddingSet) -> None:
        self.uri, self.rows = source.uri, source.rows
        self.dim, self.dtype = source.dim, source.dtype
        self._source = source
        self._copy: Spool | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes that the source holds."""
        return self._source.held_bytes

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers."""
        if self._copy is not None:
            return self._copy.blocks(spans, slots)
        if self._covers_all(spans) and _on_disk(self.rows * self.dim * self.dtype.itemsize):
            return self._copying(spans, slots)
        return self._source.blocks(spans, slots)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield rows by blocks."""
        return self._source.gather(rows) if self._copy is None else self._copy.gather(rows)

    def identity(self) -> tuple[str, ...] | None:
        """Return that of the source."""
        return self._source.identity()

    def require_unchanged(self) -> None:
        """Refuse the source when it is no longer what was opened.

        Raises
        ------
        InputError
        """
        self._source.require_unchanged()

    def files(self) -> list[Path]:
        """Return those of the source."""
        return self._source.files()

    def _covers_all(self, spans: Sequence[Span]) -> bool:
        ends = [0, *(stop for _, stop in spans)]
        return ends[-1] == self.rows and [start for start, _ in spans] == ends[:-1]

    def _copying(self, spans: Sequence[Span], slots: int) -> Iterator[Stored]:
        copy: Spool | None = None
        with suppress(OSError):
            copy = Spool(self.uri, self.rows, self.dim, self.dtype)
        for (start, _), block in zip(spans, self._source.blocks(spans, slots), strict=True):
            if copy is not None:
                try:
                    copy.write(start, block)
                except OSError:
                    # The disk has filled up meanwhile: go on without a copy.
                    copy.close()
                    copy = None
            yield block
        self._copy = copy


def decoded_once(source: EmbeddingSet) -> EmbeddingSet:
    """Return a set that is decoded once at most; the set itself where reading decodes nothing."""
    return DecodedSet(source) if source.decodes else source


def _on_disk(size: int) -> bool:
    """Tell whether a temporary file of `size` bytes has room, and that not in memory."""
    try:
        return room_for(size)[0] and not _is_in_memory(Path(tempfile.gettempdir()))
    except OSError:
        return False


def _is_in_memory(folder: Path) -> bool:
    """Tell whether a folder lies in memory, where the system says so."""
    try:
        mounts = [line.split() for line in MOUNTS.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return False
    place = folder.resolve()
    around = {mount[1]: mount[2] for mount in mounts if place.is_relative_to(mount[1])}
    return around[max(around, key=len)] in IN_MEMORY if around else False
