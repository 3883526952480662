"""The one protocol every source of vectors implements, and the set held in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from embaudit.datatypes import Rows, Span, Stored
from embaudit.errors import InputError

GATHER_BYTES = 16 << 20
"""Rows handed out at once by `gather`, in bytes: large against a seek, small against a block."""

MAX_DIM = 65_536
"""Covariances of more dimensions fit no memory; a header that claims more is damaged."""

NUMERIC_KINDS = {"float16", "float32", "float64", "int8", "uint8"}


class EmbeddingSet(ABC):
    """Rows of one length, read by blocks; nothing of the size of the file is held.

    Attributes
    ----------
    uri : str
        The source as the user typed it; the prefix of every error message.
    rows, dim : int
        Shape of the stored matrix.
    dtype : numpy.dtype
        Stored type in native byte order: float16, float32, float64, int8 or uint8.
    """

    uri: str
    rows: int
    dim: int
    dtype: np.dtype[np.generic]

    @property
    def held_bytes(self) -> int:
        """Bytes of the file that are in memory while it is read, blocks handed out apart."""
        return 0

    @property
    def decodes(self) -> bool:
        """Whether every read decodes rows, so that a copy of them is worth its room."""
        return False

    @abstractmethod
    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the rows of each span, spans ascending and disjoint.

        Parameters
        ----------
        spans : sequence of (start, stop)
            Ascending, disjoint, within ``[0, rows)``.
        slots : int
            Buffers in rotation: a yielded array stays valid until `slots` further arrays have
            been asked for. The arrays are C-contiguous, shape (stop - start, dim), of `dtype`,
            and must not be written to.

        Raises
        ------
        InputError
            When the source ends early, has changed or is damaged.
        """

    @abstractmethod
    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield ``(positions, block)`` for ascending distinct `rows`, in modest blocks.

        ``block[i]`` is stored row ``rows[positions][i]``; a block is valid until the next one.
        """

    def take(self, rows: Rows | range) -> Stored:
        """Return a copy of `rows` (any order, repeats allowed) as one array.

        Parameters
        ----------
        rows : int64 array, shape (m,), or range

        Returns
        -------
        array of `dtype`, shape (m, dim)
        """
        unique, inverse = np.unique(rows, return_inverse=True)
        found = np.empty((len(unique), self.dim), self.dtype)
        for positions, block in self.gather(unique):
            found[positions] = block
        return found if np.array_equal(unique, rows) else found[inverse]

    def identity(self) -> tuple[str, ...] | None:
        """Return what makes two sets the same source (resolved path, column), None in memory."""
        return None

    def require_unchanged(self) -> None:
        """Refuse the source when it is no longer what was opened; memory is not looked at.

        Raises
        ------
        InputError
        """
        return None

    def files(self) -> list[Path]:
        """Return the files that the rows are read from, resolved, in order; none in memory."""
        identity = self.identity()
        return [] if identity is None else [Path(identity[0])]


class ArraySet(EmbeddingSet):
    """A set over an array already in memory (or memory-mapped by the caller)."""

    def __init__(self, array: Stored, uri: str = "<array>") -> None:
        check_array(array.shape, array.dtype, uri)
        self.uri = uri
        self.rows, self.dim = array.shape
        self.dtype = array.dtype.newbyteorder("=")
        self._array = array

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield views where the layout allows it, contiguous native copies otherwise."""
        for start, stop in spans:
            yield np.ascontiguousarray(self._array[start:stop], dtype=self.dtype)

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield copies of `rows` by blocks."""
        step = max(1, GATHER_BYTES // (self.dim * self.dtype.itemsize))
        for start in range(0, len(rows), step):
            positions = slice(start, min(start + step, len(rows)))
            yield positions, np.ascontiguousarray(self._array[rows[positions]], dtype=self.dtype)

    def identity(self) -> tuple[str, ...] | None:
        """Return the address of the memory, so that one array passed twice is recognised."""
        layout = self._array.__array_interface__
        return ("memory", str(layout["data"][0]), str(layout["shape"]), str(layout["strides"]))

    def files(self) -> list[Path]:
        """Return none: the rows are in memory."""
        return []


def check_array(shape: tuple[int, ...], dtype: np.dtype[np.generic], uri: str) -> None:
    """Refuse what is not a non-empty matrix of real numbers.

    Raises
    ------
    InputError
        One line: the source, what was found, what is expected.
    """
    if dtype.hasobject:
        raise InputError(
            f"{uri}: holds Python objects, which are never unpickled; "
            "save a numeric matrix with np.save(path, np.stack(vectors))"
        )
    if dtype.names is not None:
        raise InputError(
            f"{uri}: structured dtype {dtype}; expected numbers, save the vector field as a matrix"
        )
    name = dtype.newbyteorder("=").name
    if name not in NUMERIC_KINDS:
        raise InputError(
            f"{uri}: dtype {dtype} is not supported; expected float16, float32, float64, int8 or "
            "uint8: save array.astype(np.float32)"
        )
    if len(shape) != 2:
        raise InputError(
            f"{uri}: {len(shape)}-D array of shape {shape}; expected 2-D (rows, dimensions)"
        )
    if shape[0] == 0:
        raise InputError(f"{uri}: no rows; there is nothing to compare")
    if shape[1] == 0:
        raise InputError(f"{uri}: rows of dimension 0; there is nothing to compare")
    if shape[1] > MAX_DIM:
        raise InputError(
            f"{uri}: rows of dimension {shape[1]}; expected at most {MAX_DIM}, is the matrix "
            "transposed?"
        )
