"""Carrying files over by a map."""

from __future__ import annotations

import errno
import itertools
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import EMBAUDIT, run, run_code

import embaudit
from benchmarks.pairs import load
from embaudit.data import vector_files
from embaudit.data.embedding_set import MAX_DIM
from embaudit.errors import InputError, OutputError, UsageError
from embaudit.maps.fitted import RowMapper, zero_rows
from embaudit.maps.map_file import save_map
from embaudit.remedy import applying
from embaudit.remedy.applying import apply_map

SETS = load()


def rows(n=700, dim=12, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


A = rows()
B = (A @ np.random.default_rng(1).standard_normal((12, 9)) + 0.3).astype(np.float32)


def a_map(method="linear", metric="cosine"):
    return embaudit.fit_map(A, B, method=method, metric=metric)


def table(path, vectors, *, group=150):
    values = pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1])
    other = pa.FixedSizeListArray.from_arrays(np.arange(2.0 * len(vectors)), 2)
    columns = {
        "id": pa.array([f"row {i}" for i in range(len(vectors))]),
        "embedding": values,
        "year": pa.array([None if i % 7 == 0 else i for i in range(len(vectors))]),
        "other": other,
        "tags": pa.array([["x"] * (i % 3) for i in range(len(vectors))]),
    }
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("method", ["orthogonal", "low-rank", "linear"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8])
def test_a_file_holds_what_transform_returns(tmp_path, metric, method, dtype):
    source = (20 * A).astype(dtype) if dtype is np.int8 else A.astype(dtype)
    fitted = embaudit.fit_map(source, B, method=method, metric=metric)
    np.save(tmp_path / "a.npy", source)
    done = apply_map(fitted, tmp_path / "a.npy", tmp_path / "out.npy")
    found = np.load(tmp_path / "out.npy")
    expected = fitted.transform(source)
    assert found.dtype == np.float32
    assert (done.rows, done.dim, found.shape) == (700, 9, (700, 9))
    assert np.abs(found - expected).max() <= 2e-6 * np.abs(expected).max()


def test_a_mean_far_larger_than_the_deviation_costs_no_digits():
    far = (A + 3000).astype(np.float32)
    for metric in ("cosine", "euclidean"):
        fitted = embaudit.fit_map(far, B, method="linear", metric=metric)
        out = np.empty((len(far), 9), np.float32)
        assert not RowMapper(fitted, far.dtype).map(far, out).any()
        expected = fitted.transform(far)
        spread = np.abs(expected - expected.mean(axis=0)).max()
        assert np.abs(out - expected).max() <= 1e-4 * spread


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("times", [0.5, 2.0, 5.0, 7.5])
def test_a_common_mean_below_that_costs_little_more_than_rounding(times, unit):
    # Up to a mean of 8 deviations rows are multiplied in float32, with their mean.
    centred = rows(3000, 96)
    far = centred + np.float32(times) * np.sqrt(96) * np.eye(96, dtype=np.float32)[0]
    target = far @ rows(96, 96, seed=1)
    if unit:
        target /= np.linalg.norm(target, axis=1, keepdims=True)
    fitted = embaudit.fit_map(far, target, method="linear")
    assert fitted.unit is unit
    out = np.empty_like(far)
    assert not RowMapper(fitted, far.dtype).map(far, out).any()
    expected = fitted.exact(far)
    spread = np.linalg.norm(expected - expected.mean(axis=0), axis=1).mean()
    assert np.linalg.norm(out - expected, axis=1).max() <= 2e-5 * spread


