"""Rows brought together by id: any order, missing rows, every kind of source, every refusal."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embaudit
from embaudit.data import reordered as reordering
from embaudit.data import spool
from embaudit.data.embedding_set import ArraySet
from embaudit.data.ids import IdNames, Ids, KeyKind, check_texts, hash_texts, match
from embaudit.data.join import pair_by_id
from embaudit.data.sources import open_set
from embaudit.errors import InputError, UsageError

ROWS = 300
RANDOM = np.random.default_rng(3)
VECTORS = RANDOM.standard_normal((ROWS, 6)).astype(np.float32)
IDS = [f"item-{row}" for row in range(ROWS)]


def everything(source, spans=None):
    spans = spans or [(start, min(start + 37, source.rows)) for start in range(0, source.rows, 37)]
    return np.concatenate([block.copy() for block in source.blocks(spans, 2)])


def parquet(path, ids, vectors, column="id", kind=None):
    table = pa.table({column: pa.array(ids, kind), "embedding": pa.array(list(vectors))})
    pq.write_table(table, path, row_group_size=64)
    return path


def npy(path, vectors):
    np.save(path, vectors)
    return path


def id_file(path, ids):
    if path.suffix == ".npy":
        np.save(path, np.array(ids))
    else:
        path.write_text("\n".join(map(str, ids)) + "\n", encoding="utf-8")
    return path


# --- reordered sets ----------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(data=st.data(), rows=st.integers(1, 90))
def test_any_selection_in_any_order_reads_as_numpy_indexing(data, rows):
    matrix = RANDOM.standard_normal((rows, 3)).astype(np.float32)
    wanted = np.array(data.draw(st.lists(st.integers(0, rows - 1), min_size=1, unique=True)))
    if data.draw(st.booleans()):
        wanted = np.sort(wanted)
    taken = reordering.reordered(ArraySet(matrix), wanted)
    assert (taken.rows, taken.dim, taken.dtype) == (len(wanted), 3, np.float32)
    step = data.draw(st.integers(1, len(wanted)))
    spans = [(low, min(low + step, len(wanted))) for low in range(0, len(wanted), step)]
    np.testing.assert_array_equal(everything(taken, spans), matrix[wanted])
    some = np.array(sorted(data.draw(st.sets(st.integers(0, len(wanted) - 1), min_size=1))))
    np.testing.assert_array_equal(taken.take(some), matrix[wanted][some])


@pytest.mark.parametrize("kind", ["npy", "parquet", "array"])
@pytest.mark.parametrize("order", ["shuffled", "ascending"])
def test_every_source_can_be_reordered(tmp_path, kind, order):
    if kind == "array":
        source = ArraySet(VECTORS)
    elif kind == "npy":
        source = open_set(npy(tmp_path / "a.npy", VECTORS))
    else:
        source = open_set(parquet(tmp_path / "a.parquet", IDS, VECTORS))
    wanted = RANDOM.permutation(ROWS)[:200]
    if order == "ascending":
        wanted = np.sort(wanted)
    taken = reordering.reordered(source, wanted)
    np.testing.assert_array_equal(everything(taken), VECTORS[wanted])
    np.testing.assert_array_equal(
        everything(taken, [(5, 9), (100, 190)]), VECTORS[wanted][[*range(5, 9), *range(100, 190)]]
    )


def test_slots_keep_their_rows(tmp_path):
    taken = reordering.reordered(ArraySet(VECTORS), RANDOM.permutation(ROWS))
    expected = everything(taken)
    blocks = []
    for number, block in enumerate(taken.blocks([(s, s + 10) for s in range(0, ROWS, 10)], 3)):
        blocks.append(block)
        for back in range(min(3, number + 1)):
            start = (number - back) * 10
            np.testing.assert_array_equal(blocks[-1 - back], expected[start : start + 10])


def test_a_spooled_set_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    taken = reordering.reordered(ArraySet(VECTORS), RANDOM.permutation(ROWS))
    assert everything(taken).shape == VECTORS.shape
    if os.name == "posix":
        assert list(tmp_path.iterdir()) == []
    del taken
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(spool, "SPACE_MARGIN", 1 << 62)
    with pytest.raises(InputError, match="TMPDIR") as caught:
        reordering.reordered(ArraySet(VECTORS, "b.npy"), RANDOM.permutation(ROWS))
    assert str(caught.value).startswith("b.npy: joining needs")
    assert list(tmp_path.iterdir()) == []


# --- joins -------------------------------------------------------------------------------------


def assert_joined(pair, ids_a, vectors_a, ids_b, vectors_b):
    """Compare a pair with a join by dictionary."""
    where = {value: row for row, value in enumerate(ids_b)}
    met = [(row, where[value]) for row, value in enumerate(ids_a) if value in where]
    np.testing.assert_array_equal(everything(pair.a), vectors_a[[a for a, _ in met]])
    np.testing.assert_array_equal(everything(pair.b), vectors_b[[b for _, b in met]])
    assert pair.only_in == (len(ids_a) - len(met), len(ids_b) - len(met))
    assert [pair.stored_row(i, "b") for i in range(len(met))] == [b for _, b in met]
    assert pair.by == "id"


@settings(max_examples=30, deadline=None)
@given(data=st.data(), integers=st.booleans())
def test_a_join_is_that_of_a_dictionary(data, integers):
    values = st.integers(-50, 50) if integers else st.text(max_size=4)
    ids_a, ids_b = (data.draw(st.lists(values, min_size=1, max_size=40, unique=True)) for _ in "ab")
    vectors_a, vectors_b = (RANDOM.standard_normal((len(ids), 2)) for ids in (ids_a, ids_b))
    sets = ArraySet(vectors_a, "a"), ArraySet(vectors_b, "b")
    if not set(ids_a) & set(ids_b):
        with pytest.raises(InputError, match="no id meets"):
            pair_by_id(*sets, ids_a=ids_a, ids_b=ids_b)
        return
    pair = pair_by_id(*sets, ids_a=ids_a, ids_b=ids_b)
    assert_joined(pair, ids_a, vectors_a, ids_b, vectors_b)


@pytest.mark.parametrize("suffix", [".txt", ".npy"])
def test_rows_are_named_by_the_ids_of_a_file(tmp_path, suffix):
    ids = id_file(tmp_path / f"ids{suffix}", IDS)
    pair = pair_by_id(ArraySet(VECTORS), ArraySet(VECTORS), ids_a=ids, ids_b=IDS[::-1])
    assert pair.name(7) == "'item-7'"
    assert pair.ids.values(np.array([299, 0, 0])) == ["item-299", "item-0", "item-0"]


def test_large_integers_are_named_as_they_are():
    ids = np.arange(ROWS, dtype=np.uint64) + np.uint64(2**63)
    pair = pair_by_id(ArraySet(VECTORS), ArraySet(VECTORS), ids_a=ids, ids_b=ids[::-1])
    assert pair.name(3) == str(2**63 + 3)


def test_a_file_of_ids_that_changes_is_refused(tmp_path):
    path = id_file(tmp_path / "ids.txt", IDS)
    pair = pair_by_id(ArraySet(VECTORS), ArraySet(VECTORS), ids_a=path, ids_b=IDS)
    path.write_text("other\n" * ROWS)
    with pytest.raises(InputError, match=r"ids\.txt: changed while"):
        pair.name(0)


def test_arrays_of_ids():
    a, b = ArraySet(VECTORS), ArraySet(VECTORS[::-1].copy())
    for ids in (np.array(IDS), np.array(IDS, bytes), np.arange(ROWS), [s.encode() for s in IDS]):
        pair = pair_by_id(a, b, ids_a=ids, ids_b=ids[::-1])
        np.testing.assert_array_equal(everything(pair.b), VECTORS)


@pytest.mark.parametrize("suffix", [".txt", ".npy", "column"])
def test_every_source_of_ids(tmp_path, suffix):
    order = RANDOM.permutation(ROWS)[:250]
    ids_b = [IDS[row] for row in order]
    if suffix == "column":
        sets = (
            open_set(parquet(tmp_path / "a.parquet", IDS, VECTORS)),
            open_set(parquet(tmp_path / "b.parquet", ids_b, VECTORS[order])),
        )
        options = {"on": "id"}
    else:
        sets = ArraySet(VECTORS), open_set(npy(tmp_path / "b.npy", VECTORS[order]))
        options = {
            "ids_a": id_file(tmp_path / f"ids_a{suffix}", IDS),
            "ids_b": id_file(tmp_path / f"ids_b{suffix}", ids_b),
        }
    assert_joined(pair_by_id(*sets, **options), IDS, VECTORS, ids_b, VECTORS[order])


def test_parquet_meets_npy(tmp_path):
    order = RANDOM.permutation(ROWS)
    a = open_set(parquet(tmp_path / "a.parquet", IDS, VECTORS))
    b = open_set(npy(tmp_path / "b.npy", VECTORS[order]))
    ids_b = [IDS[row] for row in order]
    pair = pair_by_id(a, b, on="id", ids_b=id_file(tmp_path / "ids.txt", ids_b))
    assert_joined(pair, IDS, VECTORS, ids_b, VECTORS[order])


@pytest.mark.parametrize("kind", [pa.int32(), pa.uint64(), pa.string(), pa.large_string()])
def test_ids_of_every_type_meet(tmp_path, kind):
    ids = list(range(ROWS)) if pa.types.is_integer(kind) else IDS
    order = RANDOM.permutation(ROWS)
    a = open_set(parquet(tmp_path / "a.parquet", ids, VECTORS, kind=kind))
    b = open_set(
        parquet(tmp_path / "b.parquet", [ids[r] for r in order], VECTORS[order], kind=kind)
    )
    np.testing.assert_array_equal(everything(pair_by_id(a, b, on="id").b), VECTORS)


def test_equal_order_reads_the_files_themselves(tmp_path):
    a, b = (open_set(parquet(tmp_path / f"{name}.parquet", IDS, VECTORS)) for name in "ab")
    pair = pair_by_id(a, b, on="id")
    assert pair.a is a
    assert pair.b is b


# --- the whole comparison ----------------------------------------------------------------------


def test_shuffled_files_compare_like_ordered_ones(tmp_path):
    noisy = (VECTORS + 0.01 * RANDOM.standard_normal(VECTORS.shape)).astype(np.float32)
    order = RANDOM.permutation(ROWS)
    a = parquet(tmp_path / "a.parquet", IDS, VECTORS)
    b = parquet(tmp_path / "b.parquet", [IDS[row] for row in order], noisy[order])
    joined = embaudit.compare(a, b, on="id")
    plain = embaudit.compare(VECTORS, noisy)
    assert joined.verdict == "safe"
    assert joined.pairing.by == "id"
    assert joined.to_dict()["measures"] == plain.to_dict()["measures"]
    assert "--on id" in joined.recommendation.commands[0]


def test_missing_rows_are_counted_and_limit_safe(tmp_path):
    a = parquet(tmp_path / "a.parquet", IDS, VECTORS)
    for kept, verdict in ((295, "safe"), (200, "degraded")):
        ids_b = IDS[:kept] + [f"other-{row}" for row in range(ROWS - kept)]
        vectors = np.concatenate([VECTORS[:kept], RANDOM.standard_normal((ROWS - kept, 6))])
        b = parquet(tmp_path / "b.parquet", ids_b, vectors.astype(np.float32))
        audit = embaudit.compare(a, b, on="id")
        assert audit.verdict == verdict
        assert audit.pairing.only_in_a == audit.pairing.only_in_b == ROWS - kept
        assert (audit.pairing.rows, audit.a.rows) == (kept, ROWS)
        found = [finding.id for finding in audit.findings]
        assert found.count("unmatched_rows") == 2
        assert ("few_matched" in found) == (kept == 200)


def test_mispaired_rows_are_named_by_id(tmp_path):
    wrong = VECTORS.copy()
    wrong[40:80] = VECTORS[np.roll(np.arange(40, 80), 1)]
    order = RANDOM.permutation(ROWS)
    a = parquet(tmp_path / "a.parquet", [IDS[row] for row in order], VECTORS[order])
    b = parquet(tmp_path / "b.parquet", IDS, wrong)
    finding = next(f for f in embaudit.compare(a, b, on="id").findings if f.id == "mispaired_rows")
    moved = {repr(IDS[row]) for row in range(40, 80)}
    assert set(finding.worst_ids) <= moved
    assert all(repr(IDS[order[row]]) in moved for row in finding.worst_rows)


def test_invalid_rows_are_named_where_they_are_stored(tmp_path):
    bad = VECTORS.copy()
    bad[250] = np.nan
    a = parquet(tmp_path / "a.parquet", IDS[::-1], VECTORS[::-1])
    b = parquet(tmp_path / "b.parquet", IDS, bad)
    with pytest.raises(InputError, match=r"b\.parquet: 1 row holds NaN or inf, first at row 250;"):
        embaudit.compare(a, b, on="id")


# --- refusals ----------------------------------------------------------------------------------


def refusal(error, *sets, **options):
    with pytest.raises(error) as caught:
        pair_by_id(*sets, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


A, B = ArraySet(VECTORS[:4], "a.npy"), ArraySet(VECTORS[:4], "b.npy")
FOUR = ["w", "x", "y", "z"]


@pytest.mark.parametrize(
    ("ids_a", "ids_b", "parts"),
    [
        (["x", "y", "x", "z"], FOUR, ["1 row repeats", "'x' in rows 0 and 2", "unique"]),
        (FOUR, ["w", "w", "w", "z"], ["<ids of b.npy>", "2 rows repeat", "rows 0 and 1"]),
        ([1, 2, 3, 4], FOUR, ["text ('w')", "integer", "(1)", "one type"]),
        (FOUR, ["1", "2", "3", "4"], ["no id meets", "'1', '2', '3'", "'w', 'x', 'y'"]),
        (FOUR[:3], FOUR, ["3 ids for the 4 rows of a.npy"]),
        ([0.5, 1.5, 2.5, 3.5], FOUR, ["dtype float64"]),
        ([[1], [2], [3], [4]], FOUR, ["shape (4, 1)"]),
    ],
)
def test_ids_that_cannot_join(ids_a, ids_b, parts):
    message = refusal(InputError, A, B, ids_a=ids_a, ids_b=ids_b)
    for part in parts:
        assert part in message


def test_sides_without_ids():
    assert "--ids-b" in refusal(UsageError, A, B, ids_a=FOUR)
    assert "--on id: a.npy has no columns" in refusal(UsageError, A, B, on="id")


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        ("idd", ["no column 'idd'", "did you mean 'id'", "a.parquet"]),
        ("embedding", ["'embedding' has type", "integers or text"]),
        ("nothing", ["'nothing' is null in row 2", "every row needs an id"]),
    ],
)
def test_columns_that_hold_no_ids(tmp_path, column, parts):
    table = {"id": FOUR, "nothing": [1, 2, None, 4], "embedding": list(VECTORS[:4])}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(table), path)
    message = refusal(InputError, open_set(path), open_set(path), on=column)
    for part in parts:
        assert part in message


NPY_WITHOUT_BRACKET = (
    b"\x93NUMPY\x01\x00\x2c\x00{'descr': '<i8', 'fortran_order': False, 'shape'" + bytes(32)
)


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("none.txt", None, ["no such file"]),
        ("ids.txt", b"w\n\ny\nz\n", ["line 2 is empty"]),
        ("ids.txt", b"w\nx\n", ["2 ids for the 4 rows"]),
        ("ids.npy", b"w\nx\ny\nz\n", ["not an NPY file"]),
        ("ids.npy", np.array(FOUR, object), ["never unpickled"]),
        ("ids.npy", np.zeros(4), ["dtype float64"]),
        ("ids.npy", np.zeros((4, 1), int), ["shape (4, 1)"]),
        ("ids.npy", np.full(4, 2**31 - 1, "<u4").view("<U1"), ["text that is no Unicode"]),
        ("ids.npy", np.full(4, 0x110000, "<u4").view("<U1"), ["text that is no Unicode"]),
        # numpy's own reader leaves the parser's error as it is.
        ("ids.npy", NPY_WITHOUT_BRACKET, ["damaged NPY header"]),
    ],
)
def test_id_files_that_cannot_be_read(tmp_path, name, content, parts):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    message = refusal(InputError, A, B, ids_a=path, ids_b=FOUR)
    for part in [name, *parts]:
        assert part in message


def test_a_truncated_file_of_ids(tmp_path):
    path = Path(id_file(tmp_path / "ids.npy", FOUR))
    path.write_bytes(path.read_bytes()[:-4])
    assert "the header claims 16 bytes" in refusal(InputError, A, B, ids_a=path, ids_b=FOUR)


def test_pairing_by_row_and_by_id_contradict():
    with pytest.raises(UsageError, match="--by-row contradicts"):
        embaudit.compare(VECTORS, VECTORS, ids_a=IDS, ids_b=IDS, by_row=True)


@pytest.mark.parametrize("within", [True, False])
def test_texts_that_share_a_hash_are_told_apart_by_the_second(within):
    names = IdNames(lambda row: f"id{row}")
    hashes_a = np.array([7, 7 if within else 8, 9])
    hashes_b = np.array([9, 7, 11 if within else 12])
    a = Ids("a", KeyKind.TEXT, hashes_a, names, np.array([1, 2, 3]))
    b = Ids("b", KeyKind.TEXT, hashes_b, names, np.array([3, 2 if within else 5, 4]))
    found = match(a, b)
    pairs = dict(zip(found.rows_a.tolist(), found.rows_b.tolist(), strict=True))
    assert pairs == ({1: 1, 2: 0} if within else {2: 0})


def test_a_text_that_repeats_is_no_collision():
    names = IdNames(lambda row: f"id{row}")
    twice = Ids("a", KeyKind.TEXT, np.array([7, 7]), names, np.array([1, 1]))
    with pytest.raises(InputError, match="1 row repeats an earlier id"):
        match(twice, twice)


@given(texts=st.lists(st.binary(max_size=12), unique=True, min_size=1, max_size=40))
def test_the_hashes_of_different_texts_differ_together(texts):
    both = np.stack([hash_texts(texts, len(texts)), check_texts(texts, len(texts))], axis=1)
    assert len(np.unique(both, axis=0)) == len(texts)
    assert (both[:, 0] != both[:, 1]).all()
