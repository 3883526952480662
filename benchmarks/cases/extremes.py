"""Many dimensions and many rows: whether it completes, in which time and memory."""

from __future__ import annotations

from functools import partial

from benchmarks.cases.case import Bench, Case, Outcome, Size, Timed, mebibytes
from benchmarks.cases.command import stages
from benchmarks.floor import floor_seconds
from benchmarks.generated import LOW_RANK, POWER_LAW, Structure, pair_bytes
from benchmarks.machine import read_rate
from benchmarks.runs import compare

MOST = 4 << 30


def completes(
    structure: Structure, dtype: str, most: int | None, bench: Bench, size: Size
) -> Outcome:
    """Run once and record seconds and peak memory."""
    with bench.pair(structure, size, dtype) as (a, b):
        before = bench.probe()
        run = compare(a, b)
        timed = Timed(run, (before + bench.probe()) / 2.0)
        reading = (a.stat().st_size + b.stat().st_size) / read_rate(a, b)
    ratio = run.seconds / floor_seconds(run.document, timed.rate)
    detail = f"{structure.name}; one run; {ratio:.2f} x floor; {run.document['verdict']}"
    met = None if most is None else run.peak <= most
    value = f"{run.seconds:.0f} s, {mebibytes(run.peak)}"
    return Outcome(value, met, detail, stages([timed], reading, bench.threads))


CASES = (
    Case(
        name="wide",
        measures="100,000 x 4,096 float32 NPY, seconds and peak memory",
        target="completes under 4 GiB",
        size=Size(100_000, 4096),
        reduced=Size(1_500, 256),
        disk=lambda size: pair_bytes(size.rows, size.dim),
        minutes=15,
        run=partial(completes, POWER_LAW, "float32", MOST),
    ),
    Case(
        name="ten-million",
        measures="10,000,000 x 256 float16 NPY, seconds and peak memory",
        target="completes",
        size=Size(10_000_000, 256),
        reduced=Size(5_000, 32),
        disk=lambda size: pair_bytes(size.rows, size.dim, "float16"),
        minutes=8,
        run=partial(completes, LOW_RANK, "float16", None),
    ),
)
