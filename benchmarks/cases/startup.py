"""What a user waits for where there is little to compute: help, a small pair, its HTML report."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.cases.case import Bench, Case, Outcome, Size, spread
from benchmarks.pairs import SAMPLE_DATA
from benchmarks.runs import RunError, seconds_of

COMMAND = "from embaudit_cli.__main__ import main; main()"
"""What the installed script runs."""
TYPER = "import typer, rich.console, rich.table, rich.panel"
NUMERICS = "import numpy, scipy.linalg"
NO_SKLEARN = f"""
import atexit, os, sys
def check():
    if "sklearn" in sys.modules:
        print("scikit-learn was imported", file=sys.stderr, flush=True)
        os._exit(9)
atexit.register(check)
{COMMAND}
"""
SAMPLE = ("compare", *(str(SAMPLE_DATA / name) for name in ("minilm.npy", "minilm_w8.npy")))
HELP, SMALL = 2.0, 4.0
PAGE_SECONDS, PAGE_BYTES = 8.0, 5_000_000
TURNS = 3
"""Runs are short, and vary: that many times the repeats of other cases."""


def turns(bench: Bench, arguments: tuple[str, ...], plain: str, limit: float) -> Outcome:
    """Time the command and the imports in turns."""
    seconds_of(COMMAND, *arguments)
    seconds_of(plain)
    ours, theirs = [], []
    for _ in range(TURNS * bench.repeats):
        ours.append(seconds_of(COMMAND, *arguments))
        theirs.append(seconds_of(plain))
    ratio = statistics.median(ours) / statistics.median(theirs)
    detail = f"{spread(ours)} s against {spread(theirs)} s in {len(ours)} turns"
    return Outcome(f"{ratio:.2f} x", ratio <= limit, detail)


def help_text(bench: Bench, _: Size) -> Outcome:
    """Hold ``embaudit --help`` against importing what draws it."""
    return turns(bench, ("--help",), TYPER, HELP)


def sample(bench: Bench, _: Size) -> Outcome:
    """Hold ``embaudit compare`` on sample_data against importing what it computes with."""
    outcome = turns(bench, (*SAMPLE, "--exit-zero"), NUMERICS, SMALL)
    try:
        seconds_of(NO_SKLEARN, *SAMPLE, "--exit-zero")
    except RunError as error:
        return Outcome(outcome.value, False, f"{outcome.detail}; {error}")
    return Outcome(outcome.value, outcome.met, f"{outcome.detail}; scikit-learn is not imported")


def page(bench: Bench, _: Size) -> Outcome:
    """Time the whole command with the HTML report, and weigh the page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        command = (*SAMPLE, "--exit-zero", "--output", f"html={path}")
        seconds = [seconds_of(COMMAND, *command) for _ in range(TURNS * bench.repeats)]
        weight = path.stat().st_size
    median = statistics.median(seconds)
    return Outcome(
        f"{median:.1f} s, {weight / 1e6:.2f} MB",
        median <= PAGE_SECONDS and weight <= PAGE_BYTES,
        f"{spread(seconds)} s in {len(seconds)} runs",
    )


CASES = tuple(
    Case(
        name=name,
        measures=measures,
        target=target,
        size=Size(2_000, 384),
        reduced=Size(2_000, 384),
        disk=lambda size: 0,
        minutes=minutes,
        run=run,
    )
    for name, measures, target, minutes, run in (
        (
            "help",
            f"`embaudit --help` against `python -c '{TYPER}'`",
            f"<= {HELP} x",
            0.1,
            help_text,
        ),
        (
            "sample",
            "`embaudit compare` on sample_data, 2,000 x 384, against importing numpy and "
            "scipy.linalg",
            f"<= {SMALL} x, scikit-learn is not imported",
            0.5,
            sample,
        ),
        (
            "html",
            "`embaudit compare --output html=FILE` on sample_data, 2,000 x 384",
            f"<= {PAGE_SECONDS:g} s, <= {PAGE_BYTES / 1e6:g} MB",
            1.0,
            page,
        ),
    )
)