@pytest.mark.parametrize("suffix", ["npy", "parquet"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_same_bytes_at_any_number_of_threads(tmp_path, monkeypatch, suffix, dtype):
    monkeypatch.setattr(applying, "BLOCK_BYTES", 4 * 64 * 90)
    big = rows(1000, 64)
    fitted = embaudit.fit_map(big, big @ np.linalg.qr(rows(64, 64))[0])
    np.save(tmp_path / "a.npy", big)
    outputs = [tmp_path / f"{threads}.{suffix}" for threads in (1, 2, 3)]
    for threads, output in enumerate(outputs, start=1):
        apply_map(fitted, tmp_path / "a.npy", output, threads=threads, dtype=dtype)
    first, *others = (output.read_bytes() for output in outputs)
    assert others == [first, first]
    found = embaudit.open_set(outputs[-1]).take(range(1000))
    expected = fitted.transform(big)
    assert np.abs(found - expected).max() <= (2e-6 if dtype == "float32" else 1e-3)


def test_rows_come_out_normalised_where_the_target_is(tmp_path):
    units = B / np.linalg.norm(B, axis=1, keepdims=True)
    for target, unit in ((units, True), (B, False)):
        fitted = embaudit.fit_map(A, target, method="linear")
        assert fitted.unit is unit
        apply_map(fitted, A, tmp_path / "out.npy", overwrite=True)
        norms = np.linalg.norm(np.load(tmp_path / "out.npy").astype(float), axis=1)
        assert bool(np.abs(norms - 1).max() < 1e-6) is unit


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "folder"])
def test_ids_and_other_columns_go_along(tmp_path, suffix):
    source = table(tmp_path / "a.parquet", A)
    whole = pq.read_table(source)
    if suffix == "arrow":
        source = tmp_path / "a.arrow"
        with pa.OSFile(str(source), "wb") as sink, pa.ipc.new_file(sink, whole.schema) as writer:
            writer.write_table(whole, max_chunksize=111)
    elif suffix == "folder":
        source = tmp_path / "parts"
        source.mkdir()
        for part, start in enumerate((0, 10, 400)):
            stop = (10, 400, 700)[part]
            pq.write_table(whole.slice(start, stop - start), source / f"{part}.parquet")
    fitted = a_map()
    done = apply_map(fitted, source, tmp_path / "out.parquet", column="embedding")
    assert done.columns == ["id", "year", "other", "tags"]
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.schema.names == ["id", "embedding", "year", "other", "tags"]
    for name in done.columns:
        assert found[name].to_pylist() == whole[name].to_pylist()
    assert found.schema.field("embedding").type == pa.list_(pa.float32(), 9)
    vectors = np.array(found["embedding"].to_pylist(), np.float32)
    expected = fitted.transform(A)
    assert np.abs(vectors - expected).max() <= 2e-6 * np.abs(expected).max()
    assert embaudit.open_set(tmp_path / "out.parquet", column="embedding").dim == 9


def test_npy_drops_columns_and_says_so(tmp_path):
    source = table(tmp_path / "a.parquet", A)
    done = apply_map(a_map(), source, tmp_path / "out.npy", column="embedding")
    assert done.dropped == ["id", "year", "other", "tags"]
    assert np.load(tmp_path / "out.npy").shape == (700, 9)
    made = apply_map(a_map(), A, tmp_path / "out.parquet", dtype="float16")
    assert (made.columns, made.dropped) == ([], [])
    half = embaudit.open_set(tmp_path / "out.parquet")
    assert (half.dtype, half.rows) == (np.float16, 700)


def test_half_precision_is_the_nearest(tmp_path):
    apply_map(a_map(), A, tmp_path / "half.npy", dtype="float16")
    apply_map(a_map(), A, tmp_path / "full.npy")
    half, full = np.load(tmp_path / "half.npy"), np.load(tmp_path / "full.npy")
    assert half.dtype == np.float16
    assert np.array_equal(half, full.astype(np.float16))


def test_zero_rows_have_no_direction_and_stay_zero(tmp_path):
    holed = A.copy()
    holed[[3, 600]] = 0
    for dtype in (np.float32, np.float64):
        done = apply_map(a_map(), holed.astype(dtype), tmp_path / "out.npy", overwrite=True)
        found = np.load(tmp_path / "out.npy")
        assert done.zero_rows == 2
        assert not found[[3, 600]].any()
        assert np.abs(found - a_map().transform(holed)).max() < 1e-5
    # Zero is a point like any other to the other metrics.
    fitted = a_map(metric="euclidean")
    done = apply_map(fitted, holed, tmp_path / "out.npy", overwrite=True)
    assert done.zero_rows == 0
    assert np.load(tmp_path / "out.npy")[3].any()


def broken(place, value):
    rows = A.copy()
    rows[place] = value
    return rows


