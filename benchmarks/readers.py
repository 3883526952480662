"""Speed of every reader beside that of the library which owns the format, on one file each.

``python -m benchmarks.readers`` writes the same rows in every format to a temporary folder, reads
each file by blocks and with its own library in turns, opening included, and prints a Markdown
table of the medians. Files are read from the page cache. ``--only TEXT`` keeps the formats whose
name contains the text.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from numpy.typing import NDArray

from embaudit.data.pair import even_spans
from embaudit.data.sources import open_set
from embaudit.streaming.scan import BLOCK_BYTES

Rows = NDArray[Any]
PARTS = 8
BATCH_ROWS = 10_000
"""Rows in a record batch or row group of a writer that streams."""
SLOTS = 4
"""Blocks alive at once in an audit on two cores."""


@dataclass(frozen=True)
class Format:
    """One way to store the rows.

    Attributes
    ----------
    name : str
    file : str
        Its name in the temporary folder.
    dtype : str
        Type the rows are stored in.
    write : callable
        Writes (path, rows).
    theirs : callable
        Reads a path with the format's own library.
    needs : str
        Package without which the format is skipped.
    """

    name: str
    file: str
    dtype: str
    write: Callable[[Path, Rows], object]
    theirs: Callable[[Path], object]
    needs: str = "numpy"


def lists(rows: Rows) -> pa.Table:
    """Return a table whose column holds each row as a list of its own length."""
    offsets = pa.array(np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32))
    return pa.table({"embedding": pa.ListArray.from_arrays(offsets, pa.array(rows.reshape(-1)))})


def fixed_size_lists(rows: Rows) -> pa.Table:
    """Return a table whose column type fixes the length of the rows."""
    values = pa.array(rows.reshape(-1))
    return pa.table({"embedding": pa.FixedSizeListArray.from_arrays(values, rows.shape[1])})


def write_parquet(path: Path, rows: Rows, table: Callable[[Rows], pa.Table]) -> None:
    """Write one row group with pyarrow's defaults."""
    pq.write_table(table(rows), path)


def write_parts(folder: Path, rows: Rows) -> None:
    """Write a folder of equal Parquet files."""
    folder.mkdir()
    for number, part in enumerate(np.array_split(rows, PARTS)):
        pq.write_table(fixed_size_lists(part), folder / f"part-{number}.parquet")


def write_arrow(path: Path, rows: Rows, new: Callable[..., Any]) -> None:
    """Write an Arrow IPC file or stream of several batches."""
    table = fixed_size_lists(rows)
    with new(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS)


def read_arrow(path: Path, open_reader: Callable[..., Any]) -> object:
    """Read an Arrow IPC file or stream into memory."""
    with pa.OSFile(str(path)) as file:
        return open_reader(file).read_all()


def write_feather(path: Path, rows: Rows, compression: str, table: Callable[..., Any]) -> None:
    """Write Feather with pyarrow's own batches of 65,536 rows."""
    pyarrow.feather.write_feather(table(rows), path, compression=compression)


def read_feather(path: Path) -> object:
    """Read Feather into memory: mapped, nothing would be read before it is used."""
    return pyarrow.feather.read_table(path, memory_map=False)


