"""Opening whatever the user names: paths, ``path::name``, an array or an open set."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from glob import has_magic
from pathlib import Path
from typing import TypeAlias

import numpy as np

from embaudit.data.embedding_set import ArraySet, EmbeddingSet
from embaudit.data.files import FileStamp
from embaudit.data.members import refuse_member
from embaudit.datatypes import Stored
from embaudit.errors import InputError, UsageError, did_you_mean

FORMATS = {
    ".npy": "npy",
    ".npz": "npz",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".safetensors": "safetensors",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    **dict.fromkeys((".fvecs", ".bvecs"), "vecs"),
    **dict.fromkeys((".fbin", ".f16bin", ".u8bin", ".i8bin"), "big_ann"),
}
"""Suffix -> module beside this one whose ``open_file(path, uri, column)`` reads the format.

Imported when the first such file is opened, as its reader may be slow to load.
"""

PARTS = "parts"
"""Module that opens folders and patterns."""

COLUMN_SEPARATOR = "::"

Source: TypeAlias = str | os.PathLike[str] | Stored | EmbeddingSet


def open_set(source: Source, *, column: str | None = None) -> EmbeddingSet:
    """Open a set of vectors.

    Parameters
    ----------
    source : str, os.PathLike, array or EmbeddingSet
        A file by its path, or one column or array of it as ``path::name``; a folder or glob
        pattern of Parquet files; a matrix in memory, shape (rows, dim); or a set, which is
        returned as it is.
    column : str, optional
        The vector column, or the array, of a file that holds several.

    Raises
    ------
    InputError
        When the source is missing, of an unknown format or not a matrix of numbers.
    UsageError
        When `column` cannot apply or contradicts ``path::column``.
    """
    if isinstance(source, str | os.PathLike):
        return _open_path(os.fsdecode(source), column)
    if isinstance(source, np.ma.MaskedArray):
        raise InputError("<array>: a masked array; pass array.filled(...) or drop the masked rows")
    if isinstance(source, np.ndarray):
        source = ArraySet(source)
    if not isinstance(source, EmbeddingSet):
        raise UsageError(
            f"cannot open a {type(source).__name__}; "
            "expected a path, a numpy array or an EmbeddingSet"
        )
    refuse_member(column, source.uri)
    return source


def _open_path(uri: str, column: str | None) -> EmbeddingSet:
    if not uri:
        raise UsageError("an empty path; name a file")
    path, named = _split_column(uri)
    if named is not None and column not in (None, named):
        raise UsageError(f"{uri}: --column {column!r} contradicts {named!r}; name one of them")
    module = importlib.import_module(f"embaudit.data.{_module_for(path, uri)}")
    open_file: Callable[[Path, str, str | None], EmbeddingSet] = module.open_file
    return open_file(path, uri, column if named is None else named)


def _module_for(path: Path, uri: str) -> str:
    """Return the module that reads `path`."""
    if _is_several(path):
        return PARTS
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        FileStamp.of(path, uri)
        raise InputError(
            f"{uri}: unknown file suffix {suffix!r}{did_you_mean(suffix, FORMATS)}; "
            f"expected {', '.join(FORMATS)}"
        )
    return FORMATS[suffix]


def _is_several(path: Path) -> bool:
    """Tell whether `path` is a folder or, where no file has that name, a pattern."""
    try:
        return path.is_dir() or (has_magic(str(path)) and not path.exists())
    except (OSError, ValueError):
        return False


def _split_column(uri: str) -> tuple[Path, str | None]:
    """Split ``path::name``; an existing path wins over any split."""
    if not os.path.exists(uri):
        head, separator, column = uri.rpartition(COLUMN_SEPARATOR)
        while separator:
            if Path(head).suffix.lower() in FORMATS or _is_several(Path(head)):
                return Path(head), column
            head, separator, earlier = head.rpartition(COLUMN_SEPARATOR)
            column = f"{earlier}{COLUMN_SEPARATOR}{column}"
    return Path(uri), None
