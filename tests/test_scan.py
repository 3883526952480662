"""The first look at every row: what it finds, and how it prepares each side."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

from embaudit.data.embedding_set import ArraySet
from embaudit.data.pair import Pair
from embaudit.datatypes import Metric, SilentProgress
from embaudit.streaming import scan as first_pass
from embaudit.streaming.scan import scan


def scan_of(a, b=None, metric=Metric.COSINE, workers=1):
    pair = Pair(ArraySet(a), ArraySet(a.copy() if b is None else b))
    return scan(pair, metric, workers, SilentProgress())


def rows_of(dtype="float32", n=500, dim=9, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal((n, dim)) * scale).astype(dtype)


@pytest.mark.parametrize("block", [1, 8 << 20], ids=["many blocks", "one block"])
@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_inf_and_zero_rows_are_found_and_the_rest_measured(monkeypatch, dtype, metric, block):
    monkeypatch.setattr(first_pass, "BLOCK_BYTES", block)
    a = rows_of(dtype)
    a[7, 3], a[8], a[300, 0], a[499, 8] = np.nan, np.nan, np.inf, -np.inf
    a[[20, 411]] = 0.0
    a[411, 2] = -0.0
    found = scan_of(a, rows_of(dtype, seed=1), metric).a
    assert np.flatnonzero(~found.finite).tolist() == [7, 8, 300, 499]
    assert found.zero_rows.tolist() == [20, 411]
    good = np.delete(a, [7, 8, 300, 499], axis=0).astype(np.float64)
    norms = np.linalg.norm(good, axis=1)
    digits = 1e-3 if dtype == "float16" else 1e-6
    assert found.norm_min == pytest.approx(norms[norms > 0.0].min(), rel=digits)
    assert found.norm_max == pytest.approx(norms.max(), rel=digits)
    assert found.norm_mean == pytest.approx(norms.mean(), rel=digits)
    prepared = oracles.prepared(good, str(metric)) * found.preparation.scale
    np.testing.assert_allclose(found.preparation.shift, prepared.mean(axis=0), atol=1e-5)
    assert found.duplicate_rows == 1


@pytest.mark.parametrize("bits", [0x7F800001, 0xFF800001, 0x7FC00000])
def test_every_kind_of_nan_is_found_without_a_warning(bits):
    a = rows_of()
    a.view(np.uint32)[33, 4] = bits
    assert np.flatnonzero(~scan_of(a).a.finite).tolist() == [33]


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        ("float32", 1e30),
        ("float32", 1e-30),
        ("float32", 1e-43),
        ("float64", 1e30),
        ("float64", 1e-30),
        ("float64", 1e200),
        ("float64", 1e-200),
        ("float64", 1e-310),
    ],
)
def test_extreme_norms_are_neither_inf_nor_zero(dtype, scale, metric):
    a = rows_of(dtype, scale=scale)
    found = scan_of(a, metric=metric).a
    assert found.finite.all()
    assert len(found.zero_rows) == 0
    norms = np.linalg.norm(a.astype(np.float64) / scale, axis=1)
    for value, expected in (
        (found.norm_min, norms.min()),
        (found.norm_max, norms.max()),
        (found.norm_mean, norms.mean()),
    ):
        assert value / scale == pytest.approx(expected, rel=1e-5)
    preparation = found.preparation
    assert preparation.precise
    typical = np.sqrt((preparation.rows(a) ** 2).sum(axis=1).mean())
    assert typical == pytest.approx(preparation.norm, rel=1e-5)
    assert np.log2(preparation.scale) % 1.0 == 0.0
    if scale > 1e-300:
        assert 0.5 <= typical <= 2.0


def test_one_extreme_row_among_common_ones_is_measured():
    a = rows_of()
    a[5] *= np.float32(1e25)
    a[6] *= np.float32(1e-25)
    found = scan_of(a, metric=Metric.EUCLIDEAN).a
    assert found.finite.all()
    assert len(found.zero_rows) == 0
    assert found.norm_max == pytest.approx(np.linalg.norm(a[5].astype(float)), rel=1e-6)
    assert found.norm_min == pytest.approx(np.linalg.norm(a[6].astype(float)), rel=1e-6)
    assert found.preparation.precise


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_whole_number_rows(dtype):
    a = np.random.default_rng(0).integers(0, 120, (300, 9)).astype(dtype)
    a[12] = 0
    found = scan_of(a, metric=Metric.DOT)
    norms = np.linalg.norm(a.astype(float), axis=1)
    assert found.a.finite.all()
    assert found.a.zero_rows.tolist() == [12]
    assert found.a.norm_max == pytest.approx(norms.max())
    assert found.a.norm_mean == pytest.approx(norms.mean())
    assert found.identical


@pytest.mark.parametrize("metric", [Metric.DOT, Metric.EUCLIDEAN])
def test_both_sides_share_the_smaller_scale(metric):
    a, b = rows_of(scale=1e8), rows_of(seed=1, scale=1e-3)
    for found in (scan_of(a, b, metric), scan_of(b, a, metric)):
        assert found.a.preparation.scale == found.b.preparation.scale
        assert found.a.preparation.scale == pytest.approx(1.0 / 3e8, rel=0.5)
    small = scan_of(a, b, metric).b.preparation
    np.testing.assert_allclose(small.shift, b.mean(axis=0) * small.scale, rtol=1e-4)
    assert small.norm == pytest.approx(3e-3 * small.scale, rel=0.1)


def test_scales_near_one_and_float64_and_far_means_choose_the_precision():
    assert not scan_of(rows_of()).a.preparation.precise
    assert scan_of(rows_of("float64")).a.preparation.precise
    assert not scan_of(rows_of() + np.float32(3.0)).a.preparation.precise
    assert scan_of(rows_of() + np.float32(100.0)).a.preparation.precise
    assert not scan_of(rows_of() + np.float32(100.0), metric=Metric.DOT).a.preparation.precise


def test_normalized_rows_are_recognised():
    rows = rows_of("float64")
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert scan_of(unit.astype(np.float16)).a.normalized
    unit[3] *= 1.01
    assert not scan_of(unit).a.normalized


def test_identical_means_the_same_bytes():
    a = rows_of()
    a[3, 1] = np.nan
    assert scan_of(a).identical
    other = a.copy()
    other[499, 8] = np.nextafter(other[499, 8], np.float32(9.0))
    assert not scan_of(a, other).identical
    assert not scan_of(a, a.astype(np.float64)).identical
    assert not scan_of(a, a[:, :8]).identical


@pytest.mark.parametrize("metric", list(Metric))
def test_kept_rows_leave_out_what_cannot_be_used_and_joint_duplicates(metric):
    a, b = rows_of(n=60), rows_of(n=60, seed=1)
    a[50], b[50] = a[4], b[4]
    a[51] = a[4]
    b[52] = b[4]
    a[10, 0], b[11, 0] = np.nan, np.inf
    a[12], b[13] = 0.0, 0.0
    a[14], b[14] = 0.0, 0.0
    found = scan_of(a, b, metric)
    zero = [12, 13, 14] if metric is Metric.COSINE else []
    for keep, left_out in ((False, [10, 11, *zero, 50]), (True, [10, 11, *zero])):
        assert np.flatnonzero(~found.kept(metric, keep)).tolist() == left_out
    assert found.a.duplicate_rows == 3
    assert found.b.duplicate_rows == 3


def test_thread_count_changes_nothing(monkeypatch):
    monkeypatch.setattr(first_pass, "BLOCK_BYTES", 1000)
    a, b = rows_of(), rows_of(seed=1)
    one, three = (scan_of(a, b, Metric.DOT, workers) for workers in (1, 3))
    for side in ("a", "b"):
        first, second = getattr(one, side), getattr(three, side)
        assert first.hashes.tobytes() == second.hashes.tobytes()
        assert first.norm_mean == second.norm_mean
        assert first.preparation.shift.tobytes() == second.preparation.shift.tobytes()
