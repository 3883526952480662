"""Stage 1: look at every row, refuse what cannot be audited, and fix the random choices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import Pair, even_spans
from embaudit.datatypes import Mask, Matrix, Rows
from embaudit.errors import InputError
from embaudit.stages.options import Options
from embaudit.stages.packed_bits import refuse_packed_bits
from embaudit.stats.allocation import give_back
from embaudit.stats.hashing import repeating, repetitions
from embaudit.streaming.scan import Scan, SideScan, scan

SAMPLE_ROWS = 1000
"""Rows of the sample whose pairs are looked at, and whose bytes may be packed bits."""
NORMS = (1e-30, 1e30)
"""Norms of vectors and of their differences that float32 holds, as the fourth powers of their
ratios do."""
DRAWN_AT_ONCE = 1 << 18
MOST_LOOKED_AT = 256
"""Invalid rows whose values say how they came about."""
MANY = 0.002
"""Share of all rows from which one repeated row is judged by itself."""


class SamplingOrder:
    """Rows in random order, held in four bytes each; what is taken from it are int64 arrays.

    Parameters
    ----------
    kept : bool array, shape (rows,)
    generator : numpy Generator
    """

    def __init__(self, kept: Mask, generator: np.random.Generator) -> None:
        rows = np.flatnonzero(kept)
        if len(kept) <= np.iinfo(np.int32).max:
            rows = rows.astype(np.int32)
        generator.shuffle(rows)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, part: slice | Rows) -> Rows:
        return self._rows[part].astype(np.int64)


@dataclass(frozen=True)
class Population:
    """The rows that enter the statistics, and the random choices among them.

    Attributes
    ----------
    pair : Pair
    options : Options
    scan : Scan
    kept : bool array, shape (rows,)
    order : SamplingOrder
        The kept rows in seeded random order: every sample is a prefix of it.
    half : bool array, shape (rows,)
        The seeded half of the rows that a mixed index takes from the other side.
    distinct : int
        Usable rows that repeat no earlier one on both sides; n unless duplicates are kept.
    one_sided : int
        Rows with a usable vector on one side only.
    repeated : (rows, counts)
        Kept rows that stand for at least 0.2% of all rows, and for how many.
    """

    pair: Pair
    options: Options
    scan: Scan
    kept: Mask
    order: SamplingOrder
    half: Mask
    distinct: int
    one_sided: int
    repeated: tuple[Rows, Rows]

    @property
    def n(self) -> int:
        """Number of rows in the statistics: n of every measure."""
        return len(self.order)

    @property
    def dims(self) -> tuple[int, int]:
        """Dimensions (p, q)."""
        return self.pair.a.dim, self.pair.b.dim

    @property
    def same_dim(self) -> bool:
        """Whether stored vectors of one side can query the other."""
        return self.pair.a.dim == self.pair.b.dim

    def prepared(self, rows: Rows) -> tuple[Matrix, Matrix]:
        """Return rows of both sides as the metric sees them, shapes (m, p) and (m, q)."""
        return (
            self.scan.a.preparation.rows(self.pair.a.take(rows)),
            self.scan.b.preparation.rows(self.pair.b.take(rows)),
        )

    def drawn(self, rows: int) -> Population:
        """Return as many of the rows, drawn at random, where there are more."""
        if self.n <= rows:
            return self
        kept = np.zeros(len(self.kept), np.bool_)
        kept[self.order[:rows]] = True
        generator = np.random.default_rng([self.options.seed, 9])
        return replace(self, kept=kept, order=SamplingOrder(kept, generator))

    @property
    def dropped_rows(self) -> int:
        """Number of rows left out because they are invalid, or zero under cosine."""
        usable_a, usable_b = self.scan.usable(self.options.metric)
        return int((~(usable_a & usable_b)).sum())


def populate(pair: Pair, options: Options) -> Population:
    """Scan the pair.

    Raises
    ------
    InputError
        For rows with NaN or inf that may not be dropped, for a side without any usable row or
        with one vector in all rows, for packed bits.
    """
    population = _populated(pair, options)
    give_back()
    return population


def _populated(pair: Pair, options: Options) -> Population:
    share = options.plan.share
    scanned = scan(pair, options.metric, options.workers, options.progress, share)
    if not options.drop_invalid:
        _refuse_invalid(pair, "a", scanned.a)
        _refuse_invalid(pair, "b", scanned.b)
    _refuse_extreme(pair.a, scanned.a)
    _refuse_extreme(pair.b, scanned.b)
    noun = "rows" if pair.sampled_of is None else "sampled rows"
    _refuse_constant(pair.a, scanned.a, noun)
    _refuse_constant(pair.b, scanned.b, noun)
    kept = scanned.kept(options.metric, options.keep_duplicates)
    if not kept.any():
        raise InputError(
            f"{pair.b.uri}: no row is usable on both sides (others are zero, NaN or inf there or "
            f"in {pair.a.uri}); check that both files hold the same items"
        )
    generator = np.random.default_rng([options.seed, 0])
    order = SamplingOrder(kept, generator)
    refuse_packed_bits(pair, order[:SAMPLE_ROWS], options.metric)
    half = _half(pair.rows, generator)
    usable_a, usable_b = scanned.usable(options.metric)
    usable = usable_a & usable_b
    hashes = scanned.joint_hashes()
    rows = repeating(hashes if usable.all() else hashes[usable])
    if not usable.all():
        rows = np.flatnonzero(usable)[rows]
    first, counts = repetitions(hashes[rows])
    many = counts >= MANY * pair.rows
    return Population(
        pair,
        options,
        scanned.without_hashes(),
        kept,
        order,
        half,
        distinct=int(usable.sum()) - len(rows) + len(first),
        one_sided=int((usable_a ^ usable_b).sum()),
        repeated=(rows[first[many]], counts[many]),
    )


def _half(rows: int, generator: np.random.Generator) -> Mask:
    """Draw each row with probability one half."""
    half = np.empty(rows, np.bool_)
    for start, stop in even_spans(rows, DRAWN_AT_ONCE):
        half[start:stop] = generator.random(stop - start) < 0.5
    return half


def _refuse_invalid(pair: Pair, name: Literal["a", "b"], side: SideScan) -> None:
    bad = side.nonfinite_rows
    if len(bad) == 0:
        return
    source = pair.a if name == "a" else pair.b
    first = ", ".join(str(pair.stored_row(row, name)) for row in bad[:3])
    rows = "row" if pair.sampled_of is None else "sampled row"
    count = f"1 {rows} holds" if len(bad) == 1 else f"{len(bad)} {rows}s hold"
    cure = "repair them or pass --drop-invalid to go on without them"
    if source.dtype == np.float16 and np.isinf(source.take(bad[:MOST_LOOKED_AT])).any():
        largest = int(np.finfo(np.float16).max)
        cure = f"float16 holds no more than {largest}: store float32, or pass --drop-invalid"
    raise InputError(f"{source.uri}: {count} NaN or inf, first at row {first}; {cure}")


def _refuse_extreme(source: EmbeddingSet, side: SideScan) -> None:
    low, high = NORMS
    for norm in (side.norm_min, side.norm_max):
        if norm > 0.0 and not low <= norm <= high:
            raise InputError(
                f"{source.uri}: rows have norms from {side.norm_min:.3g} to {side.norm_max:.3g}; "
                f"expected {low:g} to {high:g}: rescale the vectors, or check the byte order"
            )


def _refuse_constant(source: EmbeddingSet, side: SideScan, rows: str) -> None:
    finite = side.finite
    if not (finite & side.nonzero).any():
        raise InputError(
            f"{source.uri}: all {source.rows} {rows} are zero, NaN or inf; check the export"
        )
    assert side.hashes is not None, "hashes have been let go"
    first = side.hashes[np.argmax(finite)]
    if ((side.hashes == first) | ~finite).all():
        raise InputError(
            f"{source.uri}: all {finite.sum()} {rows} hold the same vector; check the export"
        )
