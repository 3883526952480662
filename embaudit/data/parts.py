"""Folders and globs of Parquet files, read as one set in the order of their names."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np

from embaudit.data.buffers import BufferRing
from embaudit.data.embedding_set import EmbeddingSet, check_array
from embaudit.data.files import brief
from embaudit.data.ids import Ids, KeyKind
from embaudit.data.keyed import KeyedSet, KeyHashes, repeats
from embaudit.data.parquet import ParquetSet
from embaudit.datatypes import Rows, Span, Stored
from embaudit.errors import InputError

SUFFIX = ".parquet"

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
        """Yield the rows of each span; those within one part are handed on as that yields them."""
        cuts = [self._cut(span) for span in spans]
        across = [span for span, cut in zip(spans, cuts, strict=True) if len(cut) != 1]
        ring = BufferRing(across, slots, self.dim, self.dtype)
        pieces = self._pieces([piece for cut in cuts for piece in cut], slots)
        for (start, stop), cut in zip(spans, cuts, strict=True):
            if len(cut) == 1:
                yield next(pieces)
                continue
            block = ring.take(stop - start)
            row = 0
            for _ in cut:
                piece = next(pieces)
                block[row : row + len(piece)] = piece
                row += len(piece)
            yield block
        # The last part is compared with its stamp once more when it is read to its end.
        next(pieces, None)

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

        def value_at(row: int) -> int | str | bytes:
            index, within = self._locate(row)
            return parts[index].value_at(within)

        digests = np.concatenate([part.digests for part in parts])
        return Ids(self.uri, parts[0].kind, digests, value_at)

    def key_at(self, column: str, row: int) -> int | str | bytes:
        """Return the value of one row, reading its part only."""
        index, within = self._locate(row)
        return self._parts[index].key_at(column, within)

    def _locate(self, row: int) -> tuple[int, int]:
        """Return the part of a row, and the row's number in it."""
        index = int(np.searchsorted(self._starts, row, side="right")) - 1
        return index, row - int(self._starts[index])

    def _cut(self, span: Span) -> list[tuple[int, Span]]:
        """Return (part, its rows) for every part that a span touches."""
        start, stop = span
        if start == stop:
            return []
        cut = []
        for index in range(self._locate(start)[0], self._locate(stop - 1)[0] + 1):
            first, last = self._starts[index : index + 2].tolist()
            cut.append((index, (max(start, first) - first, min(stop, last) - first)))
        return cut

    def _pieces(self, wanted: Sequence[tuple[int, Span]], slots: int) -> Iterator[Stored]:
        """Yield the rows of ascending (part, span), one part open at a time."""
        for index, cuts in itertools.groupby(wanted, key=itemgetter(0)):
            yield from self._parts[index].blocks([span for _, span in cuts], slots)


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