def test_rows_that_begin_with_a_zero_are_not_zero_rows():
    for dtype in (np.float32, np.float64, np.int8):
        found = np.array([[0, 0], [0, 1], [2, 0], [-0.0, 0]]).astype(dtype)
        assert zero_rows(found).tolist() == [True, False, False, True]
    holed = np.where(rows(400, 3) > 0.5, rows(400, 3), 0)
    assert zero_rows(holed).tolist() == [not any(row) for row in holed.tolist()]


@pytest.mark.parametrize(
    ("source", "metric", "dtype", "complaint"),
    [
        (rows(50, 9), "cosine", "float32", "dimension 9; the map takes 12"),
        (broken((650, 2), np.nan), "cosine", "float32", "row 650 holds NaN or inf"),
        (broken((650, 2), np.inf), "euclidean", "float32", "row 650 holds NaN or inf"),
        (broken(650, 3e38), "euclidean", "float32", "row 650 is mapped beyond what float32"),
        (broken(650, 1e6), "euclidean", "float16", "row 650 is mapped beyond float16"),
        (A * 100, "euclidean", "float32", "norms around .*fitted on .*normalised or not"),
        (A / 100, "dot", "float32", "norms around"),
    ],
)
def test_rows_that_cannot_be_mapped_leave_no_file(tmp_path, source, metric, dtype, complaint):
    np.save(tmp_path / "a.npy", source)
    (tmp_path / "out.npy").write_bytes(b"before")
    with pytest.raises(InputError, match=complaint) as caught:
        apply_map(
            a_map(metric=metric),
            tmp_path / "a.npy",
            tmp_path / "out.npy",
            dtype=dtype,
            overwrite=True,
        )
    assert str(caught.value).startswith(f"{tmp_path / 'a.npy'}: ")
    assert (tmp_path / "out.npy").read_bytes() == b"before"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.npy", "out.npy"]


def test_outputs_that_may_not_be_written(tmp_path):
    np.save(tmp_path / "a.npy", A)
    save_map(a_map(), tmp_path / "map.safetensors")
    paths = {name: tmp_path / name for name in ("a.npy", "map.safetensors", "out.npy")}
    paths["out.npy"].write_bytes(b"before")
    for out, complaint in (
        ("a.npy", "would overwrite an input"),
        ("out.npy", "exists; pass --overwrite"),
        ("out.csv", "written as .npy or .parquet"),
        ("no/out.npy", "does not exist"),
    ):
        with pytest.raises(UsageError, match=complaint):
            apply_map(paths["map.safetensors"], paths["a.npy"], tmp_path / out)
    with pytest.raises(UsageError, match="would overwrite an input"):
        apply_map(paths["a.npy"], paths["a.npy"], paths["a.npy"], overwrite=True)
    with pytest.raises(UsageError, match="did you mean 'float16'"):
        apply_map(a_map(), A, tmp_path / "x.npy", dtype="flaot16")


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_full_disk_is_told_and_nothing_is_left(tmp_path, monkeypatch, threads):
    plain, room = vector_files._Npy.write, itertools.count()

    def full(self, block):
        if next(room) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(self, block)

    monkeypatch.setattr(applying, "BLOCK_BYTES", 4 * 12 * 90)
    monkeypatch.setattr(vector_files._Npy, "write", full)
    (tmp_path / "out.npy").write_bytes(b"before")
    with pytest.raises(OutputError, match="No space left on device"):
        apply_map(a_map(), A, tmp_path / "out.npy", overwrite=True, threads=threads)
    assert (tmp_path / "out.npy").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.npy"]


def test_rows_of_length_1_are_in_the_range_of_half_precision():
    # Which is why it is not looked at: no other row of as many entries has a smaller largest one.
    assert MAX_DIM**-0.5 > applying.SMALLEST_HALF


