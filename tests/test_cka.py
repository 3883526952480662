"""CKA from moments against its n x n definitions, and what it is invariant to."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

from embaudit.measures.cka import gaussian_kernel, linear_cka, rbf_cka
from embaudit.measures.distances import squared_distances
from embaudit.stats.moments import Moments


def cka_of(x, y):
    moments = Moments(x[:5].mean(axis=0), y[:5].mean(axis=0))
    moments.update(x, y)
    return linear_cka(moments)


def rbf_cka_of(x, y):
    return rbf_cka(*(gaussian_kernel(squared_distances(rows)) for rows in (x, y)), len(x))


def related_rows(n, p, q, seed=0, anisotropy=1.0, mean=0.0):
    """Two noisy views of shared factors; standard deviations span a factor of `anisotropy`."""
    generator = np.random.default_rng(seed)
    shared = generator.standard_normal((n, 4))

    def view(dim):
        spread = anisotropy ** -np.linspace(0.0, 1.0, dim)
        rows = shared @ generator.standard_normal((4, dim)) + generator.standard_normal((n, dim))
        return rows * spread + mean

    return view(p), view(q)


@pytest.mark.parametrize(
    ("n", "p", "q", "anisotropy", "mean"),
    [
        (60, 5, 7, 1.0, 0.0),
        (40, 60, 90, 1.0, 0.0),
        (50, 20, 20, 1e4, 0.0),
        (30, 80, 10, 1e3, 0.0),
        (80, 6, 6, 1.0, 30.0),
        (4, 3, 3, 1.0, 0.0),
    ],
)
def test_linear_cka_equals_its_definitions(n, p, q, anisotropy, mean):
    x, y = related_rows(n, p, q, anisotropy=anisotropy, mean=mean)
    found = cka_of(x, y)
    assert found.debiased == pytest.approx(oracles.debiased_cka(x @ x.T, y @ y.T), abs=1e-10)
    assert found.biased == pytest.approx(oracles.biased_cka(x @ x.T, y @ y.T), abs=1e-10)


def test_rotation_scale_and_offset_change_nothing():
    x, y = related_rows(200, 8, 8)
    turn = oracles.rotation(8, np.random.default_rng(1))
    plain, moved = cka_of(x, y), cka_of(3.0 * x @ turn - 7.0, 0.01 * y + 2.0)
    assert 0.1 < plain.debiased < 0.9
    assert moved.debiased == pytest.approx(plain.debiased, abs=1e-10)
    assert moved.biased == pytest.approx(plain.biased, abs=1e-10)
    itself = cka_of(x, 3.0 * x @ turn)
    assert itself.debiased == pytest.approx(1.0, abs=1e-10)
    assert itself.p_value < 1e-6


def test_independent_noise_is_near_zero_where_the_biased_value_is_not():
    generator = np.random.default_rng(0)
    found = cka_of(generator.standard_normal((400, 300)), generator.standard_normal((400, 300)))
    assert abs(found.debiased) < 0.01
    assert found.biased == pytest.approx(300 / 700, abs=0.02)


@pytest.mark.parametrize(
    ("n", "dim", "anisotropy"),
    [(100, 10, 1.0), (100, 20, 1e2), (30, 40, 1.0)],
    ids=["isotropic", "anisotropic", "n<d"],
)
def test_p_value_keeps_its_level_and_has_power(n, dim, anisotropy):
    draws, rejected, detected = 400, 0, 0
    for seed in range(draws):
        x, y = related_rows(n, dim, dim, seed, anisotropy)
        _, stranger = related_rows(n, dim, dim, seed + draws, anisotropy)
        rejected += cka_of(x, stranger).p_value <= 0.05
        detected += cka_of(x, y).p_value <= 0.05
    assert rejected / draws <= 0.07
    assert detected / draws >= 0.99


def test_undefined_is_none():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((50, 3))
    constant = cka_of(x, np.ones((50, 2)))
    assert constant.debiased is None
    assert constant.p_value is None
    assert cka_of(x[:3], x[:3]).debiased is None
    # A row that carries all of the sums: what debiasing leaves is rounding.
    x[7] *= 1e9
    assert cka_of(x, x).debiased is None


@pytest.mark.parametrize(("n", "p", "q"), [(31, 4, 6), (22, 50, 3)])
def test_rbf_cka_equals_its_definition(n, p, q):
    x, y = related_rows(n, p, q, mean=20.0)
    expected = oracles.debiased_cka(oracles.gaussian_kernel(x), oracles.gaussian_kernel(y))
    assert rbf_cka_of(x, y) == pytest.approx(expected, abs=1e-9)


def test_rbf_cka_sees_a_curve_that_linear_cka_misses():
    generator = np.random.default_rng(0)
    angle = generator.uniform(0.0, 2.0 * np.pi, 300)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    y = np.stack([np.cos(2.0 * angle), np.sin(2.0 * angle)], axis=1)
    assert abs(cka_of(x, y).debiased) < 0.02
    assert rbf_cka_of(x, y) > 0.05
    assert rbf_cka_of(x, 5.0 * x @ oracles.rotation(2, generator) + 1.0) == pytest.approx(1.0)
    assert rbf_cka_of(x, np.ones((300, 2))) is None
