"""Singular values, also where they are all equal."""

from __future__ import annotations

import numpy as np
import pytest

import embaudit
from benchmarks.pairs import load, rotation
from embaudit.stats import linalg
from embaudit.stats.linalg import thin_svd


@pytest.mark.parametrize("shape", [(5, 5), (12, 4), (4, 12)])
@pytest.mark.parametrize("seed", range(3))
def test_the_factors_give_the_matrix_back(shape, seed):
    matrix = np.random.default_rng(seed).standard_normal(shape)
    u, s, vt = thin_svd(matrix)
    assert u * s @ vt == pytest.approx(matrix)
    assert u.T @ u == pytest.approx(np.eye(len(s)), abs=1e-12)
    assert s == pytest.approx(np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix)[::-1][: len(s)]))


def test_a_set_and_its_rotated_copy_can_be_decomposed():
    # Whitened, their covariance is orthogonal; here LAPACK's divide and conquer gives up.
    text = load()["minilm"][:1000, :120]
    audit = embaudit.compare(text, 3.0 * text @ rotation(120))
    assert audit.verdict == "align"
    assert audit.measures["cca.mean"].value == pytest.approx(1.0)


@pytest.mark.parametrize("large", [2, 2048], ids=["in place", "copied"])
@pytest.mark.parametrize("shape", [(9, 9), (12, 7), (5, 11)])
def test_decompositions_equal_their_definitions_at_any_size(monkeypatch, large, shape):
    monkeypatch.setattr(linalg, "LARGE", large)
    matrix = np.random.default_rng(1).standard_normal(shape)
    before = matrix.copy()
    u, values, vt = linalg.thin_svd(matrix)
    np.testing.assert_array_equal(matrix, before)
    np.testing.assert_allclose((u * values) @ vt, matrix, atol=1e-12)
    np.testing.assert_allclose(u.T @ u, np.eye(min(shape)), atol=1e-12)
    np.testing.assert_allclose(linalg.singular_values(matrix), values, atol=1e-12)
    square = matrix.T @ matrix
    found, vectors = linalg.symmetric_eigen(square.copy())
    assert (np.diff(found) >= 0.0).all()
    np.testing.assert_allclose((vectors * found) @ vectors.T, square, atol=1e-11)
