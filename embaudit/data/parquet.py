"""One vector column of a Parquet file, streamed by batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embaudit.data.ahead import Ahead
from embaudit.data.columnar import ColumnarSet
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.parquet_pages import check_pages, read_chunks
from embaudit.datatypes import Mask, Stored
from embaudit.errors import InputError

BATCHES_AHEAD = 2
"""Batches decoded before they are asked for: more gains nothing within one file."""


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the vector column of `path`: the named one, else the only one.

    Raises
    ------
    InputError
        When the file is not readable Parquet or the column cannot be chosen.
    """
    return ParquetSet(path, uri, column)


class ParquetSet(ColumnarSet[pq.ParquetFile]):
    """The vectors in one list column of a ``.parquet`` file."""

    def __init__(
        self,
        path: Path,
        uri: str | None = None,
        column: str | None = None,
        *,
        may_be_empty: bool = False,
    ) -> None:
        self._counts: dict[str, list[int]] = {}
        super().__init__(path, uri, column, may_be_empty=may_be_empty)
        with self._opened() as file:
            self._require_whole_groups(file)

    @contextmanager
    def pieces(
        self, wanted: Mask, ahead: int = BATCHES_AHEAD
    ) -> Iterator[Iterator[tuple[int, Stored]]]:
        """Open the file and begin to decode the wanted row groups, some batches ahead of use."""
        with super().pieces(wanted) as found, Ahead(found, ahead) as pieces:
            yield pieces

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        """Open the file so that a row group is streamed instead of loaded whole."""
        with (
            self._stamp.reading("Parquet", pa.ArrowException, ValueError),
            pq.ParquetFile(
                self._stamp.path,
                pre_buffer=False,
                buffer_size=1 << 20,
                page_checksum_verification=True,
            ) as file,
        ):
            yield file

    def _schema(self, file: pq.ParquetFile) -> pa.Schema:
        return file.schema_arrow

    def _group_sizes(self, file: pq.ParquetFile) -> Sequence[int]:
        metadata = file.metadata
        return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]

    def _values(
        self, file: pq.ParquetFile, column: str, batch_rows: int, wanted: Mask
    ) -> Iterator[tuple[int, pa.Array]]:
        """Yield (first row, values) of the wanted row groups, at most `batch_rows` at a time."""
        if column not in self._counts:
            self._counts[column] = self._checked_counts(file, column)
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

    def _checked_counts(self, file: pq.ParquetFile, column: str) -> list[int]:
        """Return how many values of a column the row groups hold, its pages held against the file.

        Raises
        ------
        InputError, ValueError
            For pages that claim more than is held, and for ids of which there is not one a row.
        """
        counts = []
        # By its type: a list may be stored in one level, as the first writers did.
        kinds = [field.type for field in file.schema_arrow if field.name == column]
        flat = not any(pa.types.is_nested(kind) for kind in kinds)
        with self._stamp.path.open("rb") as raw:
            for group, chunks in enumerate(read_chunks(raw, self._stamp.size)):
                # The values of a list are nested in its column.
                mine = [chunk for chunk in chunks if chunk.path[0] == column]
                if not mine or group + 1 >= len(self._group_starts):
                    raise ValueError("a footer of row groups without their columns")
                for chunk in mine:
                    check_pages(raw, chunk)
                rows = int(np.diff(self._group_starts[group : group + 2])[0])
                if flat and mine[0].values != rows:
                    raise self._contradicted(column, group)
                counts.append(mine[0].values)
        return counts

    def _require_whole_groups(self, file: pq.ParquetFile) -> None:
        """Refuse row groups that hold more or fewer vectors than they have rows.

        pyarrow reads as many as there are rows, and from there on rows are not where they are
        said to be.
        """
        if self.column not in self._counts:
            self._counts[self.column] = self._checked_counts(file, self.column)
        held = np.array(self._counts[self.column], np.int64)
        odd = held != np.diff(self._group_starts) * self.dim
        if odd.any():
            # Nulls and lists of another length say so themselves.
            for _ in self._vectors(file, odd):
                pass
            raise self._contradicted(self.column, int(np.argmax(odd)))

    def _contradicted(self, column: str, group: int) -> InputError:
        return InputError(
            f"{self.uri}: damaged: row group {group} holds another number of values in column "
            f"{column!r} than its rows; write or copy it again"
        )
