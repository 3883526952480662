"""One vector column of a table stored in groups of rows, beside columns that may be ids."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import numpy as np
import pyarrow as pa

from embaudit.data.arrow_columns import (
    NUMBERS,
    check_keys,
    choose_vectors,
    first_null,
    hash_keys,
    id_kind,
    is_vectors,
    key_kinds,
    key_value,
    misfits,
)
from embaudit.data.buffers import BufferRing, recut
from embaudit.data.embedding_set import check_array
from embaudit.data.files import FileStamp
from embaudit.data.ids import IdNames, Ids, KeyHashes, KeyKind, joined_checks
from embaudit.data.keyed import KeyedSet, repeats
from embaudit.datatypes import Mask, Rows, Span, Stored
from embaudit.errors import InputError

BATCH_BYTES = 1 << 20
"""Vectors decoded at once: 4 MB are no faster and cost 30 MB more memory."""

KEY_BATCH_ROWS = 16_384
"""Keys decoded at once: 32 MB if each were a text of 2 kB."""

MAX_ROWS = 1 << 40
"""A count beyond is damaged; work is planned by it before the first row is read."""

File = TypeVar("File")
"""The open file, as the format's library has it."""


class ColumnarSet(KeyedSet, Generic[File]):
    """The vectors in one list column of a file that stores a table.

    Null and ragged rows are found, and refused, by the first pass that meets them.

    Parameters
    ----------
    path : pathlib.Path
    uri : str, optional
        The source as the user typed it; default is `path`.
    column : str, optional
        Default is the only column that holds vectors.
    may_be_empty : bool
        Accept a table without rows, as one of several parts may be.

    Attributes
    ----------
    column : str
        Name of the vector column.

    Raises
    ------
    InputError
        When the file is missing, of another format, damaged or empty, or the column is not
        there, ambiguous or no list of numbers.
    """

    batch_bytes: ClassVar[int] = BATCH_BYTES

    def __init__(
        self,
        path: Path,
        uri: str | None = None,
        column: str | None = None,
        *,
        may_be_empty: bool = False,
    ) -> None:
        self.uri = str(path) if uri is None else uri
        self._stamp = FileStamp.of(path, self.uri)
        with self._opened() as file:
            schema = self._schema(file)
            field = choose_vectors(schema, column, self.uri)
            self.column: str = field.name
            self.dtype = NUMBERS[field.type.value_type]
            self._key_kinds = key_kinds(schema)
            self._group_starts = np.cumsum([0, *self._checked_sizes(file)])
            self.rows = int(self._group_starts[-1])
            self.dim = self._read_dim(file, field.type) if self.rows else 0
        if self.rows or not may_be_empty:
            check_array((self.rows, self.dim), self.dtype, self.uri)
        self._batch_rows = max(1, self.batch_bytes // (max(self.dim, 1) * self.dtype.itemsize))

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers; other row groups are skipped."""
        ring = BufferRing(spans, slots, self.dim, self.dtype)
        with self.pieces(self.groups_with(spans)) as pieces:
            yield from recut(pieces, spans, ring)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows` by batches: a filtered pass over the row groups that hold any."""
        wanted = self._no_groups()
        wanted[self._group_of(rows)] = True
        with self.pieces(wanted) as pieces:
            for first, vectors in pieces:
                start, stop = np.searchsorted(rows, (first, first + len(vectors)))
                if start < stop:
                    yield slice(int(start), int(stop)), vectors[rows[start:stop] - first]

    @contextmanager
    def pieces(self, wanted: Mask) -> Iterator[Iterator[tuple[int, Stored]]]:
        """Open the file for (first row, rows) of the wanted groups, which keep their values."""
        with self._opened() as file:
            yield self._vectors(file, wanted)

    def groups_with(self, spans: Sequence[Span]) -> Mask:
        """Mark the groups that hold a row of the spans."""
        marked = self._no_groups()
        for start, stop in spans:
            marked[self._group_of(start) : self._group_of(stop - 1) + 1] = True
        return marked

    def require_unchanged(self) -> None:
        """Refuse the file when it is no longer the one that was opened.

        Raises
        ------
        InputError
        """
        self._stamp.require_unchanged()

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
                if repeats(parts[-1]):
                    return None
        hashes = np.concatenate(parts)
        return None if repeats(hashes) else hashes

    def ids(self, column: str) -> Ids:
        """Return the ids of a column, read by batches; their hashes are held."""
        hashes, checks = [], []
        with self._opened() as file:
            kind = id_kind(self._schema(file), column, self.uri)
            for first, keys in self._values(file, column, KEY_BATCH_ROWS, ~self._no_groups()):
                if keys.null_count:
                    raise InputError(
                        f"{self.uri}: column {column!r} is null in row {first + first_null(keys)}; "
                        "every row needs an id"
                    )
                hashes.append(hash_keys(keys, kind))
                checks.append(check_keys(keys, kind))
        names = IdNames(partial(self.key_at, column), partial(self.keys_at, column))
        return Ids(self.uri, kind, np.concatenate(hashes), names, joined_checks(checks))

    def key_at(self, column: str, row: int) -> int | str | bytes:
        """Return the value of one row, reading its row group only."""
        wanted = self._no_groups()
        wanted[self._group_of(row)] = True
        with self._opened() as file:
            batches = self._values(file, column, KEY_BATCH_ROWS, wanted)
            first, keys = next(batch for batch in batches if row < batch[0] + len(batch[1]))
            return key_value(keys, self._key_kinds[column], row - first)

    def keys_at(self, column: str, rows: Rows) -> list[int | str | bytes]:
        """Return the values of ascending distinct rows, reading their row groups only."""
        kind, found = self._key_kinds[column], []
        wanted = self._no_groups()
        wanted[self._group_of(rows)] = True
        with self._opened() as file:
            for first, keys in self._values(file, column, KEY_BATCH_ROWS, wanted):
                start, stop = np.searchsorted(rows, (first, first + len(keys)))
                found += [key_value(keys, kind, row - first) for row in rows[start:stop].tolist()]
        return found

    def names(self) -> list[str]:
        """Return the names of all columns, those that occur twice too."""
        with self._opened() as file:
            return list(self._schema(file).names)

    def fields(self) -> list[pa.Field]:
        """Return every column whose name occurs once, in stored order, the vectors' included."""
        with self._opened() as file:
            schema = self._schema(file)
        names = list(schema.names)
        return [field for field in schema if names.count(field.name) == 1]

    def columns(self) -> dict[str, pa.DataType]:
        """Return every column that holds no vectors and whose name occurs once."""
        return {field.name: field.type for field in self.fields() if not is_vectors(field.type)}

    def values(self, column: str) -> Iterator[tuple[int, pa.Array]]:
        """Yield (first row, values) of a column, `KEY_BATCH_ROWS` at a time, of vectors fewer."""
        with self._opened() as file:
            vectors = is_vectors(self._schema(file).field(column).type)
            rows = self._batch_rows if vectors else KEY_BATCH_ROWS
            yield from self._values(file, column, rows, ~self._no_groups())

    @abstractmethod
    def _opened(self) -> AbstractContextManager[File]:
        """Open the file, refusing what its library cannot read."""

    @abstractmethod
    def _schema(self, file: File) -> pa.Schema:
        """Return the columns and their types."""

    @abstractmethod
    def _group_sizes(self, file: File) -> Sequence[int]:
        """Return the rows of each group, the least that can be read without what precedes it."""

    @abstractmethod
    def _values(
        self, file: File, column: str, batch_rows: int, wanted: Mask
    ) -> Iterator[tuple[int, pa.Array]]:
        """Yield (first row, values) of the wanted groups, at most `batch_rows` at a time."""

    def _checked_sizes(self, file: File) -> Sequence[int]:
        """Return the rows of each group, refused where there can be no such groups."""
        sizes = self._group_sizes(file)
        if min(sizes, default=0) < 0 or sum(sizes) > MAX_ROWS:
            raise InputError(
                f"{self.uri}: damaged: groups of {min(sizes):,} to {max(sizes):,} rows; write or "
                "copy it again"
            )
        return sizes

    def _read_dim(self, file: File, kind: pa.DataType) -> int:
        """Return the length of the vectors: the type's, else that of the first row."""
        if pa.types.is_fixed_size_list(kind):
            return int(kind.list_size)
        _, lists = next(self._values(file, self.column, 1, ~self._no_groups()))
        if lists.null_count:
            raise self._incomplete(0, "is null")
        if not len(lists.flatten()):
            raise self._incomplete(0, "is an empty list")
        return len(lists.flatten())

    def _vectors(self, file: File, wanted: Mask) -> Iterator[tuple[int, Stored]]:
        """Yield (first row, rows) of the wanted groups, checked, without copying."""
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

    def _no_groups(self) -> Mask:
        """Return a mask of the groups with none of them marked."""
        return np.zeros(len(self._group_starts) - 1, np.bool_)

    def _group_of(self, row: int | Rows) -> Rows:
        """Return the group of a row, or of each row."""
        return np.searchsorted(self._group_starts, row, side="right") - 1

    def _incomplete(self, row: int, fault: str) -> InputError:
        return InputError(
            f"{self.uri}: column {self.column!r} {fault} in row {row}; "
            "every row needs a whole vector: fill or remove what is missing"
        )
