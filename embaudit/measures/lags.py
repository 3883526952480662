"""Rows that lag: blocks of neighbouring rows compared at every small shift, without a map.

The Gram matrices of two blocks agree where row i of one and row i + lag of the other describe one
item, whatever rotation or dimension lies between the spaces.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from embaudit.datatypes import Matrix, Vector
from embaudit.measures.cka import debiased_hsic, independence_p_value, linear_kernel
from embaudit.measures.order import MOST_LAG, Block

BLOCK = 512
"""Rows of a block: the CKA of unrelated rows stays below 0.03 at all 129 shifts."""
SMALL_BLOCK = 96
"""Rows of a block of a small file, as far as it has so many: fewer prove little."""
FALSE_ALARM = 1e-4
"""Chance that unrelated rows lag, over all shifts of all blocks that are tried."""
FIRST_BLOCKS = 5
MOST_BLOCKS = 48
LEAST_GAP = 0.05
GAP_SHARE = 0.25
"""A shift is named when its CKA is above that of all others by this share of itself."""
NEARLY_PERFECT = 0.1
"""Or when it lacks at most this share of what the others lack: in slow sequences all shifts are
alike and one is exact."""
FEWEST_ROWS = 24
SHORTEST_HEAD = 8
"""Rows in place at the start of a file that otherwise lags, before they are told apart."""

TakeRows = Callable[[int, int], Matrix]
"""``(start, stop) -> prepared rows``, shape (stop - start, d)."""


@dataclass(frozen=True)
class Lags:
    """Which rows lag, and by how much.

    Attributes
    ----------
    blocks : list of Block
        Contiguous and ascending over the whole file; neighbours differ in lag.
    strength : float
        The highest debiased CKA of a block with rows that lag.
    compared : int
        Rows of the blocks that were compared.
    """

    blocks: list[Block]
    strength: float
    compared: int


def shifted_cka(a: Matrix, b: Matrix) -> Vector:
    """Return debiased CKA of A's rows with B's rows at every shift.

    Parameters
    ----------
    a : float64 array, shape (m, p), m > 3
    b : float64 array, shape (m + s, q)
        Shift t pairs row i of `a` with row i + t.

    Returns
    -------
    float64 array, shape (s + 1,)
        0 where a side has no variance.
    """
    m = len(a)
    k, other = linear_kernel(a), linear_kernel(b)
    sums = k.sum(axis=1)
    xx = debiased_hsic(float((k * k).sum()), sums, sums)
    values = np.zeros(len(b) - m + 1)
    for shift in range(len(values)):
        part = other[shift : shift + m, shift : shift + m]
        part_sums = part.sum(axis=1)
        yy = debiased_hsic(float(np.einsum("ij,ij->", part, part)), part_sums, part_sums)
        if xx > 0.0 and yy > 0.0:
            xy = debiased_hsic(float(np.einsum("ij,ij->", k, part)), sums, part_sums)
            values[shift] = xy / math.sqrt(xx * yy)
    return values


def standing_out(values: Vector, rows: int, blocks: int = 1) -> int | None:
    """Return the shift at which rows correspond: no accident, and clear of all other shifts.

    Parameters
    ----------
    values : float64 array, shape (s,)
        Debiased CKA at every shift.
    rows : int
        Of the block.
    blocks : int
        Of which this is one.
    """
    best = int(values.argmax())
    top = float(values[best])
    if independence_p_value(top, rows) * len(values) * blocks >= FALSE_ALARM:
        return None
    second = float(np.delete(values, best).max())
    clear = top - second >= max(LEAST_GAP, GAP_SHARE * top)
    return best if clear or 1.0 - top <= NEARLY_PERFECT * (1.0 - second) else None


def profile_agreement(rows_a: Matrix, rows_b: Matrix, seen_a: Matrix, seen_b: Matrix) -> Vector:
    """Return how alike each pair of rows sees the same reference rows.

    The correlation of a row's inner products with the references on both sides: near 1 for
    partners under any rotation, near 0 for rows of different items.

    Parameters
    ----------
    rows_a, rows_b : float64 arrays, shapes (m, p) and (m, q)
    seen_a, seen_b : float64 arrays, shapes (r, p) and (r, q)
        Paired reference rows.
    """
    profiles = []
    for rows, seen in ((rows_a, seen_a), (rows_b, seen_b)):
        mean = seen.mean(axis=0)
        profile = (rows - mean) @ (seen - mean).T
        profile -= profile.mean(axis=1, keepdims=True)
        norms = np.sqrt(np.einsum("ij,ij->i", profile, profile))[:, None]
        profiles.append(profile / np.where(norms > 0.0, norms, 1.0))
    return np.asarray(np.einsum("ij,ij->i", *profiles))


def change_point(before: Vector, after: Vector) -> int:
    """Return how many leading rows belong to `before`, given what speaks for either, row by row."""
    gained = np.concatenate([[0.0], np.cumsum(before - after)])
    return int(gained.argmax())


class LagScan:
    """Looks for lags in a pair of files by blocks of rows.

    Parameters
    ----------
    rows : int
        Of the matched files.
    take_a, take_b : callable
        Prepared rows of a contiguous part.
    """

    def __init__(self, rows: int, take_a: TakeRows, take_b: TakeRows) -> None:
        self._rows = rows
        self._take_a, self._take_b = take_a, take_b
        self._most = min(MOST_LAG, rows // 8)
        self._size = min(BLOCK, rows - 2 * self._most, max(SMALL_BLOCK, rows // 4))
        self._seen: dict[int, tuple[int | None, float]] = {}

    def run(self) -> Lags | None:
        """Return the rows that lag, None where none is seen to.

        Blocks at the start, the middle and the end of the file are compared at every shift; where
        they differ, blocks between them tell where the lag begins.
        """
        last = self._rows - self._most - self._size
        if self._most < 1 or self._size < FEWEST_ROWS:
            return None
        starts = np.unique(np.linspace(self._most, last, FIRST_BLOCKS).astype(np.int64)).tolist()
        looked = [(int(start), self._lag(int(start))) for start in starts]
        named = [(start, lag) for start, lag in looked if lag is not None]
        if not any(lag for _, lag in named):
            return None
        blocks = self._head(*named[0])
        first = blocks[-1].last + 1 if blocks else 0
        for (start, lag), (later, other) in pairwise(named):
            for begins, before in self._changes(start, lag, later, other):
                blocks.append(Block(first, begins - 1, before))
                first = begins
        blocks.append(Block(first, self._rows - 1, named[-1][1]))
        strength = max(value for lag, value in self._seen.values() if lag)
        return Lags(_merged(blocks), strength, len(self._seen) * self._size)

    def _lag(self, start: int) -> int | None:
        if start not in self._seen:
            a = self._take_a(start, start + self._size)
            b = self._take_b(start - self._most, start + self._size + self._most)
            values = shifted_cka(a, b)
            position = standing_out(values, self._size, FIRST_BLOCKS)
            lag = None if position is None else position - self._most
            self._seen[start] = (lag, float(values.max()))
        return self._seen[start][0]

    def _head(self, start: int, lag: int) -> list[Block]:
        """Return the rows before the first block's lag begins, where those stand at their place."""
        middle, stop = start + self._size // 2, start + self._size
        low = max(0, -lag)
        if lag == 0 or middle - low < FEWEST_ROWS:
            return []
        seen = self._take_a(middle, stop), self._take_b(middle + lag, stop + lag)
        rows = self._take_a(low, middle)
        in_place, lagging = (
            profile_agreement(rows, self._take_b(low + by, middle + by), *seen) for by in (0, lag)
        )
        begins = change_point(in_place, lagging)
        return [Block(0, low + begins - 1, 0)] if begins >= SHORTEST_HEAD else []

    def _changes(self, start: int, lag: int, later: int, other: int) -> list[tuple[int, int]]:
        """Return, between two blocks, the row where each new lag begins, and the lag before it."""
        if lag == other:
            return []
        while later - start > self._size // 4 and len(self._seen) < MOST_BLOCKS:
            middle = (start + later) // 2
            between = self._lag(middle)
            if between is None:
                break
            if between not in (lag, other):
                return [
                    *self._changes(start, lag, middle, between),
                    *self._changes(middle, between, later, other),
                ]
            start, later = (middle, later) if between == lag else (start, middle)
        return [(self._begins(start, lag, later, other), lag)]

    def _begins(self, start: int, lag: int, later: int, other: int) -> int:
        """Return the first row with the later block's lag, row by row."""
        size = self._size
        before = (max(0, -lag, start - size // 2), start + size // 4)
        after = (later + size - size // 4, min(self._rows - max(0, other), later + 3 * size // 2))
        seen_a = np.concatenate([self._take_a(*before), self._take_a(*after)])
        seen_b = np.concatenate(
            [
                self._take_b(before[0] + lag, before[1] + lag),
                self._take_b(after[0] + other, after[1] + other),
            ]
        )
        low, high = before[1], after[0]
        rows = self._take_a(low, high)
        for_lag, for_other = (
            profile_agreement(rows, self._take_b(low + by, high + by), seen_a, seen_b)
            for by in (lag, other)
        )
        return low + change_point(for_lag, for_other)


def _merged(blocks: list[Block]) -> list[Block]:
    merged: list[Block] = []
    for block in blocks:
        if merged and merged[-1].lag == block.lag:
            block = Block(merged.pop().first, block.last, block.lag)
        merged.append(block)
    return merged
