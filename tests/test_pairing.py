"""Partner ranks against a loop, and what is concluded from them about the pairing."""

from __future__ import annotations

import math

import numpy as np
import oracles
import pytest
from scipy.stats import binomtest

from embaudit.datatypes import Metric
from embaudit.measures.pairing import (
    judge,
    judge_raw,
    mispaired_fraction,
    tail_is_flat,
    two_kinds,
)
from embaudit.stats.ranks import REFERENCES, Partners

ALPHA = 0.05


def rows_of(n, dim=16, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim))


def ranks_of(vectors, targets, metric=Metric.COSINE, seed=0):
    return Partners(targets, metric).ranks(vectors, np.random.default_rng(seed))


def partly_shuffled(rows, share, seed=2):
    """Rows of which a share have been handed round among themselves."""
    chosen = np.random.default_rng(seed).choice(len(rows), round(share * len(rows)), replace=False)
    changed = rows.copy()
    changed[chosen] = rows[np.roll(chosen, 1)]
    return changed, chosen


def loop_bounds(vectors, targets, metric):
    """Least and largest rank of each row among all others, over all values of u."""
    return np.array(
        [
            [
                oracles.partner_rank(
                    vectors[row], targets[row], np.delete(targets, row, axis=0), metric, u
                )
                for u in (0.0, 1.0)
            ]
            for row in range(len(vectors))
        ]
    ).T


# Ranks


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("kind", ["noisy", "unrelated", "whole numbers", "far mean"])
def test_ranks_equal_a_loop_where_every_other_row_is_a_reference(kind, metric):
    targets = rows_of(50, 5)
    vectors = targets + rows_of(50, 5, seed=1)
    if kind == "unrelated":
        vectors = rows_of(50, 5, seed=1)
    if kind == "whole numbers":
        targets, vectors = (np.sign(targets) + 2.0)[:, :3], (np.sign(vectors) + 2.0)[:, :3]
    if kind == "far mean":
        targets, vectors = targets + 300.0, vectors + 300.0
    least, most = loop_bounds(vectors, targets, str(metric))
    found = ranks_of(vectors, targets, metric)
    assert (found >= least - 1e-12).all()
    assert (found <= most + 1e-12).all()
    assert (found > 0.0).all()
    assert (found < 1.0).all()


@pytest.mark.parametrize("metric", list(Metric))
def test_references_are_512_other_rows(metric):
    n = 1500
    targets = rows_of(n)
    # Equal rows tie with themselves: a reference that is the row itself would count as a tie.
    itself = ranks_of(targets, targets, metric)
    assert (itself * (REFERENCES + 1) < 1.0).all()
    vectors = rows_of(n, seed=1)
    whole = np.floor(ranks_of(vectors, targets, metric) * (REFERENCES + 1)) / REFERENCES
    least, _ = loop_bounds(vectors[:20], targets, str(metric))
    assert np.abs(whole[:20] - least).max() < 0.09


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("kind", ["shuffled", "all tied", "mostly one row"])
def test_ranks_of_rows_that_do_not_correspond_are_uniform(kind, metric):
    n = 4000
    targets = rows_of(n)
    if kind == "all tied":
        targets = np.tile(targets[:1], (n, 1))
    if kind == "mostly one row":
        targets[np.random.default_rng(3).random(n) < 0.9] = targets[0]
    ranks = ranks_of(np.roll(targets, 1000, axis=0) + 0.1 * rows_of(n, seed=4), targets, metric)
    assert ranks.mean() == pytest.approx(0.5, abs=0.02)
    for edge in (0.1, 0.5, 0.9):
        assert (ranks <= edge).mean() == pytest.approx(edge, abs=0.025)


def test_the_generator_decides_the_draw():
    vectors, targets = rows_of(700), rows_of(700, seed=1)
    assert np.array_equal(ranks_of(vectors, targets, seed=1), ranks_of(vectors, targets, seed=1))
    assert not np.array_equal(
        ranks_of(vectors, targets, seed=1), ranks_of(vectors, targets, seed=2)
    )


# Mispaired rows


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.2, 0.5, 1.0])
def test_the_fraction_of_shuffled_rows_is_recovered(share):
    rows = rows_of(4096)
    shuffled, chosen = partly_shuffled(rows, share)
    ranks = ranks_of(rows + 0.3 * rows_of(4096, seed=1), shuffled)
    found = mispaired_fraction(ranks, ALPHA)
    assert found.value == pytest.approx(share, abs=0.003 + 3.0 * math.sqrt(10.0 * share / 4096))
    assert found.low <= share <= found.high
    assert tail_is_flat(ranks)
    suspects = judge({("a_to_b", "raw"): ranks}, np.arange(4096), 1.0, ALPHA).suspects
    assert set(suspects.tolist()) <= set(chosen.tolist())
    assert len(suspects) == pytest.approx(0.5 * len(chosen), abs=0.1 * len(chosen) + 1)


def test_the_estimate_is_ten_times_the_share_above_nine_tenths():
    ranks = np.concatenate([np.full(930, 0.01), np.linspace(0.0, 1.0, 72)[1:-1]])
    above = int((ranks > 0.9).sum())
    found = mispaired_fraction(ranks, ALPHA)
    interval = binomtest(above, 1000).proportion_ci(1.0 - ALPHA, "exact")
    assert found.value == pytest.approx(10.0 * above / 1000)
    assert (found.low, found.high) == pytest.approx((10.0 * interval.low, 10.0 * interval.high))


