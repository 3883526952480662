"""How long an audit will take: operations of each stage over what this machine does a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from embaudit.data.decoded import DecodedSet
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import Pair
from embaudit.datatypes import Metric
from embaudit.measures.retrieval import VIEWS
from embaudit.stages.options import Options
from embaudit.stages.population import SAMPLE_ROWS
from embaudit.stages.rank_sample import FIRST_RANKS
from embaudit.stats.ranks import REFERENCES
from embaudit.streaming.fold_moments import FOLDS

PROBE = (768, 512)
"""Rows and dimensions of the product that is timed: some milliseconds on one processor."""
PROBE_BYTES = 8 << 20
PROBE_ROUNDS = 2

SCAN_COPIES = 8.0
"""What checking a row costs, in copies of it; other passes cost about two."""
PASS_COPIES = 2.0
DECODED_COPIES = 3.0
"""What a reader that decodes adds, in copies of the row."""
ONCE_DECODED_COPIES = 1.5
"""The same where only one of the passes decodes."""
DECOMPOSITION = 370.0
"""Operations of all that is fitted on one fold over d^3, as float32 products would do them."""
RANK_OPERATIONS = 27.0
"""Operations of all views for a ranked row, a reference or dimension, and a dimension."""
SAMPLE_OPERATIONS = 60.0
"""Operations a pair of sampled rows and dimension: five metrics, kernels, ranks."""
THRESHOLD_ROWS = 2048
"""As `embaudit.answers.thresholds` samples, which is above the stages."""
THRESHOLD_OPERATIONS = 10.0
CAUSES_SHARE = 0.02
"""Of all other stages: what is looked for at the end varies with what has been seen."""


@dataclass(frozen=True)
class Machine:
    """What this machine does a second, measured.

    Attributes
    ----------
    flops : float
        Floating point operations of a float32 matrix product, on all threads together.
    bytes : float
        Bytes copied in memory by one thread.
    """

    flops: float
    bytes: float

    @classmethod
    def measured(cls, workers: int) -> Machine:
        """Time one small product on each of `workers` threads, and one copy: about 20 ms."""
        rows, dim = PROBE
        left = np.ones((rows, dim), np.float32)
        results = np.empty((workers, rows, rows), np.float32)

        def products() -> None:
            list(pool.map(lambda out: np.matmul(left, left.T, out=out), results))

        source = np.ones(PROBE_BYTES, np.uint8)
        target = np.empty_like(source)
        with ThreadPoolExecutor(workers) as pool:
            work = 2.0 * workers * rows * rows * dim
            flops = work / _fastest(products)
        return cls(flops, PROBE_BYTES / _fastest(lambda: np.copyto(target, source)))


@dataclass(frozen=True)
class Part:
    """One stage that is to come, as the stages call themselves."""

    stage: str
    seconds: float


@dataclass(frozen=True)
class Workload:
    """What decides how long an audit takes.

    Attributes
    ----------
    rows : int
        Rows of the pair.
    dims : (p, q)
    copied : (float, float)
        Bytes that reading one row of either side costs, in bytes copied.
    by_angle : bool
        Partners are searched for by angle besides.
    """

    rows: int
    dims: tuple[int, int]
    copied: tuple[float, float]
    by_angle: bool

    @classmethod
    def of(cls, pair: Pair, options: Options) -> Workload:
        """Return the work that a pair makes."""
        return cls(
            rows=pair.rows,
            dims=(pair.a.dim, pair.b.dim),
            copied=(_row_bytes(pair.a), _row_bytes(pair.b)),
            by_angle=options.metric is Metric.DOT and pair.a.dim == pair.b.dim,
        )

    def parts(self, machine: Machine, queries: Sequence[int], shares: Sequence[int]) -> list[Part]:
        """Return the stages of an audit in order.

        Parameters
        ----------
        queries : sequence of int
            How many queries each first search asks.
        shares : sequence of int
            Later searches hold one row of this many.
        """
        p, q = self.dims
        width = float(p + q)
        few = float(min(self.rows, SAMPLE_ROWS))
        some = float(min(self.rows, THRESHOLD_ROWS))
        ranked = float(min(self.rows, FIRST_RANKS))
        ranks = RANK_OPERATIONS * ranked * (min(REFERENCES, ranked) + width / 2.0) * width
        moments = self.rows * width**2 / machine.flops
        fits = FOLDS * DECOMPOSITION * (p**3 + q**3) / 2.0
        parts = [
            Part("checking rows", self._read(machine, SCAN_COPIES)),
            Part("thresholds", THRESHOLD_OPERATIONS * some**2 * width / machine.flops),
            Part("moments", moments + self._read(machine)),
            Part("maps", fits / machine.flops),
            Part("sample", SAMPLE_OPERATIONS * few**2 * width / machine.flops),
            *(part for count in queries for part in self.search(machine, count)),
            Part("ranks", ranks / machine.flops),
            *(part for one_in in shares for part in self.search(machine, queries[0], one_in)),
        ]
        rest = CAUSES_SHARE * sum(part.seconds for part in parts)
        return [*parts, Part("causes", rest)]

    def search(self, machine: Machine, queries: int, one_in: int = 1) -> list[Part]:
        """Return the searches of both sides, 2 n d m operations for each view."""
        views = VIEWS if self.dims[0] == self.dims[1] else VIEWS - 1
        operations = [2.0 * self.rows * dim * queries / one_in for dim in self.dims]
        found = [
            Part("neighbours", views * work / machine.flops + self._read(machine) / 2.0)
            for work in operations
        ]
        if self.by_angle:
            found += [
                Part("neighbours", work / machine.flops + self._read(machine) / 2.0)
                for work in operations
            ]
        return found

    def again(self, machine: Machine) -> float:
        """Return the seconds of a search that was not foreseen: of few queries, one side."""
        return self._read(machine) / 2.0

    def _read(self, machine: Machine, copies: float = PASS_COPIES) -> float:
        """Return the seconds of one pass over both sides without its products."""
        return copies * self.rows * sum(self.copied) / machine.bytes


def _row_bytes(source: EmbeddingSet) -> float:
    stored = float(source.dim * source.dtype.itemsize)
    if isinstance(source, DecodedSet):
        return stored * ONCE_DECODED_COPIES
    return stored * (DECODED_COPIES if source.decodes else 1.0)


def _fastest(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of some runs."""
    seconds = []
    for _ in range(PROBE_ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return max(min(seconds), 1e-9)
