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
from embaudit.data.parquet_pages import check_pages
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

    _checked: frozenset[str] = frozenset()
    """Columns whose pages claim no more than there is."""

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
        self._check_pages(file.metadata, column)
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

    def _check_pages(self, metadata: pq.FileMetaData, column: str) -> None:
        """Look at every page of a column once, before pyarrow makes room for what it claims."""
        if column in self._checked:
            return
        with self._stamp.path.open("rb") as file:
            for group in range(metadata.num_row_groups):
                row_group = metadata.row_group(group)
                for index in range(row_group.num_columns):
                    chunk = row_group.column(index)
                    # A list's values are stored as ``column.list.element``.
                    if f"{chunk.path_in_schema}.".startswith(f"{column}."):
                        check_pages(file, chunk)
        self._checked |= {column}
