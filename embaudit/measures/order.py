"""Where the rows of one file stand in the other: moved blocks, lags, another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from embaudit.datatypes import Rows
from embaudit.stats.hashing import Hashes, repetitions

SHORTEST_RUN = 3
"""Rows that move by the same distance, one after another, before they count as a block."""
COVERED = 0.9
"""Share of the found rows that blocks must hold before the order is told by blocks."""
MOST_BLOCKS = 12
MOST_LAG = 64
"""Rows by which a file may lag; what moves further is a moved block."""


@dataclass(frozen=True)
class Block:
    """Rows ``first`` to ``last`` of A, inclusive, stand `lag` rows later in B."""

    first: int
    last: int
    lag: int


@dataclass(frozen=True)
class Order:
    """How the rows of B are ordered against those of A.

    Attributes
    ----------
    kind : str
        ``"lag"`` of a few rows, ``"blocks"`` that stand elsewhere, ``"reversed"``, or
        ``"shuffled"``.
    by : str
        What shows it: ``"bytes"`` of the rows, ``"search"`` for single rows, or ``"geometry"`` of
        blocks of rows.
    looked, moved : int
        Rows whose place in B is known, and those of them that stand elsewhere. Of the rows
        compared where geometry shows it, of those searched for where only a search does.
    blocks : list of Block
        Ascending; empty for another order.
    examples : list of (row of A, row of B)
        Some rows that moved.
    strength : float or None
        Debiased CKA of the rows brought together, for ``"geometry"``.
    """

    kind: Literal["lag", "blocks", "reversed", "shuffled"]
    by: Literal["bytes", "search", "geometry"]
    looked: int
    moved: int
    blocks: list[Block]
    examples: list[tuple[int, int]]
    strength: float | None = None

    @property
    def share(self) -> float:
        """Share of the rows looked at that stand elsewhere."""
        return self.moved / self.looked


def places_by_bytes(a: Hashes, b: Hashes) -> tuple[Rows, Rows]:
    """Return the rows of A, ascending, whose bytes B holds once, and where.

    Rows that a side holds more than once have no place of their own. Hashes must be of rows of
    one dimension and type.
    """
    once_a, once_b = _once(a), _once(b)
    _, at_a, at_b = np.intersect1d(a[once_a], b[once_b], assume_unique=True, return_indices=True)
    rows, found = once_a[at_a], once_b[at_b]
    order = np.argsort(rows)
    return rows[order], found[order]


def _once(hashes: Hashes) -> Rows:
    first, counts = repetitions(hashes)
    return np.asarray(first[counts == 1])


def blocks_of(rows: Rows, found: Rows) -> list[Block]:
    """Return runs of rows that move by one distance.

    Parameters
    ----------
    rows, found : int64 arrays, shape (m,)
        Rows of A, ascending, and their places in B. Single rows that break a run are skipped.
    """
    lags = found - rows
    if len(lags) > 2:
        # A row that stands alone between two of one distance is a chance match.
        alone = np.zeros(len(lags), np.bool_)
        alone[1:-1] = (lags[:-2] == lags[2:]) & (lags[1:-1] != lags[:-2])
        rows, lags = rows[~alone], lags[~alone]
    starts = np.flatnonzero(np.append(True, np.diff(lags) != 0)[: len(lags)])
    stops = np.append(starts[1:], len(lags))
    blocks: list[Block] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if stop - start < SHORTEST_RUN:
            continue
        block = Block(int(rows[start]), int(rows[stop - 1]), int(lags[start]))
        if blocks and blocks[-1].lag == block.lag:
            block = Block(blocks.pop().first, block.last, block.lag)
        blocks.append(block)
    return blocks


def order_of(rows: Rows, found: Rows, by: Literal["bytes", "search"]) -> Order | None:
    """Return how known places are ordered; None where every row stands at its own.

    Parameters
    ----------
    rows, found : int64 arrays, shape (m,)
        Rows of A, ascending, and their places in B.
    by : str
    """
    lags = found - rows
    moved = np.flatnonzero(lags)
    if len(moved) == 0:
        return None
    spread = moved[np.linspace(0, len(moved) - 1, min(5, len(moved))).astype(np.int64)]
    examples = [(int(rows[at]), int(found[at])) for at in spread]
    blocks: list[Block] = []
    # Runs are counted before any is built: a shuffled file of many rows has as many.
    if np.count_nonzero(np.diff(lags)) <= len(lags) // (2 * SHORTEST_RUN) + MOST_BLOCKS:
        blocks = blocks_of(rows, found)
    held = sum(
        int(np.count_nonzero((lags == block.lag) & (rows >= block.first) & (rows <= block.last)))
        for block in blocks[: MOST_BLOCKS + 1]
    )
    kind: Literal["lag", "blocks", "reversed", "shuffled"]
    moving = [block for block in blocks if block.lag]
    if moving and len(blocks) <= MOST_BLOCKS and held >= COVERED * len(rows):
        kind = "lag" if all(abs(block.lag) <= MOST_LAG for block in moving) else "blocks"
    else:
        blocks = []
        kind = "reversed" if len(found) > 2 and (np.diff(found) < 0).all() else "shuffled"
    return Order(kind, by, len(rows), len(moved), blocks, examples)
