"""CKA and Procrustes of hard numbers, computed in float32 blocks, against float64 definitions."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from scipy.linalg import orthogonal_procrustes

import embaudit
from embaudit.streaming import fold_moments as pass_one

ROWS, DIM = 1200, 24
ERROR = 1e-6


def pair_of_rows(seed=0):
    """Rows of both sides about no mean, deviations of about 1, related but not alike."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((ROWS, DIM)) * np.linspace(2.0, 0.3, DIM)
    y = x @ oracles.rotation(DIM, generator) + 0.7 * generator.standard_normal((ROWS, DIM))
    return x, y


def means(size):
    return size * np.random.default_rng(5).standard_normal(DIM)


HARD = {
    "plain": lambda x, y: (x, y),
    "means of 100 deviations": lambda x, y: (x + means(100.0), y - means(100.0)),
    "means of 1,000 deviations on one side": lambda x, y: (x + means(1000.0), y),
    "values near 1e10": lambda x, y: (1e10 * x, 1e10 * y),
    "values near 1e10 about a mean of 1e12": lambda x, y: (1e10 * (x + 100.0), 1e10 * (y - 100.0)),
    "values near 1e-10": lambda x, y: (1e-10 * x, 1e-10 * y),
    "scales far apart": lambda x, y: (1e6 * x, 1e-6 * y),
    "columns far apart": lambda x, y: (x * np.logspace(0, -4, DIM), y * np.logspace(-3, 0, DIM)),
    "one row far out": lambda x, y: (np.vstack([x[:-1], 200.0 * x[-1:]]), y),
}


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def expected(a, b, metric):
    """CKA, debiased and biased, angle and in-sample residual in float64 from the rows."""
    x, y = (np.asarray(rows, np.float64) for rows in (a, b))
    if metric == "cosine":
        x, y = unit(x), unit(y)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    kernels = x @ x.T, y @ y.T
    nuclear = orthogonal_procrustes(x, y)[1]
    return {
        "cka.linear": oracles.debiased_cka(*kernels),
        "cka.linear.biased": oracles.biased_cka(*kernels),
        "procrustes.angular": np.arccos(min(1.0, nuclear)),
        "procrustes.residual.in_sample": 1.0 - nuclear**2,
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("name", HARD)
def test_error_is_below_one_in_a_million(monkeypatch, name, metric, dtype):
    monkeypatch.setattr(pass_one, "DOUBLE_PRECISION_FLOPS", 0.0)
    monkeypatch.setattr(pass_one, "BLOCK_BYTES", 256 * 4 * (2 * DIM + 3))
    a, b = (rows.astype(dtype) for rows in HARD[name](*pair_of_rows()))
    audit = embaudit.compare(a, b, metric=metric, keep_duplicates=True)
    for key, value in expected(a, b, metric).items():
        assert audit.measures[key].value == pytest.approx(value, abs=ERROR), key


@pytest.mark.parametrize("scale", [1.0, 1e-3, 3000.0])
def test_float16_rows_are_as_exact_as_their_values(monkeypatch, scale):
    monkeypatch.setattr(pass_one, "DOUBLE_PRECISION_FLOPS", 0.0)
    a, b = ((scale * rows).astype(np.float16) for rows in pair_of_rows())
    assert np.abs(a).max() > 10 * scale / 2
    audit = embaudit.compare(a, b, metric="euclidean", keep_duplicates=True)
    for key, value in expected(a, b, "euclidean").items():
        assert audit.measures[key].value == pytest.approx(value, abs=ERROR), key


def test_what_overflowed_float16_is_refused_with_its_cause(tmp_path):
    x, y = pair_of_rows()
    with np.errstate(over="ignore"):
        overflowed = (50_000.0 * x).astype(np.float16)
    assert np.isinf(overflowed).any()
    path = tmp_path / "a.npy"
    np.save(path, overflowed)
    with pytest.raises(
        embaudit.InputError,
        match=r"a\.npy: \d+ rows hold NaN or inf, first at row \d+, .*; float16 holds no more than "
        r"65504: store float32, or pass --drop-invalid",
    ):
        embaudit.compare(path, y.astype(np.float16))
