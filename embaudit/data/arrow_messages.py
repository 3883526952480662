"""Where the record batches of an Arrow IPC file or stream lie, read from its messages.

pyarrow loads a batch whole, and a file may be one batch. The messages (flatbuffers, as laid out
in Arrow's ``Message.fbs``) say where each buffer is, so that rows can be read in place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import FileIO
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Structs: TypeAlias = NDArray[np.int64]
"""A struct a row, a field a column."""

FILE_MAGIC = b"ARROW1"
FEATHER_V1_MAGIC = b"FEA1"

FOOTER_END = struct.Struct("<i6s")
"""Length of the footer in front of it, and the magic once more."""

CONTINUATION = 0xFFFFFFFF
MAX_METADATA_BYTES = 16 << 20
OLDEST_VERSION = 3
"""Of the metadata, V4, which Arrow has written since its version 0.8; pyarrow reads no older."""
MAX_UNPACKED_BYTES = 1_000_000_000
"""Of a compressed buffer: room for it is made before anything is unpacked."""
ALIGNED = 8
"""Bytes: where every message starts."""
SCHEMA, DICTIONARY_BATCH, RECORD_BATCH = 1, 2, 3
LENGTH_BYTES = 8
"""In front of a compressed buffer: its length once unpacked, or -1 where it is not packed."""
LITTLE_ENDIAN = 0
CODECS = {0: "lz4", 1: "zstd"}


@dataclass(frozen=True)
class RecordBatch:
    """One batch of rows, as its message describes it.

    Attributes
    ----------
    rows : int
    nodes : int64 array, shape (fields, 2)
        Length and null count of every array, children after their parents.
    buffers : int64 array, shape (buffers, 2)
        First byte in the file, and byte length, of every buffer.
    body_bytes : int
        Length of all buffers as stored.
    codec : str or None
        What each buffer is compressed with.
    little_endian : bool
    """

    rows: int
    nodes: Structs
    buffers: Structs
    body_bytes: int
    codec: str | None
    little_endian: bool


def read_batches(file: FileIO, size: int) -> list[RecordBatch]:
    """Return the record batches of an IPC file or stream, reading only its messages.

    Parameters
    ----------
    file : io.FileIO
    size : int
        Bytes in the file.

    Raises
    ------
    ValueError
        When a message is damaged or reaches beyond the end of the file.
    """
    file.seek(0)
    if file.read(len(FILE_MAGIC)) == FILE_MAGIC:
        return _batches_of_file(file, size)
    return _batches_of_stream(file, size)


def first_of(schema: pa.Schema, index: int) -> tuple[int, int] | None:
    """Return the first node and first buffer of a field, None after a type of varying layout."""
    nodes = buffers = 0
    for position in range(index):
        counts = _counts(schema.field(position).type)
        if counts is None:
            return None
        nodes, buffers = nodes + counts[0], buffers + counts[1]
    return nodes, buffers


class _Table:
    """A flatbuffers table: fields by number, each of which may be absent."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position
        self._slots = position - self._unpack("<i", position)

    def number(self, field: int, form: str) -> int:
        """Return an integer field, 0 where absent."""
        at = self.place(field)
        return 0 if at is None else self._unpack(form, at)

    def table(self, field: int) -> _Table | None:
        """Return a table field."""
        at = self.place(field)
        return None if at is None else _Table(self._data, at + self._unpack("<I", at))

    def structs(self, field: int, width: int) -> Structs:
        """Return a vector of structs of `width` int64."""
        at = self.place(field)
        if at is None:
            return np.empty((0, width), np.int64)
        at += self._unpack("<I", at)
        count = width * self._unpack("<I", at)
        found = np.frombuffer(self._data, "<i8", count, at + 4)
        return found.reshape(-1, width).astype(np.int64)

    def place(self, field: int) -> int | None:
        """Return where a field is stored, None where it is absent."""
        slot = 4 + 2 * field
        if slot >= self._unpack("<H", self._slots):
            return None
        offset = self._unpack("<H", self._slots + slot)
        return self._position + offset if offset else None

    def _unpack(self, form: str, at: int) -> int:
        # struct would count a negative position from the end.
        if not 0 <= at <= len(self._data) - struct.calcsize(form):
            raise ValueError("a message that refers beyond its end")
        return int(struct.unpack_from(form, self._data, at)[0])


