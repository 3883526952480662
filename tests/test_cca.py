"""Cross-fitted canonical correlations against whitening and correlating the rows themselves."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

from embaudit.maps.fold_fit import FoldFit, folds_of, row_spaces
from embaudit.maps.held_out import HeldOut
from embaudit.measures.cca import cca_over_folds, fold_cca
from embaudit.stats.moments import Moments, total

FOLDS = 4


def cca_of(x, y, folds=None):
    folds = np.arange(len(x)) % FOLDS if folds is None else folds
    parts = []
    for fold in range(FOLDS):
        parts.append(Moments(x.mean(axis=0), y.mean(axis=0)))
        parts[-1].update(x[folds == fold], y[folds == fold])
    spaces = row_spaces(total(parts).scatter())
    return cca_over_folds(
        fold_cca(HeldOut.of(FoldFit.of(fold.train(), spaces), fold.held_out()))
        for fold in folds_of(parts, spaces)
    )


def related_rows(n, p, q, seed=0, noise=0.5):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, p)) * np.linspace(3.0, 0.5, p) + 2.0
    y = x @ generator.standard_normal((p, q)) + noise * generator.standard_normal((n, q))
    return x, y - 4.0


@pytest.mark.parametrize(
    ("n", "p", "q", "noise"), [(200, 6, 6, 0.5), (150, 8, 4, 3.0), (90, 3, 10, 1.0)]
)
def test_equal_their_definitions(n, p, q, noise):
    x, y = related_rows(n, p, q, noise=noise)
    folds = np.random.default_rng(1).permutation(np.arange(n) % FOLDS)
    found = cca_of(x, y, folds)
    expected = oracles.cross_fitted_cca(x, y, folds)
    assert (found.mean, found.svcca, found.pwcca) == pytest.approx(expected, abs=1e-8)


def test_svcca_leaves_out_the_last_percent_of_variance():
    generator = np.random.default_rng(0)
    shared = 10.0 * generator.standard_normal((400, 3))
    x, y = (
        np.concatenate([shared, 0.1 * generator.standard_normal((400, 9))], axis=1)
        for _ in range(2)
    )
    found = cca_of(x, y)
    assert found.svcca == pytest.approx(1.0)
    assert found.pwcca > 0.9
    assert found.mean < 0.5


def test_independent_noise_is_near_zero():
    generator = np.random.default_rng(0)
    found = cca_of(*generator.standard_normal((2, 400, 80)))
    assert [found.mean, found.svcca, found.pwcca] == pytest.approx([0.0] * 3, abs=0.03)


def test_affine_maps_of_either_side_change_the_mean_by_nothing():
    x, y = related_rows(200, 5, 7)
    generator = np.random.default_rng(2)
    sheared = (x - 4.0) @ (np.eye(5) + 0.5 * generator.standard_normal((5, 5)))
    assert cca_of(sheared, 9.0 * y + 1.0).mean == pytest.approx(cca_of(x, y).mean, abs=1e-8)
    itself = cca_of(x, sheared)
    assert [itself.mean, itself.svcca, itself.pwcca] == pytest.approx([1.0] * 3)


def test_directions_without_variance_are_left_out():
    x, y = related_rows(200, 5, 4)
    flat = np.concatenate([x, x[:, :2], np.full((200, 1), 3.0)], axis=1)
    assert cca_of(flat, y).mean == pytest.approx(cca_of(x, y).mean, abs=1e-8)
    assert cca_of(x, np.ones((200, 2))) is None
