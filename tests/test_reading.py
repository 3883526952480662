"""Every reader gives the rows that numpy or pyarrow give, whatever the file's layout."""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections import deque
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embaudit.data.embedding_set import ArraySet, EmbeddingSet
from embaudit.data.sources import open_set
from embaudit.errors import InputError

DTYPES = ["float16", "float32", "float64", "int8", "uint8"]
ROWS, DIM = 257, 6
SPANS = {
    "whole": [(0, ROWS)],
    "even": [(start, min(start + 50, ROWS)) for start in range(0, ROWS, 50)],
    "single rows": [(row, row + 1) for row in range(ROWS)],
    "with gaps": [(3, 4), (10, 99), (99, 101), (200, 257)],
    "empty": [(0, 0), (5, 9), (9, 9), (ROWS, ROWS)],
    "none": [],
}


def matrix(dtype="float32", rows=ROWS, dim=DIM, seed=0):
    values = np.random.default_rng(seed).normal(0, 40, (rows, dim)).clip(-127, 127)
    return (np.abs(values) if dtype == "uint8" else values).astype(dtype)


def write_npy(path, array, version=(1, 0)):
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version)
    return path


def lists(array, kind="list"):
    """Return the rows of `array` as an Arrow array of the named list type."""
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    if kind == "fixed_size_list":
        return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])
    offsets = np.arange(0, array.size + 1, array.shape[1])
    if kind == "large_list":
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)


def write_parquet(path, array, kind="list", **options):
    pq.write_table(pa.table({"emb": lists(array, kind)}), path, **options)
    return path


def assert_reads(found: EmbeddingSet, expected, spans):
    assert (found.rows, found.dim) == expected.shape
    assert found.dtype == expected.dtype.newbyteorder("=")
    blocks = found.blocks(spans, slots=2)
    for (start, stop), block in zip(spans, blocks, strict=True):
        assert block.dtype == found.dtype
        assert block.dtype.isnative
        assert block.flags.c_contiguous
        np.testing.assert_array_equal(block, expected[start:stop])


def assert_gathers(found: EmbeddingSet, expected, rows):
    positions = []
    for position, block in found.gather(rows):
        np.testing.assert_array_equal(block, expected[rows[position]])
        assert block.dtype == found.dtype
        positions.extend(range(len(rows))[position])
    assert positions == list(range(len(rows)))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_npy_of_every_layout(tmp_path, dtype, order, byte_order, version):
    stored = matrix(dtype).astype(np.dtype(dtype).newbyteorder(byte_order), order=order)
    path = write_npy(tmp_path / "a.npy", stored, version)
    found = open_set(path)
    expected = np.load(path)
    for spans in SPANS.values():
        assert_reads(found, expected, spans)
    assert_gathers(found, expected, np.array([0, 1, 2, 9, 100, 101, 256]))
    assert_gathers(found, expected, np.array([], np.int64))


def test_npy_written_by_python_2(tmp_path):
    expected = matrix()
    path = write_npy(tmp_path / "a.npy", expected)
    text = f"({ROWS}, {DIM}), ".encode()
    long_text = f"({ROWS}L, {DIM}L)".encode()
    data = path.read_bytes()
    assert text in data
    path.write_bytes(data.replace(text, long_text))
    assert_reads(open_set(path), expected, SPANS["even"])


