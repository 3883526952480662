"""The same questions answered by hand, with scikit-learn, scipy and n x n matrices."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.cases.case import Bench, Case, Outcome, Size, mebibytes, spread
from benchmarks.generated import POWER_LAW, pair_bytes
from benchmarks.machine import memory_bytes
from benchmarks.runs import Run, RunError, run_module

FASTER, SMALLER = 3.0, 5.0
ROWS_TOO_MANY = 60_000
MACHINE = 24 << 30
"""Memory that the square matrices are held against, in bytes."""
SAME = 2e-3
ALLOCATE = """
import resource, sys
import numpy as np
n, limit = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    matrices = [np.empty((n, n), np.float32) for _ in range(2)]
except MemoryError:
    print("refused")
else:
    print("granted")
"""


def by_hand(bench: Bench, size: Size) -> Outcome:
    """Hold time and peak memory against those of the program, in turns."""
    everything: list[Run] = []
    sampled: list[Run] = []
    with bench.pair(POWER_LAW, size) as (a, b):

        def answer(run: Run) -> None:
            queries = run.document["measures"]["neighbors.overlap"]["queries"]
            everything.append(_answers(run, a, b))
            sampled.append(_answers(run, a, b, "--queries", queries))

        timed = bench.timed(a, b, between=answer)
    ours = [each.run for each in timed]
    faster, faster_sampled = (
        [their.seconds / mine.seconds for mine, their in zip(ours, theirs, strict=True)]
        for theirs in (everything, sampled)
    )
    peaks = [their.peak / mine.peak for mine, their in zip(ours, everything, strict=True)]
    queries = ours[0].document["measures"]["neighbors.overlap"]["queries"]
    detail = (
        f"{POWER_LAW.name}; {spread([run.seconds for run in everything], '.1f')} s and "
        f"{mebibytes(max(run.peak for run in everything))} by hand with all rows as queries, "
        f"{spread([run.seconds for run in ours], '.1f')} s and "
        f"{mebibytes(max(run.peak for run in ours))} here; by hand with {queries:,} queries, as "
        f"many as here, {spread([run.seconds for run in sampled], '.1f')} s: "
        f"{spread(faster_sampled)} x faster; {_too_many(ROWS_TOO_MANY)}"
    )
    met = statistics.median(faster) >= FASTER and statistics.median(peaks) >= SMALLER
    return Outcome(f"{spread(faster)} x faster, {spread(peaks)} x less memory", met, detail)


def _answers(run: Run, a: Path, b: Path, *options: str | int) -> Run:
    """Run the program and see that it answers what the audit does."""
    found = run_module("benchmarks.peers.by_hand", a, b, *options)
    ours = run.document["measures"]["cka.linear"]["value"]
    theirs = found.document["cka.linear"]
    if not np.isclose(ours, theirs, SAME, SAME):
        raise RunError(f"cka.linear is {ours} here and {theirs} by hand")
    return found


def _too_many(rows: int) -> str:
    """Say whether two n x n float32 matrices would fit; nothing is filled."""
    needed = 2 * 4 * rows**2
    limit = min(MACHINE, memory_bytes())
    command = [sys.executable, "-c", ALLOCATE, str(rows), str(limit)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return (
        f"at {rows:,} rows two n x n matrices are {needed / 2**30:.1f} GiB: {answer} to a process "
        f"allowed {limit / 2**30:.1f} GiB"
    )


CASES = (
    Case(
        name="by-hand",
        measures="NearestNeighbors, orthogonal_procrustes and an n x n CKA against `compare`, "
        "20,000 x 768",
        target=f">= {FASTER:.0f} x faster, >= {SMALLER:.0f} x less memory; n x n at 60,000 does "
        "not fit 24 GiB",
        size=Size(20_000, 768),
        reduced=Size(600, 48),
        disk=lambda size: pair_bytes(size.rows, size.dim),
        minutes=7,
        run=by_hand,
        needs=("sklearn", "scipy"),
    ),
)
