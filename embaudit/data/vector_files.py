"""Writing vectors block by block: NPY, or Parquet with the other columns of their source."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.files import brief
from embaudit.data.keyed import KeyedSet
from embaudit.datatypes import Rows
from embaudit.destinations import replacing
from embaudit.errors import InputError, UsageError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".npy", ".parquet")
DTYPES = ("float32", "float16")
GROUP_BYTES = 64 << 20
"""Vectors of one row group of a Parquet file."""
COLUMN = "embedding"
"""Name of a vector column that had none."""

Block = NDArray[Any]


class VectorFile(ABC):
    """A file that grows by blocks of rows."""

    @abstractmethod
    def write(self, block: Block) -> None:
        """Append rows, shape (m, dim); the block may be reused afterwards."""

    def write_at(self, first: int, block: Block) -> bool:
        """Write the rows from row `first` on where the format has them in any order.

        Any thread may call it; each row is written once, by this or by `write`, not both.

        Returns
        -------
        bool
            Whether they are written; if not, `write` is to append them in their turn.
        """
        return False


def check_vector_file(given: str, path: Path, dtype: str) -> None:
    """Refuse a suffix or type of numbers that vectors are not written in.

    Raises
    ------
    UsageError
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"{given}: vectors are written as {' or '.join(SUFFIXES)}, not "
            f"{repr(path.suffix) if suffix else 'without a suffix'}; rename the file"
        )
    if dtype not in DTYPES:
        raise UsageError(
            f"--dtype {dtype}: expected {' or '.join(DTYPES)}{did_you_mean(dtype, DTYPES)}"
        )


