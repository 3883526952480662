"""Pass 1: every matched row once into the moments of its fold."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.data.pair import Pair, even_spans
from embaudit.datatypes import Mask, Progress, Rows, Span, Stored
from embaudit.stats.moments import EXTRA, Moments, complete
from embaudit.stats.parallel import ordered_map
from embaudit.stats.prepare import CACHED_BYTES, Preparation

FOLDS = 4
CHUNKS = 64
LARGEST_CHUNK = 8192
POSITIONS_AT_ONCE = 1 << 18
BLOCK_BYTES = 28 << 20
"""Augmented rows of one product: about 4,600 rows at 768 + 768 dimensions, where a symmetric
product runs near its peak, and two threads' buffers stay small."""
GRAM_BYTES = 64 << 20
"""A block makes a matrix for each of its folds; where one is larger, blocks are of one fold."""
DOUBLE_PRECISION_FLOPS = 2e10
"""Below this the products run in float64: it costs a fraction of a second and no digit is lost."""


PLAIN_SQUARES = (1e-12, 64.0)
"""Largest squared norms of a block whose own squares float32 neither loses nor lets drown the
other rows: prepared rows have norms near 1, outliers or a side of smaller scale apart."""


@dataclass(frozen=True)
class FoldPlan:
    """Which fold each kept row belongs to: chunks of neighbouring rows, dealt out by a seed.

    Near-duplicates tend to be neighbours in a file; a chunk keeps them on one side of a split.

    Attributes
    ----------
    starts : int64 array, shape (chunks + 1,)
        Position in the file where each chunk of kept rows starts; the last entry is the end.
    labels : int8 array, shape (chunks,)
        Fold of each chunk.
    """

    starts: Rows
    labels: NDArray[np.int8]

    @classmethod
    def seeded(cls, kept: Mask, seed: int) -> FoldPlan:
        """Return the plan for the kept rows of a file, mask of shape (rows,)."""
        chunk = min(LARGEST_CHUNK, max(1, -(-int(np.count_nonzero(kept)) // CHUNKS)))
        starts = _every(kept, chunk)
        order = np.random.default_rng([seed, 1]).permutation(len(starts))
        labels = np.empty(len(starts), np.int8)
        labels[order] = np.arange(len(starts)) % FOLDS
        starts[:1] = 0
        return cls(np.append(starts, len(kept)), labels)

    def fold_of(self, rows: Rows) -> NDArray[np.int8]:
        """Return the fold of each row position."""
        return self.labels[np.searchsorted(self.starts, rows, side="right") - 1]

    def spans(self, block_rows: int, *, together: bool = True) -> list[Span]:
        """Return consecutive blocks of about `block_rows` rows, cut at chunks where possible.

        Small chunks share a block, unless they are not to be `together`.
        """
        spans: list[Span] = []
        start = 0
        for chunk_start, chunk_stop in zip(self.starts[:-1], self.starts[1:], strict=True):
            if together and chunk_stop - start <= block_rows:
                continue
            if chunk_start > start:
                spans.append((start, int(chunk_start)))
                start = int(chunk_start)
            length = int(chunk_stop) - start
            if length > block_rows:
                step = -(-length // (-(-length // block_rows)))
                spans += [(start + low, start + high) for low, high in even_spans(length, step)]
                start = int(chunk_stop)
        if start < self.starts[-1]:
            spans.append((start, int(self.starts[-1])))
        return spans


def _every(kept: Mask, step: int) -> Rows:
    """Return the first kept position and every `step`-th after it, shape (chunks,)."""
    starts, seen = [], 0
    for start, stop in even_spans(len(kept), POSITIONS_AT_ONCE):
        found = np.flatnonzero(kept[start:stop])
        starts.append(start + found[-seen % step :: step])
        seen += len(found)
    return np.concatenate(starts)


def fold_moments(
    pair: Pair,
    kept: Mask,
    prepare_a: Preparation,
    prepare_b: Preparation,
    plan: FoldPlan,
    workers: int,
    progress: Progress,
    share: float = 1.0,
) -> list[Moments]:
    """Return the moments of the kept rows, one for each fold.

    Products are float32 for a block and float64 across blocks; small inputs are float64
    throughout. Blocks have the given share of their usual size.
    """
    p, q = pair.a.dim, pair.b.dim
    width = p + q + EXTRA
    small = pair.rows * float(width) ** 2 < DOUBLE_PRECISION_FLOPS
    dtype = np.dtype(np.float64 if small else np.float32)
    block_bytes = int(share * BLOCK_BYTES)
    together = width**2 * dtype.itemsize <= GRAM_BYTES
    spans = plan.spans(max(64, block_bytes // (4 * width)), together=together)
    buffers = threading.local()

    def augmented(a: Stored, b: Stored) -> NDArray[Any]:
        if not hasattr(buffers, "z"):
            buffers.z = np.empty((max(stop - start for start, stop in spans), width), dtype)
        z: NDArray[Any] = buffers.z[: len(a)]
        # A few rows at a time go through every step while they are in cache.
        for low, high in even_spans(len(a), max(1, CACHED_BYTES // (8 * width))):
            part = z[low:high]
            prepare_a.fill(a[low:high], part[:, :p])
            prepare_b.fill(b[low:high], part[:, p : p + q])
            complete(part, p, q)
        return z

    def products(item: tuple[Span, Stored, Stored]) -> list[tuple[int, NDArray[Any]]]:
        (start, stop), a, b = item
        rows = np.arange(start, stop)[kept[start:stop]]
        folds = plan.fold_of(rows)
        grams = []
        for fold in np.unique(folds):
            chosen = rows[folds == fold] - start
            whole = len(chosen) == stop - start
            z = augmented(a if whole else a[chosen], b if whole else b[chosen])
            grams.append((int(fold), _gram(z, p, q)))
        return grams

    moments = [Moments(prepare_a.shift, prepare_b.shift) for _ in range(FOLDS)]
    progress.stage("moments", len(spans))
    for grams in ordered_map(products, pair.blocks(spans, workers + 2), workers):
        for fold, gram in grams:
            moments[fold].add(gram)
        progress.advance()
    return moments


def _gram(z: NDArray[Any], p: int, q: int) -> NDArray[Any]:
    """Return ``z^T z``; in float64 where float32 cannot hold outlier rows or a far smaller side."""
    low, high = PLAIN_SQUARES
    largest = z[:, p + q : p + q + 2].max(axis=0)
    if z.dtype == np.float32 and not ((low < largest) & (largest < high)).all():
        z = z.astype(np.float64)
        complete(z, p, q)
    gram: NDArray[Any] = z.T @ z
    return gram
