"""Formats beside NPY and Parquet: the rows their own libraries read, and what is refused."""

from __future__ import annotations

import gc
import json
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections import deque

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from test_reading import (
    DIM,
    DTYPES,
    ROWS,
    SPANS,
    assert_gathers,
    assert_reads,
    lists,
    matrix,
    open_descriptors,
    write_npy,
)
from test_refusals_data import Trap, assert_names, read, refusal

from embaudit.data import arrow, hdf5, npz
from embaudit.data.order import check_row_order
from embaudit.data.sources import open_set
from embaudit.errors import InputError, UsageError

GOOD = np.arange(24, dtype=np.float32).reshape(6, 4)
VECS = {".fvecs": "<f4", ".bvecs": "u1"}
BIG_ANN = {".fbin": "<f4", ".f16bin": "<f2", ".u8bin": "u1", ".i8bin": "i1"}
SAFETENSORS = {"float16": "F16", "float32": "F32", "float64": "F64", "int8": "I8", "uint8": "U8"}


def safetensors_bytes(tensors, data=b"", padding=0):
    text = json.dumps(tensors).encode() + b" " * padding
    return struct.pack("<Q", len(text)) + text + data


def write_safetensors(path, **arrays):
    """Write `arrays` one behind the other, as the format's own library does."""
    entries, start = {"__metadata__": {"format": "pt"}}, 0
    for name, array in arrays.items():
        dtype = SAFETENSORS.get(array.dtype.name, array.dtype.name.upper())
        offsets = [start, start + array.nbytes]
        entries[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": offsets}
        start += array.nbytes
    data = b"".join(
        array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays.values()
    )
    path.write_bytes(safetensors_bytes(entries, data))
    return path


def write_vecs(path, array):
    kind = np.dtype(VECS[path.suffix])
    records = np.empty(len(array), [("dim", "<i4"), ("row", kind, array.shape[1:])])
    records["dim"], records["row"] = array.shape[1], array
    records.tofile(path)
    return path


def write_big_ann(path, array):
    header = struct.pack("<II", *array.shape)
    path.write_bytes(header + array.astype(BIG_ANN[path.suffix]).tobytes())
    return path


def write_npz(path, array, save=np.savez):
    save(path, array)
    return path


def emb_table(array):
    return pa.table({"emb": lists(array)})


def write_arrow(path, table, *, stream=False, batch=None, compression=None, **options):
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    options = pa.ipc.IpcWriteOptions(compression=compression, **options)
    with new(path, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=batch)
    return path


def write_hdf5(path, array, name="emb", **options):
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=array, **options)
    return path


