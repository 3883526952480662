"""Measure speed and memory: ``python -m benchmarks --list``, ``--case NAME``, ``--all``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.cases.case import Case, Size, check_space
from benchmarks.results import DOCUMENT
from benchmarks.runner import run_cases
from benchmarks.runs import RunError

FEWEST = 3
OTHERS = (
    *("verdicts", "validation", "projection", "readers", "joins"),
    *("fuzz", "fuzz_atheris", "killed", "changed"),
)


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    what = options.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="name the cases")
    what.add_argument("--all", action="store_true", help="run every case")
    what.add_argument(
        "--case", action="append", metavar="NAME", choices=[*CASES], help="run this; repeatable"
    )
    options.add_argument("--repeats", type=int, default=FEWEST, help="runs behind every median")
    options.add_argument("--folder", type=Path, help="where data go; default a temporary folder")
    options.add_argument("--keep", action="store_true", help="leave the data in --folder")
    options.add_argument("--reduced", action="store_true", help="tiny sizes, to see that it runs")
    options.add_argument("--rows", type=int, help="instead of the case's own")
    options.add_argument("--dim", type=int, help="instead of the case's own")
    options.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=DOCUMENT,
        metavar="DOCUMENT",
        help="put results into the table of benchmarks/README.md, or of another document",
    )
    return options


def main() -> int:
    """Run what was asked for; exit 1 when a case failed, 2 when the options cannot be."""
    options = parser()
    arguments = options.parse_args()
    if arguments.list:
        show_list()
        return 0
    resized = arguments.reduced or arguments.rows or arguments.dim
    if arguments.write == DOCUMENT and (resized or arguments.repeats < FEWEST):
        options.error(
            f"{DOCUMENT.name} has medians of at least {FEWEST} at the sizes of the cases; "
            "name another document: --write DOCUMENT"
        )
    if arguments.repeats < 1 or (arguments.keep and not arguments.folder):
        options.error("--repeats is at least 1, and --keep needs --folder")
    cases = [CASES[name] for name in (CASES if arguments.all else arguments.case)]
    sized = [(case, size_of(case, arguments)) for case in cases]
    command = " ".join(
        [
            "python -m benchmarks",
            *(["--all"] if arguments.all else [f"--case {case.name}" for case in cases]),
            *(["--reduced"] if arguments.reduced else []),
            *([f"--rows {arguments.rows}"] if arguments.rows else []),
            *([f"--dim {arguments.dim}"] if arguments.dim else []),
            f"--repeats {arguments.repeats}",
        ]
    )
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.TemporaryDirectory(prefix="embaudit-benchmarks-")
    with nullcontext(arguments.folder) if arguments.folder else temporary as folder:
        needs = [case.disk(size) for case, size in sized]
        needed = sum(needs) if arguments.keep else max(needs)
        print(f"needs {needed / 1e9:.1f} GB of disk at most, {command}", flush=True)
        try:
            check_space(Path(folder), needed)
        except RunError as error:
            options.error(str(error))
        failures = run_cases(
            sized,
            Path(folder),
            command,
            repeats=arguments.repeats,
            keep=arguments.keep,
            document=arguments.write,
        )
    return 1 if failures else 0


def size_of(case: Case, arguments: argparse.Namespace) -> Size:
    """Return the size that the options ask for."""
    size = case.reduced if arguments.reduced else case.size
    return Size(arguments.rows or size.rows, arguments.dim or size.dim)


def show_list() -> None:
    """Print a row a case."""
    wide = max(map(len, CASES))
    for case in CASES.values():
        disk = case.disk(case.size) / 1e9
        cost = f"{case.minutes:4.1f} min {disk:5.1f} GB"
        print(f"{case.name:{wide}}  {cost}  {case.measures}; {case.target}")
    minutes = sum(case.minutes for case in CASES.values())
    print(f"\nall: about {minutes:.0f} minutes on two idle cores")
    print("also:", ", ".join(f"python -m benchmarks.{name}" for name in OTHERS))


if __name__ == "__main__":
    sys.exit(main())
