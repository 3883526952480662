"""Folders and globs of Parquet files, read as one set in the order of their names."""

from __future__ import annotations

import glob
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from embaudit.data.ahead import begun_early
from embaudit.data.buffers import BufferRing, recut
from embaudit.data.embedding_set import EmbeddingSet, check_array
from embaudit.data.files import brief
from embaudit.data.ids import IdNames, Ids, KeyHashes, KeyKind, joined_checks
from embaudit.data.keyed import KeyedSet, repeats
from embaudit.data.parquet import ParquetSet
from embaudit.datatypes import Rows, Span, Stored
from embaudit.errors import InputError

SUFFIX = ".parquet"

BATCHES_AHEAD = 8
"""Batches of a part decoded while the part before it is read: 8 MB, each by one thread."""

ASIDE = (".", "_")
"""Names that start so are no data: ``_SUCCESS``, ``_metadata``, ``.part-0.parquet.crc``."""


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the parts in a folder, or those that a glob pattern matches.

    Parameters
    ----------
    path : pathlib.Path
        An existing folder, else a pattern (``*``, ``?``, ``[...]`` and ``**``).
    uri : str
        The source as the user typed it.
    column : str, optional
        Default is the only column of the first part that holds vectors.

    Raises
    ------
    InputError
        When there is no part, or parts do not fit together.
    """
    paths = _in_folder(path, uri) if path.is_dir() else _matching(path, uri)
    first = _open_part(paths[0], column)
    return PartsSet([first, *(_open_part(part, first.column) for part in paths[1:])], uri)


class PartsSet(KeyedSet):
    """Parquet files with the same columns, one after the other.

    Parameters
    ----------
    parts : sequence of ParquetSet
        At least one; those without rows are left out.
    uri : str
        The source as the user typed it.

    Raises
    ------
    InputError
        When a part has vectors of another column, type or dimension than the first, or when no
        part has a row.
    """

    def __init__(self, parts: Sequence[ParquetSet], uri: str) -> None:
        self.uri = uri
        first = next((part for part in parts if part.rows), parts[0])
        self._parts = [part for part in parts if part.rows]
        for part in self._parts:
            _require_alike(part, first)
        self.column, self.dim, self.dtype = first.column, first.dim, first.dtype
        self._starts = np.cumsum([0, *(part.rows for part in self._parts)])
        self.rows = int(self._starts[-1])
        check_array((self.rows, self.dim), self.dtype, uri)

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span from `slots` reused buffers."""
        ring = BufferRing(spans, slots, self.dim, self.dtype)
        wanted = self._cut(spans)
        with closing(self._pieces(wanted)) as pieces:
            yield from recut(pieces, spans, ring)
        # Parts are decoded ahead, and the last one seldom to its end.
        for index, _ in wanted:
            self._parts[index].require_unchanged()

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield `rows` by blocks, part by part."""
        bounds = np.searchsorted(rows, self._starts).tolist()
        for index, part in enumerate(self._parts):
            first, last = bounds[index], bounds[index + 1]
            if first < last:
                for positions, block in part.gather(rows[first:last] - self._starts[index]):
                    yield slice(first + positions.start, first + positions.stop), block

    def identity(self) -> tuple[str, ...]:
        """Return the resolved paths of the parts, as one text, and the column."""
        return (os.pathsep.join(part.identity()[0] for part in self._parts), self.column)

    def files(self) -> list[Path]:
        """Return the parts."""
        return [path for part in self._parts for path in part.files()]

    def require_unchanged(self) -> None:
        """Refuse the parts when one of them is no longer what was opened.

        Raises
        ------
        InputError
        """
        for part in self._parts:
            part.require_unchanged()

    def key_columns(self) -> dict[str, KeyKind]:
        """Return the integer, text and binary columns that every part has."""
        others = [part.key_columns() for part in self._parts[1:]]
        return {
            column: kind
            for column, kind in self._parts[0].key_columns().items()
            if all(kinds.get(column) is kind for kinds in others)
        }

    def key_hashes(self, column: str) -> KeyHashes | None:
        """Return one hash a row, None when a value is null or repeats within or across parts."""
        found = []
        for part in self._parts:
            hashes = part.key_hashes(column)
            if hashes is None:
                return None
            found.append(hashes)
        joined = np.concatenate(found)
        return None if repeats(joined) else joined

    def ids(self, column: str) -> Ids:
        """Return the ids of a column, part by part."""
        parts = [part.ids(column) for part in self._parts]
        for part in parts[1:]:
            if part.kind is not parts[0].kind:
                raise InputError(
                    f"{part.uri}: column {column!r} holds {part.kind} but {parts[0].kind} in "
                    f"{parts[0].uri}; store the ids of all parts as one type"
                )
        hashes = np.concatenate([part.hashes for part in parts])
        names = IdNames(partial(self.key_at, column), partial(self._keys_at, column))
        checks = joined_checks([part.checks for part in parts])
        return Ids(self.uri, parts[0].kind, hashes, names, checks)

    def key_at(self, column: str, row: int) -> int | str | bytes:
        """Return the value of one row, reading its part only."""
        index, within = self._locate(row)
        return self._parts[index].key_at(column, within)

    def names(self) -> list[str]:
        """Return the names of the columns that any part has."""
        return list(dict.fromkeys(name for part in self._parts for name in part.names()))

    def fields(self) -> list[pa.Field]:
        """Return the columns that every part has with one type."""
        others = [{field.name: field.type for field in part.fields()} for part in self._parts[1:]]
        return [
            field
            for field in self._parts[0].fields()
            if all(kinds.get(field.name) == field.type for kinds in others)
        ]

    def columns(self) -> dict[str, pa.DataType]:
        """Return the columns without vectors that every part has with one type."""
        others = [part.columns() for part in self._parts[1:]]
        return {
            column: kind
            for column, kind in self._parts[0].columns().items()
            if all(kinds.get(column) == kind for kinds in others)
        }

    def values(self, column: str) -> Iterator[tuple[int, pa.Array]]:
        """Yield (first row, values) of a column, part by part."""
        for start, part in zip(self._starts.tolist(), self._parts, strict=False):
            for first, values in part.values(column):
                yield start + first, values

    def _keys_at(self, column: str, rows: Rows) -> list[int | str | bytes]:
        found: list[int | str | bytes] = []
        bounds = np.searchsorted(rows, self._starts).tolist()
        for index, part in enumerate(self._parts):
            within = rows[bounds[index] : bounds[index + 1]] - self._starts[index]
            found += part.keys_at(column, within) if len(within) else []
        return found

    def _locate(self, row: int) -> tuple[int, int]:
        """Return the part of a row, and the row's number in it."""
        index = int(np.searchsorted(self._starts, row, side="right")) - 1
        return index, row - int(self._starts[index])

    def _cut(self, spans: Sequence[Span]) -> list[tuple[int, list[Span]]]:
        """Return (part, spans within it) for the parts that any span touches, ascending."""
        cut: dict[int, list[Span]] = {}
        for start, stop in spans:
            if start == stop:
                continue
            for index in range(self._locate(start)[0], self._locate(stop - 1)[0] + 1):
                first, last = self._starts[index : index + 2].tolist()
                within = (max(start, first) - first, min(stop, last) - first)
                cut.setdefault(index, []).append(within)
        return list(cut.items())

    def _pieces(
        self, wanted: Sequence[tuple[int, list[Span]]]
    ) -> Generator[tuple[int, Stored], None, None]:
        """Yield (first row, rows) of the wanted parts; each is begun while the last is read."""
        parts = [(self._parts[index], spans) for index, spans in wanted]
        opened = begun_early(
            part.pieces(part.groups_with(spans), BATCHES_AHEAD) for part, spans in parts
        )
        with closing(opened):
            for (index, _), pieces in zip(wanted, opened, strict=True):
                start = int(self._starts[index])
                try:
                    for first, rows in pieces:
                        yield start + first, rows
                except Exception as error:
                    # Only the part itself can say what a failure of its library means.
                    opened.throw(error)


