"""SHA-256 of what vectors were read from, so that a map says what it was made of."""

from __future__ import annotations

import hashlib

import numpy as np

from embaudit.alignment import MappedSource
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.files import brief
from embaudit.data.pair import Pair, even_spans
from embaudit.errors import InputError

BLOCK_BYTES = 8 << 20


def checksum(source: EmbeddingSet) -> str:
    """Return the SHA-256 of a file, as ``sha256sum`` prints it.

    Of a folder it is that of its parts' sums, in the order of their names, one a line; of rows in
    memory that of the rows.

    Raises
    ------
    InputError
        For a file that is no longer the one whose rows were read.
    """
    sums = []
    try:
        for path in source.files():
            with path.open("rb") as stream:
                sums.append(hashlib.file_digest(stream, "sha256").hexdigest())
    except OSError as error:
        source.require_unchanged()
        raise InputError(f"{source.uri}: cannot be read: {brief(error)}") from error
    source.require_unchanged()
    if len(sums) == 1:
        return sums[0]
    if sums:
        return hashlib.sha256("".join(f"{one}\n" for one in sums).encode()).hexdigest()
    found = hashlib.sha256()
    step = max(1, BLOCK_BYTES // (source.dim * source.dtype.itemsize))
    for block in source.blocks(even_spans(source.rows, step)):
        found.update(np.ascontiguousarray(block).data)
    return found.hexdigest()


def described(pair: Pair) -> list[MappedSource]:
    """Return what both sides of a pair are, as they are stored."""
    return [
        MappedSource(uri=one.uri, rows=one.rows, dim=one.dim, sha256=checksum(one))
        for one in (pair.source("a"), pair.source("b"))
    ]
