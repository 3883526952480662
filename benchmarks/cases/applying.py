"""Carrying a file over by a map against reading, multiplying and writing the same bytes."""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path

import numpy as np

import embaudit
from benchmarks.cases.case import Bench, Case, Outcome, Size, mebibytes, spread
from benchmarks.generated import LOW_RANK, pair_bytes
from benchmarks.runs import Run, run_module

LIMIT = 1.4
FIT_ROWS = 8192


def against_floor(dtype: str, bench: Bench, size: Size) -> Outcome:
    """Time ``embaudit apply`` as a multiple of a script that does no more than it must, in turns.

    Rows have unit length, as the target's have, so that the command makes mapped rows so too.
    """
    ours: list[Run] = []
    theirs: list[Run] = []
    fitted, output = bench.folder / "map.safetensors", bench.folder / "mapped.npy"
    with bench.pair(LOW_RANK, size) as (a, b):
        try:
            _fit(a, b, fitted)
            options = "--dtype", dtype, "--threads", bench.threads
            command = "embaudit_cli", "apply", "--quiet", fitted, a, "-o", output, *options
            script = "benchmarks.peers.map_rows", a, output, *options
            for _ in range(bench.repeats):
                bench.probe()
                # Whoever writes first after a pause also waits for memory that the system has yet
                # to hand out: neither of the two that are timed.
                _written(output, *script)
                ours.append(_written(output, *command))
                theirs.append(_written(output, *script))
        finally:
            for path in (fitted, output):
                path.unlink(missing_ok=True)
    floors, flushes = ([run.document[field] for run in theirs] for field in ("seconds", "flush"))
    ratios = [mine.seconds / floor for mine, floor in zip(ours, floors, strict=True)]
    products = 2.0 * size.rows * size.dim**2 / statistics.median(bench.rates)
    detail = (
        f"{LOW_RANK.name}; {spread([run.seconds for run in ours])} s against {spread(floors)} s in "
        f"turns, {products:.2f} s of them the products and {spread(flushes)} s the last wait for "
        f"the disk; peak {mebibytes(max(run.peak for run in ours))}"
    )
    return Outcome(f"{spread(ratios)} x floor", statistics.median(ratios) <= LIMIT, detail)


def _written(output: Path, module: str, *arguments: str | Path | int) -> Run:
    """Run a module and remove what it wrote."""
    run = run_module(module, *arguments)
    output.unlink()
    return run


def _fit(a: Path, b: Path, path: Path) -> None:
    """Save a linear map of the pair; few rows are enough, since every map takes as long."""
    some = (np.load(side, mmap_mode="r")[:FIT_ROWS] for side in (a, b))
    embaudit.save_map(embaudit.fit_map(*some, method="linear"), path)


CASES = tuple(
    Case(
        name=name,
        measures="`embaudit apply`, linear map, 400,000 x 768 float32 NPY to "
        f"{dtype} NPY, against its floor",
        target=f"<= {LIMIT} x floor",
        size=Size(400_000, 768),
        reduced=Size(2_000, 48),
        disk=lambda size: 3 * pair_bytes(size.rows, size.dim) // 2,
        minutes=1.5,
        run=partial(against_floor, dtype),
    )
    for name, dtype in (("apply", "float32"), ("apply-float16", "float16"))
)
