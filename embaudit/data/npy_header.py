"""The header of an NPY file, read without trusting it and never unpickled."""

from __future__ import annotations

import ast
import math
import re
import warnings
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from embaudit.data.embedding_set import check_array
from embaudit.data.files import brief
from embaudit.data.raw_layouts import RawMatrix
from embaudit.errors import InputError

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 10_000
"""numpy's own limit: what is parsed comes from a stranger, and a matrix needs about 120 bytes."""

FIELDS = ("descr", "fortran_order", "shape")
"""Of a header; there are no others."""

LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
"""Width of the little-endian header length, by format version."""


def read_header(file: IO[bytes], size: int, uri: str) -> RawMatrix:
    """Read the header and hold its claims against the size of the file.

    Parameters
    ----------
    file : binary file
        Positioned at its start.
    size : int
        Bytes in the whole file.
    uri : str
        The source, for messages.

    Raises
    ------
    InputError
        When this is no NPY file, the header is damaged, the array is no matrix of numbers, or
        the file holds fewer or more bytes than the header promises.
    """
    shape, fortran_order, dtype = read_claim(file, uri)
    check_array(shape, dtype, uri)
    rows, dim = shape
    offset = file.tell()

    promised = math.prod(shape) * dtype.itemsize
    held = size - offset
    claim = f"{rows:,} x {dim:,} {dtype.name} values, {promised:,} bytes"
    if held < promised:
        raise InputError(
            f"{uri}: truncated: the header promises {claim}, the file holds {held:,}; "
            "write or copy it again"
        )
    if held > promised:
        raise InputError(
            f"{uri}: {held - promised:,} bytes follow the {claim} that the header promises; "
            "the file is damaged or holds several arrays: save one matrix with np.save"
        )
    return RawMatrix(rows, dim, dtype, fortran_order, offset)


def read_claim(file: IO[bytes], uri: str) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Return shape, Fortran order and dtype as the header states them, which may be anything.

    Raises
    ------
    InputError
        When this is no NPY file or the header is damaged.
    """
    return _parse(_read_text(file, uri), uri)


def _read_text(file: IO[bytes], uri: str) -> str:
    """Return the header's dictionary as text, leaving the file at the first byte of data."""
    start = file.read(len(MAGIC))
    if start != MAGIC:
        raise InputError(
            f"{uri}: not an NPY file: it starts with {start!r}, not {MAGIC!r}; "
            "save the matrix with np.save"
        )
    version = tuple(_read(file, 2, uri))
    if version not in LENGTH_BYTES:
        found = ".".join(map(str, version))
        raise InputError(
            f"{uri}: NPY format version {found}; expected 1.0, 2.0 or 3.0: "
            "save the matrix again with np.save"
        )
    length = int.from_bytes(_read(file, LENGTH_BYTES[version], uri), "little")
    if length > MAX_HEADER_BYTES:
        raise InputError(
            f"{uri}: a header of {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read: "
            "save a plain matrix with np.save"
        )
    return _read(file, length, uri).decode("utf-8" if version == (3, 0) else "latin-1", "replace")


def _read(file: IO[bytes], count: int, uri: str) -> bytes:
    found = file.read(count)
    if len(found) < count:
        raise InputError(f"{uri}: truncated inside the NPY header; write or copy it again")
    return found


def _parse(text: str, uri: str) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Return shape, order and dtype that the header's dictionary literal describes."""
    # Python 2 wrote long integers as 10L.
    literal = re.sub(r"(?<=\d)L\b", "", text)
    try:
        # Hostile text may provoke SyntaxWarning or DeprecationWarning, which are not the user's.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fields = ast.literal_eval(literal.strip(" \t\r\n"))
            descr, fortran_order, shape = (fields[name] for name in FIELDS)
            dtype = npy_format.descr_to_dtype(descr)
    except (ValueError, SyntaxError, TypeError, KeyError, IndexError, RecursionError, MemoryError):
        raise _damaged(text, uri) from None
    if len(fields) != len(FIELDS) or not isinstance(fortran_order, bool):
        raise _damaged(text, uri)
    if not isinstance(shape, tuple):
        raise _damaged(text, uri)
    # type() and not isinstance(): True is an int.
    if not all(type(length) is int and length >= 0 for length in shape):
        raise _damaged(text, uri)
    return shape, fortran_order, dtype


def _damaged(text: str, uri: str) -> InputError:
    return InputError(
        f"{uri}: damaged NPY header {brief(text)!r}; save the matrix again with np.save"
    )
