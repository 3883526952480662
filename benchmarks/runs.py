"""What the benchmarks of whole processes share: one run measured, files in the page cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHILD = """
import json, resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__")
finally:
    try:
        with open("/proc/self/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps({"peak": peak}), file=sys.stderr)
"""
"""Linux starts ru_maxrss of a child at what its parent had resident, which here wrote the files."""


def environment() -> dict[str, str]:
    """Return this process's environment for a child that keeps bytecode, as an install does."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    return {name: value for name, value in os.environ.items() if name not in unwanted}


class RunError(Exception):
    """A measured process failed; its text is what the process said last."""


@dataclass(frozen=True)
class Run:
    """One run of a process that prints a JSON document, or nothing.

    Attributes
    ----------
    seconds : float
        Wall time of the whole process.
    peak : int
        Its largest resident memory, in bytes. The page cache is not counted.
    document : dict
        What it printed; empty where that is nothing.
    """

    seconds: float
    peak: int
    document: dict[str, Any]


def run_module(module: str, *arguments: str | Path | int) -> Run:
    """Run ``python -m module`` in a process of its own.

    Raises
    ------
    RunError
        When it fails.
    """
    command = [sys.executable, "-c", CHILD, module, *map(str, arguments)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    seconds = time.perf_counter() - started
    lines = done.stderr.strip().splitlines()
    if done.returncode:
        said = [line for line in lines if not line.startswith('{"peak"')]
        raise RunError(f"{module}: exit {done.returncode}: {said[-1] if said else 'killed'}")
    return Run(seconds, json.loads(lines[-1])["peak"], json.loads(done.stdout or "{}"))


def compare(*arguments: str | Path) -> Run:
    """Run ``embaudit compare`` in a process of its own; the document is the audit."""
    return run_module("embaudit_cli", "compare", *arguments, "--json", "--exit-zero")


def seconds_of(code: str, *arguments: str) -> float:
    """Return the wall time of a Python process that runs `code`.

    Raises
    ------
    RunError
        When it fails.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RunError(done.stderr.strip().splitlines()[-1])
    return seconds


def warm(*paths: Path) -> None:
    """Read files once, so that they are in the page cache."""
    for path in paths:
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
