"""Seconds by stage and peak memory of ``compare`` on a generated pair of NPY files.

``python -m benchmarks.large --rows 200000 --dim 768`` writes the pair to a temporary folder (or
``--folder``), reads it once so that it is in the page cache, runs the whole command in a process
of its own and prints a Markdown table.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.runs import compare, generate, warm


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
        warm(*paths)
        run = compare(*paths)
    timing = run.audit["timing"]
    print("| stage | seconds |")
    print("|---|---|")
    for stage, value in timing.items():
        if stage != "total":
            print(f"| {stage} | {value:.2f} |")
    print(f"| all stages | {timing['total']:.2f} |")
    print(f"| whole command | {run.seconds:.2f} |")
    print()
    print(f"verdict {run.audit['verdict']}, peak resident memory {run.peak / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
