"""One vector column of a Parquet file, streamed by batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embaudit.data.buffers import BufferRing, recut
from embaudit.data.embedding_set import EmbeddingSet, check_array
from embaudit.data.files import FileStamp
from embaudit.data.ids import Ids, KeyKind
from embaudit.data.keyed import KeyedSet, KeyHashes
from embaudit.data.parquet_columns import (
    NUMBERS,
    choose_vectors,
    digest_keys,
    first_null,
    hash_keys,
    id_kind,
    key_kinds,
    key_value,
    misfits,
)
from embaudit.datatypes import Mask, Rows, Span, Stored
from embaudit.errors import InputError

BATCH_BYTES = 4 << 20
"""Decoded vectors held at once: twice as much is no faster and costs 35 MB more memory."""

KEY_BATCH_ROWS = 16_384
"""Keys decoded at once: 32 MB if each were a text of 2 kB."""


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the vector column of `path`: the named one, else the only one.

    Raises
    ------
    InputError
        When the file is not readable Parquet or the column cannot be chosen.
    """
    return ParquetSet(path, uri, column)


class ParquetSet(KeyedSet):
    """The vectors in one list column of a ``.parquet`` file.

    Null and ragged rows are found, and refused, by the first pass that meets them.

    Parameters
    ----------
    path : pathlib.Path
    uri : str, optional
        The source as the user typed it; default is `path`.
    column : str, optional
        Default is the only column that holds vectors.

    Attributes
    ----------
    column : str
        Name of the vector column.

    Raises
    ------
    InputError
        When the file is missing, not Parquet, damaged or empty, or the column is not there,
        ambiguous or no list of numbers.
    """

    def __init__(self, path: Path, uri: str | None = None, column: str | None = None) -> None:
        self.uri = str(path) if uri is None else uri
        self._stamp = FileStamp.of(path, self.uri)
        with self._opened() as file:
            field = choose_vectors(file.schema_arrow, column, self.uri)
            self.column: str = field.name
            self.dtype = NUMBERS[field.type.value_type]
            self._key_kinds = key_kinds(file.schema_arrow)
            groups = range(file.metadata.num_row_groups)
            sizes = [file.metadata.row_group(group).num_rows for group in groups]
            self._group_starts = np.cumsum([0, *sizes])
            self.rows = int(self._group_starts[-1])
            self.dim = self._read_dim(file, field.type) if self.rows else 0
        check_array((self.rows, self.dim), self.dtype, self.uri)
        self._batch_rows = max(1, BATCH_BYTES // (self.dim * self.dtype.itemsize))

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers; other row groups are skipped."""
        ring = BufferRing(spans, slots, self.dim, self.dtype)
        wanted = self._no_groups()
        for start, stop in spans:
            wanted[self._group_of(start) : self._group_of(stop - 1) + 1] = True
        with self._opened() as file:
            yield from recut(self._vectors(file, wanted), spans, ring)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows` by batches: a filtered pass over the row groups that hold any."""
        wanted = self._no_groups()
        wanted[self._group_of(rows)] = True
        with self._opened() as file:
            for first, vectors in self._vectors(file, wanted):
                start, stop = np.searchsorted(rows, (first, first + len(vectors)))
                if start < stop:
                    yield slice(int(start), int(stop)), vectors[rows[start:stop] - first]

    def identity(self) -> tuple[str, ...]:
        """Return the resolved path and the column."""
        return (str(self._stamp.path), self.column)

    def key_columns(self) -> dict[str, KeyKind]:
        """Return the integer, text and binary columns."""
        return self._key_kinds

    def key_hashes(self, column: str) -> KeyHashes | None:
        """Return one hash a row, None as soon as a null or repeated value is met."""
        parts = []
        with self._opened() as file:
            for _, keys in self._values(file, column, KEY_BATCH_ROWS, ~self._no_groups()):
                if keys.null_count:
                    return None
                parts.append(hash_keys(keys, self._key_kinds[column]))
                # A category repeats within its first batch: no need to read on.
                if _repeats(parts[-1]):
                    return None
        hashes = np.concatenate(parts)
        return None if _repeats(hashes) else hashes

    def ids(self, column: str) -> Ids:
        """Return the ids of a column, read by batches; 16 bytes of each are held."""
        digests = []
        with self._opened() as file:
            kind = id_kind(file.schema_arrow, column, self.uri)
            for first, keys in self._values(file, column, KEY_BATCH_ROWS, ~self._no_groups()):
                if keys.null_count:
                    raise InputError(
                        f"{self.uri}: column {column!r} is null in row {first + first_null(keys)}; "
                        "every row needs an id"
                    )
                digests.append(digest_keys(keys, kind))
        return Ids(self.uri, kind, np.concatenate(digests), partial(self.key_at, column))

    def key_at(self, column: str, row: int) -> int | str | bytes:
        """Return the value of one row, reading its row group only."""
        wanted = self._no_groups()
        wanted[self._group_of(row)] = True
        with self._opened() as file:
            batches = self._values(file, column, KEY_BATCH_ROWS, wanted)
            first, keys = next(batch for batch in batches if row < batch[0] + len(batch[1]))
            return key_value(keys, self._key_kinds[column], row - first)

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        """Open the file so that a row group is streamed instead of loaded whole."""
        with (
            self._stamp.reading("Parquet", pa.ArrowException, UnicodeDecodeError),
            pq.ParquetFile(
                self._stamp.path,
                pre_buffer=False,
                buffer_size=1 << 20,
                page_checksum_verification=True,
            ) as file,
        ):
            yield file

    def _read_dim(self, file: pq.ParquetFile, kind: pa.DataType) -> int:
        """Return the length of the vectors: the type's, else that of the first row."""
        if pa.types.is_fixed_size_list(kind):
            return int(kind.list_size)
        _, lists = next(self._values(file, self.column, 1, ~self._no_groups()))
        if lists.null_count:
            raise self._incomplete(0, "is null")
        if not len(lists.flatten()):
            raise self._incomplete(0, "is an empty list")
        return len(lists.flatten())

    def _vectors(self, file: pq.ParquetFile, wanted: Mask) -> Iterator[tuple[int, Stored]]:
        """Yield (first row, rows) of the wanted row groups, checked, without copying."""
        batches = self._values(file, self.column, self._batch_rows, wanted)
        for first, lists in batches:
            if lists.null_count:
                raise self._incomplete(first + first_null(lists), "is null")
            misfit = misfits(lists, self.dim)
            if misfit.any():
                position = int(np.argmax(misfit))
                count = misfit.sum() + sum(misfits(rest, self.dim).sum() for _, rest in batches)
                raise InputError(
                    f"{self.uri}: column {self.column!r} is ragged: row {first + position} has "
                    f"length {len(lists[position])}, expected {self.dim} as in row 0 "
                    f"(rows of another length: {count:,}); fix or remove them"
                )
            # flatten() and not values, which ignores the slice that a batch may be.
            values = lists.flatten()
            if values.null_count:
                row, dimension = divmod(first_null(values), self.dim)
                raise self._incomplete(first + row, f"has a null at dimension {dimension}")
            yield first, values.to_numpy().reshape(-1, self.dim)

    def _values(
        self, file: pq.ParquetFile, column: str, batch_rows: int, wanted: Mask
    ) -> Iterator[tuple[int, pa.Array]]:
        """Yield (first row, values) of the wanted row groups, at most `batch_rows` at a time."""
        # Neighbouring groups are read as one run: small groups need not mean small batches.
        edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
        for start, stop in edges.reshape(-1, 2):
            row = int(self._group_starts[start])
            for batch in file.iter_batches(
                batch_rows, list(range(start, stop)), [column], use_threads=False
            ):
                yield row, batch.column(column)
                row += batch.num_rows
            if row != self._group_starts[stop]:
                raise InputError(
                    f"{self.uri}: damaged: column {column!r} ends at row {row}, the file "
                    f"promises {self._group_starts[stop]}; write or copy it again"
                )

    def _no_groups(self) -> Mask:
        """Return a mask of the row groups with none of them marked."""
        return np.zeros(len(self._group_starts) - 1, np.bool_)

    def _group_of(self, row: int | Rows) -> Rows:
        """Return the row group of a row, or of each row."""
        return np.searchsorted(self._group_starts, row, side="right") - 1

    def _incomplete(self, row: int, fault: str) -> InputError:
        return InputError(
            f"{self.uri}: column {self.column!r} {fault} in row {row}; "
            "every row needs a whole vector: fill or remove what is missing"
        )


def _repeats(hashes: KeyHashes) -> bool:
    """Tell whether a value occurs twice."""
    # np.unique goes through a hash table: a million keys take 0.65 s, sorting them 0.01 s.
    ordered = np.sort(hashes)
    return bool((ordered[1:] == ordered[:-1]).any())
