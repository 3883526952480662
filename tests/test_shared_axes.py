"""Columns that correspond, against exhaustive search and as properties of what was done."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from commands import run_code
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.pairs import load, rotation
from embaudit.measures.shared_axes import (
    SharedAxes,
    centred_cosine,
    trimmed_cosine,
    typical_cosine,
)

SETS = load()


def rows(n=300, dim=8, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim))


def best_order(a, b):
    """Try every order and every sign of the columns of a few-dimensional pair."""
    a, b = (x - x.mean(axis=0) for x in (a, b))

    def agreement(order, signs):
        return np.sum(a[:, list(order)] * np.array(signs) * b)

    dim = a.shape[1]
    choices = product(permutations(range(dim)), product([1, -1], repeat=dim))
    return max(choices, key=lambda choice: agreement(*choice))


@pytest.mark.parametrize("seed", range(5))
def test_the_match_is_that_of_an_exhaustive_search(seed):
    generator = np.random.default_rng(seed)
    a = rows(dim=4, seed=seed)
    changed = a[:, generator.permutation(4)] * generator.choice([-1, 1], 4)
    b = changed + 0.3 * generator.standard_normal(a.shape)
    order, signs = best_order(a, b)
    match = SharedAxes.of(a, b).match
    assert match is not None
    assert match.columns_a.tolist() == list(order)
    assert match.signs.tolist() == list(signs)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    dim=st.integers(3, 40),
    kept=st.integers(3, 40),
    swap=st.booleans(),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
)
def test_any_order_sign_and_unit_of_some_columns_is_undone(seed, dim, kept, swap, dtype):
    generator = np.random.default_rng(seed)
    a = rows(200, dim, seed)
    order = generator.permutation(dim)[:kept]
    signs = generator.choice([-1.0, 1.0], len(order))
    b = (a[:, order] * signs * 3.0 + generator.standard_normal(len(order))).astype(dtype)
    shared = SharedAxes.of(b, a) if swap else SharedAxes.of(a, b)
    match = shared.match
    assert match is not None
    assert (match.columns_b if swap and len(order) < dim else match.columns_a).tolist() == (
        np.argsort(order) if swap and len(order) == dim else order
    ).tolist()
    assert shared.undone_cosine > 0.999


def test_noise_moves_no_column():
    a = SETS["minilm"][:1000]
    noisy = a + 0.3 * a.std() * np.random.default_rng(0).standard_normal(a.shape)
    match = SharedAxes.of(a, noisy).match
    assert match is not None
    assert (match.moved, match.flipped) == (0, 0)


@pytest.mark.parametrize(
    ("a", "b"),
    [("w2v_seed1", "w2v_seed2"), ("minilm", "lsa"), ("minilm", "w2v_seed1"), ("lsa", "w2v_seed1")],
)
def test_two_models_share_no_columns(a, b):
    assert SharedAxes.of(SETS[a][:1000], SETS[b][:1000]).match is None


def test_a_rotation_shares_no_columns():
    a = SETS["minilm"][:1000]
    assert SharedAxes.of(a, a @ rotation(384)).match is None


def test_constant_columns_keep_their_place():
    a = rows(dim=12)
    a[:, [3, 7]] = 0.1
    b = a.copy()
    b[:, [0, 1]] = b[:, [1, 0]]
    match = SharedAxes.of(a, b).match
    assert match is not None
    assert match.columns_a.tolist() == [1, 0, *range(2, 12)]


def test_one_outlying_row_decides_nothing():
    a = rows(dim=12)
    b = a[:, ::-1].copy()
    b[5] += 1e6
    shared = SharedAxes.of(a, b)
    assert len(shared.a) == len(a) - 1
    assert shared.match is not None
    assert shared.match.columns_a.tolist() == list(range(12))[::-1]


def test_trailing_zeros_on_one_side_are_padding_and_on_both_are_not():
    a = rows(dim=6)
    wide = np.pad(a, ((0, 0), (0, 3)))
    assert SharedAxes.of(a, wide).padding == (0, 3)
    assert SharedAxes.of(wide, a).padding == (3, 0)
    assert SharedAxes.of(wide, wide).padding == (0, 0)
    both = np.pad(a, ((0, 0), (0, 5)))
    assert SharedAxes.of(wide, both).padding == (0, 2)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), dead=st.integers(0, 5), padding=st.integers(0, 5))
def test_dead_columns_that_moved_are_no_padding(seed, dead, padding):
    generator = np.random.default_rng(seed)
    a = rows(200, 12, seed)
    a[:, generator.permutation(12)[:dead]] = 0.0
    b = np.pad(a[:, generator.permutation(12)], ((0, 0), (0, padding)))
    assert SharedAxes.of(a, b).padding == (0, padding)
    assert SharedAxes.of(b, a).padding == (padding, 0)


def test_few_rows_match_nothing():
    assert SharedAxes.of(rows(40), rows(40)).match is None


def test_cosines_are_medians_over_rows():
    x = rows(101, 5)
    y = x.copy()
    y[:20] *= -1
    assert typical_cosine(x, y) == pytest.approx(1.0)
    assert typical_cosine(x, -y) == pytest.approx(-1.0)
    assert centred_cosine(x, 2 * x + 7) == pytest.approx(1.0)
    plain = [u @ v / np.linalg.norm(u) / np.linalg.norm(v) for u, v in zip(x, x + 1, strict=True)]
    assert typical_cosine(x, x + 1) == pytest.approx(np.median(plain))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.1])
def test_a_few_foreign_partners_do_not_move_the_trimmed_cosine(share):
    x = rows(2000, 20) + 3.0
    y = x + 0.1 * rows(2000, 20, seed=1)
    foreign = round(share * len(x))
    changed = y.copy()
    changed[:foreign] = rows(foreign, 20, seed=2)
    assert trimmed_cosine(x, changed) == pytest.approx(centred_cosine(x, y), abs=2e-4)
    assert trimmed_cosine(x[:0], y[:0]) == 0.0


def test_a_pair_without_moved_columns_needs_no_assignment():
    sample = Path(__file__).parent.parent / "sample_data"
    done = run_code(
        "import sys, embaudit\n"
        f"embaudit.compare({str(sample / 'minilm.npy')!r}, {str(sample / 'minilm_w8.npy')!r})\n"
        "print(*sys.modules)"
    )
    loaded = set(done.stdout.split())
    assert "embaudit.measures.shared_axes" in loaded
    assert loaded.isdisjoint({"scipy.optimize", "scipy.spatial", "scipy.stats", "sklearn"})
