"""Hashes of whole rows, and which rows repeat an earlier one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Mask, Rows, Stored

Hashes = NDArray[np.uint64]

ROWS_AT_ONCE = 128
"""Rows hashed together: small enough that a temporary stays in cache."""

HASHES_AT_ONCE = 1 << 16
"""Hashes put together at a time: the temporaries of a whole file would be its largest arrays."""

MINUS_ZERO = np.uint16(0x8000)
"""-0.0 in half precision."""
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class RowHasher:
    """Seeded multilinear hash of the bytes of a row (Carter and Wegman 1979), 64 bits.

    Each word is mixed before its random weight multiplies it modulo 2^64: a product never reaches
    below the lowest bit in which words differ, and in sign bits alone that would leave 33 bits.

    Parameters
    ----------
    dim : int
    dtype : numpy.dtype
        Stored type of the rows.
    """

    def __init__(self, dim: int, dtype: np.dtype[np.generic]) -> None:
        self._bytes = dim * dtype.itemsize
        self._words = -(-self._bytes // 8)
        generator = np.random.default_rng(0x656D6261)
        self._weights = generator.integers(0, 2**64, self._words, dtype=np.uint64) | np.uint64(1)

    def __call__(self, stored: Stored) -> Hashes:
        """Return one hash a row, shape (m,); equal rows (0.0 and -0.0 too) have equal hashes."""
        hashes = np.empty(len(stored), np.uint64)
        for start in range(0, len(stored), ROWS_AT_ONCE):
            words = self._as_words(stored[start : start + ROWS_AT_ONCE])
            hashes[start : start + ROWS_AT_ONCE] = mixed(words) @ self._weights
        return mixed(hashes)

    def _as_words(self, stored: Stored) -> NDArray[np.uint64]:
        """View rows as 64-bit words, zero-padded to a multiple of eight bytes."""
        # Adding zero turns -0.0 into 0.0, which compares equal but has another byte pattern.
        if stored.dtype == np.float16:
            # Processors do not add half precision: by its bits, twenty times as fast.
            bits = np.ascontiguousarray(stored).view(np.uint16)
            stored = bits * (bits != MINUS_ZERO)
        elif stored.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                stored = stored + stored.dtype.type(0)
        raw = np.ascontiguousarray(stored).view(np.uint8).reshape(len(stored), self._bytes)
        if self._bytes != self._words * 8:
            padded = np.zeros((len(stored), self._words * 8), np.uint8)
            padded[:, : self._bytes] = raw
            raw = padded
        return raw.view(np.uint64)


def mixed(hashes: Hashes) -> Hashes:
    """Return hashes whose every bit depends on every bit of the input (a 64-bit finaliser)."""
    hashes = hashes ^ (hashes >> np.uint64(32))
    hashes *= GOLDEN
    hashes ^= hashes >> np.uint64(29)
    return hashes


def joint(first: Hashes, second: Hashes) -> Hashes:
    """Return one hash for each pair of hashes; not symmetric."""
    both = np.empty(len(first), np.uint64)
    for start in range(0, len(first), HASHES_AT_ONCE):
        part = slice(start, start + HASHES_AT_ONCE)
        both[part] = mixed(first[part] * GOLDEN + mixed(second[part]))
    return both


def first_occurrences(hashes: Hashes) -> Mask:
    """Mark the rows whose hash no earlier row has, shape (n,)."""
    mask = np.ones(len(hashes), np.bool_)
    rows = repeating(hashes)
    mask[rows] = False
    mask[rows[repetitions(hashes[rows])[0]]] = True
    return mask


def repeating(hashes: Hashes) -> Rows:
    """Return the rows, ascending, whose hash another row has too.

    They are few as a rule, and found in a copy of the hashes; to order all rows by theirs takes
    several.
    """
    ordered = np.sort(hashes)
    values = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    del ordered
    found = [np.empty(0, np.int64)]
    for start in range(0, len(hashes) if len(values) else 0, HASHES_AT_ONCE):
        part = hashes[start : start + HASHES_AT_ONCE]
        places = np.minimum(np.searchsorted(values, part), len(values) - 1)
        found.append(start + np.flatnonzero(values[places] == part))
    return np.concatenate(found)


def repetitions(hashes: Hashes) -> tuple[Rows, Rows]:
    """Return the first row of every distinct hash, and how many rows have that hash."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(hashes)])
    return order[starts], np.diff(np.append(starts, len(hashes)))
