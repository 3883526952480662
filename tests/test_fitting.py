"""The map that is handed out: fitted on all rows, between vectors as they are stored."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embaudit
from benchmarks.pairs import load
from embaudit.errors import InputError, UsageError

SETS = load()


def rows(n=300, dim=10, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def cosines(x, y):
    x, y = (z / np.linalg.norm(z.astype(float), axis=1, keepdims=True) for z in (x, y))
    return (x * y).sum(axis=1)


def neighbours_kept(mapped, own, k=10):
    """Brute force: share of each row's true neighbours among those its mapped vector finds."""
    mapped, own = (
        z.astype(float) / np.linalg.norm(z.astype(float), axis=1, keepdims=True)
        for z in (mapped, own)
    )
    found, true = mapped @ own.T, own @ own.T
    for scores in (found, true):
        np.fill_diagonal(scores, -np.inf)
    found, true = (np.argsort(-scores, axis=1)[:, :k] for scores in (found, true))
    return np.mean([len(set(f) & set(t)) / k for f, t in zip(found, true, strict=True)])


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 1000),
    dim=st.integers(2, 20),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    metric=st.sampled_from(["dot", "euclidean"]),
)
def test_a_rotation_with_scale_and_offset_is_undone(seed, dim, scale, metric):
    generator = np.random.default_rng(seed)
    a = rows(200, dim, seed)
    b = (scale * (a @ oracles.rotation(dim, generator) + generator.standard_normal(dim))).astype(
        np.float32
    )
    for direction, (source, target) in {"a_to_b": (a, b), "b_to_a": (b, a)}.items():
        fitted = embaudit.fit_map(a, b, direction=direction, metric=metric)
        mapped = fitted.transform(source)
        assert mapped.dtype == np.float32
        assert np.abs(mapped - target).max() <= 1e-4 * np.abs(target).max()


def test_under_cosine_a_rotation_is_undone_whatever_the_norms():
    a = rows()
    b = a @ oracles.rotation(10, np.random.default_rng(1)).astype(np.float32)
    b *= np.random.default_rng(2).uniform(0.1, 9.0, (len(b), 1)).astype(np.float32)
    assert cosines(embaudit.fit_map(a, b).transform(a), b).min() > 0.9999


def test_the_linear_map_undoes_a_shear_and_the_orthogonal_one_cannot():
    a = rows(1000)
    b = a @ np.random.default_rng(3).standard_normal((10, 7)).astype(np.float32)
    linear = embaudit.fit_map(a, b, method="linear", metric="euclidean").transform(a)
    orthogonal = embaudit.fit_map(a, b, method="orthogonal", metric="euclidean").transform(a)
    assert linear.shape == orthogonal.shape == b.shape
    assert np.square(linear - b).sum() < 0.01 * np.square(b).sum()
    assert np.square(orthogonal - b).sum() > 0.05 * np.square(b).sum()


def test_fewer_rows_than_dimensions():
    a = rows(60, 200)
    b = a @ oracles.rotation(200, np.random.default_rng(0)).astype(np.float32)
    for method in ("orthogonal", "linear"):
        mapped = embaudit.fit_map(a, b, method=method, metric="euclidean").transform(a)
        assert np.square(mapped - b).sum() < 1e-3 * np.square(b).sum(), method


def test_it_recovers_on_unseen_rows_what_the_audit_promises():
    a, b = SETS["w2v_seed1"], SETS["w2v_seed2"]
    promised = embaudit.compare(a, b).measures["recall.b_to_a.linear"].value
    half = len(a) // 2
    fitted = embaudit.fit_map(a[:half], b[:half], direction="b_to_a", method="linear")
    assert fitted.dims == (128, 128)
    assert fitted.rows <= half
    kept = neighbours_kept(fitted.transform(b[half:]), a[half:])
    assert kept == pytest.approx(promised, abs=0.05)
    assert neighbours_kept(b[half:], a[half:]) < 0.1


def test_the_same_map_at_any_thread_count():
    a, b = SETS["minilm"][:600], SETS["minilm_ft120"][:600]
    one, three = (embaudit.fit_map(a, b, method="linear", threads=count) for count in (1, 3))
    assert np.array_equal(one.affine.matrix, three.affine.matrix)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (rows(5, 9), "dimension 9; the map takes 10"),
        (rows(5)[0], "1-D array"),
        (np.full((2, 10), np.nan, np.float32), "NaN or inf"),
        (np.array([["a"] * 10]), "dtype <U1 is not supported"),
    ],
)
def test_rows_that_it_cannot_map_are_refused(given, complaint):
    fitted = embaudit.fit_map(rows(), rows(seed=1))
    with pytest.raises(InputError, match=complaint):
        fitted.transform(given)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"method": "linaer"}, "did you mean 'linear'"),
        ({"direction": "b_to_b"}, "expected a_to_b or b_to_a"),
        ({"metric": "cosin"}, "did you mean 'cosine'"),
    ],
)
def test_what_cannot_be_fitted(options, complaint):
    with pytest.raises(UsageError, match=complaint):
        embaudit.fit_map(rows(), rows(seed=1), **options)


def test_what_float32_cannot_hold_is_refused():
    a = rows().astype(np.float64)
    fitted = embaudit.fit_map(a * 1e20, a * 1e29, metric="euclidean")
    with pytest.raises(InputError, match="too large to be mapped to float32"):
        fitted.transform(a * 1e35)


def test_a_map_needs_rows():
    with pytest.raises(InputError, match="5 distinct paired rows; a map needs at least 8"):
        embaudit.fit_map(rows(5), rows(5, seed=1))