def test_the_command(tmp_path):
    table(tmp_path / "a.parquet", A)
    save_map(a_map(), tmp_path / "map.safetensors")
    words = (*EMBAUDIT, "apply", "map.safetensors", "a.parquet", "--column", "embedding", "-o")
    done = run([*words, "out.npy"], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "out.npy: 700 rows of 9 dimensions, float32",
        "without columns id, year, other, tags; a .parquet output keeps them",
    ]
    again = run([*words, "out.npy"], cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == "error: out.npy: exists; pass --overwrite to replace it\n"
    assert run([*words, "out.npy", "--overwrite", "-q"], cwd=tmp_path).stdout == ""


@pytest.mark.parametrize("factor", [1e-28, 1e-22, 1e17, 1e19, 1e29])
def test_norms_whose_squares_float32_loses(tmp_path, factor):
    fitted = a_map()
    far = (A.astype(np.float64) * factor).astype(np.float32)
    far[5] = A[5]
    apply_map(fitted, far, tmp_path / "out.npy")
    found = np.load(tmp_path / "out.npy")
    assert np.abs(found - fitted.transform(far)).max() < 1e-5
    assert np.abs(found - fitted.transform(A)).max() < 1e-4


def test_an_output_among_the_parts_of_its_input(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in (0, 1):
        table(folder / f"{part}.parquet", A[350 * part : 350 * (part + 1)])
    before = (folder / "1.parquet").read_bytes()
    fitted = a_map()
    for source in (folder, f"{folder}/*.parquet"):
        for name, complaint in (("1.parquet", "overwrite an input"), ("2.parquet", "lies among")):
            with pytest.raises(UsageError, match=complaint):
                apply_map(fitted, source, folder / name, column="embedding", overwrite=True)
    held = embaudit.open_set(folder / "1.parquet", column="embedding")
    with pytest.raises(UsageError, match="would overwrite an input"):
        apply_map(fitted, held, folder / "1.parquet", overwrite=True)
    assert (folder / "1.parquet").read_bytes() == before
    apply_map(fitted, folder, folder / "2.npy", column="embedding")


def test_columns_that_cannot_go_along_are_named(tmp_path):
    values = pa.FixedSizeListArray.from_arrays(A.reshape(-1), 12)
    twice = pa.table([values, pa.array(range(700)), pa.array(range(700))], names=["v", "d", "d"])
    pq.write_table(twice, tmp_path / "a.parquet")
    done = apply_map(a_map(), tmp_path / "a.parquet", tmp_path / "out.parquet")
    assert (done.columns, done.dropped) == ([], ["d"])
    spans = pa.array([(1, 2, 3)] * 700, pa.month_day_nano_interval())
    odd = pa.table({"v": values, "spans": spans})
    with (
        pa.OSFile(str(tmp_path / "odd.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, odd.schema) as writer,
    ):
        writer.write_table(odd)
    with pytest.raises(InputError, match="a column beside the vectors cannot be written"):
        apply_map(a_map(), tmp_path / "odd.arrow", tmp_path / "odd.parquet")
    assert not (tmp_path / "odd.parquet").exists()


def test_rows_that_half_precision_loses(tmp_path):
    small = (1e-5 * A).astype(np.float32)
    fitted = embaudit.fit_map(small, (1e-6 * B).astype(np.float32), metric="dot")
    with pytest.raises(InputError, match="row 0 is mapped below float16; write float32"):
        apply_map(fitted, small, tmp_path / "out.npy", dtype="float16")
    apply_map(fitted, small, tmp_path / "out.npy")


def test_threads_are_checked(tmp_path):
    with pytest.raises(UsageError, match="--threads must be at least 1"):
        apply_map(a_map(), A, tmp_path / "out.npy", threads=0)


@pytest.mark.parametrize("suffix", ["npy", "parquet"])
def test_what_is_interrupted_leaves_nothing(tmp_path, suffix):
    np.save(tmp_path / "a.npy", A)
    save_map(a_map(), tmp_path / "map.safetensors")
    code = f"""
import os, signal, time
from embaudit.data import vector_files
for kind in (vector_files._Npy, vector_files._Parquet):
    def write(self, block, plain=kind.write):
        plain(self, block)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)
    kind.write = write
import sys
sys.argv = ["embaudit", "apply", "map.safetensors", "a.npy", "-o", "out.{suffix}"]
from embaudit_cli.__main__ import main
main()
"""
    done = run_code(code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "map.safetensors"]
