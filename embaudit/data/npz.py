"""One array of an NPZ archive: read in place where it is stored, unpacked where compressed."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from embaudit.data.embedding_set import ArraySet, EmbeddingSet
from embaudit.data.files import FileStamp, brief
from embaudit.data.members import Member, choose_member
from embaudit.data.npy_header import read_claim, read_header
from embaudit.data.raw import RawSet, layout_of
from embaudit.data.raw_layouts import RawMatrix
from embaudit.datatypes import Stored
from embaudit.errors import InputError

UNPACKED_BYTES = 1 << 30
"""Most memory that a compressed array may take, as it can be read only from its start."""

READ_BYTES = 1 << 20
SUFFIX = ".npy"

NAME_LENGTHS = struct.Struct("<26xHH")
"""The end of a local file header: how long the name and the extra field behind it are."""

FAILURES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    # An encrypted member, or a compression that zipfile does not know.
    RuntimeError,
    ValueError,
    struct.error,
)
"""What zipfile raises on a file that is damaged or of a kind that it cannot read."""


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the array named `column`, else the only array or only matrix of `path`.

    Raises
    ------
    InputError
        When the archive is damaged, the array cannot be chosen, is no matrix of numbers, or is
        compressed and too large to unpack.
    """
    stamp = FileStamp.of(path, uri)
    with _opened(stamp) as archive:
        entries = _entries(archive, uri)
        name = choose_member(_members(archive, entries, column, uri), column, "array", uri)
        entry = entries[name]
        with archive.open(entry) as file:
            matrix = read_header(file, entry.file_size, uri)
        if entry.compress_type != zipfile.ZIP_STORED:
            return UnpackedSet(_unpack(archive, entry, matrix, uri), stamp, name)
        start = _data_start(stamp, entry)
    matrix = replace(matrix, offset=start + matrix.offset)
    return RawSet(stamp, layout_of(matrix, stamp), "NPZ", name)


class UnpackedSet(ArraySet):
    """An array that was unpacked into memory."""

    def __init__(self, array: Stored, stamp: FileStamp, name: str) -> None:
        super().__init__(array, stamp.uri)
        self._identity = (str(stamp.path), name)
        self._stamp = stamp

    @property
    def held_bytes(self) -> int:
        """Bytes of the whole array."""
        return self.rows * self.dim * self.dtype.itemsize

    def require_unchanged(self) -> None:
        """Refuse the file when it is no longer the one that was opened.

        Raises
        ------
        InputError
        """
        self._stamp.require_unchanged()

    def identity(self) -> tuple[str, ...]:
        """Return the resolved path and the name within the archive."""
        return self._identity


@contextmanager
def _opened(stamp: FileStamp) -> Iterator[zipfile.ZipFile]:
    with stamp.reading("NPZ", *FAILURES), zipfile.ZipFile(stamp.path) as archive:
        yield archive


def _entries(archive: zipfile.ZipFile, uri: str) -> dict[str, zipfile.ZipInfo]:
    """Return the arrays of the archive by name."""
    arrays = [entry for entry in archive.infolist() if entry.filename.endswith(SUFFIX)]
    names = Counter(entry.filename.removesuffix(SUFFIX) for entry in arrays)
    for name, count in names.items():
        if count > 1:
            raise InputError(f"{uri}: {count} arrays named {brief(name)!r}; rename them")
    return {entry.filename.removesuffix(SUFFIX): entry for entry in arrays}


def _members(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], named: str | None, uri: str
) -> dict[str, Member]:
    """Describe the arrays, reading the headers where several could be meant."""
    if named in entries or (named is None and len(entries) == 1):
        return dict.fromkeys(entries, Member((), "unknown"))
    members = {}
    for name, entry in entries.items():
        with archive.open(entry) as file:
            shape, _, dtype = read_claim(file, f"{uri}: array {brief(name)!r}")
        members[name] = Member(shape, dtype.newbyteorder("=").name)
    return members


def _data_start(stamp: FileStamp, entry: zipfile.ZipInfo) -> int:
    """Return the byte at which a stored member starts, which only its local header tells."""
    with stamp.path.open("rb") as file:
        file.seek(entry.header_offset)
        name, extra = NAME_LENGTHS.unpack(file.read(NAME_LENGTHS.size))
    start = int(entry.header_offset + NAME_LENGTHS.size + name + extra)
    if entry.compress_size != entry.file_size or start + entry.file_size > stamp.size:
        raise InputError(
            f"{stamp.uri}: damaged: {brief(entry.filename)!r} is said to end behind the end of "
            "the file; write or copy it again"
        )
    return start


def _unpack(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, matrix: RawMatrix, uri: str
) -> Stored:
    """Return a compressed matrix as an array."""
    size = entry.file_size - matrix.offset
    if size > UNPACKED_BYTES:
        raise InputError(
            f"{uri}: a compressed array of {size:,} bytes, at most {UNPACKED_BYTES:,} are "
            "unpacked; save it with np.savez or np.save"
        )
    shape = (matrix.rows, matrix.dim)
    array = np.empty(shape, matrix.dtype, order="F" if matrix.fortran_order else "C")
    missing = array.reshape(-1, order="A").view(np.uint8).data
    with archive.open(entry) as file:
        file.seek(matrix.offset)
        while len(missing):
            chunk = file.read(min(READ_BYTES, len(missing)))
            if not chunk:
                raise EOFError(f"{entry.filename} ends early")
            missing[: len(chunk)] = chunk
            missing = missing[len(chunk) :]
        # The checksum is compared when the end is met.
        file.read(1)
    return array
