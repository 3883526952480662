"""What a comparison needs in memory, and how a byte budget is divided over its blocks."""

from __future__ import annotations

from embaudit.data.embedding_set import ArraySet
from embaudit.data.keyed import KeyedSet
from embaudit.data.pair import Pair
from embaudit.errors import UsageError
from embaudit.maps.fold_fit import FOLD_BYTES, MATRICES_OF_A_FOLD
from embaudit.maps.linear import PENALTIES
from embaudit.measures.retrieval import queries_at_once
from embaudit.stages.byte_counts import shown_bytes
from embaudit.stages.linear import TUNING_ROWS
from embaudit.stages.options import MemoryPlan, Options
from embaudit.stages.rank_sample import FIRST_RANKS
from embaudit.stats.moments import EXTRA
from embaudit.streaming import fold_moments, scan, search

LIBRARIES = 160 << 20
"""Interpreter and libraries, and what the allocator keeps."""
READER = 120 << 20
"""What a reader that decodes holds besides."""
CHECKED_ROW = 56
"""Bytes a row while rows are checked: hashes of both sides, of the pair, and their order."""
ROW = 8
"""Bytes a row from then on: what is kept, the seeded half, the sampling order."""
SMALLEST_SHARE = 1 / 16
"""Of the usual block size; smaller blocks are no longer products of matrices worth the name."""
MAPS = 12
"""Square matrices of the fitted maps: three for each fold."""
VIEWS = 4
"""Kinds of query vectors that one search asks."""


def memory_plan(pair: Pair, options: Options) -> MemoryPlan:
    """Return how to keep to the budget, all of it where none was set.

    Raises
    ------
    UsageError
        When the budget is too small; says the least that would do.
    """
    if options.memory is None:
        return MemoryPlan()
    needs = _Needs(pair, options)
    least = max(
        fixed + SMALLEST_SHARE * blocks for fixed, blocks in (*needs.passes, (needs.maps(1), 0))
    )
    if options.memory < least:
        p, q = pair.a.dim, pair.b.dim
        raise UsageError(
            f"--memory {shown_bytes(options.memory)}: comparing {pair.rows:,} rows of {p} and {q} "
            f"dimensions with {options.workers} threads takes {shown_bytes(int(least))}; pass "
            "that much, or fewer --threads"
        )
    share = min((options.memory - fixed) / blocks for fixed, blocks in needs.passes)
    spare = options.memory - needs.maps(0)
    return MemoryPlan(min(1.0, share), max(1, min(FOLD_BYTES, int(spare))))


class _Needs:
    """Bytes that the stages take, from above."""

    def __init__(self, pair: Pair, options: Options) -> None:
        p, q = pair.a.dim, pair.b.dim
        widest = max(p, q)
        workers, slots = options.workers, options.workers + 2
        held = LIBRARIES
        for source in (pair.a, pair.b):
            held += READER if isinstance(source, KeyedSet) else 0
            if pair.sampled_of is not None and isinstance(source, ArraySet):
                held += source.rows * source.dim * source.dtype.itemsize
        square = 8 * widest**2
        rows = held + ROW * pair.rows
        sums = 8 * fold_moments.FOLDS * (p * p + p * q + q * q)
        grams = 4 * (p + q + EXTRA) ** 2 * slots
        asked = min(pair.rows, queries_at_once(max(options.ks), widest))
        # As float64, centred, rotated, as float32 and in their leading axes.
        queries = VIEWS * asked * widest * 36
        stack = VIEWS * asked * 4
        scores = search.SCORE_BYTES // stack
        corpus = search.CORPUS_BYTES * (slots + workers)
        corpus += min(search.SCORE_BYTES, scores * stack) * 5 // 4 * workers
        ranked = min(pair.rows, FIRST_RANKS) * widest * 8 * (6 + 2 * workers)
        tuned = 2 * (len(PENALTIES) + 2) * min(pair.rows, TUNING_ROWS) * widest * 8
        maps = MAPS * square
        self.passes = (
            (held + CHECKED_ROW * pair.rows, 2 * scan.BLOCK_BYTES * (slots + workers)),
            (rows + sums + grams, fold_moments.BLOCK_BYTES * (slots + workers)),
            (rows + maps + queries, corpus),
            (rows + maps + ranked, 1),
        )
        self._algebra = rows + sums + tuned + (MAPS + fold_moments.FOLDS) * square
        self._fold = MATRICES_OF_A_FOLD * square

    def maps(self, folds: int) -> int:
        """Return the bytes of fitting maps, with so many folds worked on together."""
        return self._algebra + folds * self._fold
