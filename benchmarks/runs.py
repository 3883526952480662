"""What the benchmarks of the whole command share: generated sets, and one run measured."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

RANK = 128
NOISE = 0.05
BLOCK = 20_000
CHILD = """
import json, resource, runpy, sys
sys.argv = ["embaudit", *sys.argv[1:]]
try:
    runpy.run_module("embaudit_cli", run_name="__main__")
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


@dataclass(frozen=True)
class Run:
    """One run of ``embaudit compare``.

    Attributes
    ----------
    seconds : float
        Wall time of the whole process.
    peak : int
        Its largest resident memory, in bytes.
    audit : dict
        What ``--json`` printed.
    """

    seconds: float
    peak: int
    audit: dict[str, Any]


def compare(*arguments: str | Path) -> Run:
    """Run ``embaudit compare`` in a process of its own."""
    command = [sys.executable, "-c", CHILD, "compare", *map(str, arguments)]
    started = time.perf_counter()
    done = subprocess.run([*command, "--json", "--exit-zero"], capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    peak = json.loads(done.stderr.strip().splitlines()[-1])["peak"]
    return Run(seconds, peak, json.loads(done.stdout))


def warm(*paths: Path) -> None:
    """Read files once, so that they are in the page cache."""
    for path in paths:
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass


def generate(path: Path, rows: int, dim: int, seed: int, dtype: str = "float32") -> None:
    """Write unit rows of rank 128 plus noise; sets of different seeds differ by the noise alone."""
    spectrum = np.arange(1, RANK + 1, dtype=np.float32) ** -0.5
    basis = np.random.default_rng(9).standard_normal((RANK, dim), np.float32) * spectrum[:, None]
    file = open_memmap(path, "w+", np.dtype(dtype), (rows, dim))
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        items = np.random.default_rng([7, start]).standard_normal((count, RANK), np.float32)
        noise = np.random.default_rng([seed, start]).standard_normal((count, dim), np.float32)
        block = items @ basis + NOISE * noise
        file[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    file.flush()
