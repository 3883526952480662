"""A small valid file of every kind that is read, and what knows its format well enough to lie."""

from __future__ import annotations

import importlib
import io
import json
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

import embaudit
from benchmarks.hostile.mutators import (
    EDGES_OF_INTEGERS,
    blind,
    json_change,
    json_text,
    text_change,
)
from benchmarks.readers import write_big_ann, write_vecs
from embaudit.maps.fitted import FittedMap
from embaudit.maps.hidden import HiddenLayer
from embaudit.maps.map_file import KEY, Held, MapNotes, MapSource, Measured, save_map

Rows = NDArray[Any]
ROWS, DIM = 40, 6
KNOWING, OTHER_SHAPES = 0.35, 0.10
"""Shares of the mutants made by what knows the format, and of whole files of another matrix."""
BLIND_AFTER = 0.3
"""Share of those that are changed blindly besides."""


class Store(Protocol):
    """Writes a matrix to a path."""

    def __call__(self, path: Path, rows: Rows) -> object:
        """Write it."""


class StoreTable(Protocol):
    """Writes a table to a path."""

    def __call__(self, path: Path, table: pa.Table) -> object:
        """Write it."""


class Kind(StrEnum):
    """What reads the file."""

    SET = "set"
    PART = "part of a folder"
    IDS = "ids"
    MAP = "map"
    AUDIT = "audit"
    SETTINGS = "settings"


@dataclass(frozen=True)
class Subject:
    """A valid file, and how it is changed.

    Attributes
    ----------
    name : str
    file : str
        Its name, which decides how it is read.
    kind : Kind
    data : bytes
    rows : array or None
        The matrix that a set of vectors holds.
    store : callable or None
        Writes (path, matrix) in the same way.
    knowing : callable or None
        Changes (bytes, random numbers) as one who knows the format.
    """

    name: str
    file: str
    kind: Kind
    data: bytes
    rows: Rows | None = None
    store: Store | None = None
    knowing: Callable[[bytes, Random], bytes] | None = None

    def mutant(self, rng: Random, others: tuple[bytes, ...] = ()) -> bytes:
        """Return the bytes of a changed file; everything is drawn from `rng`."""
        drawn = rng.random()
        if self.knowing is not None and drawn < KNOWING:
            data = self.knowing(self.data, rng)
        elif self.store is not None and self.rows is not None and drawn < KNOWING + OTHER_SHAPES:
            data = written(self.file, _storing(self.store, _other_rows(self.rows, rng)))
        else:
            return blind(self.data, rng, others)
        return blind(data, rng, others) if rng.random() < BLIND_AFTER else data


def written(file: str, write: Callable[[Path], object]) -> bytes:
    """Return the bytes of a file that `write` writes to a path."""
    with tempfile.TemporaryDirectory(prefix="embaudit-hostile-") as folder:
        path = Path(folder) / file
        write(path)
        return path.read_bytes()


def _storing(store: Store, rows: Rows) -> Callable[[Path], object]:
    return lambda path: store(path, rows)


def matrix(dtype: str = "float32", seed: int = 0) -> Rows:
    """Return the rows of every set."""
    values = np.random.default_rng(seed).normal(0, 40, (ROWS, DIM)).clip(-127, 127)
    return np.asarray((np.abs(values) if dtype == "uint8" else values).astype(dtype))


def _other_rows(rows: Rows, rng: Random) -> Rows:
    """Return a matrix of fewer or more rows or dimensions, cut from `rows` or made of them."""
    count = rng.choice((0, 1, 2, ROWS - 1, ROWS, ROWS, ROWS + 1, 2 * ROWS))
    dim = rng.choice((0, 1, DIM - 1, DIM, DIM, DIM, DIM + 1, 2 * DIM))
    return np.resize(rows, (count, dim))


# --- formats of one matrix -----------------------------------------------------------------------


def _npy(path: Path, rows: Rows, order: str = "C", byte_order: Literal["<", ">"] = "<") -> None:
    stored = rows.astype(rows.dtype.newbyteorder(byte_order))
    np.save(path, np.asfortranarray(stored) if order == "F" else stored)


