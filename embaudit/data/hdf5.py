"""One dataset of an HDF5 file: in place where it is contiguous, else by whole chunks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embaudit.data.buffers import BufferRing, recut
from embaudit.data.embedding_set import EmbeddingSet, check_array
from embaudit.data.files import FileStamp, brief
from embaudit.data.members import Member, choose_member
from embaudit.data.raw import RawSet
from embaudit.data.raw_layouts import RawMatrix, RowMajor
from embaudit.datatypes import Rows, Span, Stored
from embaudit.errors import InputError

if TYPE_CHECKING:
    import h5py

WINDOW_BYTES = 4 << 20
"""Rows read at once, rounded up to whole chunks."""

MAX_WINDOW_BYTES = 1 << 30
"""A chunk is unpacked whole, so that larger ones would take more memory than an audit may."""

FAILURES = (RuntimeError, ValueError, KeyError, TypeError)
"""What h5py raises on a damaged file, besides ``OSError``."""


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the dataset named `column`, else the only one or only matrix of `path`.

    Raises
    ------
    InputError
        When h5py is missing, the file is damaged, or the dataset cannot be chosen or is no
        matrix of numbers stored in this file.
    """
    stamp = FileStamp.of(path, uri)
    with _opened(stamp) as file:
        members = _members(file)
        named = None if column is None else column.strip("/")
        name = choose_member(members, named, "dataset", uri)
        member = members[name]
        if member.dtype == UNKNOWN:
            raise InputError(
                f"{uri}: dataset {brief(name)!r} holds text or values without a numpy type; "
                "store the vectors as a 2-D dataset of float32"
            )
        dataset = file[name]
        check_array(member.shape, dataset.dtype, uri)
        _require_stored_here(dataset, uri)
        matrix = _contiguous(dataset)
        if matrix is not None:
            return RawSet(stamp, RowMajor(matrix, stamp), "HDF5", name)
        return ChunkedSet(stamp, name, dataset)


