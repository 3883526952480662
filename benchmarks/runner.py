"""Run cases one after the other; a failing one says so, and the next one runs."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.cases.case import Bench, Case, Outcome, Size
from benchmarks.machine import describe, load
from benchmarks.results import Result, write
from embaudit.stats.parallel import worker_count


def run_cases(
    cases: Sequence[tuple[Case, Size]],
    folder: Path,
    command: str,
    *,
    repeats: int,
    keep: bool = False,
    document: Path | None = None,
) -> int:
    """Run cases, print each result as it comes and write it at once.

    Parameters
    ----------
    cases : sequence of (Case, Size)
    folder : Path
        Where generated files go.
    command : str
        What to name as the maker.
    repeats : int
        Runs behind every median.
    keep : bool
        Leave generated files.
    document : Path, optional
        Where to write.

    Returns
    -------
    int
        Number of cases that failed; a missed target is a result.
    """
    made_by = {
        "command": command,
        "on": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        **describe(),
        "load before": f"{load():.1f}",
    }
    failures = 0
    for case, size in cases:
        small = size.rows < min(case.size.rows, 100_000)
        bench = Bench(folder, repeats, worker_count(), small=small, keep=keep)
        print(f"{case.name} at {size} ...", file=sys.stderr, flush=True)
        try:
            result = _result(case, size, case.measure(bench, size), bench.rates, made_by)
            _show(result)
            if document is not None:
                write(document, {case.name: result}, CASES)
        except Exception as error:
            # Hours of results must not be lost to one case, whatever went wrong in it.
            failures += 1
            print(f"{case.name}: FAILED: {type(error).__name__}: {error}", flush=True)
    return failures


def _result(
    case: Case, size: Size, outcome: Outcome, rates: list[float], made_by: dict[str, str]
) -> Result:
    other = "" if size == case.size else f" (run at {size})"
    return Result(
        name=case.name,
        measures=case.measures + other,
        target=case.target,
        value=outcome.value,
        met=outcome.met,
        detail=outcome.detail,
        stages=[asdict(stage) for stage in outcome.stages],
        rates=rates,
        made_by=made_by,
    )


def _show(result: Result) -> None:
    met = {True: "met", False: "MISSED", None: "recorded"}[result.met]
    print(f"{result.name}: {result.value} (target {result.target}): {met}", flush=True)
    print(f"    {result.measures}; {result.detail}", flush=True)
    for stage in result.stages:
        floor = "" if stage["floor"] is None else f"floor {stage['floor']:.2f} s, {stage['bound']}"
        print(f"    {stage['stage']:>14} {stage['seconds']:8.2f} s  {floor}".rstrip(), flush=True)
