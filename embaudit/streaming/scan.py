"""The first look at every row: what is valid, zero, repeated, and where the rows lie.

Everything later assumes what this pass has checked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.data.pair import Pair, even_spans
from embaudit.datatypes import Mask, Metric, Progress, Rows, Span, Stored, Vector
from embaudit.stats.hashing import Hashes, RowHasher, first_occurrences, joint
from embaudit.stats.parallel import ordered_map
from embaudit.stats.prepare import (
    SAFE_FLOAT32_NORMS,
    Preparation,
    mean_dominates,
    prepare,
)

BLOCK_BYTES = 8 << 20
FIRST_ROWS = 64
"""Rows of a block in which most columns already vary."""
NORMALIZED_TOLERANCE = 1e-3
LARGEST = 1000
"""Exponent of the largest power of two that rows are multiplied by."""


@dataclass(frozen=True)
class BlockScan:
    """What one block of one side contributes."""

    finite: Mask
    zero: Mask
    hashes: Hashes
    norm_min: float
    norm_max: float
    norm_sum: float
    relative_square_sum: float
    prepared_sum: Vector
    column_min: Vector
    column_max: Vector


@dataclass(frozen=True)
class SideScan:
    """One side over all matched rows.

    Attributes
    ----------
    rows : int
    nonfinite_rows, zero_rows : int64 arrays
        Positions of the rows that hold NaN or infinity, and of those that hold zeros alone.
    duplicate_rows : int
        Number of rows that repeat an earlier row of this side.
    norm_min, norm_max, norm_mean : float
        Of the finite rows; the smallest of those that are not zero.
    normalized : bool
        All norms are 1 up to rounding of the file's type.
    constant_columns : int
    preparation : Preparation
    hashes : uint64 array, shape (rows,), or None
        None once they have been looked at: they are most of what is held for a row.
    """

    rows: int
    nonfinite_rows: Rows
    zero_rows: Rows
    duplicate_rows: int
    norm_min: float
    norm_max: float
    norm_mean: float
    normalized: bool
    constant_columns: int
    preparation: Preparation
    hashes: Hashes | None = None

    @property
    def finite(self) -> Mask:
        """Mark the rows without NaN and infinity, shape (rows,)."""
        return self._without(self.nonfinite_rows)

    @property
    def nonzero(self) -> Mask:
        """Mark the rows with an entry that is not zero, shape (rows,)."""
        return self._without(self.zero_rows)

    def _without(self, rows: Rows) -> Mask:
        mask = np.ones(self.rows, np.bool_)
        mask[rows] = False
        return mask

    def rescaled(self, scale: float) -> SideScan:
        """Return the same side prepared with another scale."""
        return replace(self, preparation=self.preparation.rescaled(scale))


@dataclass(frozen=True)
class Scan:
    """Both sides, and whether they hold the same bytes."""

    a: SideScan
    b: SideScan
    identical: bool

    def joint_hashes(self) -> Hashes:
        """Return one hash a row over both sides, shape (rows,)."""
        assert self.a.hashes is not None, "hashes have been let go"
        assert self.b.hashes is not None, "hashes have been let go"
        return joint(self.a.hashes, self.b.hashes)

    def without_hashes(self) -> Scan:
        """Return the same scan, the hashes let go."""
        return replace(self, a=replace(self.a, hashes=None), b=replace(self.b, hashes=None))

    def usable(self, metric: Metric) -> tuple[Mask, Mask]:
        """Mark the rows of each side that have a vector to search with, shape (rows,)."""
        if metric is Metric.COSINE:
            return self.a.finite & self.a.nonzero, self.b.finite & self.b.nonzero
        return self.a.finite, self.b.finite

    def kept(self, metric: Metric, keep_duplicates: bool) -> Mask:
        """Mark the rows that enter the statistics, shape (rows,).

        Left out are non-finite rows, zero rows under cosine, and (unless `keep_duplicates`) rows
        whose vectors both repeat those of an earlier row.
        """
        usable_a, usable_b = self.usable(metric)
        kept: Mask = usable_a & usable_b
        if not keep_duplicates:
            kept &= first_occurrences(self.joint_hashes())
        return kept


def scan(pair: Pair, metric: Metric, workers: int, progress: Progress, share: float = 1.0) -> Scan:
    """Read every matched row once.

    Parameters
    ----------
    pair : Pair
    metric : Metric
        Decides what the mean and the scale of `Preparation` refer to.
    workers : int
        Threads.
    progress : Progress
        Told one step a block.
    share : float
        Of the usual size of a block.
    """
    spans = _spans(pair, share)
    look_a = partial(_scan_block, metric=metric, hasher=RowHasher(pair.a.dim, pair.a.dtype))
    look_b = partial(_scan_block, metric=metric, hasher=RowHasher(pair.b.dim, pair.b.dtype))
    # Once two blocks differ, the others are not compared: it changes nothing.
    identical = (pair.a.dim, pair.a.dtype) == (pair.b.dim, pair.b.dtype)

    def look(item: tuple[Span, Stored, Stored]) -> tuple[BlockScan, BlockScan, bool]:
        _, a, b = item
        # Bytes, not values: a NaN equals no NaN.
        same = identical and np.array_equal(a.view(np.uint8), b.view(np.uint8))
        return look_a(a), look_b(b), same

    progress.stage("checking rows", len(spans))
    blocks_a: list[BlockScan] = []
    blocks_b: list[BlockScan] = []
    for block_a, block_b, same in ordered_map(look, pair.blocks(spans, workers + 2), workers):
        blocks_a.append(block_a)
        blocks_b.append(block_b)
        identical &= same
        progress.advance()
    side_a = _combine(blocks_a, metric, pair.a.dtype)
    side_b = _combine(blocks_b, metric, pair.b.dtype)
    # One scale for both sides: scores across the sides, and a mixed index, need one unit.
    scale = min(side_a.preparation.scale, side_b.preparation.scale)
    return Scan(side_a.rescaled(scale), side_b.rescaled(scale), identical)


def row_hashes(pair: Pair, workers: int, share: float = 1.0) -> tuple[Hashes, Hashes]:
    """Return the hashes of A's rows and of B's, shape (rows,) each, by one more read.

    Blocks have the given share of their usual size.
    """
    hasher_a, hasher_b = RowHasher(pair.a.dim, pair.a.dtype), RowHasher(pair.b.dim, pair.b.dtype)

    def look(item: tuple[Span, Stored, Stored]) -> tuple[Hashes, Hashes]:
        _, a, b = item
        return hasher_a(a), hasher_b(b)

    blocks = pair.blocks(_spans(pair, share), workers + 2)
    found_a, found_b = zip(*ordered_map(look, blocks, workers), strict=True)
    return np.concatenate(found_a), np.concatenate(found_b)


def _spans(pair: Pair, share: float = 1.0) -> list[Span]:
    widest = max(pair.a.dim * pair.a.dtype.itemsize, pair.b.dim * pair.b.dtype.itemsize)
    return even_spans(pair.rows, max(1, int(share * BLOCK_BYTES) // widest))


def _scan_block(stored: Stored, metric: Metric, hasher: RowHasher) -> BlockScan:
    """Scan one block of one side."""
    rows: np.ndarray[tuple[int, int], np.dtype[np.floating]]
    rows = stored if stored.dtype in (np.float32, np.float64) else stored.astype(np.float32)
    squares = np.einsum("ij,ij->i", rows, rows).astype(np.float64)
    low, high = SAFE_FLOAT32_NORMS
    # NaN, overflow and underflow all fall outside; only those rows are looked at entry by entry.
    odd = np.flatnonzero(~((squares > low * low) & (squares < high * high)))
    finite = np.ones(len(rows), np.bool_)
    norms = np.sqrt(squares)
    if len(odd):
        finite[odd] = np.isfinite(rows[odd]).all(axis=1)
        wide = np.where(finite[odd, None], rows[odd], 0.0).astype(np.float64)
        largest = np.abs(wide).max(axis=1)
        divisor = np.where(largest > 0.0, largest, 1.0)
        norms[odd] = largest * np.sqrt(np.square(wide / divisor[:, None]).sum(axis=1))
    zero = finite & (norms == 0.0)
    usable = norms[finite & ~zero]
    norm_max = float(usable.max(initial=0.0))
    if len(odd):
        prepared_sum = prepare(rows[finite], metric).sum(axis=0)
    else:
        weights = 1.0 / norms if metric is Metric.COSINE else np.ones(len(rows))
        prepared_sum = (weights.astype(rows.dtype) @ rows).astype(np.float64)
    column_min, column_max = _column_extremes(rows if finite.all() else rows[finite])
    return BlockScan(
        finite=finite,
        zero=zero,
        hashes=hasher(stored),
        norm_min=float(usable.min(initial=np.inf)),
        norm_max=norm_max,
        norm_sum=float(norms[finite].sum()),
        relative_square_sum=float(np.square(usable / (norm_max or 1.0)).sum()),
        prepared_sum=prepared_sum,
        column_min=column_min,
        column_max=column_max,
    )


def _column_extremes(rows: NDArray[Any]) -> tuple[Vector, Vector]:
    """Return bounds of every column that are equal where the column is constant, and only there.

    A column that varies in the first rows is not looked at further.
    """
    head = rows[:FIRST_ROWS]
    low, high = head.min(axis=0, initial=np.inf), head.max(axis=0, initial=-np.inf)
    still = np.flatnonzero(low == high)
    if len(still):
        low[still], high[still] = rows[:, still].min(axis=0), rows[:, still].max(axis=0)
    return low, high


def _combine(blocks: list[BlockScan], metric: Metric, dtype: np.dtype[np.generic]) -> SideScan:
    """Put the blocks of one side together."""
    finite = np.concatenate([block.finite for block in blocks])
    zero = np.concatenate([block.zero for block in blocks])
    hashes = np.concatenate([block.hashes for block in blocks])
    count = max(1, int(finite.sum()))
    norm_max = max(block.norm_max for block in blocks)
    norm_min = min(block.norm_min for block in blocks)
    norm_min = norm_min if np.isfinite(norm_min) else 0.0
    mean = np.sum([block.prepared_sum for block in blocks], axis=0) / count
    column_min = np.min([block.column_min for block in blocks], axis=0)
    column_max = np.max([block.column_max for block in blocks], axis=0)
    scale = 1.0
    mean_square = 1.0
    if metric is not Metric.COSINE and norm_max > 0.0:
        # Relative to the largest norm, so that no square overflows or vanishes.
        ratio = sum(b.relative_square_sum * (b.norm_max / norm_max) ** 2 for b in blocks) / count
        exponent = np.clip(np.round(np.log2(norm_max * np.sqrt(ratio))), -LARGEST, LARGEST)
        scale = float(2.0**-exponent)
        mean = mean * scale
        mean_square = ratio * (norm_max * scale) ** 2
    dominated = metric is Metric.COSINE and mean_dominates(mean, mean_square)
    extreme = norm_max > 0.0 and not (
        SAFE_FLOAT32_NORMS[0] < norm_min <= norm_max < SAFE_FLOAT32_NORMS[1]
    )
    return SideScan(
        rows=len(finite),
        nonfinite_rows=np.flatnonzero(~finite),
        zero_rows=np.flatnonzero(zero),
        duplicate_rows=int((~first_occurrences(hashes)).sum()),
        hashes=hashes,
        norm_min=norm_min,
        norm_max=norm_max,
        norm_mean=float(sum(block.norm_sum / count for block in blocks)),
        normalized=bool(
            norm_max > 0.0
            and abs(norm_min - 1.0) <= NORMALIZED_TOLERANCE
            and abs(norm_max - 1.0) <= NORMALIZED_TOLERANCE
        ),
        constant_columns=int((column_min >= column_max).sum()),
        preparation=Preparation(
            metric=metric,
            scale=scale,
            norm=float(np.sqrt(mean_square)),
            shift=mean.astype(np.float32).astype(np.float64),
            precise=bool(dtype == np.float64 or dominated or extreme),
        ),
    )
