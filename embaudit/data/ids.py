"""Ids of rows: where they come from, and which rows of two sets they bring together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from embaudit.data.files import brief
from embaudit.datatypes import Rows
from embaudit.errors import InputError


class KeyKind(StrEnum):
    """What ids are; values of different kinds never meet."""

    INTEGER = "integer"
    TEXT = "text"
    BINARY = "binary"


Digests: TypeAlias = NDArray[np.uint64]
"""Sixteen bytes an id, shape (rows, 2): the value itself for integers, else a hash."""

TEXTS_AT_ONCE = 16_384
"""Hashes that are Python objects at the same time."""
SHOWN_IDS = 3
SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Ids:
    """One id a row, held as 16 bytes each.

    Attributes
    ----------
    uri : str
        Where they come from; the prefix of every error message.
    kind : KeyKind
        Ids of different kinds never meet.
    digests : uint64 array, shape (rows, 2)
    value_at : callable
        Returns the id of a row as it is stored.
    """

    uri: str
    kind: KeyKind
    digests: Digests
    value_at: Callable[[int], int | str | bytes]

    def shown(self, row: int) -> str:
        """Return the id of a row for a message."""
        return brief(repr(self.value_at(row)), SHOWN_CHARACTERS)


@dataclass(frozen=True)
class Matches:
    """Rows that share an id, in the order of the first set.

    Attributes
    ----------
    rows_a, rows_b : int64 arrays, shape (matched,)
    only_in_a, only_in_b : int
        Rows whose id the other set lacks.
    """

    rows_a: Rows
    rows_b: Rows
    only_in_a: int
    only_in_b: int


def digest_integers(values: NDArray[np.int64]) -> Digests:
    """Return 16 bytes for each id: the integer itself."""
    digests = np.zeros((len(values), 2), np.uint64)
    digests[:, 0] = values.view(np.uint64)
    return digests


def digest_texts(values: Sequence[bytes]) -> Digests:
    """Return 16 bytes for each id: a hash of its bytes."""
    digests = np.empty((len(values), 2), np.uint64)
    for start in range(0, len(values), TEXTS_AT_ONCE):
        part = values[start : start + TEXTS_AT_ONCE]
        raw = b"".join([blake2b(value, digest_size=16).digest() for value in part])
        digests[start : start + TEXTS_AT_ONCE] = np.frombuffer(raw, np.uint64).reshape(-1, 2)
    return digests


def match(a: Ids, b: Ids) -> Matches:
    """Find the rows of both sets that share an id.

    Raises
    ------
    InputError
        For ids of different kinds, ids that repeat within a set, and sets without a common id;
        with the first examples.
    """
    if a.kind is not b.kind:
        raise InputError(
            f"{b.uri}: ids are {b.kind} ({b.shown(0)}) but {a.kind} in {a.uri} ({a.shown(0)}); "
            "store them as one type"
        )
    for ids in (a, b):
        _refuse_repeats(ids)
    both = np.concatenate([a.digests, b.digests])
    order = _sorted_order(both)
    ordered = both[order]
    # Ids are unique within a set: equal neighbours are one row of each.
    met = np.flatnonzero((ordered[1:] == ordered[:-1]).all(axis=1))
    pairs = np.sort(np.stack([order[met], order[met + 1]], axis=1), axis=1)
    pairs = pairs[np.argsort(pairs[:, 0])]
    if len(pairs) == 0:
        raise InputError(
            f"{b.uri}: no id meets one of {a.uri} ({_examples(b)} against {_examples(a)}); "
            "name the column or file that holds the same ids"
        )
    return Matches(
        rows_a=pairs[:, 0],
        rows_b=pairs[:, 1] - len(a.digests),
        only_in_a=len(a.digests) - len(pairs),
        only_in_b=len(b.digests) - len(pairs),
    )


def _refuse_repeats(ids: Ids) -> None:
    order = _sorted_order(ids.digests)
    ordered = ids.digests[order]
    repeats = np.flatnonzero((ordered[1:] == ordered[:-1]).all(axis=1))
    if len(repeats):
        pairs = np.sort(np.stack([order[repeats], order[repeats + 1]], axis=1), axis=1)
        first, second = pairs[np.argmin(pairs[:, 1])]
        count = "1 row repeats" if len(repeats) == 1 else f"{len(repeats):,} rows repeat"
        raise InputError(
            f"{ids.uri}: {count} an earlier id, first {ids.shown(int(first))} in rows {first} and "
            f"{second}; ids must be unique"
        )


def _sorted_order(digests: Digests) -> Rows:
    """Return the order that brings equal ids together, earlier rows first."""
    return np.lexsort((digests[:, 1], digests[:, 0]))


def _examples(ids: Ids) -> str:
    rows = range(min(SHOWN_IDS, len(ids.digests)))
    return ", ".join(ids.shown(row) for row in rows)
