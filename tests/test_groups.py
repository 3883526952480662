"""Groups of rows by a column, against counting every value one by one."""

from __future__ import annotations

import datetime
from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embaudit
from embaudit.data.groups import COUNTERS, FREQUENT, MOST_VALUES, group_column, read_groups
from embaudit.errors import InputError, UsageError


def vectors(rows):
    values = np.random.default_rng(0).standard_normal(rows * 2).astype(np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(values), 2)


def stored(folder, name="a.parquet", *, row_group_size=50, **columns):
    """Write a file of columns beside vectors and return its path."""
    rows = len(next(iter(columns.values())))
    table = pa.table({**columns, "embedding": vectors(rows)})
    path = folder / name
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=row_group_size)
    else:
        feather.write_feather(table, path, chunksize=row_group_size)
    return path


def grouped(path, column, other=None, sample=None, **options):
    """Return (name, kind) of every row's group."""
    pair = embaudit.open_pair(path, path if other is None else other, **options)
    rows = np.arange(pair.rows) if sample is None else sample
    groups = read_groups(pair, group_column(pair, column), rows)
    return [(groups.names[code], groups.kinds[code]) for code in groups.codes.tolist()]


def counted(values):
    """Return what `grouped` should, from a list of texts."""
    frequency = Counter(value for value in values if value is not None)
    ranked = sorted(frequency, key=lambda value: (-frequency[value], value.encode()))
    own = set(ranked[:MOST_VALUES])
    if len(ranked) > MOST_VALUES:
        own = {value for value in own if frequency[value] >= FREQUENT}
    names = {value: (value or "''", "value") for value in own} | {None: ("no value", "null")}
    return [names.get(value, ("other values", "other")) for value in values]


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(
        st.tuples(
            st.none()
            | st.integers(0, 40).map(lambda number: "v" * (number % 7) + f"{number % 29}"),
            st.sampled_from([1, 2, 20, 30]),
        ),
        min_size=1,
        max_size=40,
    ).map(lambda runs: [value for value, length in runs for _ in range(length)]),
    suffix=st.sampled_from([".parquet", ".arrow"]),
    dictionary=st.booleans(),
)
def test_text_is_grouped_by_value(tmp_path_factory, values, suffix, dictionary):
    column = pa.array(values, pa.string())
    column = column.dictionary_encode() if dictionary else column
    path = stored(tmp_path_factory.mktemp("text"), f"a{suffix}", section=column)
    assert grouped(path, "section") == counted(values)


def test_frequent_values_survive_more_values_than_counters(tmp_path):
    random = np.random.default_rng(1)
    frequent = [f"frequent {number}" for number in range(5) for _ in range(40 + number)]
    values = [f"rare {number:05}" for number in range(2 * COUNTERS)] + frequent
    values = [values[place] for place in random.permutation(len(values))]
    found = grouped(stored(tmp_path, section=values, row_group_size=1000), "section")
    for value, (name, kind) in zip(values, found, strict=True):
        if value.startswith("frequent"):
            assert (name, kind) == (value, "value")
    assert len(set(found)) <= MOST_VALUES + 1


def test_truth_values_and_bytes(tmp_path):
    path = stored(
        tmp_path,
        flag=pa.array([True, None, False, True]),
        raw=pa.array([b"\xff", b"", None, b"a"], pa.binary()),
    )
    assert [name for name, _ in grouped(path, "flag")] == ["true", "no value", "false", "true"]
    assert [name for name, _ in grouped(path, "raw")] == ["\\xff", "''", "no value", "a"]


def test_a_dictionary_may_list_a_value_twice_and_hold_a_null(tmp_path):
    column = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, 3, None, 0]), pa.array(["x", None, "x", "y"])
    )
    path = stored(tmp_path, "a.arrow", section=column)
    names = [name for name, _ in grouped(path, "section")]
    assert names == ["x", "no value", "x", "y", "no value", "x"]


NUMBERS = [
    pa.array([3, 1, None, 2, 3, 1], pa.int16()),
    pa.array([3, 1, None, 2, 3, 1], pa.uint64()),
    pa.array([3.0, 1.0, np.nan, 2.0, 3.0, 1.0]),
    pa.array(np.array([3, 1, np.nan, 2, 3, 1], np.float16)),
    pa.array([Decimal(3), Decimal(1), None, Decimal(2), Decimal(3), Decimal(1)]),
    pa.array([3, 1, None, 2, 3, 1]).dictionary_encode(),
]


