"""Ids of rows: where they come from, and which rows of two sets they bring together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
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


KeyHashes: TypeAlias = NDArray[np.int64]
"""Eight bytes an id, shape (rows,): the value itself for integers, else a hash of its bytes.

Two of ten million texts share a hash with a probability of 3e-6; a second hash tells them apart.
"""

SHOWN_IDS = 3
SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class IdNames:
    """Finds ids again where they are stored, to name rows by them.

    Attributes
    ----------
    value_at : callable
        Returns the id of a row as it is stored.
    values_at : callable or None
        Returns those of ascending distinct rows, where that is quicker than one by one.
    """

    value_at: Callable[[int], int | str | bytes]
    values_at: Callable[[Rows], list[int | str | bytes]] | None = None

    def values(self, rows: Rows) -> list[int | str | bytes]:
        """Return the ids of `rows`, shape (m,), in their order."""
        if self.values_at is None:
            return [self.value_at(row) for row in rows.tolist()]
        unique, inverse = np.unique(rows, return_inverse=True)
        found = self.values_at(unique)
        return [found[position] for position in inverse.tolist()]

    def shown(self, row: int) -> str:
        """Return the id of a row for a message."""
        return brief(repr(self.value_at(row)), SHOWN_CHARACTERS)


@dataclass(frozen=True)
class Ids:
    """One id a row, held as 16 bytes each, 8 where they are integers.

    Attributes
    ----------
    uri : str
        Where they come from; the prefix of every error message.
    kind : KeyKind
        Ids of different kinds never meet.
    hashes : int64 array, shape (rows,)
        Comparable within this process only, except for integers.
    names : IdNames
        The ids themselves.
    checks : int64 array, shape (rows,), or None
        A second hash of texts; integers are what they are.
    """

    uri: str
    kind: KeyKind
    hashes: KeyHashes
    names: IdNames
    checks: KeyHashes | None = None

    def shown(self, row: int) -> str:
        """Return the id of a row for a message."""
        return self.names.shown(row)

    def exchanged(self) -> Ids:
        """Return the same ids by their second hash, checked by the first."""
        assert self.checks is not None, "integers do not collide"
        return replace(self, hashes=self.checks, checks=self.hashes)


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


def hash_integers(values: NDArray[np.generic]) -> KeyHashes:
    """Return 8 bytes for each id: the integer itself."""
    return np.asarray(values.astype(np.int64, copy=False))


def hash_texts(values: Iterable[bytes], count: int) -> KeyHashes:
    """Return 8 bytes for each of `count` ids: Python's own hash.

    It is salted anew in every process, so that no file can be made to collide.
    """
    return np.fromiter(map(hash, values), np.int64, count)


def check_texts(values: Iterable[bytes], count: int) -> KeyHashes:
    """Return a second hash for each of `count` ids, independent of the first."""
    return np.fromiter((hash(b"\0" + value) for value in values), np.int64, count)


def joined_checks(parts: list[KeyHashes | None]) -> KeyHashes | None:
    """Return the second hashes of consecutive rows as one array; None where ids have none."""
    found = [part for part in parts if part is not None]
    return np.concatenate(found) if found else None


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
    try:
        return _match(a, b)
    except _Collision:
        return _match(a.exchanged(), b.exchanged())


class _Collision(Exception):
    """Two different ids share a hash."""


def _match(a: Ids, b: Ids) -> Matches:
    order_a, sorted_a = _sorted_ids(a)
    order_b, sorted_b = _sorted_ids(b)
    places = np.searchsorted(sorted_b, sorted_a)
    places[places == len(sorted_b)] = 0
    met = np.flatnonzero(sorted_b[places] == sorted_a)
    checks = (a.checks, b.checks)
    if checks[0] is not None and checks[1] is not None:
        same = checks[0][order_a[met]] == checks[1][order_b[places[met]]]
        if not same.all():
            raise _Collision
    if len(met) == 0:
        raise InputError(
            f"{b.uri}: no id meets one of {a.uri} ({_examples(b)} against {_examples(a)}); "
            "name the column or file that holds the same ids"
        )
    partners = np.full(len(order_a), -1)
    partners[order_a[met]] = order_b[places[met]]
    rows_a = np.flatnonzero(partners >= 0)
    return Matches(
        rows_a=rows_a,
        rows_b=partners[rows_a],
        only_in_a=len(order_a) - len(met),
        only_in_b=len(order_b) - len(met),
    )


def _sorted_ids(ids: Ids) -> tuple[Rows, KeyHashes]:
    """Return the order that sorts the hashes, and the hashes in it, refusing repeated ones."""
    order = np.argsort(ids.hashes, kind="stable")
    ordered = ids.hashes[order]
    repeats = np.flatnonzero(ordered[1:] == ordered[:-1])
    if (
        ids.checks is not None
        and (ids.checks[order[repeats]] != ids.checks[order[repeats + 1]]).any()
    ):
        raise _Collision
    if len(repeats):
        # Stable: of two equal ids the earlier row comes first.
        place = repeats[np.argmin(order[repeats + 1])]
        first, second = order[place : place + 2].tolist()
        count = "1 row repeats" if len(repeats) == 1 else f"{len(repeats):,} rows repeat"
        raise InputError(
            f"{ids.uri}: {count} an earlier id, first {ids.shown(first)} in rows {first} and "
            f"{second}; ids must be unique"
        )
    return order, ordered


def _examples(ids: Ids) -> str:
    rows = range(min(SHOWN_IDS, len(ids.hashes)))
    return ", ".join(ids.shown(row) for row in rows)