def assert_set(found, expected):
    for spans in SPANS.values():
        assert_reads(found, expected, spans)
    last = len(expected) - 1
    assert_gathers(found, expected, np.array([0, 1, 2, 9, 100, 101, last]))
    assert_gathers(found, expected, np.array([], np.int64))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("layout", ["C", "F", "big-endian"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_npz(tmp_path, dtype, layout, save):
    array = matrix(dtype)
    array = array.astype(array.dtype.newbyteorder(">")) if layout[0] == "b" else array
    path = tmp_path / "a.npz"
    save(path, np.array(array, order=layout[0] if layout[0] in "CF" else "C"))
    with np.load(path) as loaded:
        assert_set(open_set(path), loaded["arr_0"])


def test_npz_behind_other_bytes(tmp_path):
    np.savez(tmp_path / "plain.npz", matrix())
    path = tmp_path / "a.npz"
    path.write_bytes(b"#!/bin/sh\n" + (tmp_path / "plain.npz").read_bytes())
    assert_set(open_set(path), matrix())


@pytest.mark.parametrize("dtype", SAFETENSORS)
def test_safetensors(tmp_path, dtype):
    array = matrix(dtype)
    path = write_safetensors(tmp_path / "a.safetensors", ids=np.arange(3), emb=array)
    assert_set(open_set(path), array)


def test_bfloat16_is_widened_exactly(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2**16, (ROWS, DIM)).astype("<u2")
    entry = {"dtype": "BF16", "shape": bits.shape, "data_offsets": [0, bits.nbytes]}
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes({"emb": entry}, bits.tobytes()))
    halves = np.stack([np.zeros_like(bits), bits], axis=-1)
    assert_set(open_set(path), halves.view("<f4")[..., 0].astype(np.float32))


@pytest.mark.parametrize("suffix", VECS)
def test_vecs(tmp_path, suffix):
    array = matrix(np.dtype(VECS[suffix]).name)
    path = write_vecs(tmp_path / f"a{suffix}", array)
    records = np.fromfile(path, np.uint8).reshape(ROWS, -1)[:, 4:]
    assert_set(open_set(path), np.ascontiguousarray(records).view(VECS[suffix]))


@pytest.mark.parametrize("suffix", BIG_ANN)
def test_big_ann(tmp_path, suffix):
    array = matrix(np.dtype(BIG_ANN[suffix]).name)
    path = write_big_ann(tmp_path / f"a{suffix}", array)
    assert_set(open_set(path), np.fromfile(path, BIG_ANN[suffix], offset=8).reshape(ROWS, DIM))


STORED = {
    "contiguous": {},
    "chunked": {"chunks": (50, DIM)},
    "chunked both ways": {"chunks": (100, 4)},
    "one chunk": {"chunks": (ROWS, DIM)},
    "growing": {"chunks": (300, DIM), "maxshape": (None, DIM)},
    "gzip": {"chunks": (50, DIM), "compression": "gzip", "shuffle": True, "fletcher32": True},
}


@pytest.mark.parametrize("window", [1, 1000, hdf5.WINDOW_BYTES])
@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_hdf5(tmp_path, monkeypatch, dtype, byte_order, stored, window):
    monkeypatch.setattr(hdf5, "WINDOW_BYTES", window)
    array = matrix(dtype).astype(np.dtype(dtype).newbyteorder(byte_order))
    path = write_hdf5(tmp_path / "a.h5", array, **stored)
    with h5py.File(path) as file:
        assert_set(open_set(path), file["emb"][:])


def test_hdf5_behind_a_user_block(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w", userblock_size=512) as file:
        file["deep/emb"] = matrix()
        file["deep/text"] = "a note"
        file["ids"] = np.arange(ROWS)
    for uri in ("a.hdf5", "a.hdf5::deep/emb", "a.hdf5::/deep/emb"):
        assert_set(open_set(f"{tmp_path}/{uri}"), matrix())


def test_hdf5_of_a_type_unknown_to_numpy(tmp_path):
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_ebias(120)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((ROWS, DIM))
        h5py.h5d.create(file.id, b"emb", kind, space).write(h5py.h5s.ALL, h5py.h5s.ALL, matrix())
    with h5py.File(path) as file:
        assert_set(open_set(path), file["emb"][:])


BESIDE = {
    "alone": {},
    "scalars": {
        "text": pa.array([str(row) for row in range(ROWS)]),
        "category": pa.array(["a"] * ROWS).dictionary_encode(),
        "null": pa.nulls(ROWS),
        "when": pa.array(range(ROWS), pa.timestamp("ms")),
        "flag": pa.array([True, None] * 128 + [False]),
    },
    "nested": {
        "struct": pa.array([{"x": 1, "y": [True]}] * ROWS),
        "map": pa.array([[("k", 1)]] * ROWS, pa.map_(pa.string(), pa.int32())),
        "lists": pa.array([[["a"]]] * ROWS),
    },
    "views": {"view": pa.array([f"a text of some length {row}" for row in range(ROWS)]).cast(
        pa.string_view()
    )},
}  # fmt: skip


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("batch", [None, 100, 1])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["list", "large_list", "fixed_size_list"])
def test_arrow(tmp_path, kind, stream, batch, compression, beside):
    array = matrix()
    table = pa.table({**beside, "emb": lists(array, kind), "id": range(ROWS)})
    options = {"stream": stream, "batch": batch, "compression": compression}
    found = open_set(write_arrow(tmp_path / "a.arrow", table, **options))
    assert_set(found, array)
    assert found.ids("id").names.value_at(200) == 200
    sliced = write_arrow(tmp_path / "b.arrow", table.slice(17, 200), **options)
    assert_reads(open_set(sliced), array[17:217], [(0, 3), (3, 200)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrow_of_every_type(tmp_path, dtype):
    table = pa.table({"emb": lists(matrix(dtype))})
    assert_set(open_set(write_arrow(tmp_path / "a.arrow", table)), matrix(dtype))


def test_arrow_written_before_its_version_0_15(tmp_path):
    table = pa.table({"emb": lists(matrix())})
    for stream in (False, True):
        path = write_arrow(tmp_path / "a.arrow", table, stream=stream, use_legacy_format=True)
        assert_set(open_set(path), matrix())


def test_feather(tmp_path):
    for compression in ("lz4", "uncompressed"):
        table = pa.table({"emb": lists(matrix()), "id": range(ROWS)})
        path = tmp_path / "a.feather"
        pyarrow.feather.write_feather(table, path, compression=compression, chunksize=100)
        assert_set(open_set(path), matrix())


def test_arrow_with_empty_batches(tmp_path):
    table = pa.table({"emb": lists(matrix())})
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        for start, stop in [(0, 0), (0, 100), (100, 100), (100, 257), (257, 257)]:
            for batch in table.slice(start, stop - start).to_batches() or [
                pa.RecordBatch.from_pylist([], table.schema)
            ]:
                writer.write_batch(batch)
    assert pa.ipc.open_file(tmp_path / "a.arrow").num_record_batches == 5
    assert_set(open_set(tmp_path / "a.arrow"), matrix())


def stream_bytes(table, compression=None):
    """Return an Arrow stream without the eight bytes that end it."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=30)
    return sink.getvalue().to_pybytes()[:-8]


def test_batches_in_place_beside_compressed_ones(tmp_path):
    table = pa.table({"emb": lists(matrix())})
    schema = stream_bytes(table.slice(0, 0))
    stream = schema
    for start, compression in [(0, None), (100, "lz4"), (150, None), (200, "zstd")]:
        part = stream_bytes(table.slice(start, 100 if start == 0 else 50), compression)
        stream += part.removeprefix(schema)
    stream += stream_bytes(table.slice(250)).removeprefix(schema)
    (tmp_path / "a.arrow").write_bytes(stream)
    assert_set(open_set(tmp_path / "a.arrow"), matrix())


def test_one_large_arrow_batch_is_read_in_place(tmp_path):
    array = np.random.default_rng(0).random((20_000, 512), np.float32)
    table = pa.table({"text": ["x" * 9] * 20_000, "emb": lists(array)})
    found = open_set(write_arrow(tmp_path / "a.arrow", table))
    before = pa.total_allocated_bytes()
    spans = [(start, start + 500) for start in range(0, 20_000, 500)]
    for (start, stop), block in zip(spans, found.blocks(spans), strict=True):
        np.testing.assert_array_equal(block, array[start:stop])
        assert pa.total_allocated_bytes() - before < array.nbytes / 20


@pytest.mark.parametrize("kind", ["list", "large_list"])
@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_opening_a_compressed_arrow_file_unpacks_no_vector(tmp_path, kind, compression):
    array = np.random.default_rng(0).integers(0, 9, (500, 512)).astype(np.float32)
    table = pa.table({"emb": lists(array, kind)})
    path = write_arrow(tmp_path / "a.arrow", table, compression=compression)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 9000] = bytes(9000)
    path.write_bytes(data)
    found = open_set(path)
    assert (found.rows, found.dim) == array.shape
    with pytest.raises(InputError, match="cannot be read as Arrow IPC"):
        found.take([0])


def test_rows_of_an_arrow_file_in_place_are_read_alone(tmp_path):
    array = np.random.default_rng(0).random((4000, 512), np.float32)
    found = open_set(write_arrow(tmp_path / "a.arrow", emb_table(array), batch=900))
    tracemalloc.start()
    np.testing.assert_array_equal(found.take([3999, 899, 900]), array[[3999, 899, 900]])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes / 50


def test_ids_and_row_order_of_arrow_files(tmp_path):
    names = [f"item {row}" for row in range(ROWS)]
    table = pa.table({"id": pa.array(names).dictionary_encode(), "emb": lists(matrix())})
    a = open_set(write_arrow(tmp_path / "a.arrow", table, batch=50, compression="lz4"))
    b = open_set(
        write_arrow(tmp_path / "b.arrow", table.take(list(range(ROWS))[::-1]), stream=True)
    )
    assert [a.ids("id").names.value_at(row) for row in (0, 256)] == ["item 0", "item 256"]
    np.testing.assert_array_equal(a.ids("id").hashes[::-1], b.ids("id").hashes)
    with pytest.raises(InputError, match=r"rows differ in order.*'item 256' against 'item 0'"):
        check_row_order(a, b)


WRITERS = {
    "npz": lambda to, array: write_npz(to / "stored.npz", array),
    "npz packed": lambda to, array: write_npz(to / "packed.npz", array, np.savez_compressed),
    "safetensors": lambda to, array: write_safetensors(to / "a.safetensors", emb=array),
    "fvecs": lambda to, array: write_vecs(to / "a.fvecs", array),
    "fbin": lambda to, array: write_big_ann(to / "a.fbin", array),
    "arrow": lambda to, array: write_arrow(to / "a.arrow", emb_table(array)),
    "arrow stream": lambda to, array: write_arrow(
        to / "stream.arrow", emb_table(array), stream=True, batch=700
    ),
    "arrow packed": lambda to, array: write_arrow(
        to / "lz4.arrow", emb_table(array), batch=700, compression="lz4"
    ),
    "hdf5": lambda to, array: write_hdf5(to / "a.h5", array),
    "hdf5 chunked": lambda to, array: write_hdf5(to / "b.h5", array, chunks=(300, 500)),
}
LARGE = list(WRITERS)
FILES = [name for name in LARGE if name != "npz packed"]
"""Those whose rows stay in the file."""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """20 MB: more than one window, gather block, batch and chunk of every reader."""
    folder = tmp_path_factory.mktemp("large")
    expected = np.random.default_rng(3).random((5000, 1024), np.float32)
    return expected, {name: write(folder, expected) for name, write in WRITERS.items()}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("slots", [1, 3])
def test_a_block_outlives_slots_minus_one_further_blocks(large, name, slots):
    expected, paths = large
    spans = [(start, min(start + 211, 5000)) for start in range(0, 5000, 211)]
    alive = deque(maxlen=slots)
    for span, block in zip(spans, open_set(paths[name]).blocks(spans, slots), strict=True):
        alive.append((span, block))
        for (start, stop), earlier in alive:
            np.testing.assert_array_equal(earlier, expected[start:stop])


@pytest.mark.parametrize("name", LARGE)
def test_rows_in_any_order(large, name):
    expected, paths = large
    found = open_set(paths[name])
    rows = np.random.default_rng(0).integers(0, 5000, 700)
    np.testing.assert_array_equal(found.take(rows), expected[rows])
    assert found.identity() == open_set(paths[name]).identity()
    assert found.identity()[0] == str(paths[name].resolve())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["blocks", "gather"])
def test_an_abandoned_generator_closes_its_file(large, name, how):
    found = open_set(large[1][name])
    gc.collect()
    before = open_descriptors()
    drawn = found.blocks([(0, 9), (9, 5000)]) if how == "blocks" else found.gather(np.arange(5000))
    next(drawn)
    assert open_descriptors() > before
    drawn.close()
    assert open_descriptors() == before


SUFFIXES = [
    ".npz",
    ".arrow",
    ".feather",
    ".safetensors",
    ".h5",
    ".hdf5",
    *VECS,
    *BIG_ANN,
]


@pytest.mark.parametrize("suffix", SUFFIXES)
class TestFiles:
    def test_missing(self, tmp_path, suffix):
        path = tmp_path / f"a{suffix}"
        assert_names(refusal(path), f"{path}: ", "no such file", "check the path")

    def test_empty(self, tmp_path, suffix):
        path = tmp_path / f"a{suffix}"
        path.touch()
        assert_names(refusal(path), f"{path}: ", "an empty file", "again")

    def test_text(self, tmp_path, suffix):
        path = tmp_path / f"a{suffix}"
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\n")
        assert_names(refusal(path), f"{path}: ")

    @pytest.mark.parametrize("size", [1, 3, 7, 9])
    def test_a_few_bytes(self, tmp_path, suffix, size):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(b"\1\0\0\0\4\0\0\0\0"[:size])
        assert_names(refusal(path), f"{path}: ")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("name", LARGE)
def test_a_truncated_file(large, tmp_path, name, keep):
    data = large[1][name].read_bytes()
    path = tmp_path / large[1][name].name
    path.write_bytes(data[: int(len(data) * keep) - 1])
    assert_names(refusal(path), f"{path}: ", "again")


@pytest.mark.parametrize("name", ["safetensors", "fvecs", "fbin"])
def test_more_than_the_matrix(large, tmp_path, name):
    path = tmp_path / large[1][name].name
    path.write_bytes(large[1][name].read_bytes() + b"\0")
    assert_names(refusal(path), f"{path}: ", "write or copy it again")


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("name", ["npz", "packed", "arrow", "stream", "lz4", "h5", "safetensors"])
def test_damaged_bytes_are_refused_or_read(tmp_path, name, seed):
    """No damage to the bytes that describe the data ends in another error than a refusal."""
    random = np.random.default_rng(seed)
    array = matrix(rows=20)
    table = pa.table({"id": range(20), "emb": lists(array)})
    path = tmp_path / "a.arrow"
    if name in ("npz", "packed"):
        path = tmp_path / "a.npz"
        (np.savez if name == "npz" else np.savez_compressed)(path, array)
    elif name == "h5":
        path = write_hdf5(tmp_path / "a.h5", array, chunks=(7, DIM), compression="gzip")
    elif name == "safetensors":
        path = write_safetensors(tmp_path / "a.safetensors", emb=array)
    else:
        options = {"stream": name == "stream", "compression": "lz4" if name == "lz4" else None}
        write_arrow(path, table, **options)
    data = bytearray(path.read_bytes())
    for position in random.integers(0, len(data), 12):
        data[position] = random.choice([0, 255, data[position] ^ 1, data[position] ^ 128])
    path.write_bytes(data)
    refusals = []
    try:
        read(path)
    except InputError as error:
        refusals.append(str(error))
    assert all(message.startswith(f"{path}: ") for message in refusals)
    assert all(message.isprintable() for message in refusals)


class TestMembers:
    """Which array of several is meant; the same for NPZ, safetensors and HDF5."""

    @pytest.fixture(params=["npz", "safetensors", "h5"])
    def write(self, request, tmp_path):
        def write(**arrays):
            path = tmp_path / f"a.{request.param}"
            if request.param == "npz":
                np.savez(path, **arrays)
            elif request.param == "safetensors":
                write_safetensors(path, **arrays)
            else:
                with h5py.File(path, "w") as file:
                    for name, array in arrays.items():
                        file[name] = array
            return path

        return write

    def test_the_only_matrix(self, write):
        path = write(ids=np.arange(6), emb=GOOD)
        np.testing.assert_array_equal(open_set(path).take(np.arange(6)), GOOD)

    def test_one_of_two(self, write):
        path = write(old=GOOD, new=-GOOD)
        for found in (open_set(f"{path}::new"), open_set(path, column="new")):
            np.testing.assert_array_equal(found.take(np.arange(6)), -GOOD)
        a, b = open_set(f"{path}::old").identity(), open_set(f"{path}::new").identity()
        assert a != b
        assert a[0] == b[0]

    def test_several(self, write):
        path = write(old=GOOD, ids=np.arange(6), new=-GOOD)
        message = refusal(path)
        assert_names(message, f"{path}: 2 matrices, ", "'old' (6, 4) float32", "'new'", "PATH::")
        assert "'ids'" not in message

    def test_none(self, write):
        path = write(ids=np.arange(6), cube=np.zeros((2, 2, 2), np.float32))
        assert_names(refusal(path), f"{path}: no ", "2-D matrix", "'cube' (2, 2, 2) float32")

    def test_nothing(self, write):
        path = write()
        assert_names(refusal(path), f"{path}: holds no ")

    def test_misspelt(self, write):
        path = write(embedding=GOOD, ids=np.arange(6))
        expected = "'embeding' (did you mean 'embedding'?) among "
        assert_names(refusal(f"{path}::embeding"), f"{path}::embeding: no ", expected, "'ids' (6,)")

    def test_misspelt_where_there_is_one(self, write):
        path = write(embedding=GOOD)
        assert_names(refusal(f"{path}::emb"), "no ", "'emb'", "'embedding' (6, 4) float32")

    def test_odd_names_cannot_break_the_line(self, write):
        path = write(**{"a\n\x1b[31m" + "x" * 500: GOOD, "b": GOOD})
        assert_names(refusal(path), "2 matrices", "...")

    @pytest.mark.parametrize(
        ("array", "part"),
        [
            (np.zeros(5, np.float32), "1-D array of shape (5,)"),
            (np.zeros((2, 3, 4), np.float32), "3-D array of shape (2, 3, 4)"),
            (np.zeros((0, 4), np.float32), "no rows"),
            (np.zeros((4, 0), np.float32), "dimension 0"),
            (np.zeros((1, 65_537), np.int8), "at most 65536"),
            (np.zeros((5, 4), np.int64), "64"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_is_no_matrix(self, write, array, part):
        path = write(emb=array)
        assert_names(refusal(path), f"{path}: ", part)
        assert_names(refusal(f"{path}::emb"), f"{path}::emb: ", part)


@pytest.mark.parametrize("suffix", [*VECS, *BIG_ANN])
def test_a_name_where_there_is_one_matrix(tmp_path, suffix):
    write = write_vecs if suffix in VECS else write_big_ann
    path = write(tmp_path / f"a{suffix}", GOOD)
    assert_names(refusal(f"{path}::emb", error=UsageError), "--column names one of several")


class TestNpz:
    def test_a_compressed_array_beyond_the_memory_budget(self, tmp_path, monkeypatch):
        monkeypatch.setattr(npz, "UNPACKED_BYTES", 95)
        path = tmp_path / "a.npz"
        np.savez_compressed(path, GOOD)
        expected = "a compressed array of 96 bytes, at most 95 are unpacked"
        assert_names(refusal(path), f"{path}: {expected}", "np.savez")
        np.savez(path, GOOD)
        assert open_set(path).rows == 6

    def test_objects_are_never_unpickled(self, tmp_path):
        path = tmp_path / "a.npz"
        np.savez(path, emb=np.array([[Trap()]], object))
        Trap.sprung = False
        assert_names(refusal(path), "Python objects", "never unpickled")

    def test_two_arrays_of_one_name(self, tmp_path):
        path = tmp_path / "a.npz"
        member = write_npy(tmp_path / "a.npy", GOOD).read_bytes()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("emb.npy", member)
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("emb.npy", member)
        assert_names(refusal(path), "2 arrays named 'emb'", "rename")

    def test_no_npy_member(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("readme.txt", "text")
        assert_names(refusal(tmp_path / "a.npz"), "holds no array")
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("emb.npy", "text")
        assert_names(refusal(tmp_path / "a.npz"), "not an NPY file")

    @pytest.mark.parametrize("change", [-1, 1, 2**40])
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_a_shape_that_does_not_fit_the_member(self, tmp_path, method, change):
        member = write_npy(tmp_path / "a.npy", GOOD).read_bytes()
        shape = f"({6 + change}, 4)".encode()
        member = member.replace(b"(6, 4)" + b" " * (len(shape) - 6), shape)
        with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
            archive.writestr("emb.npy", member.replace(b"(6, 4)", shape))
        assert_names(refusal(tmp_path / "a.npz"), "the header promises", f"{6 + change:,} x 4")

    def test_a_member_that_unpacks_to_less_than_it_says(self, tmp_path):
        path = tmp_path / "a.npz"
        np.savez_compressed(path, emb=GOOD)
        data = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo("emb.npy")
        start = data.index(b"PK\1\2") + 20
        data[start : start + 4] = struct.pack("<I", info.compress_size - 20)
        path.write_bytes(data)
        assert_names(refusal(path), f"{path}: ", "write or copy it again")

    def test_a_damaged_value_under_the_checksum(self, tmp_path):
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=0) as archive:
            archive.writestr("emb.npy", write_npy(tmp_path / "a.npy", GOOD).read_bytes())
        data = path.read_bytes()
        assert data.count(GOOD.tobytes()) == 1
        path.write_bytes(data.replace(GOOD.tobytes(), GOOD[::-1].tobytes()))
        assert_names(refusal(path), "cannot be read as NPZ", "CRC")


def safetensors_file(tmp_path, entry, data=bytes(96)):
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes({"emb": entry}, data))
    return path


class TestSafetensors:
    @pytest.mark.parametrize("length", [1, 10**6, 2**40, 2**63, 2**64 - 1])
    def test_a_header_length_that_does_not_fit(self, tmp_path, length):
        path = tmp_path / "a.safetensors"
        path.write_bytes(struct.pack("<Q", length) + b"{")
        expected = "damaged" if length == 1 else f"a header of {length:,} bytes in a file of 9"
        assert_names(refusal(path), f"{path}: ", expected)

    def test_a_header_too_large_to_parse(self, tmp_path):
        path = tmp_path / "a.safetensors"
        path.write_bytes(safetensors_bytes({}, padding=(16 << 20) + 1))
        assert_names(refusal(path), "at most 16,777,216 are read")

    @pytest.mark.parametrize(
        "entry",
        [
            None,
            [],
            {},
            {"dtype": "F32", "shape": [6, 4]},
            {"dtype": "F32", "shape": [6, 4], "data_offsets": [0]},
            {"dtype": "F32", "shape": [6, 4], "data_offsets": [0, 92]},
            {"dtype": "F32", "shape": [6, 4], "data_offsets": [96, 0]},
            {"dtype": "F32", "shape": [-6, -4], "data_offsets": [0, 96]},
            {"dtype": "F32", "shape": [6, True], "data_offsets": [0, 24]},
            {"dtype": "F32", "shape": "64", "data_offsets": [0, 96]},
            {"dtype": "F32", "shape": [6.0, 4], "data_offsets": [0, 96]},
            {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 96]},
            {"dtype": "F32", "shape": [9**99] * 100, "data_offsets": [0, 96]},
            {"dtype": 1, "shape": [6, 4], "data_offsets": [0, 96]},
        ],
        ids=str,
    )
    def test_a_damaged_entry(self, tmp_path, entry):
        path = safetensors_file(tmp_path, entry)
        assert_names(refusal(path), f"{path}: damaged safetensors header", "save_file")

    @pytest.mark.parametrize("text", ["", "[1]", "[" * 100_000, '{"a": 1', '{"a": {}, "a": {}}'])
    def test_a_damaged_header(self, tmp_path, text):
        path = tmp_path / "a.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text.encode())
        assert_names(refusal(path), "damaged safetensors header")

    @pytest.mark.parametrize("held", [0, 95, 97])
    def test_more_or_less_data_than_promised(self, tmp_path, held):
        entry = {"dtype": "F32", "shape": [6, 4], "data_offsets": [0, 96]}
        message = refusal(safetensors_file(tmp_path, entry, bytes(held)))
        assert_names(message, f"promises 96 bytes of data, the file holds {held}", "again")
        assert ("truncated" in message) == (held < 96)

    @pytest.mark.parametrize("dtype", ["I64", "BOOL", "F8_E4M3", "x\ny"])
    def test_a_type_that_holds_no_vectors(self, tmp_path, dtype):
        entry = {"dtype": dtype, "shape": [6, 4], "data_offsets": [0, 96]}
        assert_names(refusal(safetensors_file(tmp_path, entry)), "'emb' has type", "save it as F32")


class TestVecs:
    @pytest.mark.parametrize("dim", [0, -1, -(2**31)])
    def test_a_dimension_that_is_none(self, tmp_path, dim):
        path = tmp_path / "a.fvecs"
        path.write_bytes(struct.pack("<i", dim) + bytes(96))
        assert_names(refusal(path), f"{path}: not a fvecs file", f"dimension {dim};")

    def test_an_absurd_dimension(self, tmp_path):
        path = tmp_path / "a.fvecs"
        path.write_bytes(struct.pack(">i", 4) + bytes(96))
        assert_names(refusal(path), f"{path}: rows of dimension 67108864; expected at most")

    @pytest.mark.parametrize("row", [1, 3, 5])
    def test_rows_of_another_dimension(self, tmp_path, row):
        path = write_vecs(tmp_path / "a.fvecs", GOOD)
        data = bytearray(path.read_bytes())
        data[20 * row : 20 * row + 4] = struct.pack("<i", 3)
        path.write_bytes(data)
        assert_names(refusal(path), f"{path}: row {row} has dimension 3, expected 4 as in row 0")


class TestBigAnn:
    @pytest.mark.parametrize("shape", [(7, 4), (5, 4), (2**32 - 1, 2**32 - 1), (6, 5)])
    def test_a_header_that_does_not_fit(self, tmp_path, shape):
        path = tmp_path / "a.fbin"
        path.write_bytes(struct.pack("<II", *shape) + GOOD.tobytes())
        assert_names(refusal(path), f"promises {shape[0]:,} rows", "the file holds 104", "again")

    @pytest.mark.parametrize(("shape", "part"), [((0, 4), "no rows"), ((4, 0), "dimension 0")])
    def test_nothing(self, tmp_path, shape, part):
        path = tmp_path / "a.fbin"
        path.write_bytes(struct.pack("<II", *shape))
        assert_names(refusal(path), f"{path}: ", part)


class TestHdf5:
    def test_without_h5py(self, tmp_path):
        write_hdf5(tmp_path / "a.h5", GOOD)
        code = (
            "import sys; sys.modules['h5py'] = None\n"
            "from embaudit.data.sources import open_set\n"
            "from embaudit.errors import InputError\n"
            "try: open_set('a.h5')\n"
            "except InputError as error: print(error)\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        run = subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert run.stdout == "a.h5: HDF5 needs the package h5py; pip install 'embaudit[hdf5]'\n"

    @pytest.mark.parametrize("layout", [{"chunks": (2, 4)}, {}], ids=["chunked", "contiguous"])
    def test_rows_that_were_never_written(self, tmp_path, layout):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("emb", (10**12, 4), "f4", **layout)
        assert_names(refusal(path), f"{path}: dataset '/emb' has 0 of ", "was never written")

    def test_values_in_other_files(self, tmp_path):
        (tmp_path / "other").write_bytes(GOOD.tobytes())
        write_hdf5(tmp_path / "b.h5", GOOD)
        virtual = h5py.VirtualLayout((6, 4), "f4")
        virtual[:] = h5py.VirtualSource(str(tmp_path / "b.h5"), "emb", (6, 4))
        with h5py.File(tmp_path / "a.h5", "w") as file:
            outside = [(str(tmp_path / "other"), 0, GOOD.nbytes)]
            file.create_dataset("external", GOOD.shape, "f4", external=outside)
            file.create_virtual_dataset("virtual", virtual)
            file["link"] = h5py.ExternalLink("b.h5", "emb")
        for name in ("external", "virtual"):
            assert_names(refusal(f"{tmp_path}/a.h5::{name}"), "lies in other files")
        assert_names(refusal(f"{tmp_path}/a.h5::link"), "no dataset 'link'")

    def test_chunks_too_large_to_unpack(self, tmp_path, monkeypatch):
        monkeypatch.setattr(hdf5, "MAX_WINDOW_BYTES", 95)
        path = write_hdf5(tmp_path / "a.h5", GOOD, chunks=(6, 4))
        assert_names(refusal(path), "chunks of 6 rows, 96 bytes", "smaller chunks")

    @pytest.mark.parametrize("value", ["text", [b"a", b"bc"], h5py.Empty("f4")], ids=str)
    def test_what_holds_no_vectors(self, tmp_path, value):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["emb"] = value
        assert_names(refusal(tmp_path / "a.h5"), f"{tmp_path}/a.h5: ", "2-D")

    @pytest.mark.parametrize(
        ("options", "mask"), [({}, 0), ({"compression": "gzip", "shuffle": True}, 2)]
    )
    def test_a_chunk_shorter_than_its_rows(self, tmp_path, options, mask):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            stored = file.create_dataset("emb", (40, 6), "f4", chunks=(20, 6), **options)
            stored.id.write_direct_chunk((0, 0), bytes(480), mask)
            stored.id.write_direct_chunk((20, 0), bytes(100), mask)
        assert_names(refusal(path), "dataset '/emb' has a chunk of less than its 480 bytes")

    def test_a_damaged_chunk(self, tmp_path):
        path = write_hdf5(tmp_path / "a.h5", matrix(), chunks=(50, DIM), fletcher32=True)
        with h5py.File(path) as file:
            chunk = file["emb"].id.get_chunk_info(2)
        data = bytearray(path.read_bytes())
        data[chunk.byte_offset + 7] ^= 4
        path.write_bytes(data)
        assert_names(refusal(path), f"{path}: cannot be read as HDF5", "again")


class TestArrow:
    def test_feather_version_1(self, tmp_path):
        path = tmp_path / "a.feather"
        path.write_bytes(b"FEA1" + bytes(100) + b"FEA1")
        assert_names(refusal(path), f"{path}: Feather version 1", "write_feather")

    @pytest.mark.parametrize("kind", ["list", "large_list", "fixed_size_list"])
    @pytest.mark.parametrize("compression", [None, "lz4"])
    def test_nulls(self, tmp_path, kind, compression):
        whole = lists(GOOD, kind)
        null_row = whole.take(pa.array([0, 1, None, 3, 4, 5]))
        path = tmp_path / "a.arrow"
        write_arrow(path, pa.table({"emb": null_row}), compression=compression, batch=2)
        assert_names(refusal(path), f"{path}: column 'emb' is null in row 2")

    def test_a_null_value(self, tmp_path):
        rows = [[1.0, 2.0], [3.0, None]]
        table = pa.table({"emb": pa.array(rows, pa.list_(pa.float32()))})
        path = write_arrow(tmp_path / "a.arrow", table)
        assert_names(refusal(path), "column 'emb' has a null at dimension 1 in row 1")

    @pytest.mark.parametrize("stream", [False, True])
    def test_ragged_rows(self, tmp_path, stream):
        rows = [[1.0, 2.0], [3.0], [4.0, 5.0], [6.0, 7.0, 8.0]]
        table = pa.table({"emb": pa.array(rows, pa.list_(pa.float32()))})
        path = write_arrow(tmp_path / "a.arrow", table, stream=stream)
        assert_names(refusal(path), "ragged: row 1 has length 1", "(rows of another length: 2)")

    def test_no_rows(self, tmp_path):
        table = pa.table({"emb": pa.array([], pa.list_(pa.float32()))})
        assert_names(refusal(write_arrow(tmp_path / "a.arrow", table)), "no rows")

    def test_columns(self, tmp_path):
        table = pa.table({"id": range(6), "old": lists(GOOD), "new": lists(GOOD)})
        path = write_arrow(tmp_path / "a.arrow", table)
        assert_names(refusal(path), "2 vector columns", "--column old")
        assert_names(refusal(f"{path}::odl"), "no column 'odl' (did you mean 'old'?)")
        assert_names(refusal(f"{path}::id"), "column 'id' has type int64")

    def test_a_batch_too_large_to_load(self, tmp_path, monkeypatch):
        monkeypatch.setattr(arrow, "MAX_BATCH_BYTES", 95)
        table = pa.table({"emb": lists(GOOD, "fixed_size_list")})
        path = write_arrow(tmp_path / "a.arrow", table, compression="lz4")
        assert_names(refusal(path), "a record batch of 6 rows, 96 bytes", "smaller record batches")
        assert open_set(write_arrow(path, table)).rows == 6

    def rewritten(self, path, old, new):
        """Write the 8 bytes of one number over another, wherever that is stored."""
        data = path.read_bytes()
        old, new = struct.pack("<q", old), struct.pack("<q", new)
        assert old in data
        path.write_bytes(data.replace(old, new))

    @pytest.mark.parametrize("claim", [2**40, 2**31, -2])
    @pytest.mark.parametrize("stream", [False, True])
    def test_a_buffer_that_claims_to_unpack_to_much(self, tmp_path, stream, claim):
        table = pa.table({"emb": lists(np.zeros((1000, 7), np.float32), "fixed_size_list")})
        path = tmp_path / "a.arrow"
        write_arrow(path, table, stream=stream, compression="zstd")
        self.rewritten(path, 28_000, claim)
        assert_names(refusal(path), f"cannot be read as Arrow IPC: a buffer of {claim:,} bytes")

    def test_a_metadata_length_that_is_not_believed(self, tmp_path):
        path = write_arrow(tmp_path / "a.arrow", emb_table(GOOD), stream=True)
        path.write_bytes(b"ARRO" + path.read_bytes()[4:])
        assert_names(refusal(path), "cannot be read as Arrow IPC: a message of 1,330,795,073 bytes")

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_batch_of_another_count_of_rows(self, tmp_path, stream):
        table = emb_table(np.zeros((1237, 5), np.float32))
        path = write_arrow(tmp_path / "a.arrow", table, stream=stream)
        data = path.read_bytes()
        # The batch's count comes before that of its columns.
        place = data.index(struct.pack("<q", 1237), data.index(struct.pack("<q", 1237)) + 8)
        for at in (data.index(struct.pack("<q", 1237)), place):
            path.write_bytes(data[:at] + struct.pack("<q", 1200) + data[at + 8 :])
            assert_names(refusal(path), "cannot be read as Arrow IPC", "rows")

    def test_an_end_in_the_midst_of_a_stream(self, tmp_path):
        path = write_arrow(tmp_path / "a.arrow", emb_table(matrix()), stream=True)
        assert open_set(path).rows == ROWS
        path.write_bytes(path.read_bytes() * 2)
        assert_names(refusal(path), "bytes follow the end of the stream; store one stream a file")

    def test_a_message_that_is_damaged_where_nobody_looks(self, tmp_path):
        path = write_arrow(tmp_path / "a.arrow", emb_table(matrix()), stream=True, batch=100)
        data = path.read_bytes()
        schema = 8 + int.from_bytes(data[4:8], "little")
        # Of the first batch: where the vector of its nodes is said to be, and more.
        refused = 0
        for at in range(
            schema + 8, schema + 8 + int.from_bytes(data[schema + 4 : schema + 8], "little")
        ):
            path.write_bytes(data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :])
            try:
                assert open_set(path).rows == ROWS
            except InputError:
                refused += 1
        assert refused > 30

    def test_a_batch_that_the_footer_lists_and_is_none(self, tmp_path):
        path = write_arrow(tmp_path / "a.arrow", emb_table(matrix()), batch=100)
        data = path.read_bytes()
        second = [at for at in range(8, len(data), 8) if data[at : at + 4] == b"\xff" * 4][2]
        path.write_bytes(data[: second + 4] + bytes(4) + data[second + 8 :])
        assert_names(refusal(path), "the footer lists what is no record batch")

    def test_offsets_beyond_the_values(self, tmp_path):
        path = write_arrow(tmp_path / "a.arrow", pa.table({"emb": lists(GOOD)}))
        data = path.read_bytes()
        offsets = np.arange(0, 28, 4, dtype="<i4")
        assert data.count(offsets.tobytes()) == 1
        path.write_bytes(data.replace(offsets.tobytes(), (offsets + 2**20).tobytes()))
        assert_names(refusal(path), f"{path}: cannot be read as Arrow IPC", "again")