@pytest.mark.parametrize("column", NUMBERS, ids=lambda column: str(column.type)[:20])
def test_few_numbers_are_grouped_by_value(tmp_path, column):
    found = grouped(stored(tmp_path, stars=column), "stars")
    assert [name for name, _ in found] == ["3", "1", "no value", "2", "3", "1"]
    assert {kind for _, kind in found} == {"value", "null"}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(25, 300), skewed=st.booleans())
def test_many_numbers_are_cut_at_their_fifths(tmp_path_factory, seed, rows, skewed):
    random = np.random.default_rng(seed)
    values = np.arange(rows) // 7 * 7 if skewed else random.integers(0, 10**6, rows)
    values = random.permutation(values)
    found = grouped(stored(tmp_path_factory.mktemp("numbers"), length=values), "length")
    if len(set(values.tolist())) <= MOST_VALUES:
        assert [name for name, _ in found] == [str(value) for value in values]
        return
    ordered = sorted(values.tolist())
    cuts = [ordered[int(share / 5 * (rows - 1))] for share in range(1, 5)]
    places = [sum(value > cut for cut in cuts) for value in values.tolist()]
    for value, place, (name, kind) in zip(values.tolist(), places, found, strict=True):
        members = [other for other, where in zip(values, places, strict=True) if where == place]
        assert kind == "range"
        low, high = min(members), max(members)
        assert name == (str(low) if low == high else f"{low} to {high}")
        assert low <= value <= high


def test_times_read_as_dates(tmp_path):
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=number) for number in range(100)]
    moments = [datetime.datetime(2020, 1, 1, 12) + datetime.timedelta(d) for d in range(100)]
    path = stored(
        tmp_path,
        day=pa.array(days),
        at=pa.array(moments, pa.timestamp("ns", "UTC")),
    )
    names = [name for name, _ in grouped(path, "day")]
    assert names[0] == "2020-01-01 to 2020-01-20"
    assert names[-1] == "2020-03-21 to 2020-04-09"
    assert len(set(names)) == 5
    assert grouped(path, "at")[0][0] == "2020-01-01T12:00:00 to 2020-01-20T12:00:00"


def test_a_column_without_any_value_is_one_group(tmp_path):
    path = stored(tmp_path, a=pa.nulls(30, pa.string()), b=pa.nulls(30, pa.float64()))
    for column in "ab":
        assert set(grouped(path, column)) == {("no value", "null")}


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_join_takes_the_values_of_the_rows_that_met(tmp_path, side):
    random = np.random.default_rng(2)
    ids = {"a": np.arange(120), "b": random.permutation(np.arange(30, 200))}
    sections = {name: [f"s{value % 3}" for value in ids[name]] for name in "ab"}
    files = {}
    for name in "ab":
        columns = {"section": sections[name]} if name == side else {}
        files[name] = stored(tmp_path, f"{name}.parquet", id=ids[name], **columns)
    found = grouped(files["a"], "section", files["b"], np.arange(90), on="id")
    assert [name for name, _ in found] == [f"s{value % 3}" for value in range(30, 120)]


def test_parts_are_read_one_after_the_other(tmp_path):
    for number in range(3):
        stored(tmp_path, f"{number}.parquet", section=[f"part {number}"] * (number + 1))
    names = [name for name, _ in grouped(tmp_path, "section")]
    assert names == ["part 0", *["part 1"] * 2, *["part 2"] * 3]


def test_refusals_take_one_line(tmp_path):
    path = stored(tmp_path, section=["x"] * 5, tags=pa.array([["a"]] * 5))
    np.save(tmp_path / "a.npy", np.ones((5, 2), np.float32))
    pair = embaudit.open_pair(path, path)
    with pytest.raises(InputError, match=r"no column 'sectoin' .*did you mean 'section'") as caught:
        group_column(pair, "sectoin")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"column 'tags' has type list.*makes no groups"):
        group_column(pair, "tags")
    with pytest.raises(InputError, match="no column 'embedding'"):
        group_column(pair, "embedding")
    plain = embaudit.open_pair(tmp_path / "a.npy", tmp_path / "a.npy")
    with pytest.raises(UsageError, match=r"--slice-by section: .*have no columns"):
        group_column(plain, "section")
