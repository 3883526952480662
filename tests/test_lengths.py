"""Linear maps whose unit targets get their lengths back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embaudit
from benchmarks.pairs import load
from embaudit.maps.lengths import PASSES, Lengthened
from embaudit.remedy.aligning import align
from embaudit.stages import lengths

SETS = load()
MINILM = SETS["minilm"]


def unit(x):
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def divided(n=600, p=9, q=5, seed=0, noise=0.0):
    """Return unit rows, and those of a linear map of them, divided by their lengths."""
    generator = np.random.default_rng(seed)
    x = unit(generator.standard_normal((n, p)) + 0.3)
    matrix = generator.standard_normal((p, q)) * np.geomspace(4.0, 0.5, q)
    image = x @ matrix + noise * generator.standard_normal((n, q))
    return x.astype(np.float32), unit(image).astype(np.float32), np.linalg.norm(image, axis=1)


def by_rows(x, y, penalty):
    """Return what `Lengthened.path` fits, written out row by row."""
    x, y = x.astype(float), y.astype(float)
    n, q = y.shape
    centred = x - x.mean(axis=0)
    square = centred.T @ centred
    ridge = penalty * square.trace() / len(square) * np.eye(len(square))
    lengths = np.ones(n)
    for _ in range(PASSES + 1):
        lengths = lengths / np.sqrt(np.square(lengths).mean())
        targets = lengths[:, None] * y
        mean = targets.mean(axis=0)
        matrix = np.linalg.solve(square + ridge, centred.T @ targets)
        fitted = centred @ matrix + mean
        variance = np.square(targets - fitted).sum() / (n * q)
        along = np.array([fitted[i] @ y[i] for i in range(n)])
        last, lengths = lengths, (along + np.sqrt(along**2 + 4 * variance * (q - 1))) / 2
    return matrix, mean, last


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.sampled_from([0.0, 0.2, 2.0]))
def test_what_is_fitted_row_by_row(seed, noise):
    x, y, _ = divided(seed=seed, noise=noise)
    matrix, mean, _ = by_rows(x, y, 0.01)
    fitted = Lengthened.of(x, y).path(0.01).fit(0.01)
    np.testing.assert_allclose(fitted.matrix, matrix, rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(fitted.mean_y, mean, rtol=2e-3, atol=2e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_lengths_that_were_divided_out_come_back(seed):
    x, y, divisors = divided(seed=seed)
    _, _, found = by_rows(x, y, 1e-6)
    assert np.corrcoef(found, divisors)[0, 1] > 0.99
    plain = np.linalg.lstsq(np.hstack([x, np.ones((len(x), 1))]), y, rcond=None)[0]
    without = (unit(np.hstack([x, np.ones((len(x), 1))]) @ plain) * y).sum(axis=1)
    fitted = Lengthened.of(x, y).path(1e-6).fit(1e-6)
    cosines = (unit((x - fitted.mean_x) @ fitted.matrix + fitted.mean_y) * y).sum(axis=1)
    assert 1.0 - cosines.mean() < 0.3 * (1.0 - without.mean())


@pytest.fixture(scope="module")
def truncated():
    return align(MINILM, MINILM[:, :128].copy())


def figures(found):
    return {one.method: one for one in found.methods}


def test_a_truncated_copy_is_recovered_under_cosine(truncated):
    _, found = truncated
    assert figures(found)["linear"].lengths
    assert found.after.recall.value > 0.99
    assert found.after.mixed_index.value > 0.99
    # The low-rank map is fitted to unit rows, as the linear one would be without lengths.
    assert figures(found)["low-rank"].recall.value < 0.975
    assert found.curve[-2].recall.value > 0.97


def test_the_written_map_leads_to_the_truncated_rows(truncated):
    fitted, _ = truncated
    cosines = (unit(fitted.transform(MINILM)) * unit(MINILM[:, :128])).sum(axis=1)
    assert cosines.min() > 0.999


def test_where_lengths_gain_nothing_the_map_is_the_plain_one():
    for target in (SETS["lsa"], SETS["minilm_w8"]):
        _, found = align(MINILM, target, method="linear")
        assert not figures(found)["linear"].lengths


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
def test_other_metrics_know_the_lengths_already(metric):
    _, found = align(MINILM, MINILM[:, :128].copy(), metric=metric, method="linear")
    assert not figures(found)["linear"].lengths
    assert found.after.recall.value > 0.99


def test_the_same_map_from_every_door_at_any_thread_count(truncated):
    fitted, _ = truncated
    target = MINILM[:, :128].copy()
    for threads in (1, 2):
        again = embaudit.fit_map(MINILM, target, method="linear", threads=threads)
        np.testing.assert_array_equal(again.affine.matrix, fitted.affine.matrix)


def test_few_rows_are_fitted_plainly():
    x = np.random.default_rng(0).standard_normal((200, 300)).astype(np.float32)
    _, found = align(x, x[:, :40].copy(), method="linear", k=2)
    assert not figures(found)["linear"].lengths


def test_how_many_pairs_a_map_with_lengths_was_fitted_on(monkeypatch):
    monkeypatch.setattr(lengths, "MOST_ROWS", 1500)
    fitted, found = align(MINILM, MINILM[:, :128].copy(), method="linear")
    assert figures(found)["linear"].lengths
    assert (fitted.rows, found.fitted_on, found.pairs) == (1500, 1500, 2000)
    assert found.curve[-1].pairs == 1125