def _in_folder(folder: Path, uri: str) -> list[Path]:
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise InputError(f"{uri}: cannot be opened: {brief(error)}; check the path") from None
    paths = [folder / name for name in sorted(names) if _is_part(folder / name)]
    if not paths:
        raise InputError(
            f"{uri}: a folder without {SUFFIX} files; expected a single file, a folder that holds "
            f"the parts itself, or a pattern like '{folder}/**/*{SUFFIX}'"
        )
    return paths


def _matching(pattern: Path, uri: str) -> list[Path]:
    found = [Path(name) for name in glob.glob(str(pattern), recursive=True)]
    paths = sorted(path for path in found if not path.name.startswith(ASIDE))
    if not paths:
        raise InputError(f"{uri}: no file matches the pattern; check it, and quote it in a shell")
    for path in paths:
        if not _is_part(path):
            raise InputError(
                f"{uri}: matches {brief(path)}, which is no {SUFFIX} file; "
                f"narrow the pattern, to *{SUFFIX} for instance"
            )
    return paths


def _is_part(path: Path) -> bool:
    aside = path.name.startswith(ASIDE)
    return path.suffix.lower() == SUFFIX and not aside and not path.is_dir()


def _open_part(path: Path, column: str | None) -> ParquetSet:
    return ParquetSet(path, str(path), column, may_be_empty=True)


def _require_alike(part: ParquetSet, first: ParquetSet) -> None:
    """Refuse a part whose vectors differ in column, type or dimension from the first part's."""
    described = [
        f"column {each.column!r} of {each.dim} x {each.dtype.name}" for each in (part, first)
    ]
    if described[0] != described[1]:
        raise InputError(
            f"{part.uri}: vectors in {described[0]}, but {described[1]} in {first.uri}; "
            "parts must be alike: write them again or name one --column"
        )
