"""What the pages of a Parquet file claim to be, read from their headers.

pyarrow makes room for a page as its header says, up to 2 GiB, and uses all of it. Headers are
structs in Thrift's compact protocol, ``PageHeader`` of ``parquet.thrift``.
"""

from __future__ import annotations

import os
from typing import Any, BinaryIO

MAX_PAGE_BYTES = 500_000_000
"""Of a page once unpacked; writers cut pages at about a megabyte."""
UNPACKED, STORED = 2, 3
"""Fields of a page's header: its sizes in bytes."""

STOP, TRUE, FALSE, BYTE, BINARY, LIST, SET, STRUCT = 0, 1, 2, 3, 8, 9, 10, 12
INTEGERS = (4, 5, 6)
DOUBLE = 7
MOST_NESTED = 8


def check_pages(file: BinaryIO, chunk: Any) -> None:  # noqa: ANN401
    """Refuse pages of a column chunk that claim more than is held, or more than the chunk has.

    Parameters
    ----------
    file : binary file
        Buffered: it is read in small pieces.
    chunk : pyarrow.parquet.ColumnChunkMetaData

    Raises
    ------
    ValueError
        For such a page, and for a header that is none.
    """
    if chunk.num_values <= 0:
        # An empty row group: no page is read, and where it begins may not be known.
        return
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
        start = chunk.dictionary_page_offset
    stop = start + chunk.total_compressed_size
    while start < stop:
        file.seek(start)
        sizes = _integers(file, 0)
        unpacked, stored = sizes.get(UNPACKED, -1), sizes.get(STORED, -1)
        start = file.tell() + stored
        if stored < 0 or start > stop or not 0 <= unpacked <= MAX_PAGE_BYTES:
            raise ValueError(
                f"a page of {stored:,} bytes, {unpacked:,} once unpacked; at most "
                f"{MAX_PAGE_BYTES:,} are read: write smaller pages"
            )


def _integers(data: BinaryIO, depth: int) -> dict[int, int]:
    """Read a struct to its end and return its integers by the numbers of their fields."""
    if depth > MOST_NESTED:
        raise ValueError("a page header of too many levels")
    found: dict[int, int] = {}
    number = 0
    while kind := _byte(data):
        number = number + (kind >> 4) if kind >> 4 else _zigzag(data)
        value = _value(data, kind & 15, depth)
        if value is not None:
            found[number] = value
    return found


def _value(data: BinaryIO, kind: int, depth: int) -> int | None:
    """Read a value of a type; return it where it is an integer."""
    if kind in INTEGERS:
        return _zigzag(data)
    if kind == BYTE:
        _skip(data, 1)
    elif kind == DOUBLE:
        _skip(data, 8)
    elif kind == BINARY:
        _skip(data, _varint(data))
    elif kind in (LIST, SET):
        size = _byte(data)
        count, kind = size >> 4, size & 15
        count = _varint(data) if count == 15 else count
        if kind in (TRUE, FALSE):
            _skip(data, count)
        else:
            for _ in range(count):
                _value(data, kind, depth)
    elif kind == STRUCT:
        _integers(data, depth + 1)
    elif kind not in (TRUE, FALSE):
        raise ValueError(f"a page header with a field of type {kind}")
    return None


def _byte(data: BinaryIO) -> int:
    found = data.read(1)
    if not found:
        raise ValueError("a page header that does not end")
    return found[0]


def _skip(data: BinaryIO, count: int) -> None:
    data.seek(count, os.SEEK_CUR)


def _varint(data: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte = _byte(data)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
        if shift > 63:
            raise ValueError("a page header with a number of too many bytes")


def _zigzag(data: BinaryIO) -> int:
    value = _varint(data)
    return (value >> 1) ^ -(value & 1)
