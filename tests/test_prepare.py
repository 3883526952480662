"""Rows as a metric sees them, and hashes of whole rows."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embaudit.datatypes import Metric
from embaudit.stats.hashing import RowHasher, first_occurrences, joint, repetitions
from embaudit.stats.prepare import Preparation, prepare, unit_rows

DTYPES = ("float16", "float32", "float64", "int8", "uint8")


def stored_rows(dtype, n=40, dim=7, seed=0):
    rows = np.random.default_rng(seed).standard_normal((n, dim)) * 20.0
    return np.abs(rows).astype(dtype) if dtype == "uint8" else rows.astype(dtype)


# Preparation


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("dtype", DTYPES)
def test_prepared_rows_equal_their_definition(dtype, metric):
    rows = stored_rows(dtype)
    rows[3] = 0
    expected = oracles.prepared(rows, str(metric))
    np.testing.assert_allclose(prepare(rows, metric), expected, rtol=1e-14)
    assert not prepare(rows, metric)[3].any()
    if metric is not Metric.COSINE:
        assert np.array_equal(prepare(rows, metric, 0.25), expected / 4.0)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-30, 1.0, 1e30, 1e200, 1e300])
def test_unit_rows_have_length_one_at_any_scale(scale):
    rows = stored_rows("float64")
    units = unit_rows(rows / 20.0 * scale)
    np.testing.assert_allclose(np.linalg.norm(units, axis=1), 1.0, rtol=1e-14)
    if scale > 1e-300:
        np.testing.assert_allclose(units, oracles.prepared(rows, "cosine"), rtol=1e-12)


@pytest.mark.parametrize("precise", [False, True])
@pytest.mark.parametrize("out", [np.float32, np.float64])
@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("dtype", DTYPES)
def test_filling_writes_prepared_rows_less_the_shift(dtype, metric, out, precise):
    stored = stored_rows(dtype)
    stored = stored[stored.any(axis=1)]
    scale = 1.0 if metric is Metric.COSINE else 0.125
    shift = prepare(stored, metric, scale).mean(axis=0).astype(np.float32).astype(np.float64)
    preparation = Preparation(metric, scale, 1.0, shift, precise)
    filled = np.empty(stored.shape, out)
    preparation.fill(stored, filled)
    expected = oracles.prepared(stored, str(metric)) * scale - shift
    digits = 1e-14 if out == np.float64 else 4e-7
    np.testing.assert_allclose(filled, expected, rtol=digits, atol=digits * np.abs(expected).max())


def test_rescaling_moves_the_shift_along():
    shift = np.array([2.0, -4.0])
    moved = Preparation(Metric.DOT, 0.5, 1.0, shift, False).rescaled(0.125)
    assert (moved.scale, moved.norm, moved.shift.tolist()) == (0.125, 0.25, [0.5, -1.0])


# Hashes


@pytest.mark.parametrize("dim", [1, 2, 3, 7, 8, 65])
@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_rows_have_equal_hashes_and_others_do_not(dtype, dim):
    hasher = RowHasher(dim, np.dtype(dtype))
    rows = stored_rows(dtype, 300, dim)
    hashes = hasher(rows)
    assert hashes.dtype == np.uint64
    assert len(np.unique(hashes)) == len(np.unique(rows, axis=0))
    order = np.random.default_rng(1).permutation(300)
    assert np.array_equal(hasher(rows[order]), hashes[order])
    assert np.array_equal(hasher(rows[::3]), hashes[::3])
    assert np.array_equal(RowHasher(dim, np.dtype(dtype))(rows), hashes)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_minus_zero_equals_zero(dtype):
    rows = stored_rows(dtype)
    rows[:, 2] = 0.0
    other = rows.copy()
    other[:, 2] = -0.0
    hasher = RowHasher(7, np.dtype(dtype))
    assert np.array_equal(hasher(rows), hasher(other))
    assert np.signbit(other[:, 2]).all()


@pytest.mark.parametrize("values", [(1.0, -1.0), (0.0, 1.0), (1.0, 2.0)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rows_that_differ_in_high_bits_alone_do_not_collide(dtype, values):
    """32 bits of a hash of n rows repeat about n^2 / 2^33 times, 64 bits never."""
    n, dim = 100_000, 64
    bits = np.random.default_rng(0).integers(0, 2, (n, dim), dtype=np.uint8)
    hashes = RowHasher(dim, np.dtype(dtype))(np.array(values, dtype)[bits])
    assert len(np.unique(hashes)) == n
    for half in (hashes >> np.uint64(32), hashes & np.uint64(2**32 - 1)):
        assert n - len(np.unique(half)) < 10


def test_changing_any_one_value_changes_the_hash():
    row = stored_rows("float32", 1, 33)
    rows = np.repeat(row, 34, axis=0)
    rows[np.arange(33), np.arange(33)] = np.nextafter(row[0], np.float32(np.inf))
    assert len(np.unique(RowHasher(33, rows.dtype)(rows))) == 34


@given(st.lists(st.integers(0, 6), max_size=60))
@settings(max_examples=50, deadline=None)
def test_first_occurrences_equal_a_dictionary(keys):
    seen: dict[int, int] = {}
    for row, key in enumerate(keys):
        seen.setdefault(key, row)
    expected = [seen[key] == row for row, key in enumerate(keys)]
    hashes = np.array(keys, np.uint64)
    assert first_occurrences(hashes).tolist() == expected
    rows, counts = repetitions(hashes)
    assert dict(zip(rows.tolist(), counts.tolist(), strict=True)) == {
        row: keys.count(key) for key, row in seen.items()
    }


def test_joint_hashes_are_equal_where_both_are_and_not_symmetric():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 2**64, (2, 5000), dtype=np.uint64)
    pairs = joint(first, second)
    assert len(np.unique(pairs)) == 5000
    assert len(np.unique(joint(first, second[::-1]))) == 5000
    assert np.array_equal(joint(first.copy(), second.copy()), pairs)
    assert not (joint(second, first) == pairs).any()
    assert len(np.unique(joint(first, first))) == 5000
