"""Do two files list their rows in the same order? Asked of the ids that both store."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.files import argument, brief
from embaudit.data.ids import KeyHashes
from embaudit.data.keyed import KeyedSet
from embaudit.errors import InputError

MIN_SHARED = 0.5
"""Share of the values that must meet before a unique column counts as an id of both files."""

SHOWN_CHARACTERS = 40


def check_row_order(a: EmbeddingSet, b: EmbeddingSet) -> None:
    """Refuse two files whose shared ids say that their rows do not correspond by position.

    Columns of one file cannot disagree and are not read.

    Parameters
    ----------
    a, b : EmbeddingSet
        Sets that are about to be paired by position.

    Raises
    ------
    InputError
        When a column of the same name is unique in both, holds mostly the same values and
        differs at some row.
    """
    if not isinstance(a, KeyedSet) or not isinstance(b, KeyedSet):
        return
    for column, keys_a, keys_b in _shared_ids(a, b):
        common = min(len(keys_a), len(keys_b))
        differing = np.flatnonzero(keys_a[:common] != keys_b[:common])
        if len(differing):
            row = int(differing[0])
            raise InputError(
                f"{b.uri}: rows differ in order from {a.uri}: column {column!r} first differs "
                f"at row {row} ({_shown(b, column, row)} against {_shown(a, column, row)}); "
                f"pass --on {argument(column)} to join by it, or --by-row to pair rows by position"
            )


def row_count_error(a: EmbeddingSet, b: EmbeddingSet) -> InputError:
    """Write the refusal of two sets of different size, naming the id that would join them."""
    cure = "pass --ids-a and --ids-b, or --on with Parquet, to join them by an id"
    if isinstance(a, KeyedSet) and isinstance(b, KeyedSet):
        for column, _, _ in _shared_ids(a, b):
            cure = f"pass --on {argument(column)} to join them by that column"
            break
    return InputError(
        f"row counts differ: {a.uri} has {a.rows:,}, {b.uri} has {b.rows:,}; "
        f"without ids rows must match one to one: {cure}"
    )


def _shared_ids(a: KeyedSet, b: KeyedSet) -> Iterator[tuple[str, KeyHashes, KeyHashes]]:
    """Yield the columns that identify the rows of both files, with their hashes."""
    if a.identity()[0] == b.identity()[0]:
        return
    kinds_b = b.key_columns()
    for column, kind in a.key_columns().items():
        if kinds_b.get(column) is not kind:
            continue
        keys_a = a.key_hashes(column)
        keys_b = None if keys_a is None else b.key_hashes(column)
        if keys_a is not None and keys_b is not None and _meet(keys_a, keys_b):
            yield column, keys_a, keys_b


def _meet(keys_a: KeyHashes, keys_b: KeyHashes) -> bool:
    """Tell whether most of the smaller side's distinct values occur on the other side."""
    if np.array_equal(keys_a, keys_b):
        return True
    met = len(np.intersect1d(keys_a, keys_b, assume_unique=True))
    return met >= MIN_SHARED * min(len(keys_a), len(keys_b))


def _shown(keyed: KeyedSet, column: str, row: int) -> str:
    return brief(repr(keyed.key_at(column, row)), SHOWN_CHARACTERS)
