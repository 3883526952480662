"""The least that carries a file over: ``python -m benchmarks.peers.map_rows SOURCE OUTPUT``.

Reads an NPY file of float32 rows, multiplies them by a drawn square matrix and writes the products
as NPY, flushed to the disk. Every thread goes through its own share of the rows, a block at a time;
rows are neither looked at, normalised nor shifted. Prints the seconds of that, imports apart, and
how many of them waited for the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

BLOCK_BYTES = 8 << 20


def drawn_matrix(dim: int) -> NDArray[np.float32]:
    """Return the matrix that rows of `dim` values are multiplied by."""
    drawn = np.random.default_rng(0).standard_normal((dim, dim), np.float32)
    return np.asarray(drawn / np.sqrt(np.float32(dim)))


def carry(source: Path, output: Path, threads: int, dtype: str) -> dict[str, float]:
    """Write the products of all rows; return the seconds, all and those of the last flush."""
    stored: np.memmap[Any, Any] = np.load(source, mmap_mode="r")
    rows, dim = stored.shape
    matrix, kind = drawn_matrix(dim), np.dtype(dtype)
    header = {"descr": kind.str, "fortran_order": False, "shape": (rows, dim)}
    step = BLOCK_BYTES // (4 * dim)

    def work(share: int) -> None:
        start, stop = rows * share // threads, rows * (share + 1) // threads
        block, product = (np.empty((step, dim), np.float32) for _ in range(2))
        with source.open("rb", buffering=0) as reader, output.open("r+b") as writer:
            reader.seek(stored.offset + start * dim * block.itemsize)
            writer.seek(begin + start * dim * kind.itemsize)
            for first in range(start, stop, step):
                count = min(step, stop - first)
                reader.readinto(block[:count].data)
                np.matmul(block[:count], matrix, out=product[:count])
                writer.write(product[:count].astype(kind, copy=False).data)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        with output.open("xb") as file:
            write_array_header_1_0(file, header)
            begin = file.tell()
        list(pool.map(work, range(threads)))
        written = time.perf_counter()
        with output.open("rb") as whole:
            os.fsync(whole.fileno())
        ended = time.perf_counter()
    return {"seconds": ended - started, "flush": ended - written}


def main() -> None:
    """Carry a file over and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--dtype", default="float32")
    arguments = parser.parse_args()
    found = carry(arguments.source, arguments.output, arguments.threads, arguments.dtype)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
