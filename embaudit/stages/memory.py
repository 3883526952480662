"""What a comparison needs in memory, and how a byte budget is divided over its blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from embaudit.data.embedding_set import ArraySet
from embaudit.data.pair import Pair
from embaudit.errors import UsageError
from embaudit.maps.fold_fit import FOLD_BYTES, MATRICES_OF_A_FOLD
from embaudit.maps.linear import PENALTIES
from embaudit.measures.retrieval import VIEWS, queries_at_once
from embaudit.stages.byte_counts import shown_bytes
from embaudit.stages.linear import TUNING_ROWS, TUNING_VALUES
from embaudit.stages.options import MemoryPlan, Options
from embaudit.stages.rank_sample import FIRST_RANKS
from embaudit.stats.moments import EXTRA
from embaudit.stats.topk import candidates_for
from embaudit.streaming import fold_moments, scan, search

LIBRARIES = 160 << 20
"""Interpreter and libraries, and what the allocator keeps."""
JOINED_ROW = 96
"""Bytes a row while rows are joined by id: hashes and checks of both sides, and their order."""
MATCHED_ROW = 16
"""Bytes a row from then on: where it stands in either file."""
CHECKED_ROW = 56
"""Bytes a row while rows are checked: hashes of both sides, of the pair, and their order."""
ROW = 8
"""Bytes a row from then on, from above: what is kept, the seeded half, the sampling order."""
SMALLEST_SHARE = 1 / 16
"""Of the usual block size; products of still smaller blocks are slow."""
MAP_MATRICES = 3 * fold_moments.FOLDS
"""Square matrices of the fitted maps: a rotation and two ridge maps for each fold."""
FIT_MATRICES = 4 * fold_moments.FOLDS
"""Square matrices that remain of the folds while penalties are chosen."""
QUERY_BYTES = 36
"""Bytes an entry of the query vectors takes: as float64, centred and rotated, as float32, and in
leading axes."""
LIST_BYTES = 200
"""Bytes an entry of the lists of best rows takes, with what is offered, joined and rescored."""
LISTS = 6
"""Lists of a query: two views by half, and those of both maps."""
RANK_ARRAYS = 6
"""Arrays of the size of the rank sample, and two more for every thread."""


@dataclass(frozen=True)
class _Need:
    """Bytes that a pass takes: whatever the size of its blocks, and for blocks of usual size."""

    fixed: int
    blocks: int = 0

    @property
    def least(self) -> int:
        """Bytes that it takes with the smallest blocks."""
        return self.fixed + math.ceil(SMALLEST_SHARE * self.blocks)

    def share(self, budget: int) -> float:
        """Return the share of the usual size that blocks may have, at most 1."""
        return min(1.0, (budget - self.fixed) / self.blocks) if self.blocks else 1.0


def memory_plan(pair: Pair, options: Options) -> MemoryPlan:
    """Return how to keep to the budget; as usual where none was set.

    Raises
    ------
    UsageError
        When the budget is too small; says the least that would do.
    """
    if options.memory is None:
        return MemoryPlan()
    sizes = _Sizes(pair, options)
    needs = [sizes.join(), sizes.scan(), sizes.moments(), sizes.neighbours(), sizes.ranks()]
    least = max(*(need.least for need in needs), sizes.maps(1).least)
    if options.memory < least:
        one = options.workers == 1
        threads = "1 thread" if one else f"{options.workers} threads"
        raise UsageError(
            f"--memory {shown_bytes(options.memory)}: comparing {pair.rows:,} rows of "
            f"{pair.a.dim} and {pair.b.dim} dimensions with {threads} takes {shown_bytes(least)}; "
            f"pass at least that{'' if one else ', or fewer --threads'}"
        )
    return MemoryPlan(
        share=min(need.share(options.memory) for need in needs),
        fold_bytes=min(FOLD_BYTES, options.memory - sizes.maps(0).fixed),
    )


class _Sizes:
    """What each part of a comparison takes, from above."""

    def __init__(self, pair: Pair, options: Options) -> None:
        self._pair = pair
        self._options = options
        self._dims = pair.a.dim, pair.b.dim
        self._widest = max(self._dims)
        self._workers = options.workers
        # Blocks that are read, worked on and waited for.
        self._slots = options.workers + 2
        sources = {id(one): one for one in (pair.a, pair.b, *(pair.stored or ()))}.values()
        self._held: int = LIBRARIES + sum(source.held_bytes for source in sources)
        if pair.sampled_of is not None:
            drawn = [side for side in (pair.a, pair.b) if isinstance(side, ArraySet)]
            self._held += sum(side.rows * side.dim * side.dtype.itemsize for side in drawn)
        if pair.matches is not None:
            self._held += MATCHED_ROW * pair.rows
        self._matrix = 8 * self._widest**2

    def join(self) -> _Need:
        """Return what joining rows by id takes."""
        return _Need(self._held + (JOINED_ROW * self._pair.rows if self._pair.matches else 0))

    def scan(self) -> _Need:
        """Return what checking every row takes."""
        blocks = 2 * scan.BLOCK_BYTES * (self._slots + self._workers)
        return _Need(self._held + CHECKED_ROW * self._pair.rows, blocks)

    def moments(self) -> _Need:
        """Return what pass 1 takes: the sums of all folds, and products on their way there."""
        products = 4 * (sum(self._dims) + EXTRA) ** 2 * self._slots
        blocks = fold_moments.BLOCK_BYTES * (self._slots + self._workers)
        return _Need(self._rows + self._sums + products, blocks)

    def maps(self, folds: int) -> _Need:
        """Return what fitting maps takes, so many folds at a time."""
        tuned = 2 * (len(PENALTIES) + 2) * min(self._pair.rows, TUNING_ROWS) * self._widest * 8
        tuned = min(tuned, 2 * (len(PENALTIES) + 2) * TUNING_VALUES * 8)
        matrices = MAP_MATRICES + FIT_MATRICES + MATRICES_OF_A_FOLD * folds
        return _Need(self._rows + self._sums + tuned + matrices * self._matrix)

    def neighbours(self) -> _Need:
        """Return what pass 2 takes: the queries of one search, corpus rows and their scores."""
        most = queries_at_once(max(self._options.ks), self._widest)
        asked = min(self._pair.rows, most, self._options.policy.max_queries)
        queries = VIEWS * asked * self._widest * QUERY_BYTES
        queries += LISTS * asked * candidates_for(max(self._options.ks)) * LIST_BYTES
        # A mark of one byte stands beside each score of four.
        scores = search.SCORE_BYTES * 5 // 4 * self._workers
        blocks = search.CORPUS_BYTES * (self._slots + self._workers) + scores
        return _Need(self._rows + MAP_MATRICES * self._matrix + queries, blocks)

    def ranks(self) -> _Need:
        """Return what the ranks of one sample take, their views over the threads."""
        array = min(self._pair.rows, FIRST_RANKS) * self._widest * 8
        arrays = (RANK_ARRAYS + 2 * self._workers) * array
        return _Need(self._rows + MAP_MATRICES * self._matrix + arrays)

    @property
    def _rows(self) -> int:
        return self._held + ROW * self._pair.rows

    @property
    def _sums(self) -> int:
        a, b = self._dims
        return 8 * fold_moments.FOLDS * (a * a + a * b + b * b)
