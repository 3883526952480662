"""Sets whose source holds more than vectors: columns that may identify the rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.ids import Ids, KeyHashes, KeyKind

if TYPE_CHECKING:
    import pyarrow as pa


DECODER_BYTES = 96 << 20


class KeyedSet(EmbeddingSet):
    """Vectors stored beside scalar columns.

    Attributes
    ----------
    column : str
        Name of the vector column.
    """

    column: str

    @property
    def held_bytes(self) -> int:
        """Bytes that decoding takes, from above: pages, batches ahead, the library's pool."""
        return DECODER_BYTES

    @property
    def decodes(self) -> bool:
        """Whether every read decodes rows."""
        return True

    @abstractmethod
    def identity(self) -> tuple[str, ...]:
        """Return the source, then what names the vectors within it."""

    @abstractmethod
    def key_columns(self) -> dict[str, KeyKind]:
        """Return the columns whose type suits a key, in stored order."""

    @abstractmethod
    def key_hashes(self, column: str) -> KeyHashes | None:
        """Return the hashes of a column, None when a null or repeated value makes it no key.

        Parameters
        ----------
        column : str
            One of `key_columns`.

        Returns
        -------
        int64 array, shape (rows,), or None

        Raises
        ------
        InputError
            When the source has changed or is damaged.
        """

    @abstractmethod
    def ids(self, column: str) -> Ids:
        """Return the ids of a column, one a row.

        Raises
        ------
        InputError
            When the column is missing, of a type that suits no id, or has nulls.
        """

    @abstractmethod
    def key_at(self, column: str, row: int) -> int | str | bytes:
        """Return the value of one row of a column that `key_hashes` accepted."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of all columns, those that occur twice too."""

    @abstractmethod
    def fields(self) -> list[pa.Field]:
        """Return every column whose name occurs once, in stored order, the vectors' included."""

    @abstractmethod
    def columns(self) -> dict[str, pa.DataType]:
        """Return every column that holds no vectors and its type, in stored order."""

    @abstractmethod
    def values(self, column: str) -> Iterator[tuple[int, pa.Array]]:
        """Yield (first row, values) of one of `fields`, block by block, every row once."""


def repeats(hashes: KeyHashes) -> bool:
    """Tell whether a value occurs twice."""
    # np.unique goes through a hash table: a million keys take 0.65 s, sorting them 0.01 s.
    ordered = np.sort(hashes)
    return bool((ordered[1:] == ordered[:-1]).any())
