"""One tensor of a safetensors file, read in place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet, check_array
from embaudit.data.files import FileStamp, brief
from embaudit.data.members import Member, choose_member
from embaudit.data.raw import RawSet
from embaudit.data.raw_layouts import RawMatrix, RowMajor
from embaudit.datatypes import Stored
from embaudit.errors import InputError

MAX_HEADER_BYTES = 16 << 20
"""Parsed JSON takes many times its size, and the header of a large model has about 1 MB."""

LENGTH_BYTES = 8
MAX_AXES = 64
SHOWN_BYTES = 200
"""Of a damaged header: enough to recognise what it is."""

HALVES_BYTES = 1 << 20
"""bfloat16 read at once before it is widened: it stays in the cache."""

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "i1", "U8": "u1", "BF16": "<u2"}
"""Types that hold vectors; bfloat16 is unknown to numpy and read as its bits."""


@dataclass(frozen=True)
class Tensor:
    """One entry of the header.

    Attributes
    ----------
    dtype : str
        As the format names it.
    shape : tuple of int
    start, stop : int
        Bytes ``[start, stop)`` of the data, counted from the end of the header.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    def as_member(self) -> Member:
        """Describe the tensor with numpy's name of its type, where vectors may have it."""
        stored = DTYPES.get(self.dtype)
        if stored is None or self.dtype == "BF16":
            return Member(self.shape, "float32" if stored else self.dtype)
        return Member(self.shape, np.dtype(stored).name)


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes
    ----------
    tensors : dict of name to Tensor
    offset : int
        Byte at which their data start.
    metadata : dict of str to str
    """

    tensors: dict[str, Tensor]
    offset: int
    metadata: dict[str, str]


class Bfloat16(RowMajor):
    """Rows of bfloat16, widened to float32: the upper half of its bits, hence exact."""

    def __init__(self, matrix: RawMatrix, stamp: FileStamp) -> None:
        super().__init__(matrix, stamp)
        self.dtype = np.dtype(np.float32)

    def read_rows(self, file: FileIO, first: int, block: Stored) -> None:
        """Fill `block` with the rows from number `first` on."""
        bits = block.view(np.uint32)
        step = max(1, HALVES_BYTES // (self.matrix.dim * self.matrix.dtype.itemsize))
        buffer = np.empty((min(step, len(block)), self.matrix.dim), self.matrix.dtype)
        for start in range(0, len(block), step):
            halves = buffer[: len(block) - start]
            self.fill(file, (first + start) * self.matrix.dim, halves)
            np.left_shift(halves, 16, out=bits[start : start + len(halves)], dtype=np.uint32)


def open_file(path: Path, uri: str, column: str | None = None) -> EmbeddingSet:
    """Open the tensor named `column`, else the only matrix of `path`.

    Raises
    ------
    InputError
        When the file is damaged, the tensor cannot be chosen or is no matrix of numbers.
    """
    stamp = FileStamp.of(path, uri)
    with stamp.reading("safetensors"), FileIO(stamp.path) as file:
        header = read_header(file, stamp)
    tensors = header.tensors
    members = {name: tensor.as_member() for name, tensor in tensors.items()}
    name = choose_member(members, column, "tensor", uri)
    tensor = tensors[name]
    if tensor.dtype not in DTYPES:
        raise InputError(
            f"{uri}: tensor {brief(name)!r} has type {brief(tensor.dtype)}; "
            f"expected {', '.join(DTYPES)}: save it as F32"
        )
    stored = np.dtype(DTYPES[tensor.dtype])
    check_array(tensor.shape, np.dtype(members[name].dtype), uri)
    rows, dim = tensor.shape
    matrix = RawMatrix(rows, dim, stored, offset=header.offset + tensor.start)
    layout = Bfloat16 if tensor.dtype == "BF16" else RowMajor
    return RawSet(stamp, layout(matrix, stamp), "safetensors", name)


def read_header(file: FileIO, stamp: FileStamp) -> Header:
    """Read the header of a file that is positioned at its start, and hold it against its size.

    Raises
    ------
    InputError
        For a file that is damaged or of another format.
    """
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    offset = LENGTH_BYTES + length
    if offset > stamp.size:
        raise InputError(
            f"{stamp.uri}: not a safetensors file, or truncated: a header of {length:,} bytes in "
            f"a file of {stamp.size:,}; write or copy it again"
        )
    if length > MAX_HEADER_BYTES:
        raise InputError(
            f"{stamp.uri}: a header of {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read: "
            "save the vectors in a file of their own"
        )
    text = file.read(length)
    try:
        fields = json.loads(text, object_pairs_hook=_unique)
        metadata = _metadata(fields.pop("__metadata__", None))
        tensors = {str(name): _tensor(entry) for name, entry in fields.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputError(
            f"{stamp.uri}: damaged safetensors header {brief(text[:SHOWN_BYTES])!r}; "
            "save the vectors again with save_file"
        ) from None
    _check_extent(tensors, stamp, held=stamp.size - offset)
    return Header(tensors, offset, metadata)


def _metadata(found: object) -> dict[str, str]:
    """Return the texts among the metadata: nothing else belongs there."""
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object, refusing a key that occurs twice."""
    built = dict(pairs)
    if len(built) != len(pairs):
        raise ValueError("a name occurs twice")
    return built


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    """Check the types in one entry of the header and that its bytes are what its shape needs."""
    dtype, shape, (start, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
    # type() and not isinstance(): True is an int.
    numbers = [*shape, start, stop]
    if type(dtype) is not str or not all(type(each) is int and each >= 0 for each in numbers):
        raise ValueError("not a tensor")
    if len(shape) > MAX_AXES:
        raise ValueError("a shape whose product takes long")
    if dtype in DTYPES and stop - start != math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize:
        raise ValueError("offsets that do not fit the shape")
    return Tensor(dtype, tuple(shape), start, stop)


def _check_extent(tensors: Mapping[str, Tensor], stamp: FileStamp, held: int) -> None:
    """Refuse a file that is shorter or longer than its tensors, which fill it by definition."""
    promised = max((tensor.stop for tensor in tensors.values()), default=0)
    if held != promised:
        fault = "truncated: " if held < promised else ""
        raise InputError(
            f"{stamp.uri}: {fault}the header promises {promised:,} bytes of data, the file holds "
            f"{held:,}; write or copy it again"
        )
