"""The whole command against the floor, and where its time goes."""

from __future__ import annotations

import statistics
from functools import partial

from benchmarks.cases.case import Bench, Case, Outcome, Size, StageRow, Timed, mebibytes, spread
from benchmarks.floor import (
    FOLDS,
    audit_moment_flops,
    floor_seconds,
    neighbour_flops,
    queries_asked,
)
from benchmarks.generated import LOW_RANK, POWER_LAW, Structure, pair_bytes
from benchmarks.machine import read_rate, svd_seconds

REST = "start and end"
FIXED = ("thresholds", "sample", "ranks")
"""Stages that work on samples."""


def against_floor(structure: Structure, limit: float, bench: Bench, size: Size) -> Outcome:
    """Time ``embaudit compare A B --json`` as a multiple of its floor."""
    with bench.pair(structure, size) as (a, b):
        timed = bench.timed(a, b)
        stored = a.stat().st_size + b.stat().st_size
        reading = stored / read_rate(a, b)
    ratios = [each.run.seconds / floor_seconds(each.run.document, each.rate) for each in timed]
    audit = timed[0].run.document
    flops = audit_moment_flops(audit) + neighbour_flops(audit)
    asked = queries_asked(audit)
    detail = (
        f"{structure.name}; {spread([each.run.seconds for each in timed], '.1f')} s for "
        f"{flops / 1e12:.2f} TFLOP, {asked['a']:,} and {asked['b']:,} query vectors; peak "
        f"{mebibytes(max(each.run.peak for each in timed))}; {audit['verdict']}"
    )
    met = statistics.median(ratios) <= limit
    return Outcome(f"{spread(ratios)} x floor", met, detail, stages(timed, reading, bench.threads))


def stages(timed: list[Timed], reading: float, threads: int) -> tuple[StageRow, ...]:
    """Return the median seconds of every stage beside its own floor.

    `reading` is how long both files take to be read once.
    """
    audit = timed[0].run.document
    rate = statistics.median(each.rate for each in timed)
    dims = audit["a"]["dim"], audit["b"]["dim"]
    decompositions = -(-FOLDS // threads) * svd_seconds(*dims)
    floors = {
        "scan": (reading, "reading both files once"),
        "moments": (audit_moment_flops(audit) / rate, "the symmetric product"),
        "maps": (decompositions, f"one float64 SVD a fold, {FOLDS} folds; not a bound"),
        "neighbours": (
            neighbour_flops(audit) / rate,
            "all products of queries and rows; bounds leave some out",
        ),
    }
    rows = []
    for stage in audit["timing"]:
        seconds = statistics.median(each.run.document["timing"][stage] for each in timed)
        fixed = "independent of the number of rows" if stage in FIXED else ""
        floor, bound = floors.get(stage, (None, fixed))
        if stage != "total":
            rows.append(StageRow(stage, seconds, floor, bound))
    rest = statistics.median(
        each.run.seconds - each.run.document["timing"]["total"] for each in timed
    )
    rows.append(StageRow(REST, rest, None, "interpreter, imports, report"))
    whole = statistics.median(each.run.seconds for each in timed)
    floor = statistics.median(floor_seconds(each.run.document, each.rate) for each in timed)
    return (*rows, StageRow("whole command", whole, floor, "moments and neighbours"))


CASES = tuple(
    Case(
        name=f"command-{name}-{structure.name}",
        measures=f"whole command, {size} float32 NPY, {structure.name}, against its floor",
        target=f"<= {limit} x floor",
        size=size,
        reduced=Size(2_000, 48),
        disk=lambda size: pair_bytes(size.rows, size.dim),
        minutes=minutes,
        run=partial(against_floor, structure, limit),
    )
    for name, size, limit, minutes in (
        ("200k", Size(200_000, 768), 1.4, 2),
        ("1m", Size(1_000_000, 768), 1.3, 6),
    )
    for structure in (LOW_RANK, POWER_LAW)
)
