"""What a join by id costs over row order: seconds and peak memory of ``compare``.

``python -m benchmarks.joins --rows 2000000 --dim 64`` writes a pair with text ids, and its second
set shuffled, as NPY and Parquet to a temporary folder, runs the whole command on each pair in a
process of its own and prints a Markdown table. Files are in the page cache.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from benchmarks.generated import LOW_RANK, write_pair
from benchmarks.runs import compare, warm

ROW_GROUP = 1 << 20
"""What pyarrow writes by default; only one is held here."""
BLOCK = 100_000


def blocks(rows: int, step: int) -> Iterator[slice]:
    """Cut ``range(rows)`` into slices."""
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def shuffle(source: Path, target: Path, order: NDArray[np.int64]) -> None:
    """Write the rows of an NPY file in another order."""
    rows = np.load(source, mmap_mode="r")
    shuffled = open_memmap(target, "w+", rows.dtype, rows.shape)
    for block in blocks(len(rows), BLOCK):
        shuffled[block] = rows[order[block]]
    shuffled.flush()


def identifiers(order: NDArray[np.int64]) -> list[str]:
    """Return the ids of rows by their numbers."""
    return [f"item-{row:09d}" for row in order.tolist()]


def write_ids(path: Path, order: NDArray[np.int64]) -> None:
    """Write a text file with an id a line."""
    with path.open("w", encoding="utf-8") as file:
        for block in blocks(len(order), BLOCK):
            file.write("\n".join(identifiers(order[block])) + "\n")


def write_parquet(source: Path, target: Path, order: NDArray[np.int64]) -> None:
    """Write the rows of an NPY file beside their ids."""
    rows: NDArray[Any] = np.load(source, mmap_mode="r")
    kind = pa.list_(pa.from_numpy_dtype(rows.dtype), rows.shape[1])
    schema = pa.schema([("id", pa.string()), ("embedding", kind)])
    with pq.ParquetWriter(target, schema) as writer:
        for block in blocks(len(rows), ROW_GROUP):
            values = pa.array(np.asarray(rows[block]).reshape(-1))
            vectors = pa.FixedSizeListArray.from_arrays(values, rows.shape[1])
            columns = [pa.array(identifiers(order[block])), vectors]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=ROW_GROUP)


def write_all(folder: Path, rows: int, dim: int) -> None:
    """Write every file of the comparisons."""
    straight = np.arange(rows)
    shuffled = np.random.default_rng(0).permutation(rows)
    write_pair(LOW_RANK, rows, dim, (folder / "a.npy", folder / "b.npy"))
    shuffle(folder / "b.npy", folder / "shuffled.npy", shuffled)
    for name, order in (("a", straight), ("b", straight), ("shuffled", shuffled)):
        write_ids(folder / f"{name}.txt", order)
        write_parquet(folder / f"{name}.npy", folder / f"{name}.parquet", order)


def main() -> None:
    """Write, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--dim", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="embaudit-joins-") as temporary:
        folder = Path(temporary)
        write_all(folder, arguments.rows, arguments.dim)
        text_ids = ["--ids-a", str(folder / "a.txt"), "--ids-b", str(folder / "shuffled.txt")]
        joins = {
            "npy": ("NPY, shuffled, `--ids-a`, `--ids-b` of text", text_ids),
            "parquet": ("Parquet, shuffled, `--on id`", ["--on", "id"]),
        }
        print("| pair | seconds | of row order | peak memory |")
        print("|---|---|---|---|")
        for suffix, (join, options) in joins.items():
            a, b, shuffled = (folder / f"{name}.{suffix}" for name in ("a", "b", "shuffled"))
            warm(a, b, shuffled)
            plain = compare(a, b)
            joined = compare(a, shuffled, *options)
            in_order = f"{suffix.upper() if suffix == 'npy' else 'Parquet'}, in row order"
            for name, run in ((in_order, plain), (join, joined)):
                ratio = run.seconds / plain.seconds
                peak = f"{run.peak / 2**20:.0f} MiB"
                print(f"| {name} | {run.seconds:.0f} | {ratio:.2f} | {peak} |", flush=True)


if __name__ == "__main__":
    main()