def lying_npy(data: bytes, rng: Random) -> bytes:
    """Write another header of the right length over the data, which as a rule fit its claim."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran, dtype = read(file)
    body = file.read()
    sizes = (*shape, 0, 1, -1, True, 2 * shape[0], *EDGES_OF_INTEGERS)
    fields: dict[str, Any] = {"descr": dtype.str, "fortran_order": fortran, "shape": shape}
    for _ in range(rng.randint(1, 2)):
        name = rng.choice(("descr", "fortran_order", "shape", "shape", "other"))
        if name == "descr":
            types = ("<f4", ">f4", "<f2", "<f8", "i1", "u1", "<i8", "|O", "<U9", "<M8[s]", "<f16")
            fields[name] = rng.choice((*types, "|V0", "|S0", "<c8", "?", [("a", "<f4")], 7, None))
        elif name == "fortran_order":
            fields[name] = rng.choice((True, False, 1, None))
        elif name == "other":
            fields[rng.choice(("x", "shape "))] = 1
        else:
            count = len(body) // 4
            fits = [(n, count // n) for n in range(1, count + 1) if count % n == 0] or [(0, 0)]
            drawn = tuple(rng.choice(sizes) for _ in range(rng.choice((0, 1, 2, 2, 2, 3))))
            fields[name] = rng.choice((rng.choice(fits), drawn))
    text = (repr(fields) + " " * rng.choice((0, 1, 63))).encode() + b"\n"
    if rng.random() < 0.7:
        body = _fitted(body, fields, rng)
    version = rng.choice(((1, 0), (1, 0), (2, 0), (3, 0)))
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + body


def _fitted(body: bytes, fields: dict[str, Any], rng: Random) -> bytes:
    """Return data as long as a header claims, where that is not too long."""
    try:
        size = int(np.prod(fields["shape"], dtype=object)) * np.dtype(fields["descr"]).itemsize
    except (TypeError, ValueError):
        return body
    size += rng.choice((0, 0, 0, -1, 1))
    return (body * (1 + max(size, 0) // max(1, len(body))))[:size] if 0 <= size < 1 << 16 else body


def _npz(path: Path, rows: Rows, compressed: bool) -> None:
    save = np.savez_compressed if compressed else np.savez
    save(path, embedding=rows, ids=np.arange(len(rows)))


def lying_npz(data: bytes, rng: Random) -> bytes:
    """Write an archive that is right in itself, of arrays that are not."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members:
            if rng.random() < 0.7:
                content = rng.choice((lying_npy, blind))(content, rng)
            name = rng.choice((name, name, name, "x.npy", "embedding", "../a.npy", "a\nb.npy"))
            packing = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
            if name not in archive.namelist():
                entry = zipfile.ZipInfo(name)
                entry.compress_type = packing
                archive.writestr(entry, content)
    return sink.getvalue()


def _vecs(path: Path, rows: Rows) -> None:
    write_vecs(path, rows)


def lying_vecs(data: bytes, rng: Random, itemsize: int) -> bytes:
    """Write one dimension over the first row, or over every row there then is."""
    dim = rng.choice((*EDGES_OF_INTEGERS, DIM - 1, DIM + 1, 2 * DIM, 3 * DIM)) % (1 << 32)
    prefix = struct.pack("<I", dim)
    width = 4 + dim * itemsize
    if width > len(data) or rng.random() < 0.3:
        return prefix + data[4:]
    whole = data[: len(data) - len(data) % width]
    return b"".join(prefix + whole[at + 4 : at + width] for at in range(0, len(whole), width))


def lying_big_ann(data: bytes, rng: Random, itemsize: int) -> bytes:
    """Write other counts into the header, which the data may well fit."""
    count = (len(data) - 8) // itemsize
    rows, dim = (rng.choice((*EDGES_OF_INTEGERS, ROWS, DIM)) % (1 << 32) for _ in range(2))
    if rng.random() < 0.7:
        rows = rng.choice([n for n in range(1, count + 1) if count % n == 0])
        dim = count // rows
    size = rows * dim * itemsize
    body = data[8 : 8 + size] if rng.random() < 0.7 else data[8:]
    return struct.pack("<II", rows, dim) + body


