"""Sets that are decoded by their first pass, and read from a copy afterwards."""

from __future__ import annotations

import gc
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embaudit
from embaudit.data import decoded
from embaudit.data.decoded import DecodedSet
from embaudit.data.embedding_set import ArraySet
from embaudit.data.pair import even_spans
from embaudit.errors import InputError

ROWS, DIM = 500, 7
VECTORS = np.random.default_rng(0).standard_normal((ROWS, DIM)).astype(np.float32)


def parquet(path, vectors=VECTORS):
    values = pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1])
    ids = pa.array([f"row {i}" for i in range(len(vectors))])
    pq.write_table(pa.table({"id": ids, "embedding": values}), path, row_group_size=90)
    return path


class Counted(ArraySet):
    """Counts how often rows are read."""

    reads = 0

    def blocks(self, spans, slots=1):
        self.reads += 1
        return super().blocks(spans, slots)

    def gather(self, rows):
        self.reads += 1
        return super().gather(rows)


def passed(source, step=60):
    return np.concatenate([block.copy() for block in source.blocks(even_spans(ROWS, step))])


def test_only_the_first_pass_reads_the_source():
    source = Counted(VECTORS)
    once = DecodedSet(source)
    assert np.array_equal(passed(once), VECTORS)
    assert source.reads == 1
    for step in (1, 7, 60, ROWS):
        assert np.array_equal(passed(once, step), VECTORS)
    rows = np.array([499, 0, 3, 3, 250])
    assert np.array_equal(once.take(rows), VECTORS[rows])
    assert source.reads == 1


@pytest.mark.parametrize("spans", [[(0, 60), (70, 500)], [(60, 500)], [(0, 499)]])
def test_a_pass_over_some_rows_makes_no_copy(spans):
    source = Counted(VECTORS)
    once = DecodedSet(source)
    for _ in range(2):
        found = [block.copy() for block in once.blocks(spans)]
        assert np.array_equal(
            np.concatenate(found), np.concatenate([VECTORS[start:stop] for start, stop in spans])
        )
    assert source.reads == 2


def test_a_pass_that_ends_early_makes_no_copy():
    source = Counted(VECTORS)
    once = DecodedSet(source)
    next(once.blocks(even_spans(ROWS, 60)))
    assert np.array_equal(passed(once), VECTORS)
    assert source.reads == 2


@pytest.mark.parametrize("place", ["full", "memory", "missing"])
def test_without_room_the_source_is_read_every_time(place, tmp_path, monkeypatch):
    if place == "full":
        monkeypatch.setattr("embaudit.data.spool.SPACE_MARGIN", 1 << 62)
    elif place == "memory":
        mounts = tmp_path / "mounts"
        mounts.write_text(f"disk / ext4 rw 0 0\nnone {tmp_path.anchor} tmpfs rw 0 0\n")
        monkeypatch.setattr(decoded, "MOUNTS", mounts)
    else:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    source = Counted(VECTORS)
    once = DecodedSet(source)
    for _ in range(2):
        assert np.array_equal(passed(once), VECTORS)
    assert source.reads == 2


def test_a_disk_that_fills_up_ends_the_copy_and_not_the_pass(monkeypatch):
    class Full(decoded.Spool):
        def write(self, first, rows):
            if first >= 120:
                raise OSError(28, "No space left on device")
            super().write(first, rows)

    monkeypatch.setattr(decoded, "Spool", Full)
    source = Counted(VECTORS)
    once = DecodedSet(source)
    for _ in range(2):
        assert np.array_equal(passed(once), VECTORS)
    assert source.reads == 2


def test_an_audit_of_parquet_says_what_one_of_npy_says(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    noisy = VECTORS + 0.1 * np.random.default_rng(1).standard_normal(VECTORS.shape)
    noisy = noisy.astype(np.float32)
    tables = parquet(tmp_path / "a.parquet"), parquet(tmp_path / "b.parquet", noisy)
    for options in ({}, {"on": "id"}):
        found = embaudit.compare(*tables, **options).to_dict()
        plain = embaudit.compare(VECTORS, noisy).to_dict()
        for key in ("measures", "verdict", "summary", "metrics", "thresholds"):
            assert found[key] == plain[key]
    gc.collect()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.parquet", "b.parquet"} or os.name != "posix"


def test_a_file_that_changes_while_it_is_copied_is_refused(tmp_path):
    path = parquet(tmp_path / "a.parquet")
    pair = embaudit.open_pair(path, VECTORS)
    blocks = pair.a.blocks(even_spans(ROWS, 60))
    next(blocks)
    parquet(path, VECTORS[::-1].copy())
    with pytest.raises(InputError, match="changed while being read"):
        list(blocks)
