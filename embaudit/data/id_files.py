"""Files of ids for sets that store none: text with a line each, or NPY."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from embaudit.data.files import FileStamp, brief
from embaudit.data.ids import IdNames, Ids, KeyKind, check_texts, hash_integers, hash_texts
from embaudit.data.npy_header import read_claim
from embaudit.datatypes import Rows
from embaudit.errors import InputError

IdSource: TypeAlias = str | os.PathLike[str] | Sequence[str] | Sequence[int] | NDArray[np.generic]
"""A file of ids, or the ids themselves."""

EXPECTED = "expected one integer or text for each row"

LINES_AT_ONCE = 16_384
"""Lines that are Python objects at the same time."""


def read_ids(source: IdSource, rows: int, of: str) -> Ids:
    """Read one id for each row.

    Parameters
    ----------
    source : path, or sequence of str or int
        ``.npy`` holds a 1-D array of integers or strings; any other file is text, a line each.
    rows : int
        Rows of the set the ids belong to.
    of : str
        That set, for messages.

    Raises
    ------
    InputError
        When the file is unreadable, holds something else, or has another length.
    """
    if not isinstance(source, str | os.PathLike):
        return _ids(f"<ids of {of}>", _given(source), rows, of)
    uri = os.fsdecode(source)
    stamp = FileStamp.of(Path(uri), uri)
    if stamp.path.suffix.lower() != ".npy":
        return _text_ids(stamp, rows, of)
    with stamp.reading("ids", ValueError, EOFError):
        values = _npy(stamp)
    return _ids(uri, values, rows, of)


class _Lines:
    """The lines of a text file without their ends, as one string of bytes and where each starts.

    A list of lines takes five times the memory of their bytes. One empty line at the end does not
    count.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        if data and not data.endswith(b"\n"):
            ends = np.append(ends, len(data))
        self._bounds = np.concatenate([[-1], ends])

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, row: int) -> bytes:
        return self._data[self._bounds[row] + 1 : self._bounds[row + 1]].rstrip(b"\r")

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self), LINES_AT_ONCE):
            stop = min(start + LINES_AT_ONCE, len(self))
            lines = self._data[self._bounds[start] + 1 : self._bounds[stop]].split(b"\n")
            yield from (line.rstrip(b"\r") for line in lines)


def _given(
    source: Sequence[str] | Sequence[int] | NDArray[np.generic],
) -> NDArray[np.generic] | list[bytes]:
    """Return ids from memory; numpy would cut the NULs off the end of texts."""
    if isinstance(source, np.ndarray):
        return source
    if all(isinstance(value, str | bytes) for value in source):
        return [_encoded(value) for value in source if isinstance(value, str | bytes)]
    return np.asarray(source)


def _ids(uri: str, values: NDArray[np.generic] | list[bytes], rows: int, of: str) -> Ids:
    """Return ids that are in memory."""
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise InputError(f"{uri}: ids of shape {values.shape}; {EXPECTED}")
        if values.dtype.kind not in "iuUS":
            raise InputError(f"{uri}: ids of dtype {brief(values.dtype)}; {EXPECTED}")
    _require_one_a_row(len(values), rows, uri, of)
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        names = IdNames(lambda row: int(values[row]))
        return Ids(uri, KeyKind.INTEGER, hash_integers(values), names)
    try:
        listed = values.tolist() if isinstance(values, np.ndarray) else values
    except (ValueError, SystemError):
        # What Python says of four bytes that are no character depends on which they are.
        raise InputError(
            f"{uri}: text that is no Unicode; save the ids again with np.save"
        ) from None
    texts = [_encoded(value) for value in listed]
    names = IdNames(lambda row: _decoded(texts[row]))
    return Ids(uri, KeyKind.TEXT, hash_texts(texts, rows), names, check_texts(texts, rows))


def _text_ids(stamp: FileStamp, rows: int, of: str) -> Ids:
    """Return the lines of a file as ids; it is read again when rows are named."""
    with stamp.reading("ids"):
        lines = _Lines(stamp.path.read_bytes())
    for row, line in enumerate(lines):
        if not line.strip():
            raise InputError(f"{stamp.uri}: line {row + 1} is empty; {EXPECTED}")
    _require_one_a_row(len(lines), rows, stamp.uri, of)

    def values_at(wanted: Rows) -> list[int | str | bytes]:
        with stamp.reading("ids"):
            again = _Lines(stamp.path.read_bytes())
        return [_decoded(again[row]) for row in wanted.tolist()]

    names = IdNames(lambda row: values_at(np.array([row]))[0], values_at)
    checks = check_texts(lines, rows)
    return Ids(stamp.uri, KeyKind.TEXT, hash_texts(lines, rows), names, checks)


def _require_one_a_row(count: int, rows: int, uri: str, of: str) -> None:
    if count != rows:
        raise InputError(f"{uri}: {count:,} ids for the {rows:,} rows of {of}; {EXPECTED}")


def _encoded(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def _decoded(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _npy(stamp: FileStamp) -> NDArray[np.generic]:
    """Load a 1-D array whose header agrees with the size of its file; nothing is unpickled."""
    with stamp.path.open("rb") as file:
        shape, _, dtype = read_claim(file, stamp.uri)
        if dtype.hasobject:
            raise InputError(
                f"{stamp.uri}: holds Python objects, which are never unpickled; "
                "save np.array(ids, dtype=str)"
            )
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if size != stamp.size - file.tell():
            raise InputError(
                f"{stamp.uri}: the header claims {size:,} bytes, the file holds "
                f"{stamp.size - file.tell():,}; write or copy it again"
            )
        loaded: NDArray[np.generic] = np.frombuffer(file.read(), dtype).reshape(shape)
    return loaded