def new_vector_file(
    path: Path,
    rows: int,
    dim: int,
    dtype: str,
    beside: EmbeddingSet | None = None,
    chosen: Rows | None = None,
) -> AbstractContextManager[VectorFile]:
    """Open a file for `rows` vectors; it appears when the ``with`` block ends well.

    Parameters
    ----------
    path : pathlib.Path
        Its suffix, one of `SUFFIXES`, decides the format.
    rows, dim : int
    dtype : "float32" or "float16"
    beside : EmbeddingSet, optional
        What the vectors were made of, row for row: its other columns go into a Parquet file.
    chosen : int64 array, shape (rows,), optional
        Which of its rows they are, ascending; default is all.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    if path.suffix.lower() == ".npy":
        return _npy(path, rows, dim, np.dtype(dtype))
    source = _Beside(beside, chosen) if isinstance(beside, KeyedSet) else None
    return _parquet(path, dim, np.dtype(dtype), source)


class _Npy(VectorFile):
    """A stream whose header is written; rows follow it at equal distances."""

    def __init__(self, stream: BinaryIO, dim: int, dtype: np.dtype[Any]) -> None:
        self._stream, self._dtype = stream, dtype
        self._begin = stream.tell()
        self._width = dim * dtype.itemsize
        self._turn = threading.Lock()

    def write(self, block: Block) -> None:
        self._stream.write(np.ascontiguousarray(block, self._dtype).data)

    def write_at(self, first: int, block: Block) -> bool:
        # Most file systems take one block of a file at a time as well.
        with self._turn:
            self._stream.seek(self._begin + first * self._width)
            self.write(block)
        return True


@contextmanager
def _npy(path: Path, rows: int, dim: int, dtype: np.dtype[Any]) -> Iterator[VectorFile]:
    header = {"descr": dtype.newbyteorder("<").str, "fortran_order": False, "shape": (rows, dim)}
    with replacing(path) as temporary, temporary.open("xb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        yield _Npy(stream, dim, dtype.newbyteorder("<"))


class _Parquet(VectorFile):
    """Row groups of vectors and the columns beside them."""

    def __init__(self, writer: Any, schema: pa.Schema, column: str, beside: _Beside | None) -> None:  # noqa: ANN401
        self._writer, self._schema, self._column, self._beside = writer, schema, column, beside
        kind = schema.field(column).type
        self._dtype = np.dtype(kind.value_type.to_pandas_dtype())
        self._dim: int = kind.list_size
        most = max(1, GROUP_BYTES // (self._dim * self._dtype.itemsize))
        self._group = np.empty((most, self._dim), self._dtype)
        self._held = 0

    def write(self, block: Block) -> None:
        written = 0
        while written < len(block):
            taken = min(len(self._group) - self._held, len(block) - written)
            self._group[self._held : self._held + taken] = block[written : written + taken]
            self._held += taken
            written += taken
            if self._held == len(self._group):
                self.flush()

    def flush(self) -> None:
        """Write what is held as a row group."""
        import pyarrow as pa

        if not self._held:
            return
        values = pa.array(self._group[: self._held].reshape(-1))
        arrays = {self._column: pa.FixedSizeListArray.from_arrays(values, self._dim)}
        if self._beside is not None:
            arrays |= self._beside.take(self._held)
        table = pa.table([arrays[name] for name in self._schema.names], schema=self._schema)
        self._writer.write_table(table, row_group_size=self._held)
        self._held = 0


class _Beside:
    """Columns of a table, read in step with its vectors."""

    def __init__(self, source: KeyedSet, chosen: Rows | None) -> None:
        self._uri = source.uri
        self.column = source.column
        self._chosen = chosen
        self.fields: list[pa.Field] = source.fields()
        self._values = {
            field.name: source.values(field.name)
            for field in self.fields
            if field.name != source.column
        }
        self._left: dict[str, list[pa.Array]] = {name: [] for name in self._values}

    def take(self, rows: int) -> dict[str, pa.ChunkedArray]:
        """Return the next rows of every column."""
        return {name: self._next(name, rows) for name in self._values}

    def _next(self, name: str, rows: int) -> pa.ChunkedArray:
        import pyarrow as pa

        chunks, held = self._left[name], sum(map(len, self._left[name]))
        while held < rows:
            found = next(self._values[name], None)
            if found is None:
                raise InputError(f"{self._uri}: column {name!r} has fewer rows than the vectors")
            values = self._some(*found)
            chunks.append(values)
            held += len(values)
        column = pa.chunked_array(chunks)
        rest = column.slice(rows)
        self._left[name] = list(rest.chunks) if len(rest) else []
        return column.slice(0, rows)

    def _some(self, first: int, values: pa.Array) -> pa.Array:
        """Return the chosen ones of the values from row `first` on."""
        if self._chosen is None:
            return values
        start, stop = np.searchsorted(self._chosen, (first, first + len(values)))
        return values.take(self._chosen[start:stop] - first)


@contextmanager
def _parquet(
    path: Path, dim: int, dtype: np.dtype[Any], beside: _Beside | None
) -> Iterator[VectorFile]:
    import pyarrow as pa

    column = COLUMN if beside is None else beside.column
    vectors = pa.field(column, pa.list_(pa.from_numpy_dtype(dtype), dim), nullable=False)
    fields = [vectors] if beside is None else beside.fields
    schema = pa.schema([vectors if field.name == column else field for field in fields])
    others = [name for name in schema.names if name != column]
    # Floats of vectors neither compress nor repeat: what tries costs time and saves nothing.
    options: dict[str, Any] = {
        "compression": dict.fromkeys(others, "zstd"),
        "use_dictionary": others or False,
        "write_statistics": others or False,
    }
    with replacing(path) as temporary, _told(path), _writer(temporary, schema, options) as writer:
        file = _Parquet(writer, schema, column, beside)
        yield file
        file.flush()


@contextmanager
def _writer(path: Path, schema: pa.Schema, options: dict[str, Any]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(str(path), schema, **options) as writer:
        yield writer


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Refuse, in one line, columns that Parquet has no room for."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        raise InputError(
            f"{path}: a column beside the vectors cannot be written as Parquet: {brief(error)}; "
            "leave it out of the source, or write .npy"
        ) from error
