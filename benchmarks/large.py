"""Seconds by stage and peak memory of ``compare`` on a generated pair of NPY files.

``python -m benchmarks.large --rows 200000 --dim 768`` writes the pair to a temporary folder (or
``--folder``), reads it once so that it is in the page cache, runs the whole command in a process
of its own and prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps({"peak": peak}), file=sys.stderr)
"""


def generate(path: Path, rows: int, dim: int, seed: int, dtype: str) -> None:
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


def measure(a: Path, b: Path) -> tuple[float, float, dict[str, float], str]:
    """Return wall seconds, peak bytes, seconds by stage and the verdict of one whole run."""
    for path in (a, b):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
    command = [sys.executable, "-c", CHILD, "compare", str(a), str(b), "--json", "--exit-zero"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    seconds = time.perf_counter() - started
    audit = json.loads(done.stdout)
    peak = json.loads(done.stderr.strip().splitlines()[-1])["peak"]
    return seconds, peak, audit["timing"], audit["verdict"]


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        paths = []
        for name, seed in (("a", 1), ("b", 2)):
            path = folder / f"{name}_{arguments.rows}x{arguments.dim}_{arguments.dtype}.npy"
            if not path.exists():
                generate(path, arguments.rows, arguments.dim, seed, arguments.dtype)
            paths.append(path)
        seconds, peak, timing, verdict = measure(*paths)
    print("| stage | seconds |")
    print("|---|---|")
    for stage, value in timing.items():
        if stage != "total":
            print(f"| {stage} | {value:.2f} |")
    print(f"| all stages | {timing['total']:.2f} |")
    print(f"| whole command | {seconds:.2f} |")
    print()
    print(f"verdict {verdict}, peak resident memory {peak / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
