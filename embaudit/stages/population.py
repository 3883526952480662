"""Stage 1: look at every row, refuse what cannot be audited, and fix the random choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import Pair
from embaudit.datatypes import Mask, Metric, Progress, Rows
from embaudit.errors import InputError
from embaudit.result import Policy
from embaudit.streaming.scan import Scan, SideScan, scan


@dataclass(frozen=True)
class Options:
    """What the user asked for, checked.

    Attributes are those of `embaudit.compare`; `workers` is the number of threads.
    """

    metric: Metric
    k: int
    policy: Policy
    drop_invalid: bool
    keep_duplicates: bool
    seed: int
    workers: int
    progress: Progress


@dataclass(frozen=True)
class Population:
    """The rows that enter the statistics, and the random choices among them.

    Attributes
    ----------
    pair : Pair
    options : Options
    scan : Scan
    kept : bool array, shape (rows,)
    order : int64 array, shape (n,)
        The kept rows in seeded random order: every sample is a prefix of it.
    half : bool array, shape (rows,)
        The seeded half of the rows that a mixed index takes from the other side.
    """

    pair: Pair
    options: Options
    scan: Scan
    kept: Mask
    order: Rows
    half: Mask

    @property
    def n(self) -> int:
        """Number of distinct usable rows: n of every measure."""
        return len(self.order)

    @property
    def dims(self) -> tuple[int, int]:
        """Dimensions (p, q)."""
        return self.pair.a.dim, self.pair.b.dim

    @property
    def same_dim(self) -> bool:
        """Whether stored vectors of one side can query the other."""
        return self.pair.a.dim == self.pair.b.dim

    @property
    def dropped_rows(self) -> int:
        """Number of rows left out because they are invalid, or zero under cosine."""
        usable = self.scan.a.finite & self.scan.b.finite
        if self.options.metric is Metric.COSINE:
            usable = usable & ~(self.scan.a.zero | self.scan.b.zero)
        return int((~usable).sum())


def populate(pair: Pair, options: Options) -> Population:
    """Scan the pair.

    Raises
    ------
    InputError
        For rows with NaN or inf that may not be dropped, for a side without any usable row or
        with one vector in all rows.
    """
    scanned = scan(pair, options.metric, options.workers, options.progress)
    if not options.drop_invalid:
        _refuse_invalid(pair, "a", scanned.a)
        _refuse_invalid(pair, "b", scanned.b)
    _refuse_constant(pair.a, scanned.a)
    _refuse_constant(pair.b, scanned.b)
    kept = scanned.kept(options.metric, options.keep_duplicates)
    if not kept.any():
        raise InputError(
            f"{pair.b.uri}: no row is usable on both sides (others are zero, NaN or inf there or "
            f"in {pair.a.uri}); check that both files hold the same items"
        )
    generator = np.random.default_rng([options.seed, 0])
    order = generator.permutation(np.flatnonzero(kept))
    half = generator.random(pair.rows) < 0.5
    return Population(pair, options, scanned, kept, order, half)


def _refuse_invalid(pair: Pair, name: Literal["a", "b"], side: SideScan) -> None:
    bad = np.flatnonzero(~side.finite)
    if len(bad) == 0:
        return
    source = pair.a if name == "a" else pair.b
    first = ", ".join(str(pair.stored_row(row, name)) for row in bad[:3])
    count = "1 row holds" if len(bad) == 1 else f"{len(bad)} rows hold"
    raise InputError(
        f"{source.uri}: {count} NaN or inf, first at row {first}; "
        "repair them or pass --drop-invalid to go on without them"
    )


def _refuse_constant(source: EmbeddingSet, side: SideScan) -> None:
    if not (side.finite & ~side.zero).any():
        raise InputError(
            f"{source.uri}: all {source.rows} rows are zero, NaN or inf; check the export"
        )
    hashes = side.hashes[side.finite]
    if (hashes == hashes[0]).all():
        raise InputError(
            f"{source.uri}: all {len(hashes)} rows hold the same vector; check the export"
        )
