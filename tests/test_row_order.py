"""Two Parquet files that share an id must list it in the same order, or be joined by it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embaudit.data.embedding_set import ArraySet
from embaudit.data.order import check_row_order, row_count_error
from embaudit.data.sources import open_set
from embaudit.errors import InputError

ROWS = 300
IDS = np.array([f"doc-{row}" for row in range(ROWS)])
SHUFFLED = np.random.default_rng(0).permutation(ROWS)


@pytest.fixture
def parquet(tmp_path, monkeypatch):
    """Write columns beside vectors and open the file by its bare name."""
    monkeypatch.chdir(tmp_path)

    def write(name, rows=ROWS, **columns):
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * 2, np.float32)), 2)
        pq.write_table(pa.table({**columns, "emb": vectors}), name, row_group_size=77)
        return open_set(name, column="emb")

    return write


def refusal(a, b):
    with pytest.raises(InputError) as caught:
        check_row_order(a, b)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_different_order_is_refused(parquet):
    a = parquet("a.parquet", id=IDS)
    b = parquet("b.parquet", id=np.roll(IDS, 1))
    assert refusal(a, b) == (
        "b.parquet: rows differ in order from a.parquet: column 'id' first differs at row 0 "
        "('doc-299' against 'doc-0'); pass --on id to join by it, or --by-row to pair rows "
        "by position"
    )


def test_two_swapped_rows_are_found(parquet):
    swapped = IDS.copy()
    swapped[[250, 299]] = swapped[[299, 250]]
    message = refusal(parquet("a.parquet", id=IDS), parquet("b.parquet", id=swapped))
    assert "first differs at row 250 ('doc-299' against 'doc-250')" in message


TYPES = {
    "string": lambda rows: pa.array(IDS[rows]),
    "large_string": lambda rows: pa.array(IDS[rows].tolist(), pa.large_string()),
    "string_view": lambda rows: pa.array(IDS[rows].tolist(), pa.string_view()),
    "dictionary": lambda rows: pa.array(IDS[rows]).dictionary_encode(),
    "binary": lambda rows: pa.array(IDS[rows]).cast(pa.binary()),
    "fixed_size_binary": lambda rows: pa.array([b"%04d" % row for row in rows], pa.binary(4)),
    "int8": lambda rows: pa.array(rows[rows < 128] - 50, pa.int8()),
    "int64": lambda rows: pa.array(rows * 2**50),
    "uint64": lambda rows: pa.array(rows.astype(np.uint64) + np.uint64(2**63)),
}


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_of_id(parquet, kind):
    ordered, shuffled = TYPES[kind](np.arange(ROWS)), TYPES[kind](SHUFFLED)
    a = parquet("a.parquet", len(ordered), id=ordered)
    same = parquet("same.parquet", len(ordered), id=ordered)
    b = parquet("b.parquet", len(ordered), id=shuffled)
    check_row_order(a, same)
    first = int(np.argmax(ordered.to_numpy(False) != shuffled.to_numpy(False)))
    shown = f"({shuffled[first].as_py()!r} against {ordered[first].as_py()!r})"
    assert f"column 'id' first differs at row {first} {shown}" in refusal(a, b)


@pytest.mark.parametrize("left", ["string", "large_string", "string_view", "dictionary"])
@pytest.mark.parametrize("right", ["string", "large_string", "dictionary"])
def test_text_meets_text_of_another_layout(parquet, left, right):
    a = parquet("a.parquet", id=TYPES[left](np.arange(ROWS)))
    check_row_order(a, parquet("same.parquet", id=TYPES[right](np.arange(ROWS))))
    assert "'id'" in refusal(a, parquet("b.parquet", id=TYPES[right](SHUFFLED)))


def test_integers_meet_integers_of_another_width(parquet):
    a = parquet("a.parquet", id=pa.array(np.arange(ROWS), pa.int16()))
    check_row_order(a, parquet("same.parquet", id=pa.array(np.arange(ROWS), pa.uint64())))
    assert "'id'" in refusal(a, parquet("b.parquet", id=pa.array(SHUFFLED, pa.uint64())))


REPEATED = np.array([f"doc-{row // 2}" for row in range(ROWS)])
NO_IDS = {
    "another name": ({"key": IDS}, {"id": IDS[SHUFFLED]}),
    "another kind": ({"id": np.arange(ROWS)}, {"id": SHUFFLED.astype(str)}),
    "text and bytes": ({"id": IDS}, {"id": pa.array(IDS[SHUFFLED]).cast(pa.binary())}),
    "float": ({"id": np.arange(ROWS) / 2}, {"id": SHUFFLED / 2}),
    "date": ({"id": np.arange(ROWS).astype("M8[D]")}, {"id": SHUFFLED.astype("M8[D]")}),
    "repeated in a": ({"id": REPEATED}, {"id": IDS[SHUFFLED]}),
    "repeated in b": ({"id": IDS}, {"id": REPEATED}),
    "null in a": ({"id": [None, *IDS[1:]]}, {"id": IDS[SHUFFLED]}),
    "null in b": ({"id": IDS}, {"id": [*IDS[1:], None]}),
    "never meeting": ({"id": np.arange(ROWS)}, {"id": SHUFFLED + ROWS}),
    "meeting by less than half": ({"id": np.arange(ROWS)}, {"id": np.arange(ROWS) + 151}),
}


@pytest.mark.parametrize(("left", "right"), NO_IDS.values(), ids=NO_IDS)
def test_a_column_that_is_no_shared_id_is_ignored(parquet, left, right):
    check_row_order(parquet("a.parquet", **left), parquet("b.parquet", **right))


def test_meeting_by_half_is_enough(parquet):
    a, b = parquet("a.parquet", id=range(ROWS)), parquet("b.parquet", id=range(150, ROWS + 150))
    assert "(150 against 0)" in refusal(a, b)


def test_repeats_far_apart_are_found(parquet):
    rows = 40_000
    ids = np.arange(rows)
    ids[-1] = 0
    a = parquet("a.parquet", rows, id=ids)
    check_row_order(a, parquet("b.parquet", rows, id=np.arange(rows)[::-1]))


def test_a_later_column_may_be_the_id(parquet):
    a = parquet("a.parquet", lang=["en"] * ROWS, n=np.arange(ROWS) / 3, key=IDS)
    b = parquet("b.parquet", key=IDS[::-1], lang=["en"] * ROWS)
    assert "column 'key'" in refusal(a, b)


def test_columns_of_one_file_are_not_even_read(parquet, tmp_path):
    a = parquet("a.parquet", id=IDS)
    (tmp_path / "link.parquet").symlink_to("a.parquet")
    linked, b = open_set("link.parquet"), parquet("b.parquet", id=IDS)
    (tmp_path / "a.parquet").write_bytes(b"overwritten")
    check_row_order(a, linked)
    assert "changed while being read" in refusal(a, b)


def test_a_name_that_occurs_twice_is_no_id(parquet):
    vectors = pa.array([[1.0]] * ROWS, pa.list_(pa.float32()))
    table = pa.Table.from_arrays([pa.array(IDS), pa.array(IDS), vectors], ["id", "id", "emb"])
    pq.write_table(table, "twice.parquet")
    check_row_order(open_set("twice.parquet"), parquet("b.parquet", id=IDS[::-1]))


def test_other_formats_are_not_asked(parquet):
    array = ArraySet(np.zeros((ROWS, 2), np.float32))
    check_row_order(parquet("a.parquet", id=IDS), array)
    check_row_order(array, array)


def test_appended_rows_keep_the_order(parquet):
    a = parquet("a.parquet", 200, id=IDS[:200])
    check_row_order(a, parquet("b.parquet", id=IDS))


def test_hostile_values_and_names_stay_on_one_line(parquet):
    name = "an id\n"
    values = np.array([f"\x1b[31m{'long' * 500}\n{row}" for row in range(ROWS)])
    a, b = parquet("a.parquet", **{name: values}), parquet("b.parquet", **{name: values[::-1]})
    message = refusal(a, b)
    assert "--on 'an id'" in message
    assert len(message) < 400


def test_text_that_is_not_utf8(parquet):
    def text(rows):
        data = b"".join(b"\xff%03d" % row for row in rows)
        offsets = np.arange(0, 4 * len(rows) + 1, 4, dtype=np.int32)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.string(), len(rows), buffers)

    a = parquet("a.parquet", id=text(range(ROWS)))
    assert r"xff299" in refusal(a, parquet("b.parquet", id=text(range(ROWS)[::-1])))


class TestRowCounts:
    def test_without_ids(self):
        a = ArraySet(np.zeros((10_000, 2), np.float32), "a.npy")
        b = ArraySet(np.zeros((9, 3), np.float32), "b.npy")
        assert str(row_count_error(a, b)) == (
            "row counts differ: a.npy has 10,000, b.npy has 9; without ids rows must match one "
            "to one: pass --ids-a and --ids-b, or --on with Parquet, to join them by an id"
        )

    def test_with_a_shared_id(self, parquet):
        a, b = parquet("a.parquet", id=IDS), parquet("b.parquet", 200, id=IDS[SHUFFLED[:200]])
        message = str(row_count_error(a, b))
        assert message.startswith("row counts differ: a.parquet has 300, b.parquet has 200; ")
        assert message.endswith("pass --on id to join them by that column")

    def test_with_columns_that_are_no_shared_id(self, parquet):
        a, b = parquet("a.parquet", id=IDS), parquet("b.parquet", 200, id=REPEATED[:200])
        assert str(row_count_error(a, b)).endswith("to join them by an id")