def _safetensors(path: Path, rows: Rows, dtype: str) -> None:
    entries: dict[str, Any] = {
        "__metadata__": {"format": "pt"},
        "embedding": {"dtype": dtype, "shape": rows.shape, "data_offsets": [0, rows.nbytes]},
        "ids": {"dtype": "I64", "shape": [1], "data_offsets": [rows.nbytes, rows.nbytes + 8]},
    }
    text = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + rows.tobytes() + bytes(8))


def lying_safetensors(data: bytes, rng: Random) -> bytes:
    """Write a header that is JSON of the right length, and not what it was."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    text = json_text(header, rng)
    if KEY in header.get("__metadata__", {}) and rng.random() < 0.6:
        described = json.loads(header["__metadata__"][KEY])
        header["__metadata__"][KEY] = json_text(described, rng).decode("utf-8", "replace")
        text = json.dumps(header).encode("utf-8", "replace")
    elif rng.random() < 0.3:
        shape = rng.choice(([DIM, ROWS], [ROWS * DIM], [1, ROWS * DIM], [ROWS * 2, DIM // 2]))
        header[next(name for name in header if name != "__metadata__")]["shape"] = shape
        text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


# --- tables --------------------------------------------------------------------------------------


def _lists(rows: Rows, kind: str) -> pa.Array:
    if kind == "fixed_size_list" and rows.shape[1]:
        return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])
    value = pa.from_numpy_dtype(rows.dtype)
    return pa.array(list(rows), pa.large_list(value) if kind == "large_list" else pa.list_(value))


def _table(rows: Rows, kind: str, ids: str) -> pa.Table:
    columns = {"embedding": _lists(rows, kind)}
    numbers = range(len(rows))
    if ids == "integers":
        columns = {"id": pa.array(numbers, pa.int64()), **columns}
    elif ids:
        texts = pa.array([f"item-{row}" for row in numbers], pa.string())
        columns |= {"id": texts.dictionary_encode() if ids == "categories" else texts}
    return pa.table(columns)


def _parquet(path: Path, rows: Rows, kind: str, ids: str = "", **options: Any) -> None:  # noqa: ANN401
    pq.write_table(_table(rows, kind, ids), path, **options)


def _arrow(
    path: Path,
    rows: Rows,
    kind: str,
    ids: str = "",
    stream: bool = False,
    compression: str | None = None,
    batch: int = 16,
) -> None:
    table = _table(rows, kind, ids)
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with new(path, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=batch)


def lying_table(data: bytes, rng: Random, store: StoreTable) -> bytes:
    """Write a valid file of a table that holds no matrix: nulls, ragged rows, another type."""
    rows = matrix().tolist()
    kind = pa.list_(rng.choice((pa.float32(), pa.float64(), pa.int32(), pa.string())))
    place = rng.randrange(ROWS)
    if pa.types.is_string(kind.value_type):
        rows = [[str(value) for value in row] for row in rows]
    elif pa.types.is_integer(kind.value_type):
        rows = [[int(value) for value in row] for row in rows]
    odd = rng.choice((None, [], rows[0][:1], [*rows[0], rows[0][0]], [None, *rows[0][1:]], rows[0]))
    rows[place] = odd
    ids: list[Any] = [f"item-{row}" for row in range(ROWS)]
    ids[place] = rng.choice((None, ids[0], "", "a\nb"))
    columns = {"embedding": pa.array(rows, kind), "id": pa.array(ids)}
    if rng.random() < 0.1:
        columns["second"] = columns["embedding"]
    table = pa.table(columns)
    return written("table", lambda path: store(path, table))


def _parquet_of(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path)


def _arrow_of(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=16)


def _hdf5(path: Path, rows: Rows, **options: Any) -> None:  # noqa: ANN401
    with importlib.import_module("h5py").File(path, "w") as file:
        chunks = options.get("chunks")
        if chunks and min(*rows.shape) > 0:
            chunks = tuple(min(pair) for pair in zip(chunks, rows.shape, strict=True))
            options = {**options, "chunks": chunks}
        elif chunks:
            options = {}
        file.create_dataset("embedding", data=rows, **options)


# --- what is no matrix ---------------------------------------------------------------------------

NOTES = MapNotes(
    inputs=[MapSource(uri="a.npy", rows=ROWS, dim=DIM, sha256="0" * 64)],
    k=10,
    penalty=0.01,
    held_out={"recall": Held(value=0.9, ci=(0.88, 0.92))},
    by_rows=[Measured(rows=ROWS, held_out={"recall": Held(value=0.9)})],
)

SETTINGS = b"""\
require = "align"
min_recall = 0.9
k = [10, 1]
seed = 0
memory = "2GB"

