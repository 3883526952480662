"""Reduced-rank maps against their definition, and the choice of the rank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embaudit
from embaudit.maps.linear import RidgePath
from embaudit.maps.low_rank import ReducedRank, choose_rank
from embaudit.maps.methods import Recipe, fit_affine
from embaudit.stats.moments import Moments


def data(seed, n, p, q, rank=None, noise=0.3):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, p)) * generator.uniform(0.3, 2.0, p) + generator.normal()
    rank = min(p, q) if rank is None else rank
    image = x @ generator.standard_normal((p, rank)) @ generator.standard_normal((rank, q))
    return x, image + noise * generator.standard_normal((n, q)) + generator.normal()


def scatter(x, y):
    moments = Moments(np.zeros(x.shape[1]), np.zeros(y.shape[1]))
    moments.update(x, y)
    return moments.scatter()


def by_definition(x, y, penalty, rank):
    """The rank-r map of least squares on rows to which the penalty adds one for each dimension."""
    cx, cy = x - x.mean(axis=0), y - y.mean(axis=0)
    ridge = penalty * np.square(cx).sum() / x.shape[1]
    augmented = np.vstack([cx, np.sqrt(ridge) * np.eye(x.shape[1])])
    target = np.vstack([cy, np.zeros((x.shape[1], y.shape[1]))])
    full = np.linalg.lstsq(augmented, target, rcond=None)[0]
    directions = np.linalg.svd(augmented @ full)[2][:rank]
    return full @ directions.T @ directions


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 1000),
    p=st.integers(2, 9),
    q=st.integers(2, 9),
    rank=st.integers(1, 9),
    penalty=st.sampled_from([1e-4, 1e-2, 1.0]),
)
def test_the_map_of_a_rank_is_the_definition(seed, p, q, rank, penalty):
    x, y = data(seed, 60, p, q)
    rank = min(rank, p, q)
    found = fit_affine(scatter(x, y), Recipe("low-rank", penalty, rank))
    expected = by_definition(x, y, penalty, rank)
    assert np.abs(found.matrix - expected).max() <= 1e-8 * max(1.0, np.abs(expected).max())
    assert np.linalg.matrix_rank(found.matrix) <= rank
    # Mapped rows have the variance of the target.
    mapped = found.transform(x)
    assert mapped.var(axis=0).sum() == pytest.approx(y.var(axis=0).sum(), rel=1e-8)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), p=st.integers(2, 8), q=st.integers(2, 8))
def test_gains_are_what_each_rank_takes_off_the_error(seed, p, q):
    x, y = data(seed, 60, p, q)
    new_x, new_y = data(seed + 1, 20, p, q)
    sums = scatter(x, y)
    path = RidgePath.of(sums, *np.linalg.eigh(sums.xx))
    maps = ReducedRank.of(path, 0.01)
    gains = maps.gains(new_x, new_y)
    assert gains.shape == (20, min(p, q))
    for rank in range(1, min(p, q) + 1):
        affine = maps.fit(rank)
        image = (new_x - affine.mean_x) @ affine.matrix
        away = new_y - affine.mean_y
        expected = np.square(away).sum(axis=1) - np.square(away - image).sum(axis=1)
        assert np.abs(gains[:, rank - 1] - expected).max() <= 1e-8 * max(1, np.abs(expected).max())


def test_the_rank_of_a_low_rank_relation_is_found():
    for rank in (1, 3, 6):
        x, y = data(rank, 2000, 12, 10, rank=rank)
        sums = scatter(x[:1500], y[:1500])
        maps = ReducedRank.of(RidgePath.of(sums, *np.linalg.eigh(sums.xx)), 1e-4)
        assert choose_rank([maps.gains(x[1500:], y[1500:])]) == rank


def test_a_rank_is_kept_unless_a_larger_one_is_clearly_better():
    generator = np.random.default_rng(0)
    better = np.cumsum(np.array([5.0, 1.0, 0.0, -1.0]) * np.ones((400, 1)), axis=1)
    assert choose_rank([better + 1e-9 * generator.standard_normal(better.shape)]) == 2
    worse = np.cumsum(np.array([-1.0, -1.0]) * np.ones((50, 1)), axis=1)
    assert choose_rank([worse]) == 1


def test_a_fitted_low_rank_map_has_factors():
    x, y = data(5, 1500, 12, 9, rank=2)
    fitted = embaudit.fit_map(x, y, method="low-rank", metric="euclidean")
    assert fitted.rank == 2
    left, right = fitted.factors
    assert (left.shape, right.shape) == ((12, 2), (2, 9))
    assert np.abs(left @ right - fitted.affine.matrix).max() < 1e-10
    error = np.square(fitted.transform(x) - y).sum() / np.square(y - y.mean(axis=0)).sum()
    assert error < 0.05
