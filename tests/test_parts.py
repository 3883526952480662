"""Folders and globs of Parquet parts are one set, as if the parts were one file."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_changing_files import CHANGED, CHANGES
from test_reading import SPANS, assert_gathers, assert_reads, lists, matrix, open_descriptors
from test_refusals_data import assert_names, refusal

from embaudit.data.ids import KeyKind
from embaudit.data.join import pair_by_id, pair_by_row
from embaudit.data.sources import open_set
from embaudit.errors import InputError

ROWS = 257
SIZES = [40, 1, 0, 116, 100]
NAMES = [f"item {row}" for row in range(ROWS)]


def table(rows=slice(None), **columns):
    chosen = range(ROWS)[rows]
    found = {
        "id": pa.array(chosen),
        "name": pa.array(NAMES[rows]),
        "emb": lists(matrix()[rows]) if len(chosen) else pa.array([], pa.list_(pa.float32())),
    }
    return pa.table({**found, **columns})


def write_parts(folder, sizes=SIZES, **options):
    folder.mkdir(exist_ok=True)
    start = 0
    for number, size in enumerate(sizes):
        part = table(slice(start, start + size))
        pq.write_table(part, folder / f"part-{number}.parquet", **options)
        start += size
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_parts(tmp_path / "parts")


@pytest.mark.parametrize(
    "uri",
    [
        "parts",
        "parts/",
        "parts::emb",
        "parts/::emb",
        "parts/*.parquet",
        "parts/part-?.parquet",
        "parts/part-[0-9].parquet::emb",
        "parts/*::emb",
        "**/*.parquet",
    ],
)
def test_every_way_to_name_parts(folder, uri):
    found = open_set(uri)
    assert found.uri == uri
    for spans in SPANS.values():
        assert_reads(found, matrix(), spans)
    assert_gathers(found, matrix(), np.array([0, 39, 40, 41, 156, 157, 256]))
    assert_gathers(found, matrix(), np.array([], np.int64))
    assert found.identity() == open_set("parts").identity()


def test_what_is_no_data_is_left_aside(folder):
    for name in ("_SUCCESS", "_metadata", ".part-0.parquet.crc", "_old.parquet", ".x.parquet"):
        (folder / name).write_text("x")
    (folder / "sub.parquet").mkdir()
    (folder / "notes.txt").write_text("x")
    assert_reads(open_set("parts"), matrix(), SPANS["even"])
    (folder / "sub.parquet").rmdir()
    assert_reads(open_set("parts/*.parquet"), matrix(), SPANS["even"])


def test_parts_are_in_the_order_of_their_names(tmp_path):
    for name, row in [("b", 0), ("a", 1), ("10", 2), ("2", 3)]:
        pq.write_table(table(slice(row, row + 1)), tmp_path / f"{name}.parquet")
    expected = matrix()[[2, 3, 1, 0]]
    assert_reads(open_set(tmp_path), expected, [(0, 4)])
    assert_reads(open_set(f"{tmp_path}/*.parquet"), expected, [(0, 4)])


def test_a_folder_named_like_a_file(tmp_path):
    folder = write_parts(tmp_path / "a.parquet")
    assert_reads(open_set(folder), matrix(), SPANS["even"])
    assert_reads(open_set(f"{folder}::emb"), matrix(), SPANS["even"])


def test_an_existing_path_wins_over_a_pattern(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(table(slice(0, 1)), "a[1].parquet")
    pq.write_table(table(slice(1, 3)), "a1.parquet")
    assert open_set("a[1].parquet").rows == 1
    assert open_set("a[1].parquet::emb").rows == 1
    assert open_set("a[12].parquet").rows == 2


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=9), keep=st.integers(0, 2**10))
def test_any_spans(tmp_path_factory, cuts, keep):
    folder = tmp_path_factory.getbasetemp() / "spans"
    if not folder.exists():
        write_parts(folder, row_group_size=30)
    bounds = sorted({0, ROWS, *cuts})
    spans = list(pairwise(bounds))
    spans = [span for index, span in enumerate(spans) if not keep >> index & 1]
    assert_reads(open_set(folder), matrix(), spans)


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("step", [7, 60, 200])
def test_a_block_outlives_slots_minus_one_further_blocks(folder, slots, step):
    spans = [(start, min(start + step, ROWS)) for start in range(0, ROWS, step)]
    alive = deque(maxlen=slots)
    for span, block in zip(spans, open_set(folder).blocks(spans, slots), strict=True):
        alive.append((span, block))
        for (start, stop), earlier in alive:
            np.testing.assert_array_equal(earlier, matrix()[start:stop])


@pytest.mark.parametrize("how", ["blocks", "gather"])
def test_at_most_two_parts_are_open(folder, how):
    found = open_set(folder)
    before = open_descriptors()
    rows = np.arange(ROWS)
    drawn = found.blocks([(0, 9), (9, ROWS)]) if how == "blocks" else found.gather(rows)
    for _ in drawn:
        assert open_descriptors() <= before + 2
    assert open_descriptors() == before


@CHANGES
@pytest.mark.parametrize("part", [0, 4])
def test_a_part_that_changes(folder, change, part):
    path = folder / f"part-{part}.parquet"
    found = open_set("parts")
    reading = found.blocks([(row, row + 1) for row in range(ROWS)])
    next(reading)
    change(path)
    for again in (reading, found.gather(np.arange(ROWS))):
        with pytest.raises(InputError) as caught:
            list(again)
        assert_names(str(caught.value), f"parts/part-{part}.parquet: ", *CHANGED)


def test_the_last_part_is_compared_after_its_last_row(folder):
    reading = open_set("parts").blocks([(row, row + 1) for row in range(ROWS)])
    for _ in range(ROWS):
        next(reading)
    (folder / "part-4.parquet").unlink()
    with pytest.raises(InputError, match=CHANGED[0]):
        next(reading)


class TestKeys:
    def test_ids_across_parts(self, folder):
        found = open_set("parts")
        assert found.key_columns() == {"id": KeyKind.INTEGER, "name": KeyKind.TEXT}
        ids = found.ids("name")
        assert [ids.names.value_at(row) for row in (0, 39, 40, 41, 256)] == [
            NAMES[row] for row in (0, 39, 40, 41, 256)
        ]
        assert found.key_at("id", 200) == 200
        np.testing.assert_array_equal(found.key_hashes("id"), np.arange(ROWS))

    def test_joined_with_a_single_file(self, folder):
        order = np.random.default_rng(0).permutation(ROWS)[:200]
        pq.write_table(table().take(pa.array(order)), "b.parquet")
        pair = pair_by_id(open_set("parts"), open_set("b.parquet"), on="name")
        assert pair.rows == 200
        for block_a, block_b in ((a, b) for _, a, b in pair.blocks([(0, 77), (77, 200)], 1)):
            np.testing.assert_array_equal(block_a, block_b)

    def test_another_order_is_refused(self, folder):
        pq.write_table(table().take(pa.array(range(ROWS)[::-1])), "b.parquet")
        with pytest.raises(InputError, match=r"b.parquet: rows differ in order from parts"):
            pair_by_row(open_set("parts"), open_set("b.parquet"), check_order=True)
        pair_by_row(open_set("parts"), open_set("parts/*.parquet"), check_order=True)

    def test_a_value_that_repeats_across_parts_is_no_key(self, folder):
        pq.write_table(table(slice(0, 5)), "parts/part-9.parquet")
        assert open_set("parts").key_hashes("id") is None
        with pytest.raises(InputError, match="5 rows repeat an earlier id, first 0 in rows 0 and"):
            pair_by_id(open_set("parts"), open_set("parts/part-0.parquet"), on="id")

    def test_a_null_in_one_part(self, folder):
        pq.write_table(
            table(slice(0, 2), id=pa.array([1000, None], pa.int64())), "parts/part-9.parquet"
        )
        assert open_set("parts").key_hashes("id") is None
        with pytest.raises(InputError, match=r"part-9.parquet: column 'id' is null in row 1"):
            open_set("parts").ids("id")

    def test_a_column_of_different_types(self, folder):
        pq.write_table(table(slice(0, 2), id=pa.array(["x", "y"])), "parts/part-9.parquet")
        assert list(open_set("parts").key_columns()) == ["name"]
        with pytest.raises(InputError) as caught:
            open_set("parts").ids("id")
        expected = "parts/part-9.parquet: column 'id' holds text but integer in parts/part-0"
        assert_names(str(caught.value), expected)

    def test_a_column_that_one_part_lacks(self, folder):
        pq.write_table(table(slice(0, 2)).drop_columns("id"), "parts/part-9.parquet")
        with pytest.raises(InputError, match=r"parts/part-9.parquet: no column 'id'"):
            open_set("parts").ids("id")


class TestRefusals:
    def test_an_empty_folder(self, folder):
        folder.joinpath("sub").mkdir()
        expected = ["a folder without .parquet files", "expected a single file", "**/*.parquet"]
        assert_names(refusal("parts/sub"), "parts/sub: ", *expected)

    def test_a_pattern_without_match(self, folder):
        assert_names(refusal("parts/*.parqet"), "parts/*.parqet: no file matches", "quote it")
        assert_names(refusal("none/*::emb"), "none/*::emb: no file matches")

    def test_a_pattern_that_matches_something_else(self, folder):
        (folder / "notes.txt").write_text("x")
        expected = "matches parts/notes.txt, which is no .parquet file"
        assert_names(refusal("parts/*"), f"parts/*: {expected}", "narrow the pattern")

    def test_a_damaged_part(self, folder):
        (folder / "part-3.parquet").write_text("x" * 100)
        assert_names(refusal("parts"), "parts/part-3.parquet: cannot be read as Parquet")
        (folder / "part-3.parquet").write_text("")
        assert_names(refusal("parts"), "parts/part-3.parquet: an empty file")

    @pytest.mark.parametrize("part", [0, 1, 3, 4])
    def test_a_damaged_page_of_a_part(self, folder, part):
        path = folder / f"part-{part}.parquet"
        data = bytearray(path.read_bytes())
        start = pq.ParquetFile(path).metadata.row_group(0).column(2).dictionary_page_offset
        data[start : start + 8] = bytes(8)
        path.write_bytes(data)
        message = refusal("parts")
        assert_names(message, f"parts/part-{part}.parquet: cannot be read as Parquet", "again")

    @pytest.mark.parametrize(
        ("vectors", "found"),
        [
            (lists(matrix(dim=5)[:2]), "5 x float32"),
            (lists(matrix("float16")[:2]), "6 x float16"),
        ],
    )
    def test_a_part_of_another_type_or_dimension(self, folder, vectors, found):
        pq.write_table(pa.table({"emb": vectors}), "parts/part-9.parquet")
        expected = f"column 'emb' of {found}, but column 'emb' of 6 x float32 in parts/part-0"
        assert_names(refusal("parts"), f"parts/part-9.parquet: vectors in {expected}")

    def test_a_part_without_the_column(self, folder):
        pq.write_table(pa.table({"embed": lists(matrix()[:2])}), "parts/part-9.parquet")
        expected = "no column 'emb' (did you mean 'embed'?)"
        assert_names(refusal("parts"), f"parts/part-9.parquet: {expected}")

    def test_a_misspelt_column(self, folder):
        expected = "parts/part-0.parquet: no column 'emd' (did you mean 'emb'?)"
        assert_names(refusal("parts::emd"), expected)

    def test_only_empty_parts(self, tmp_path):
        folder = write_parts(tmp_path / "parts", [0, 0])
        assert_names(refusal(folder), f"{folder}: no rows")

    def test_a_null_names_its_part(self, folder):
        rows = [[1.0] * 6, None]
        pq.write_table(
            pa.table({"emb": pa.array(rows, pa.list_(pa.float32()))}), "parts/part-9.parquet"
        )
        assert_names(refusal("parts"), "parts/part-9.parquet: column 'emb' is null in row 1")