@pytest.mark.parametrize("group", [1, 100, 10_000])
@pytest.mark.parametrize("kind", ["list", "large_list", "fixed_size_list"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_parquet_of_every_type(tmp_path, dtype, kind, group):
    path = write_parquet(tmp_path / "a.parquet", matrix(dtype), kind, row_group_size=group)
    found = open_set(path)
    expected = np.stack(pq.read_table(path)["emb"].to_numpy())
    for spans in SPANS.values():
        assert_reads(found, expected, spans)
    assert_gathers(found, expected, np.array([0, 1, 2, 9, 100, 101, 256]))
    assert_gathers(found, expected, np.array([], np.int64))


@pytest.mark.parametrize("kind", ["list", "large_list", "fixed_size_list"])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_parquet_of_a_sliced_table(tmp_path, kind, compression):
    expected = matrix()
    table = pa.table({"emb": lists(expected, kind)}).slice(17, 200)
    pq.write_table(table, tmp_path / "a.parquet", compression=compression, use_dictionary=False)
    assert_reads(open_set(tmp_path / "a.parquet"), expected[17:217], [(0, 3), (3, 200)])


def test_parquet_with_empty_row_groups(tmp_path):
    expected = matrix()
    table = pa.table({"emb": lists(expected)})
    with pq.ParquetWriter(tmp_path / "a.parquet", table.schema) as writer:
        for start, stop in [(0, 0), (0, 100), (100, 100), (100, 257), (257, 257)]:
            writer.write_table(table.slice(start, stop - start))
    found = open_set(tmp_path / "a.parquet")
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.num_row_groups > 2
    for spans in SPANS.values():
        assert_reads(found, expected, spans)
    assert_gathers(found, expected, np.array([0, 99, 100, 256]))


def test_two_columns_of_one_parquet_file(tmp_path):
    old, new = matrix(seed=1), matrix("float16", dim=9, seed=2)
    table = pa.table({"id": range(ROWS), "old": lists(old), "new": lists(new)})
    pq.write_table(table, tmp_path / "x.parquet")
    a = open_set(f"{tmp_path}/x.parquet::old")
    b = open_set(f"{tmp_path}/x.parquet", column="new")
    assert_reads(a, old, SPANS["even"])
    assert_reads(b, new, SPANS["even"])
    assert a.identity() != b.identity()
    assert a.identity()[0] == b.identity()[0]


def test_parquet_column_whose_name_continues_another(tmp_path):
    expected = matrix()
    table = pa.table({"emb": lists(expected), "emb.list": lists(-expected)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert_reads(open_set(tmp_path / "a.parquet", column="emb"), expected, SPANS["even"])
    assert_reads(open_set(tmp_path / "a.parquet", column="emb.list"), -expected, SPANS["even"])


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """40 MB: more than one window, gather block, batch and row group of every reader."""
    folder = tmp_path_factory.mktemp("large")
    expected = np.random.default_rng(3).random((5000, 1024))
    sets = {
        "rows": open_set(write_npy(folder / "rows.npy", expected)),
        "columns": open_set(write_npy(folder / "columns.npy", np.asfortranarray(expected))),
        "swapped": open_set(write_npy(folder / "swapped.npy", expected.astype(">f8"))),
        "parquet": open_set(write_parquet(folder / "a.parquet", expected, row_group_size=1_300)),
        "array": ArraySet(expected),
    }
    return expected, sets


LARGE = ["rows", "columns", "swapped", "parquet", "array"]
thorough = settings(max_examples=15, deadline=None)


@pytest.mark.parametrize("name", LARGE)
@thorough
@given(cuts=st.lists(st.integers(0, 5000), max_size=9), keep=st.integers(0, 2**10))
def test_any_spans(large, name, cuts, keep):
    expected, sets = large
    bounds = sorted({0, 5000, *cuts})
    spans = list(pairwise(bounds))
    spans = [span for index, span in enumerate(spans) if not keep >> index & 1]
    assert_reads(sets[name], expected, spans)


@pytest.mark.parametrize("name", LARGE)
@thorough
@given(seed=st.integers(0, 2**16), count=st.sampled_from([1, 2, 40, 3000, 5000]))
def test_any_rows(large, name, seed, count):
    expected, sets = large
    rows = np.sort(np.random.default_rng(seed).choice(5000, count, replace=False))
    assert_gathers(sets[name], expected, rows)


@pytest.mark.parametrize("name", LARGE)
def test_take_keeps_order_and_repeats(large, name):
    expected, sets = large
    for rows in ([7], [3, 4, 5], [4999, 0, 17, 17, 0], [2, 2, 3]):
        np.testing.assert_array_equal(sets[name].take(np.array(rows)), expected[rows])
    assert sets[name].take(np.array([], np.int64)).shape == (0, 1024)


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("slots", [1, 2, 5])
def test_a_block_outlives_slots_minus_one_further_blocks(large, name, slots):
    expected, sets = large
    spans = [(start, min(start + 211, 5000)) for start in range(0, 5000, 211)]
    alive = deque(maxlen=slots)
    for span, block in zip(spans, sets[name].blocks(spans, slots), strict=True):
        alive.append((span, block))
        for (start, stop), earlier in alive:
            np.testing.assert_array_equal(earlier, expected[start:stop])


@pytest.mark.parametrize("name", ["rows", "columns", "swapped"])
def test_buffers_are_reused(large, name):
    sets = large[1]
    spans = [(start, start + 100) for start in range(0, 5000, 100)]
    addresses = {block.ctypes.data for block in sets[name].blocks(spans, slots=3)}
    assert len(addresses) == 3


def test_rows_within_a_decoded_batch_are_not_copied(large):
    blocks = list(large[1]["parquet"].blocks([(0, 50), (50, 100), (100, 1400)], slots=3))
    assert blocks[0].ctypes.data + blocks[0].nbytes == blocks[1].ctypes.data
    assert [block.flags.writeable for block in blocks] == [False, False, True]


@pytest.mark.parametrize(("name", "limit_mib"), [("rows", 2), ("swapped", 2), ("columns", 36)])
def test_npy_is_not_read_whole(large, name, limit_mib):
    sets = large[1]
    tracemalloc.start()
    for _ in sets[name].blocks([(start, start + 100) for start in range(0, 5000, 100)]):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < limit_mib << 20


def test_one_large_row_group_is_streamed(tmp_path):
    array = np.random.default_rng(0).random((20_000, 512), np.float32)
    found = open_set(write_parquet(tmp_path / "a.parquet", array))
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.num_row_groups == 1
    before = pa.total_allocated_bytes()
    spans = [(start, start + 500) for start in range(0, 20_000, 500)]
    held = [pa.total_allocated_bytes() - before for _ in found.blocks(spans)]
    assert max(held) < array.nbytes / 2


def test_parquet_skips_row_groups_without_wanted_rows(tmp_path):
    expected = matrix(rows=400)
    path = write_parquet(tmp_path / "a.parquet", expected, row_group_size=100, compression="none")
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    found = open_set(path)
    data = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset
    data[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(data)
    os.utime(path, ns=times)
    assert_reads(found, expected, [(0, 100), (200, 350)])
    assert_gathers(found, expected, np.array([5, 99, 200, 399]))
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list(found.blocks([(0, 101)]))


def open_descriptors():
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("name", ["rows", "columns", "parquet"])
@pytest.mark.parametrize("how", ["blocks", "gather"])
def test_an_abandoned_generator_closes_its_file(large, name, how):
    sets = large[1]
    gc.collect()
    before = open_descriptors()
    rows = np.arange(5000)
    drawn = sets[name].blocks([(0, 9), (9, 5000)]) if how == "blocks" else sets[name].gather(rows)
    assert open_descriptors() == before
    next(drawn)
    assert open_descriptors() > before
    drawn.close()
    assert open_descriptors() == before


@pytest.mark.parametrize("name", ["rows", "columns", "parquet"])
def test_concurrent_passes_do_not_disturb_each_other(large, name):
    expected, sets = large
    spans = [(start, start + 500) for start in range(0, 5000, 500)]
    passes = zip(spans, sets[name].blocks(spans), sets[name].blocks(spans), strict=True)
    for (start, stop), first, second in passes:
        np.testing.assert_array_equal(first, expected[start:stop])
        np.testing.assert_array_equal(second, expected[start:stop])
        row = sets[name].take(np.array([4999 - start]))
        np.testing.assert_array_equal(row[0], expected[4999 - start])


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array,
        lambda array: np.asfortranarray(array),
        lambda array: array[::-2, 1:4],
        lambda array: array.astype(">f4"),
        lambda array: array.astype(np.float16),
    ],
    ids=["C", "Fortran", "strided", "big-endian", "float16"],
)
def test_array_set(view):
    array = view(matrix())
    found = ArraySet(array)
    spans = [(0, 10), (10, 30), (40, found.rows)]
    assert_reads(found, array, spans)
    assert_gathers(found, array, np.array([0, 5, 6, 100]))
    np.testing.assert_array_equal(found.take(np.array([9, 0, 9])), array[[9, 0, 9]])


def test_array_set_over_a_memory_map(tmp_path):
    expected = matrix()
    path = write_npy(tmp_path / "a.npy", expected)
    assert_reads(open_set(np.load(path, mmap_mode="r")), expected, SPANS["even"])


def test_identity_tells_one_source_from_another(tmp_path):
    array = matrix()
    path = write_npy(tmp_path / "a.npy", array)
    other = write_npy(tmp_path / "b.npy", array)
    link = tmp_path / "link.npy"
    link.symlink_to(path)
    assert open_set(path).identity() == open_set(str(link)).identity()
    assert open_set(path).identity() != open_set(other).identity()
    assert ArraySet(array).identity() == ArraySet(array).identity()
    assert ArraySet(array).identity() != ArraySet(array.copy()).identity()
    assert ArraySet(array).identity() != ArraySet(array[1:]).identity()


def test_a_set_stays_readable_after_a_change_of_directory(tmp_path, monkeypatch):
    expected = matrix()
    write_npy(tmp_path / "a.npy", expected)
    write_parquet(tmp_path / "a.parquet", expected)
    monkeypatch.chdir(tmp_path)
    found = [open_set("a.npy"), open_set(Path("a.parquet"))]
    monkeypatch.chdir("/")
    for each in found:
        assert_reads(each, expected, SPANS["even"])
    assert [each.uri for each in found] == ["a.npy", "a.parquet"]
