"""The best rows of each query: the accumulator against a full sort, and what settles ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embaudit.stats.topk import NO_ROW, Candidates, TopK, first_thresholds, resolve, survivors


def sorted_best(scores, size):
    """Return the best rows and scores of each query, shapes (queries, size), lower rows first."""
    queries, count = scores.shape
    rows = np.full((queries, size), NO_ROW)
    best = np.full((queries, size), -np.inf)
    for query in range(queries):
        usable = [row for row in range(count) if scores[query, row] > -np.inf]
        order = sorted(usable, key=lambda row: (-scores[query, row], row))[:size]
        rows[query, : len(order)] = order
        best[query, : len(order)] = scores[query, order]
    return rows, best


def random_scores(queries, rows, seed, levels=None, dtype=np.float64):
    """Scores with many ties where `levels` is small; a few rows may not be returned."""
    generator = np.random.default_rng(seed)
    scores = generator.standard_normal((queries, rows)).astype(dtype)
    if levels:
        scores = generator.integers(0, levels, (queries, rows)).astype(dtype)
    scores[generator.random((queries, rows)) < 0.05] = -np.inf
    return scores


def scan_blocks(scores, size, step, first=0):
    """Offer blocks of rows in ascending order, as a search does."""
    top = TopK(len(scores), size)
    for start in range(0, scores.shape[1], step):
        block = np.ascontiguousarray(scores[:, start : start + step].T)
        thresholds = top.thresholds.astype(scores.dtype)
        if np.isneginf(thresholds).any():
            thresholds = np.maximum(thresholds, first_thresholds(block, size))
        room = np.empty(block.shape, np.bool_)
        queries, rows, values = survivors(block, thresholds, room)
        top.add(queries, first + start + rows, values)
    top.flush()
    return top


shapes = st.tuples(st.integers(1, 6), st.integers(1, 80), st.integers(1, 12), st.integers(1, 40))


@given(shapes, st.sampled_from([None, 2, 5]), st.sampled_from(["f4", "f8"]), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_equals_a_full_sort_with_ties_to_lower_rows(shape, levels, dtype, seed):
    queries, count, size, step = shape
    scores = random_scores(queries, count, seed, levels, np.dtype(dtype))
    rows, best = sorted_best(scores, size)
    top = scan_blocks(scores, size, step)
    assert np.array_equal(top.rows, rows)
    assert np.array_equal(top.scores, best)


@given(shapes, st.sampled_from([None, 3]), st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_merging_parts_of_a_corpus_in_any_order_equals_one_pass(shape, levels, seed):
    queries, count, size, step = shape
    scores = random_scores(queries, 3 * count, seed, levels)
    parts = [
        scan_blocks(scores[:, start : start + count], size, step, start)
        for start in (0, count, 2 * count)
    ]
    rows, best = sorted_best(scores, size)
    first, second, third = parts
    for merged in (
        first.merge(second).merge(third),
        first.merge(second.merge(third)),
        third.merge(first).merge(second),
    ):
        assert np.array_equal(merged.rows, rows)
        assert np.array_equal(merged.scores, best)


@given(st.integers(1, 60), st.integers(1, 8), st.sampled_from([None, 2]), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_survivors_pass_what_can_enter_and_no_forbidden_row(count, size, levels, seed):
    scores = np.ascontiguousarray(random_scores(3, count, seed, levels, np.float32).T)
    thresholds = np.maximum(
        np.array([-np.inf, 0.5, np.inf], np.float32), first_thresholds(scores, size)
    )
    queries, rows, values = survivors(scores, thresholds, np.empty((count, 3), np.bool_))
    assert np.array_equal(values, scores[rows, queries])
    passed = set(zip(queries.tolist(), rows.tolist(), strict=True))
    assert all(scores[row, query] > thresholds[query] for query, row in passed)
    best, _ = sorted_best(scores.T, size)
    for query in range(3):
        wanted = {row for row in best[query].tolist() if row != NO_ROW}
        assert {row for row in wanted if scores[row, query] > thresholds[query]} <= {
            row for other, row in passed if other == query
        }


def candidates_of(exact, size, error, seed=0):
    """Candidates whose scores are wrong by up to `error`, from exact scores (queries, rows)."""
    noise = np.random.default_rng(seed).uniform(-error, error, exact.shape)
    top = scan_blocks(exact + noise - 2.0, size, 16)
    queries = np.arange(len(exact))
    return Candidates.of(top, queries, np.full(len(exact), 2.0), np.full(len(exact), error + 1e-15))


def exact_function(exact, asked=None):
    def score(queries, rows):
        if asked is not None:
            asked.append(len(rows))
        return exact[queries, rows]

    return score


@pytest.mark.parametrize("levels", [None, 50, 8])
@pytest.mark.parametrize("error", [0.0, 1e-3, 0.05])
def test_resolve_returns_the_exact_best_from_scores_wrong_within_the_error(levels, error):
    k, exact = 5, random_scores(40, 200, 1, levels)
    if levels:
        exact = exact / levels
    exact[np.isneginf(exact)] = -9.0
    candidates = candidates_of(exact, 4 * k, error)
    found = resolve(candidates, k, exact_function(exact), 1e-9)
    rows, best = sorted_best(exact, k)
    limits = best[:, -1] - 1e-9
    for query in range(len(exact)):
        reaching = set(np.flatnonzero(exact[query] >= limits[query]).tolist())
        returned = found.rows[query].tolist()
        assert len(set(returned)) == k
        assert set(returned) <= reaching
        if not found.open[query]:
            assert set(returned) == set(rows[query].tolist())
            assert set(found.reached[query].tolist()) - {NO_ROW} == reaching
    everything = np.tile(np.arange(200), (len(exact), 1))
    counted = found.hits(everything, exact_function(exact))
    assert np.array_equal(counted, (exact >= limits[:, None]).sum(axis=1))
    if levels != 50:
        assert found.open.any() == (levels == 8)


def test_settled_scores_are_not_asked_for_again():
    exact = np.random.default_rng(0).permuted(np.tile(np.arange(100.0), (10, 1)), axis=1)
    asked = []
    found = resolve(candidates_of(exact, 20, 0.1), 5, exact_function(exact, asked), 0.0)
    assert np.array_equal(found.rows, np.argsort(-exact, axis=1)[:, :5])
    assert np.array_equal(found.hits(found.rows, exact_function(exact, asked)), np.full(10, 5.0))
    assert asked == []


def test_scores_within_the_tolerance_are_ties_even_where_the_error_is_smaller():
    exact = np.array([[5.0, 3.0, 4.0, 4.0 + 1e-13, 4.0 - 1e-13, 1.0]])
    found = resolve(candidates_of(exact, 5, 1e-15), 2, exact_function(exact), 1e-12)
    assert found.rows.tolist() == [[0, 2]]
    assert set(found.reached[0].tolist()) == {0, 2, 3, 4, NO_ROW}


@pytest.mark.parametrize("error", [0.0, 1e-3])
def test_more_ties_than_candidates_are_open_and_counted_by_exact_scores(error):
    k, exact = 3, np.zeros((6, 90))
    exact[:, 70] = 1.0
    exact[:, 80:] = -1.0
    exact[5, :60] = -1.0
    candidates = candidates_of(exact, 4 * k, error)
    found = resolve(candidates, k, exact_function(exact), 1e-12)
    assert found.open.all()
    assert np.array_equal(found.kth, np.full(6, -1e-12))
    for rows, reached in (([70, 75, 79], 3), ([70, 79, 85], 2), ([80, 81, NO_ROW], 0)):
        asked = np.tile(rows, (6, 1))
        assert np.array_equal(found.hits(asked, exact_function(exact)), np.full(6, float(reached)))


def test_fewer_rows_than_candidates_leave_nothing_open():
    exact = np.random.default_rng(0).standard_normal((4, 10))
    candidates = candidates_of(exact, 12, 0.5)
    assert np.isneginf(candidates.bound).all()
    found = resolve(candidates, 3, exact_function(exact), 0.0)
    assert not found.open.any()
    assert np.array_equal(np.sort(found.rows), np.sort(np.argsort(-exact, axis=1)[:, :3]))


def test_candidates_of_two_corpora_are_those_of_both_together():
    exact = np.random.default_rng(0).integers(0, 6, (5, 120)).astype(np.float64)
    whole = candidates_of(exact, 20, 0.0)
    first, second = candidates_of(exact[:, :50], 20, 0.0), candidates_of(exact[:, 50:], 20, 0.0)
    both = first.union(second.offset(50))
    assert np.array_equal(both.rows[:, :20], whole.rows)
    assert np.array_equal(both.scores[:, :20], whole.scores)
    assert np.array_equal(both.bound, np.maximum(first.bound, second.bound))
    settled = resolve(both, 5, exact_function(exact), 0.0)
    one_pass = resolve(whole, 5, exact_function(exact), 0.0)
    assert np.array_equal(settled.rows, one_pass.rows)