def test_a_rising_tail_takes_the_lowest_bound_and_the_fraction_stays_a_share():
    generator = np.random.default_rng(0)
    far = 1.0 - 0.5 * generator.random(400) ** 2
    ranks = np.concatenate([np.full(1600, 0.01), far])
    assert tail_is_flat(ranks)
    found = mispaired_fraction(ranks, ALPHA)
    assert found.value == pytest.approx(
        min(np.mean(ranks > t) / (1.0 - t) for t in (0.9, 0.5, 0.2))
    )
    assert found.value < 10.0 * np.mean(ranks > 0.9)
    everything = mispaired_fraction(np.full(100, 0.99), ALPHA)
    assert (everything.value, everything.high) == (1.0, 1.0)


def test_the_tail_of_a_weak_relation_declines():
    shared = rows_of(4096, 2)
    weak = [np.concatenate([shared, 1.2 * rows_of(4096, 8, seed=seed)], axis=1) for seed in (1, 2)]
    ranks = ranks_of(*weak)
    assert mispaired_fraction(ranks, ALPHA).low > 0.02
    assert not tail_is_flat(ranks)
    near, far = ((ranks > 0.6) & (ranks <= 0.8)).sum(), (ranks > 0.8).sum()
    assert (near - far) / math.sqrt(near + far) > 3.3


# Which view decides


def test_stored_vectors_decide_where_they_find_partners_else_the_best_map():
    generator = np.random.default_rng(0)
    rows = np.arange(500)
    good, fair, bad = (
        generator.random(500) / 20.0,
        generator.random(500) / 1.5,
        generator.random(500),
    )
    views = {
        ("a_to_b", "raw"): fair,
        ("a_to_b", "orthogonal"): bad,
        ("b_to_a", "raw"): bad,
        ("b_to_a", "linear"): good,
    }
    by_raw = judge(views, rows, 0.5, ALPHA)
    assert (by_raw.view, by_raw.by_raw) == (("a_to_b", "raw"), True)
    assert by_raw.median_rank == np.median(fair)
    by_map = judge(views, rows, 0.49, ALPHA)
    assert (by_map.view, by_map.by_raw) == (("b_to_a", "linear"), False)
    assert by_map.fraction.value == 0.0
    assert judge_raw(views, rows, ALPHA).view == ("a_to_b", "raw")
    mapped = {view: ranks for view, ranks in views.items() if view[1] != "raw"}
    assert judge(mapped, rows, None, ALPHA).view == ("b_to_a", "linear")
    assert judge_raw(mapped, rows, ALPHA) is None


def test_suspects_are_the_rows_of_the_worse_half_worst_first():
    ranks = np.array([0.1, 0.7, 0.5, 0.9, 0.6])
    found = judge_raw({("a_to_b", "raw"): ranks}, np.array([10, 20, 30, 40, 50]), ALPHA)
    assert found.suspects.tolist() == [40, 20, 50]


# Few rows, and two populations


@pytest.mark.parametrize("n", [60, 150, 400])
def test_few_rows_show_a_fifth_of_shuffled_partners(n):
    """Five times as many ranks are above 0.5 as above 0.9, of mispaired rows alone."""
    found = 0
    for seed in range(20):
        targets = rows_of(n, 16, seed)
        changed, _ = partly_shuffled(targets, 0.2, seed)
        ranks = ranks_of(targets + 0.1 * rows_of(n, 16, seed + 50), changed, seed=seed)
        judged = judge({("a_to_b", "raw"): ranks}, np.arange(n), 0.8, ALPHA)
        found += judged.fraction.low > 0.02
        assert judged.fraction.low <= 0.2 + 1e-9
    assert found >= 12


def test_clean_rows_have_no_fraction_however_few():
    for seed in range(50):
        targets = rows_of(80, 16, seed)
        ranks = ranks_of(targets + 0.5 * rows_of(80, 16, seed + 50), targets, seed=seed)
        assert judge({("a_to_b", "raw"): ranks}, np.arange(80), 0.9, ALPHA).fraction.low <= 0.02


def test_a_weak_relation_is_not_judged_by_ranks_above_one_half():
    shared = rows_of(4096, 3)
    weak = [np.concatenate([shared, rows_of(4096, 6, seed=seed)], axis=1) for seed in (1, 2)]
    ranks = ranks_of(*weak)
    assert np.median(ranks) > 0.01
    judged = judge({("a_to_b", "raw"): ranks}, np.arange(4096), 0.9, ALPHA)
    assert judged.fraction.value == pytest.approx(10.0 * np.mean(ranks > 0.9))


@pytest.mark.parametrize("share", [0.5, 0.6, 0.75])
def test_rows_of_another_model_are_seen_where_a_map_explains_both_kinds(share):
    targets = rows_of(1500)
    changed, _ = partly_shuffled(targets, share)
    raw = ranks_of(targets + 0.1 * rows_of(1500, seed=9), changed)
    views = {("a_to_b", "raw"): raw, ("a_to_b", "linear"): np.full(1500, 0.001)}
    assert two_kinds(raw)
    judged = judge(views, np.arange(1500), 1.0 - share, ALPHA)
    assert judged.by_raw
    assert judged.fraction.value == pytest.approx(share, abs=0.1)


@pytest.mark.parametrize("blend", [0.0, 0.2, 0.4, 0.6])
def test_turned_or_weakly_related_rows_are_of_one_kind(blend):
    targets = rows_of(1500)
    turned = targets @ oracles.rotation(16, np.random.default_rng(3))
    assert not two_kinds(ranks_of(blend * targets + (1.0 - blend) * turned, targets))