def _batches_of_file(file: FileIO, size: int) -> list[RecordBatch]:
    """Return the record batches that the footer lists."""
    file.seek(size - FOOTER_END.size)
    length, _ = FOOTER_END.unpack(file.read(FOOTER_END.size))
    if not 0 < length <= min(MAX_METADATA_BYTES, size - FOOTER_END.size):
        raise ValueError(f"a footer of {length:,} bytes")
    file.seek(size - FOOTER_END.size - length)
    footer = _root(file.read(length))
    little = _is_little(footer.table(1))
    dictionaries, batches = footer.structs(2, 3), footer.structs(3, 3)
    for block in dictionaries.tolist():
        _check_dictionary(file, *_listed(file, block, size, DICTIONARY_BATCH), little)
    return [
        _batch(file, *_listed(file, block, size, RECORD_BATCH), little)
        for block in batches.tolist()
    ]


def _batches_of_stream(file: FileIO, size: int) -> list[RecordBatch]:
    """Return the record batches of all messages, from first to last."""
    batches = []
    little = True
    start = 0
    while start < size:
        found = _read_message(file, start, size)
        if found is None:
            _check_end(file, size)
            break
        message, body = found
        kind = message.number(1, "<B")
        if kind == SCHEMA:
            little = _is_little(message.table(2))
        elif kind == DICTIONARY_BATCH:
            _check_dictionary(file, message, body, little)
        elif kind == RECORD_BATCH:
            batches.append(_batch(file, message, body, little))
        else:
            raise ValueError(f"a message of unknown kind {kind}")
        start = body + message.number(3, "<q")
    return batches


def _check_end(file: FileIO, size: int) -> None:
    """Refuse what follows the end of a stream, but for padding: it may hold rows."""
    rest = size - file.tell()
    if rest >= ALIGNED or any(file.read(rest)):
        raise ValueError(f"{rest:,} bytes follow the end of the stream; store one stream a file")


def _batch(file: FileIO, message: _Table, body: int, little: bool) -> RecordBatch:
    """Return what a message with this body says about its batch."""
    return _content(file, message, message.table(2), body, little)


def _listed(file: FileIO, block: list[int], size: int, kind: int) -> tuple[_Table, int]:
    """Return a message that a footer lists, refused where it is not what is listed.

    A batch that is passed over would be rows that are missing without a word.
    """
    start, metadata, body_bytes = block
    # Four bytes of padding follow the length of the metadata.
    length = metadata & 0xFFFFFFFF
    if (start | length | body_bytes) % ALIGNED:
        raise ValueError("an unaligned message")
    found = _read_message(file, start, size)
    if found is None or found[0].number(1, "<B") != kind or found[1] != start + length:
        raise ValueError("the footer lists what is no record batch")
    return found


def _check_dictionary(file: FileIO, message: _Table, body: int, little: bool) -> None:
    """Refuse a message of categories that claims more than there is."""
    described = message.table(2)
    if described is not None:
        _content(file, message, described.table(1), body, little)


def _content(
    file: FileIO, message: _Table, content: _Table | None, body: int, little: bool
) -> RecordBatch:
    """Return the batch that a message describes, held against its body."""
    body_bytes = message.number(3, "<q")
    if content is None or content.number(0, "<q") < 0:
        raise ValueError("a record batch without rows")
    buffers = content.structs(2, 2)
    if (buffers < 0).any() or (buffers[:, 0] > body_bytes - buffers[:, 1]).any():
        raise ValueError("a buffer outside its record batch")
    nodes, rows = content.structs(1, 2), content.number(0, "<q")
    # A damaged count of rows would leave some out.
    if not len(nodes) or nodes[0, 0] != rows:
        raise ValueError("a record batch whose rows are not those of its first column")
    codec = _codec(content.table(3))
    if codec is not None:
        _check_unpacked(file, buffers + np.array([body, 0]))
    return RecordBatch(
        rows=rows,
        nodes=nodes,
        buffers=buffers + np.array([body, 0]),
        body_bytes=body_bytes,
        codec=codec,
        little_endian=little,
    )


