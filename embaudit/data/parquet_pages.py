"""What the footer and the pages of a Parquet file claim, read before pyarrow believes them.

pyarrow makes room for a page as its header says, up to 2 GiB, and uses all of it; it ends the
process where some claims of a footer contradict each other and are asked for in Python. Both are
structs in Thrift's compact protocol, ``FileMetaData`` and ``PageHeader`` of ``parquet.thrift``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

MAX_PAGE_BYTES = 500_000_000
"""Of a page once unpacked; writers cut pages at about a megabyte."""
HEADER_BYTES = (512, 1 << 16, 1 << 24)
"""Read for a page's header: most have fifty; where that is too little, more."""
FOOTER_END = struct.Struct("<I4s")
"""Length of the footer in front of it, and the magic."""

STOP, TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 12
INTEGERS = (4, 5, 6)
MOST_NESTED = 12

Wanted: TypeAlias = dict[int, Any]
"""Fields by their numbers: None for an integer, else what is wanted of a struct or a list."""

ROW_GROUPS, GROUP_COLUMNS, COLUMN_METADATA = 4, 1, 3
PATH, VALUES, STORED_BYTES, DATA_PAGE, DICTIONARY_PAGE = 3, 5, 7, 9, 11
CHUNK: Wanted = {
    PATH: {},
    **dict.fromkeys((VALUES, STORED_BYTES, DATA_PAGE, DICTIONARY_PAGE)),
}
FOOTER: Wanted = {ROW_GROUPS: {GROUP_COLUMNS: {COLUMN_METADATA: CHUNK}}}

UNPACKED_SIZE, STORED_SIZE, PAGE_V1, PAGE_V2, PAGE_VALUES = 2, 3, 5, 8, 1
PAGE: Wanted = {
    UNPACKED_SIZE: None,
    STORED_SIZE: None,
    PAGE_V1: {PAGE_VALUES: None},
    PAGE_V2: {PAGE_VALUES: None},
}


@dataclass(frozen=True)
class Chunk:
    """The values of one column in one row group.

    Attributes
    ----------
    path : tuple of str
        The column, and what is nested in it.
    values : int
        Nulls included; of a list column those of all lists.
    start, size : int
        Where its pages are.
    """

    path: tuple[str, ...]
    values: int
    start: int
    size: int


def read_chunks(file: BinaryIO, size: int) -> list[list[Chunk]]:
    """Return the column chunks of every row group, as the footer lists them.

    Raises
    ------
    ValueError
        When the footer is damaged.
    """
    file.seek(max(0, size - FOOTER_END.size))
    length, _ = FOOTER_END.unpack(file.read(FOOTER_END.size))
    file.seek(max(0, size - FOOTER_END.size - length))
    try:
        footer = _Thrift(file.read(length)).struct(FOOTER)
        return [
            [_chunk(column[COLUMN_METADATA]) for column in group[GROUP_COLUMNS]]
            for group in footer.get(ROW_GROUPS, [])
        ]
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a damaged footer ({type(error).__name__})") from None


def _chunk(found: dict[int, Any]) -> Chunk:
    start, dictionary = found[DATA_PAGE], found.get(DICTIONARY_PAGE, 0)
    if 0 < dictionary < start:
        start = dictionary
    path = tuple(part.decode("utf-8", "replace") for part in found[PATH])
    return Chunk(path, found[VALUES], start, found[STORED_BYTES])


def check_pages(file: BinaryIO, chunk: Chunk) -> None:
    """Refuse pages that claim more than is held.

    Raises
    ------
    ValueError
        For such a page, and for a header that is none.
    """
    try:
        _check_headers(file, chunk)
    except (TypeError, AttributeError):
        raise ValueError("a damaged page header") from None


def _check_headers(file: BinaryIO, chunk: Chunk) -> None:
    seen, start = 0, chunk.start
    while seen < chunk.values and 0 <= start < chunk.start + chunk.size:
        header, length = _page_header(file, start)
        unpacked, stored = header.get(UNPACKED_SIZE, -1), header.get(STORED_SIZE, -1)
        if not (0 <= unpacked <= MAX_PAGE_BYTES and 0 <= stored <= MAX_PAGE_BYTES):
            raise ValueError(
                f"a page of {stored:,} bytes, {unpacked:,} once unpacked; at most "
                f"{MAX_PAGE_BYTES:,} are read: write smaller pages"
            )
        for version in (PAGE_V1, PAGE_V2):
            seen += max(0, header.get(version, {}).get(PAGE_VALUES, 0))
        start += length + stored


def _page_header(file: BinaryIO, start: int) -> tuple[dict[int, Any], int]:
    for most in HEADER_BYTES:
        file.seek(start)
        reader = _Thrift(file.read(most))
        try:
            return reader.struct(PAGE), reader.position
        except IndexError:
            continue
    raise ValueError("a damaged page header")


class _Thrift:
    """Values one after the other; an IndexError says that the data end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def struct(self, wanted: Wanted | None, depth: int = 0) -> dict[int, Any]:
        """Read a struct to its end and return the wanted fields of it."""
        if depth > MOST_NESTED:
            raise ValueError("too many levels")
        found: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._integer()
            kind &= 15
            if wanted is not None and number in wanted:
                if (kind in INTEGERS) != (wanted[number] is None):
                    raise ValueError("a field of another type")
                found[number] = self._value(kind, wanted[number], depth, keep=True)
            else:
                self._value(kind, None, depth, keep=False)
        return found

    def _value(self, kind: int, wanted: Wanted | None, depth: int, *, keep: bool) -> Any:  # noqa: ANN401
        if kind in INTEGERS:
            return self._integer()
        if kind == BINARY:
            length = self._varint()
            self.position += length
            return self._data[self.position - length : self.position] if keep else None
        if kind == STRUCT:
            return self.struct(wanted, depth + 1)
        if kind in (LIST, SET):
            return self._list(wanted, depth + 1, keep)
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind not in (BYTE, DOUBLE):
            raise ValueError(f"a field of unknown type {kind}")
        self.position += 1 if kind == BYTE else 8
        return None

    def _list(self, wanted: Wanted | None, depth: int, keep: bool) -> list[Any]:
        if depth > MOST_NESTED:
            raise ValueError("too many levels")
        size = self._byte()
        count, kind = size >> 4, size & 15
        if count == 15:
            count = self._varint()
        if count > len(self._data):
            raise IndexError
        if kind in (TRUE, FALSE):
            self.position += count
            return []
        found = [self._value(kind, wanted, depth, keep=keep) for _ in range(count)]
        return found if keep else []

    def _byte(self) -> int:
        found = self._data[self.position]
        self.position += 1
        return found

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of too many bytes")

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
