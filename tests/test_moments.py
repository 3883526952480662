"""Moments against direct sums, and pass 1 over sets against each fold's own rows."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embaudit.data.embedding_set import ArraySet
from embaudit.data.pair import Pair
from embaudit.datatypes import Metric, SilentProgress
from embaudit.measures.cka import linear_cka
from embaudit.stats.moments import Moments, total
from embaudit.streaming import fold_moments as pass_one
from embaudit.streaming.fold_moments import FOLDS, FoldPlan, fold_moments
from embaudit.streaming.scan import scan

CLOSE = {"rtol": 1e-10, "atol": 1e-9}


def paired_rows(n, p=5, q=3, seed=0, mean=0.0):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, p)) * generator.uniform(0.1, 2.0, p) + mean
    return x, x[:, :1] + generator.standard_normal((n, q)) - 2.0 * mean


def moments_of(x, y, shift_x=None, shift_y=None):
    moments = Moments(
        np.zeros(x.shape[1]) if shift_x is None else shift_x,
        np.zeros(y.shape[1]) if shift_y is None else shift_y,
    )
    moments.update(x, y)
    return moments


def assert_same_statistics(moments, x, y, **close):
    """Compare everything moments offer with plain sums over the rows."""
    close = close or CLOSE
    scatter = moments.scatter()
    centred_x, centred_y = x - x.mean(axis=0), y - y.mean(axis=0)
    assert moments.n == scatter.n == len(x)
    np.testing.assert_allclose(scatter.mean_x, x.mean(axis=0), **close)
    np.testing.assert_allclose(scatter.mean_y, y.mean(axis=0), **close)
    np.testing.assert_allclose(scatter.xx, centred_x.T @ centred_x, **close)
    np.testing.assert_allclose(scatter.xy, centred_x.T @ centred_y, **close)
    np.testing.assert_allclose(scatter.yy, centred_y.T @ centred_y, **close)
    products = [0.0, 0.0, 0.0]
    for row_x, row_y in zip(centred_x, centred_y, strict=True):
        a, b = (row_x**2).sum(), (row_y**2).sum()
        products = [products[0] + a * a, products[1] + a * b, products[2] + b * b]
    np.testing.assert_allclose(moments.norm_products(), products, **close)


@given(
    st.integers(4, 40), st.integers(1, 6), st.integers(1, 6), st.integers(0, 99), st.floats(-2, 2)
)
@settings(max_examples=25, deadline=None)
def test_equal_direct_sums_about_any_shift(n, p, q, seed, shift):
    x, y = paired_rows(n, p, q, seed)
    assert_same_statistics(moments_of(x, y, np.full(p, shift), np.full(q, -shift)), x, y)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.booleans(), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_merging_any_split_in_any_order_changes_nothing(lengths, one_shift, seed):
    x, y = paired_rows(sum(lengths), seed=seed)
    generator = np.random.default_rng(seed)
    cuts = np.cumsum(lengths)[:-1]
    parts = [
        moments_of(px, py)
        if one_shift
        else moments_of(px, py, generator.standard_normal(5), generator.standard_normal(3))
        for px, py in zip(np.split(x, cuts), np.split(y, cuts), strict=True)
    ]
    assert_same_statistics(total(parts), x, y)
    assert_same_statistics(total(parts[::-1]), x, y)
    right = parts[-1]
    for part in reversed(parts[:-1]):
        right = part.merge(right)
    assert_same_statistics(right, x, y)


def test_blocks_add_up_and_merging_leaves_its_operands_alone():
    x, y = paired_rows(50)
    blocks = moments_of(x[:20], y[:20])
    other = moments_of(x[20:], y[20:], np.ones(5), np.ones(3))
    merged = blocks.merge(other)
    assert_same_statistics(blocks, x[:20], y[:20])
    assert_same_statistics(other, x[20:], y[20:])
    assert_same_statistics(merged, x, y)
    blocks.update(x[20:], y[20:])
    assert_same_statistics(blocks, x, y)


@pytest.mark.parametrize("mean", [100.0, 300.0])
def test_a_mean_far_above_the_deviation_costs_no_digits_about_a_provisional_mean(mean):
    x, y = paired_rows(200, seed=3, mean=mean)
    moments = moments_of(x, y, x[:20].mean(axis=0), y[:20].mean(axis=0))
    assert_same_statistics(moments, x, y, rtol=1e-9, atol=1e-8)


def test_swapped_exchanges_the_roles():
    x, y = paired_rows(30)
    swapped, direct = moments_of(x, y).scatter().swapped(), moments_of(y, x).scatter()
    for name in ("n", "mean_x", "mean_y", "xx", "xy", "yy"):
        np.testing.assert_allclose(getattr(swapped, name), getattr(direct, name), atol=1e-12)


# Pass 1


def run_pass(a, b, metric=Metric.COSINE, kept=None, workers=1, seed=0):
    """Return moments by fold, the plan, and the prepared rows in float64."""
    pair = Pair(ArraySet(a), ArraySet(b))
    found = scan(pair, metric, 1, SilentProgress())
    kept = found.kept(metric, True) if kept is None else kept
    plan = FoldPlan.seeded(kept, seed)
    sides = found.a.preparation, found.b.preparation
    moments = fold_moments(pair, kept, *sides, plan, workers, SilentProgress())
    return moments, plan, [side.rows(rows) for side, rows in zip(sides, (a, b), strict=True)]


@pytest.mark.parametrize("block_bytes", [1, 28 << 20])
@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("n", [9, 40, 700])
def test_every_fold_equals_its_own_kept_rows(monkeypatch, n, metric, block_bytes):
    monkeypatch.setattr(pass_one, "BLOCK_BYTES", block_bytes)
    x, y = (rows.astype(np.float32) for rows in paired_rows(n, mean=2.0))
    kept = np.random.default_rng(n).random(n) < 0.8
    kept[:8] = True
    moments, plan, (a, b) = run_pass(x, y, metric, kept)
    folds = plan.fold_of(np.arange(n))
    assert len(moments) == FOLDS
    for fold in range(FOLDS):
        mine = kept & (folds == fold)
        assert mine.sum() >= 2
        assert_same_statistics(moments[fold], a[mine], b[mine], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("flops", [0.0, 2e10], ids=["float32", "float64"])
def test_thread_count_changes_no_byte(monkeypatch, flops):
    monkeypatch.setattr(pass_one, "BLOCK_BYTES", 1)
    monkeypatch.setattr(pass_one, "DOUBLE_PRECISION_FLOPS", flops)
    x, y = (rows.astype(np.float32) for rows in paired_rows(400))
    runs = [run_pass(x, y, workers=workers)[0] for workers in (1, 2, 3)]
    for other in runs[1:]:
        for first, second in zip(runs[0], other, strict=True):
            assert first.gram.tobytes() == second.gram.tobytes()


@pytest.mark.parametrize(
    ("metric", "scale_a", "scale_b", "mean"),
    [
        (Metric.COSINE, 1.0, 1.0, 0.0),
        (Metric.COSINE, 1.0, 1e20, 3.0),
        (Metric.COSINE, 1.0, 1.0, 100.0),
        (Metric.DOT, 1.0, 30.0, 1.0),
        (Metric.EUCLIDEAN, 1.0, 1.0, 300.0),
        (Metric.EUCLIDEAN, 1e8, 1e-3, 1.0),
        (Metric.EUCLIDEAN, 1e12, 1e-12, 1.0),
    ],
)
def test_float32_products_agree_with_float64(monkeypatch, metric, scale_a, scale_b, mean):
    monkeypatch.setattr(pass_one, "DOUBLE_PRECISION_FLOPS", 0.0)
    x, y = paired_rows(600, 8, 6, mean=mean)
    x, y = (x * scale_a).astype(np.float32), (y * scale_b).astype(np.float32)
    moments, _, (a, b) = run_pass(x, y, metric)
    fast = linear_cka(total(moments))
    assert fast.debiased == pytest.approx(oracles.debiased_cka(a @ a.T, b @ b.T), abs=2e-5)
    assert fast.biased == pytest.approx(oracles.biased_cka(a @ a.T, b @ b.T), abs=2e-5)
    scatter = total(moments).scatter()
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    for found, expected in ((scatter.xx, a.T @ a), (scatter.xy, a.T @ b), (scatter.yy, b.T @ b)):
        assert np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("times", [10.0, 1e3, 1e4])
def test_one_far_outlier_does_not_drown_the_others_in_float32_products(monkeypatch, times):
    monkeypatch.setattr(pass_one, "DOUBLE_PRECISION_FLOPS", 0.0)
    x, y = paired_rows(400)
    x[17] *= times
    y[17] *= times
    moments, _, (a, b) = run_pass(x.astype(np.float32), y.astype(np.float32), Metric.EUCLIDEAN)
    expected = oracles.debiased_cka(a @ a.T, b @ b.T)
    assert linear_cka(total(moments)).debiased == pytest.approx(expected, abs=1e-4)


# Folds


@given(
    st.integers(1, 900),
    st.floats(0.05, 1.0),
    st.integers(0, 9),
    st.integers(1, 300),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_plan_covers_every_row_once_and_keeps_chunks_together(n, share, seed, block_rows, together):
    kept = np.random.default_rng(seed).random(n) < share
    kept[-1] = True
    plan = FoldPlan.seeded(kept, seed)
    spans = plan.spans(block_rows, together=together)
    if not together:
        assert all(len(set(plan.fold_of(np.arange(*span)))) == 1 for span in spans)
    assert [row for start, stop in spans for row in range(start, stop)] == list(range(n))
    assert all(0 < stop - start <= block_rows for start, stop in spans)

    positions = np.flatnonzero(kept)
    folds = plan.fold_of(positions)
    assert set(folds) <= set(range(FOLDS))
    chunk = -(-len(positions) // 64)
    for first in range(0, len(positions), chunk):
        assert len(set(folds[first : first + chunk])) == 1
    if len(positions) >= 2 * FOLDS:
        shares = np.bincount(folds, minlength=FOLDS) / len(positions)
        assert shares.min() > 0.1


def test_plan_depends_on_the_seed_alone():
    kept = np.ones(1000, np.bool_)
    rows = np.arange(1000)
    first, same, other = (FoldPlan.seeded(kept, seed).fold_of(rows) for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