def _check_unpacked(file: FileIO, buffers: Structs) -> None:
    """Refuse compressed buffers that claim to unpack to more than is held."""
    for start, length in buffers.tolist():
        if length:
            file.seek(start)
            claim = int.from_bytes(file.read(LENGTH_BYTES), "little", signed=True)
            if not -1 <= claim <= MAX_UNPACKED_BYTES:
                raise ValueError(
                    f"a buffer of {claim:,} bytes once unpacked, at most {MAX_UNPACKED_BYTES:,}; "
                    "smaller record batches can be read"
                )


def _codec(compression: _Table | None) -> str | None:
    """Return the name that pyarrow gives to a compression."""
    if compression is None:
        return None
    number = compression.number(0, "<b")
    if number not in CODECS:
        raise ValueError(f"a compression of unknown kind {number}")
    return CODECS[number]


def _is_little(schema: _Table | None) -> bool:
    return schema is None or schema.number(0, "<h") == LITTLE_ENDIAN


def _read_message(file: FileIO, start: int, size: int) -> tuple[_Table, int] | None:
    """Return a message and the byte at which its body starts, None at the end of a stream."""
    if not 0 <= start < size:
        raise ValueError("a message beyond the end of the file")
    file.seek(start)
    length = _read_length(file)
    # Before Arrow 0.15 the length came without a mark in front.
    if length == CONTINUATION:
        length = _read_length(file)
    if length == 0:
        return None
    if length > MAX_METADATA_BYTES:
        raise ValueError(f"a message of {length:,} bytes")
    data = file.read(length)
    message = _root(data)
    _verify(data, message)
    body = file.tell()
    if message.number(0, "<h") < OLDEST_VERSION:
        raise ValueError("metadata of a version older than 4")
    if not 0 <= message.number(3, "<q") <= size - body:
        raise ValueError("truncated: a message reaches beyond the end of the file")
    return message, body


def _verify(data: bytes, message: _Table) -> None:
    """Have pyarrow verify all of a message, its body left out.

    Batches that are read in place would not be seen by it.

    Raises
    ------
    pyarrow.ArrowException
    """
    length = message.place(3)
    if length is not None:
        data = data[:length] + bytes(8) + data[length + 8 :]
    pa.ipc.read_message(struct.pack("<II", CONTINUATION, len(data)) + data)


def _root(data: bytes) -> _Table:
    return _Table(data, int.from_bytes(data[:4], "little"))


def _read_length(file: FileIO) -> int:
    data = file.read(4)
    if len(data) < 4:
        raise ValueError("truncated within a message")
    return int.from_bytes(data, "little")


def _counts(kind: pa.DataType) -> tuple[int, int] | None:
    """Return how many nodes and buffers an array of this type has, None where that varies."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _counts(kind.storage_type)
    if types.is_dictionary(kind):
        return 1, 2
    if types.is_null(kind):
        return 1, 0
    if types.is_struct(kind) or types.is_fixed_size_list(kind):
        own = 1
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        own = 2
    elif kind.num_fields == 0 and kind.num_buffers in (2, 3) and not types.is_run_end_encoded(kind):
        # A view has further buffers, and pyarrow says that it has three.
        is_view = types.is_string_view(kind) or types.is_binary_view(kind)
        return None if is_view else (1, kind.num_buffers)
    else:
        return None
    nodes, buffers = 1, own
    for index in range(kind.num_fields):
        counts = _counts(kind.field(index).type)
        if counts is None:
            return None
        nodes, buffers = nodes + counts[0], buffers + counts[1]
    return nodes, buffers
