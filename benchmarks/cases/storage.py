"""What a way to store the same numbers costs against float32 NPY."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from benchmarks.cases.case import Bench, Case, Outcome, Size, spread
from benchmarks.generated import POWER_LAW, pair_bytes
from benchmarks.runs import Run, RunError, compare, warm

ROW_GROUP = 1 << 20
"""What pyarrow writes by default."""
BLOCK = 50_000
FLOAT16, PARQUET = 1.15, 1.35
SAME = 1e-5
"""Measures are printed to six digits."""


def float16(bench: Bench, size: Size) -> Outcome:
    """Compare float16 files with float32 files of the same numbers."""
    with bench.pair(POWER_LAW, size, "float16") as (a, b):
        return _against_float32(bench, (a, b), ".npy", _widened, FLOAT16, swap=True)


def parquet(bench: Bench, size: Size) -> Outcome:
    """Compare Parquet files, written with pyarrow's defaults, with NPY files."""
    with bench.pair(POWER_LAW, size) as (a, b):
        return _against_float32(bench, (a, b), ".parquet", _as_parquet, PARQUET)


def _against_float32(
    bench: Bench,
    stored: tuple[Path, Path],
    suffix: str,
    rewrite: Callable[[Path, Path], None],
    limit: float,
    swap: bool = False,
) -> Outcome:
    """Time both pairs in turns; `swap` where what is rewritten is the float32 side."""
    rewritten = tuple(path.with_name(f"{path.stem}_again{suffix}") for path in stored)
    pairs = (rewritten, stored) if swap else (stored, rewritten)
    runs: tuple[list[Run], list[Run]] = ([], [])
    try:
        for source, target in zip(stored, rewritten, strict=True):
            rewrite(source, target)
        warm(*rewritten)
        for _ in range(bench.repeats):
            bench.probe()
            for pair, found in zip(pairs, runs, strict=True):
                found.append(compare(*pair))
    finally:
        for path in rewritten:
            path.unlink(missing_ok=True)
    plain, other = ([run.seconds for run in found] for found in runs)
    _check_same(runs[0][0].document, runs[1][0].document)
    ratios = [mine / base for mine, base in zip(other, plain, strict=True)]
    detail = (
        f"{POWER_LAW.name}; {spread(other, '.1f')} s against {spread(plain, '.1f')} s in turns; "
        "verdict and every measure are the same"
    )
    return Outcome(f"{spread(ratios)} x", statistics.median(ratios) <= limit, detail)


def _check_same(plain: dict[str, Any], other: dict[str, Any]) -> None:
    for key, measure in plain["measures"].items():
        left, right = measure["value"], other["measures"][key]["value"]
        if (left is None) != (right is None) or not np.isclose(left or 0, right or 0, SAME, SAME):
            raise RunError(f"{key} is {left} from float32 NPY and {right} from the same numbers")
    if plain["verdict"] != other["verdict"]:
        raise RunError(f"verdict {plain['verdict']} from float32 NPY, else {other['verdict']}")


def _widened(source: Path, target: Path) -> None:
    rows: NDArray[Any] = np.load(source, mmap_mode="r")
    wide = open_memmap(target, "w+", np.dtype(np.float32), rows.shape)
    for start in range(0, len(rows), BLOCK):
        wide[start : start + BLOCK] = rows[start : start + BLOCK]
    wide.flush()


def _as_parquet(source: Path, target: Path) -> None:
    rows: NDArray[Any] = np.load(source, mmap_mode="r")
    kind = pa.list_(pa.from_numpy_dtype(rows.dtype), rows.shape[1])
    schema = pa.schema([("embedding", kind)])
    with pq.ParquetWriter(target, schema) as writer:
        for start in range(0, len(rows), ROW_GROUP):
            values = pa.array(np.asarray(rows[start : start + ROW_GROUP]).reshape(-1))
            vectors = pa.FixedSizeListArray.from_arrays(values, rows.shape[1])
            writer.write_table(pa.table([vectors], schema=schema), row_group_size=ROW_GROUP)


CASES = (
    Case(
        name="float16",
        measures="float16 NPY against float32 NPY of the same numbers, 200,000 x 768",
        target=f"<= {FLOAT16} x",
        size=Size(200_000, 768),
        reduced=Size(2_000, 48),
        disk=lambda size: 3 * pair_bytes(size.rows, size.dim) // 2,
        minutes=3,
        run=float16,
    ),
    Case(
        name="parquet",
        measures="Parquet (fixed_size_list, defaults) against NPY, 200,000 x 768",
        target=f"<= {PARQUET} x",
        size=Size(200_000, 768),
        reduced=Size(2_000, 48),
        disk=lambda size: 2 * pair_bytes(size.rows, size.dim),
        minutes=3,
        run=parquet,
    ),
)