[pairs.search]
a = "old.npy"
b = "new.npy"
ids-a = "ids.txt"
min_recall = 0.8

[pairs."two words"]
a = "old.parquet"
b = "new.parquet"
on = "id"
sample = "20k"
"""


def _maps() -> Iterator[tuple[str, FittedMap]]:
    """Yield a map of every method."""
    a, b = matrix(), matrix(seed=1)
    for method in ("orthogonal", "low-rank", "linear"):
        metric: Any = "cosine" if method == "orthogonal" else "dot"
        yield method, embaudit.fit_map(a, b, method=method, metric=metric)
    head = replace(
        embaudit.fit_map(a, b, method="linear", metric="cosine"),
        direction="a_to_joint",
        method="joint",
        unit=True,
        space="ab" * 32,
    )
    yield "joint head", head
    layer = HiddenLayer(np.eye(DIM), np.ones((DIM, 8)), np.zeros(8), np.ones((8, DIM)))
    yield "joint head, hidden layer", replace(head, hidden=layer)


def _sets() -> Iterator[Subject]:
    """Yield a set of vectors of every format and way to store it."""

    def subject(
        name: str,
        file: str,
        store: Store,
        knowing: Callable[[bytes, Random], bytes] | None = None,
        dtype: str = "float32",
        kind: Kind = Kind.SET,
    ) -> Subject:
        rows = matrix(dtype)
        data = written(file, _storing(store, rows))
        return Subject(name, file, kind, data, rows, store, knowing)

    yield subject("NPY", "a.npy", _npy, lying_npy)
    yield subject("NPY Fortran", "a.npy", partial(_npy, order="F"), lying_npy)
    yield subject("NPY big-endian", "a.npy", partial(_npy, byte_order=">"), lying_npy)
    yield subject("NPY float16", "a.npy", _npy, lying_npy, "float16")
    yield subject("NPY int8", "a.npy", _npy, lying_npy, "int8")
    yield subject("NPZ", "a.npz", partial(_npz, compressed=False), lying_npz)
    yield subject("NPZ deflated", "a.npz", partial(_npz, compressed=True), lying_npz)
    lying = partial(lying_table, store=_parquet_of)
    parquets: dict[str, dict[str, Any]] = {
        "list, dictionary": {"kind": "list"},
        "list, plain": {"kind": "list", "use_dictionary": False, "compression": "none"},
        "fixed_size_list, text ids": {"kind": "fixed_size_list", "ids": "texts"},
        "large_list, zstd, checksums": {
            "kind": "large_list",
            "compression": "zstd",
            "write_page_checksum": True,
        },
        "row groups, integer ids": {
            "kind": "fixed_size_list",
            "ids": "integers",
            "row_group_size": 16,
            "use_dictionary": False,
        },
        "byte stream split, gzip": {
            "kind": "list",
            "compression": "gzip",
            "use_dictionary": False,
            "use_byte_stream_split": True,
            "data_page_version": "2.0",
        },
    }
    for name, options in parquets.items():
        yield subject(f"Parquet {name}", "a.parquet", partial(_parquet, **options), lying)
    part = partial(_parquet, kind="list", ids="texts")
    yield subject("Parquet part", "part-1.parquet", part, lying, kind=Kind.PART)
    lying = partial(lying_table, store=_arrow_of)
    arrows: dict[str, dict[str, Any]] = {
        "Arrow file": {"kind": "fixed_size_list", "ids": "integers"},
        "Arrow file, categories": {"kind": "large_list", "ids": "categories", "batch": 100},
        "Arrow stream": {"kind": "list", "stream": True},
        "Arrow stream, zstd": {"kind": "fixed_size_list", "stream": True, "compression": "zstd"},
        "Feather lz4": {"kind": "list", "compression": "lz4", "ids": "texts"},
    }
    for name, options in arrows.items():
        file = "a.feather" if name.startswith("Feather") else "a.arrow"
        yield subject(name, file, partial(_arrow, **options), lying)
    for stored, dtype in (("F32", "float32"), ("F16", "float16"), ("I8", "int8")):
        store = partial(_safetensors, dtype=stored)
        yield subject(f"safetensors {stored}", "a.safetensors", store, lying_safetensors, dtype)
    # Any 16 bits are a bfloat16.
    store = partial(_safetensors, dtype="BF16")
    yield subject("safetensors BF16", "a.safetensors", store, lying_safetensors, "float16")
    for suffix, dtype, width in ((".fvecs", "float32", 4), (".bvecs", "uint8", 1)):
        lying = partial(lying_vecs, itemsize=width)
        yield subject(suffix[1:], f"a{suffix}", _vecs, lying, dtype)
    for suffix, dtype, width in (
        *((".fbin", "float32", 4), (".f16bin", "float16", 2)),
        *((".u8bin", "uint8", 1), (".i8bin", "int8", 1)),
    ):
        lying = partial(lying_big_ann, itemsize=width)
        yield subject(suffix[1:], f"a{suffix}", write_big_ann, lying, dtype)
    yield subject("HDF5", "a.h5", _hdf5)
    yield subject("HDF5 chunked", "a.h5", partial(_hdf5, chunks=(16, DIM)))
    packed = partial(_hdf5, chunks=(16, 4), compression="gzip", shuffle=True)
    yield subject("HDF5 gzip", "a.hdf5", packed)


def _others() -> Iterator[Subject]:
    """Yield ids, maps, an audit and settings."""
    texts = "".join(f"item-{row}\n" for row in range(ROWS)).encode()
    yield Subject("ids of text", "ids.txt", Kind.IDS, texts, knowing=text_change)
    for name, ids in (
        ("ids NPY integers", np.arange(ROWS)),
        ("ids NPY texts", np.array([f"item-{row}" for row in range(ROWS)])),
    ):
        data = written("ids.npy", partial(np.save, arr=ids))
        yield Subject(name, "ids.npy", Kind.IDS, data, knowing=lying_npy)
    for method, fitted in _maps():
        data = written("map.safetensors", partial(save_map, fitted, notes=NOTES))
        name = method if method.startswith("joint") else f"{method} map"
        yield Subject(name, "map.safetensors", Kind.MAP, data, knowing=lying_safetensors)
    audit = embaudit.compare(matrix(), matrix() + matrix(seed=1) / 8, threads=1)
    data = audit.model_dump_json().encode()
    yield Subject("JSON audit", "audit.json", Kind.AUDIT, data, knowing=_lying_json)
    prefixed = SETTINGS.replace(b"[pairs", b"[tool.embaudit.pairs")
    for name, file, text in (
        ("embaudit.toml", "embaudit.toml", SETTINGS),
        ("pyproject.toml", "pyproject.toml", b"[tool.embaudit]\n" + prefixed),
    ):
        yield Subject(name, file, Kind.SETTINGS, text, knowing=text_change)


def _lying_json(data: bytes, rng: Random) -> bytes:
    return json_text(json_change(json.loads(data), rng), rng)


def subjects() -> tuple[Subject, ...]:
    """Return every file; the same bytes each time on one machine."""
    return (*_sets(), *_others())