def write_safetensors(path: Path, rows: Rows) -> None:
    """Write a safetensors file of one tensor."""
    entry = {"dtype": "F32", "shape": rows.shape, "data_offsets": [0, rows.nbytes]}
    header = json.dumps({"embedding": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + rows.tobytes())


def read_safetensors(path: Path) -> object:
    """Read all tensors as numpy arrays."""
    return importlib.import_module("safetensors.numpy").load_file(path)


def write_vecs(path: Path, rows: Rows) -> None:
    """Write rows that each start with their dimension."""
    records = np.empty(len(rows), [("dim", "<i4"), ("row", rows.dtype, rows.shape[1:])])
    records["dim"], records["row"] = rows.shape[1], rows
    records.tofile(path)


def read_vecs(path: Path, dtype: str) -> object:
    """Read rows that each start with their dimension, as the format's page does."""
    values = np.fromfile(path, np.uint8)
    dim = int(values[:4].view("<i4")[0])
    records = values.reshape(-1, 4 + dim * np.dtype(dtype).itemsize)
    return np.ascontiguousarray(records[:, 4:]).view(dtype)


def write_big_ann(path: Path, rows: Rows) -> None:
    """Write row count, dimension and rows."""
    path.write_bytes(struct.pack("<II", *rows.shape) + rows.tobytes())


def read_big_ann(path: Path, dtype: str) -> object:
    """Read row count, dimension and rows."""
    count, dim = np.fromfile(path, "<u4", 2)
    return np.fromfile(path, dtype, offset=8).reshape(count, dim)


def write_hdf5(path: Path, rows: Rows, chunks: bool | None = None) -> None:
    """Write one dataset, in one stretch or in chunks of the size that h5py guesses."""
    with importlib.import_module("h5py").File(path, "w") as file:
        file.create_dataset("embedding", data=rows, chunks=chunks)


def read_hdf5(path: Path) -> object:
    """Read the dataset whole."""
    with importlib.import_module("h5py").File(path) as file:
        return file["embedding"][:]


def read_npz(path: Path) -> object:
    """Read the only array."""
    with np.load(path) as arrays:
        return arrays["embedding"]


def formats() -> Iterator[Format]:
    """Yield every format."""
    for dtype in ("float32", "float16", "float64"):
        yield Format(f"NPY {dtype}", f"{dtype}.npy", dtype, np.save, np.load)
    yield Format(
        "NPZ", "a.npz", "float32", lambda path, rows: np.savez(path, embedding=rows), read_npz
    )
    for name, table in (("fixed_size_list", fixed_size_lists), ("list", lists)):
        yield Format(
            f"Parquet {name}",
            f"{name}.parquet",
            "float32",
            partial(write_parquet, table=table),
            pq.read_table,
        )
    yield Format(f"Parquet, {PARTS} parts", "parts", "float32", write_parts, pq.read_table)
    for name, new, reader in (
        ("file", pa.ipc.new_file, pa.ipc.open_file),
        ("stream", pa.ipc.new_stream, pa.ipc.open_stream),
    ):
        yield Format(
            f"Arrow {name}",
            f"{name}.arrow",
            "float32",
            partial(write_arrow, new=new),
            partial(read_arrow, open_reader=reader),
        )
    for compression in ("uncompressed", "lz4", "zstd"):
        yield Format(
            f"Feather {compression}",
            f"{compression}.feather",
            "float32",
            partial(write_feather, compression=compression, table=fixed_size_lists),
            read_feather,
        )
    yield Format(
        "Feather lz4, list",
        "list.feather",
        "float32",
        partial(write_feather, compression="lz4", table=lists),
        read_feather,
    )
    yield Format(
        "safetensors",
        "a.safetensors",
        "float32",
        write_safetensors,
        read_safetensors,
        needs="safetensors",
    )
    for suffix, stored in ((".fvecs", "float32"), (".bvecs", "uint8")):
        yield Format(suffix[1:], f"a{suffix}", stored, write_vecs, partial(read_vecs, dtype=stored))
    big_ann = (".fbin", "float32"), (".f16bin", "float16"), (".u8bin", "uint8"), (".i8bin", "int8")
    for suffix, stored in big_ann:
        yield Format(
            suffix[1:], f"a{suffix}", stored, write_big_ann, partial(read_big_ann, dtype=stored)
        )
    for name, chunks in (("contiguous", None), ("chunked", True)):
        yield Format(
            f"HDF5 {name}",
            f"{name}.h5",
            "float32",
            partial(write_hdf5, chunks=chunks),
            read_hdf5,
            needs="h5py",
        )


def read_ours(path: Path) -> None:
    """Open a file and read all of its blocks, as an audit does."""
    found = open_set(path)
    spans = even_spans(found.rows, max(1, BLOCK_BYTES // (found.dim * found.dtype.itemsize)))
    for _ in found.blocks(spans, SLOTS):
        pass


def generate(dtype: str, size: int, dim: int) -> Rows:
    """Return random rows of `size` bytes altogether."""
    kind = np.dtype(dtype)
    values = np.random.default_rng(0).standard_normal((size // (dim * kind.itemsize), dim))
    return np.asarray((values if kind.kind == "f" else 40 * np.abs(values)).astype(kind))


def alternate(readers: tuple[Callable[[], object], ...], rounds: int) -> list[float]:
    """Return the median seconds of each reader; they take turns, after one round unmeasured."""
    seconds: list[list[float]] = [[] for _ in readers]
    for reader in readers:
        reader()
    for _ in range(rounds):
        for reader, found in zip(readers, seconds, strict=True):
            started = time.perf_counter()
            reader()
            found.append(time.perf_counter() - started)
    return [statistics.median(found) for found in seconds]


def main() -> None:
    """Write, measure and print, format by format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=128)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    print("| format | MB/s | its library, MB/s | ratio |")
    print("|---|---|---|---|")
    for each in formats():
        if arguments.only.lower() not in each.name.lower():
            continue
        if find_spec(each.needs) is None:
            print(f"| {each.name} | {each.needs} is not installed | | |")
            continue
        with tempfile.TemporaryDirectory(prefix="embaudit-readers-") as folder:
            path = Path(folder) / each.file
            rows = generate(each.dtype, arguments.megabytes * 1_000_000, arguments.dim)
            size = rows.nbytes / 1e6
            each.write(path, rows)
            del rows
            ours, theirs = alternate(
                (partial(read_ours, path), partial(each.theirs, path)), arguments.rounds
            )
        print(f"| {each.name} | {size / ours:,.0f} | {size / theirs:,.0f} | {theirs / ours:.2f} |")


if __name__ == "__main__":
    main()