class ChunkedSet(EmbeddingSet):
    """A matrix stored in chunks, each of which may be packed.

    Parameters
    ----------
    stamp : FileStamp
    name : str
        Path of the dataset within the file.
    dataset : h5py.Dataset
        It, open, checked to be a matrix.

    Raises
    ------
    InputError
        When the chunks are too large to unpack.
    """

    def __init__(self, stamp: FileStamp, name: str, dataset: h5py.Dataset) -> None:
        self.uri = stamp.uri
        self.rows, self.dim = dataset.shape
        self.dtype = dataset.dtype.newbyteorder("=")
        self._stamp = stamp
        self._name = name
        self._window_rows = self._rows_at_once(dataset)
        # A window is read once and whole, which HDF5's own cache of chunks only slows; but parts
        # of rows it would read one by one from a chunk that fits no cache.
        is_split = dataset.chunks is not None and dataset.chunks[1] < self.dim
        self._cache_bytes = math.prod(dataset.chunks) * self.dtype.itemsize if is_split else 0

    @property
    def held_bytes(self) -> int:
        """Bytes of a window of chunks, and of HDF5's cache of them."""
        rows = min(self._window_rows, self.rows)
        return rows * self.dim * self.dtype.itemsize + self._cache_bytes

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers."""
        ring = BufferRing(spans, slots, self.dim, self.dtype)
        wanted = np.zeros(-(-self.rows // self._window_rows), np.bool_)
        for start, stop in spans:
            wanted[start // self._window_rows : -(-stop // self._window_rows)] |= start < stop
        with self._dataset() as dataset:
            yield from recut(self._windows(dataset, np.flatnonzero(wanted)), spans, ring)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows` by blocks, reading the windows that hold any."""
        with self._dataset() as dataset:
            windows = np.unique(rows // self._window_rows)
            for first, block in self._windows(dataset, windows):
                start, stop = np.searchsorted(rows, (first, first + len(block)))
                yield slice(int(start), int(stop)), block[rows[start:stop] - first]

    def identity(self) -> tuple[str, ...]:
        """Return the resolved path and the name of the dataset."""
        return (str(self._stamp.path), self._name)

    def require_unchanged(self) -> None:
        """Refuse the file when it is no longer the one that was opened.

        Raises
        ------
        InputError
        """
        self._stamp.require_unchanged()

    @contextmanager
    def _dataset(self) -> Iterator[h5py.Dataset]:
        with _opened(self._stamp, self._cache_bytes) as file:
            yield file[self._name]

    def _windows(self, dataset: h5py.Dataset, windows: Rows) -> Iterator[tuple[int, Stored]]:
        """Yield (first row, rows) of windows by their numbers; each is void after the next."""
        buffer = np.empty((min(self._window_rows, self.rows), self.dim), self.dtype)
        for first in (windows * self._window_rows).tolist():
            block = buffer[: self.rows - first]
            dataset.read_direct(block, np.s_[first : first + len(block)])
            yield first, block

    def _rows_at_once(self, dataset: h5py.Dataset) -> int:
        """Return how many rows a window has: whole chunks, so that each is unpacked once."""
        chunk_rows, chunk_dim = dataset.chunks or (1, 1)
        window_bytes = chunk_rows * max(chunk_dim, self.dim) * self.dtype.itemsize
        if window_bytes > MAX_WINDOW_BYTES:
            raise InputError(
                f"{self.uri}: chunks of {chunk_rows:,} rows, {window_bytes:,} bytes; "
                f"at most {MAX_WINDOW_BYTES:,} are held: store it in smaller chunks"
            )
        return int(chunk_rows * max(1, WINDOW_BYTES // window_bytes))


UNKNOWN = "unknown"
"""Type of a dataset that numpy holds as objects, or not at all."""


@contextmanager
def _opened(stamp: FileStamp, cache_bytes: int = 0) -> Iterator[h5py.File]:
    try:
        import h5py
    except ImportError:
        raise InputError(
            f"{stamp.uri}: HDF5 needs the package h5py; pip install 'embaudit[hdf5]'"
        ) from None
    with (
        stamp.reading("HDF5", *FAILURES),
        h5py.File(stamp.path, "r", rdcc_nbytes=cache_bytes) as file,
    ):
        yield file


def _members(file: h5py.File) -> dict[str, Member]:
    """Describe the datasets of a file; links into other files are not followed."""
    import h5py

    members = {}

    def describe(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            members[name] = Member(item.shape or (), _type_name(item))

    file.visititems(describe)
    return members


def _type_name(dataset: h5py.Dataset) -> str:
    try:
        dtype = dataset.dtype
    except TypeError:
        return UNKNOWN
    return UNKNOWN if dtype.hasobject else str(dtype.newbyteorder("=").name)


def _require_stored_here(dataset: h5py.Dataset, uri: str) -> None:
    """Refuse a dataset whose values lie in other files, or were never written.

    A few bytes can claim any number of rows that read as zeros.
    """
    if dataset.is_virtual or dataset.external:
        raise InputError(
            f"{uri}: dataset {brief(dataset.name)!r} lies in other files; copy it into one file"
        )
    if dataset.chunks is None:
        # dataset.nbytes counts numpy's type, which may be wider than the stored one.
        whole, unit = dataset.size * dataset.id.get_type().get_size(), "bytes"
        held = dataset.id.get_storage_size()
    else:
        held, unit = dataset.id.get_num_chunks(), "chunks"
        sizes = zip(dataset.shape, dataset.chunks, strict=True)
        whole = math.prod(-(-length // chunk) for length, chunk in sizes)
        _require_whole_chunks(dataset, uri)
    if held < whole:
        raise InputError(
            f"{uri}: dataset {brief(dataset.name)!r} has {held:,} of {whole:,} {unit}: the rest "
            "was never written; write the file again"
        )


def _require_whole_chunks(dataset: h5py.Dataset, uri: str) -> None:
    """Refuse chunks that are not packed and too short.

    HDF5 fills them up with whatever its memory holds.
    """
    from h5py import h5z

    if not hasattr(dataset.id, "chunk_iter"):
        # HDF5 older than 1.12.3, which only a build of one's own has.
        return
    filters = dataset.id.get_create_plist()
    codes = [filters.get_filter(index)[0] for index in range(filters.get_nfilters())]
    same_size = (h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32)
    packing = sum(1 << index for index, code in enumerate(codes) if code not in same_size)
    whole = math.prod(dataset.chunks) * dataset.id.get_type().get_size()

    def is_short(chunk: h5py.h5d.StoreInfo) -> bool | None:
        # A chunk's mask has the filters that were left out. None goes on to the next.
        return (not packing & ~chunk.filter_mask and chunk.size < whole) or None

    if dataset.id.chunk_iter(is_short):
        raise InputError(
            f"{uri}: dataset {brief(dataset.name)!r} has a chunk of less than its {whole:,} "
            "bytes; write the file again"
        )


def _contiguous(dataset: h5py.Dataset) -> RawMatrix | None:
    """Return where a contiguous dataset lies, None for any other.

    Types that numpy has no exact equivalent of are left for HDF5 to convert.
    """
    from h5py import h5t

    offset = dataset.id.get_offset()
    if offset is None or not dataset.id.get_type().equal(h5t.py_create(dataset.dtype)):
        return None
    rows, dim = dataset.shape
    return RawMatrix(rows, dim, dataset.dtype, offset=offset)
