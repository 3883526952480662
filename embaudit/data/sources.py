"""Opening whatever the user names: a path, ``path::column``, an array or an open set."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np

from embaudit.data.embedding_set import ArraySet, EmbeddingSet
from embaudit.data.files import FileStamp
from embaudit.datatypes import Stored
from embaudit.errors import InputError, UsageError, did_you_mean

FORMATS = {".npy": "npy", ".parquet": "parquet"}
"""Suffix -> module beside this one whose ``open_file(path, uri, column)`` reads the format.

Imported when the first such file is opened, as its reader may be slow to load.
"""

COLUMN_SEPARATOR = "::"

Source: TypeAlias = str | os.PathLike[str] | Stored | EmbeddingSet


def open_set(source: Source, *, column: str | None = None) -> EmbeddingSet:
    """Open a set of vectors.

    Parameters
    ----------
    source : str, os.PathLike, array or EmbeddingSet
        A file by its path, or one column of it as ``path::column``; a matrix in memory, shape
        (rows, dim); or a set, which is returned as it is.
    column : str, optional
        The vector column of a Parquet file.

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
    if column is not None:
        raise UsageError(f"--column applies to Parquet; {source.uri} has none")
    return source


def _open_path(uri: str, column: str | None) -> EmbeddingSet:
    path, named = _split_column(uri)
    if named is not None and column not in (None, named):
        raise UsageError(f"{uri}: --column {column!r} contradicts {named!r}; name one of them")
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        FileStamp.of(path, uri)
        raise InputError(
            f"{uri}: unknown file suffix {suffix!r}{did_you_mean(suffix, FORMATS)}; "
            f"expected {' or '.join(FORMATS)}"
        )
    module = importlib.import_module(f"embaudit.data.{FORMATS[suffix]}")
    open_file: Callable[[Path, str, str | None], EmbeddingSet] = module.open_file
    return open_file(path, uri, column if named is None else named)


def _split_column(uri: str) -> tuple[Path, str | None]:
    """Split ``path::column``; an existing path wins over any split."""
    if not os.path.exists(uri):
        head, separator, column = uri.rpartition(COLUMN_SEPARATOR)
        while separator:
            if Path(head).suffix.lower() in FORMATS:
                return Path(head), column
            head, separator, earlier = head.rpartition(COLUMN_SEPARATOR)
            column = f"{earlier}{COLUMN_SEPARATOR}{column}"
    return Path(uri), None
