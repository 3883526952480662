"""How time and memory grow with the number of rows."""

from __future__ import annotations

import statistics

from benchmarks.cases.case import Bench, Case, Outcome, Size, mebibytes, spread
from benchmarks.floor import queries_asked
from benchmarks.generated import LOW_RANK, pair_bytes
from benchmarks.runs import Run, compare

DOUBLED = 2.05
MOST = 768 << 20
FLAT = 1.1
SHARES = (20, 4, 1)
"""Rows of the memory case: 200,000, 1,000,000 and 4,000,000."""


def doubling(bench: Bench, size: Size) -> Outcome:
    """Time n rows and 2n rows, the first n of which are the same."""
    half = Size(size.rows // 2, size.dim)
    runs: tuple[list[Run], list[Run]] = ([], [])
    with bench.pair(LOW_RANK, half) as small, bench.pair(LOW_RANK, size) as large:
        for _ in range(bench.repeats):
            bench.probe()
            for pair, found in zip((small, large), runs, strict=True):
                found.append(compare(*pair))
    single, double = ([run.seconds for run in found] for found in runs)
    ratios = [more / less for more, less in zip(double, single, strict=True)]
    asked = [queries_asked(found[0].document)["a"] for found in runs]
    detail = (
        f"{LOW_RANK.name}; {spread(double, '.1f')} s against {spread(single, '.1f')} s in turns; "
        f"{asked[1]:,} and {asked[0]:,} query vectors a side"
    )
    return Outcome(f"{spread(ratios)} x", statistics.median(ratios) <= DOUBLED, detail)


def memory(bench: Bench, size: Size) -> Outcome:
    """Record the peak resident memory at a twentieth, a quarter and all of the rows."""
    peaks: list[int] = []
    parts: list[str] = []
    for share in SHARES:
        part = Size(size.rows // share, size.dim)
        with bench.pair(LOW_RANK, part) as (a, b):
            bench.probe()
            run = compare(a, b)
        peaks.append(run.peak)
        parts.append(f"{part.rows:,} rows {mebibytes(run.peak)} in {run.seconds:.0f} s")
    flat = max(peaks) / min(peaks)
    detail = (
        f"{LOW_RANK.name}, rows paired by position; {', '.join(parts)}; largest over smallest "
        f"{flat:.2f}; one run each; the page cache is not counted, and larger pairs than the "
        "memory are read from the disk"
    )
    return Outcome(mebibytes(max(peaks)), max(peaks) <= MOST and flat <= FLAT, detail)


CASES = (
    *(
        Case(
            name=f"doubling-{name}",
            measures=f"time at 2n against time at n, n = {size.rows // 2:,} x {size.dim}",
            target=f"<= {DOUBLED} x",
            size=size,
            reduced=Size(4_000, 48),
            disk=lambda size: 3 * pair_bytes(size.rows, size.dim) // 2,
            minutes=minutes,
            run=doubling,
        )
        for name, size, minutes in (
            ("250k", Size(500_000, 768), 4),
            ("500k", Size(1_000_000, 768), 7),
        )
    ),
    Case(
        name="memory",
        measures="peak resident memory at 200,000, 1,000,000 and 4,000,000 x 768",
        target=f"<= {mebibytes(MOST)}, flat within 10%",
        size=Size(4_000_000, 768),
        reduced=Size(40_000, 48),
        disk=lambda size: pair_bytes(size.rows, size.dim),
        minutes=10,
        run=memory,
    ),
)
