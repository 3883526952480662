"""Bounds from leading axes: they hold, and what they leave out changes nothing that is found."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embaudit.data.embedding_set import ArraySet
from embaudit.data.pair import Pair
from embaudit.datatypes import Metric, SilentProgress
from embaudit.streaming import pruning as bounds
from embaudit.streaming import search as pass_two
from embaudit.streaming.corpus import Corpus
from embaudit.streaming.pruning import SLACK, Pruner, pair_scores
from embaudit.streaming.query_stack import QueryStack, View
from embaudit.streaming.scan import scan
from embaudit.streaming.search import search

ROWS, DIM = 900, 40


def low_rank_rows(seed=0, rank=4, noise=0.05, mean=0.0, dtype=np.float32):
    generator = np.random.default_rng([seed, 1])
    basis = np.random.default_rng(7).standard_normal((rank, DIM))
    rows = generator.standard_normal((ROWS, rank)) @ basis
    return (rows + noise * generator.standard_normal((ROWS, DIM)) + mean).astype(dtype)


def axes_of(preparation, stored):
    prepared = preparation.rows(stored)
    centred = prepared - prepared.mean(axis=0)
    return np.linalg.eigh(centred.T @ centred)[1][:, ::-1]


def corpus_and_queries(corpus_rows, query_rows, metric, kept=None):
    """A corpus that knows its axes, and other stored rows as prepared query vectors."""
    pair = Pair(ArraySet(corpus_rows), ArraySet(query_rows))
    found = scan(pair, metric, 1, SilentProgress())
    kept = found.kept(metric, True) if kept is None else kept
    half = np.random.default_rng(9).random(len(kept)) < 0.5
    preparation = found.a.preparation
    axes = axes_of(preparation, corpus_rows)
    return Corpus(pair.a, preparation, kept, half, axes), found.b.preparation.rows(query_rows)


KINDS = {
    "low rank": lambda: (low_rank_rows(), low_rank_rows(1)),
    "far mean": lambda: (low_rank_rows(mean=40.0), low_rank_rows(1, mean=40.0)),
    "full rank": lambda: (low_rank_rows(rank=DIM), low_rank_rows(1, rank=DIM)),
    "no noise": lambda: (low_rank_rows(noise=0.0), low_rank_rows(1, noise=0.0)),
    "other scales": lambda: (low_rank_rows() * np.float32(1e6), low_rank_rows(1) / np.float32(1e3)),
    "float16": lambda: (low_rank_rows(dtype=np.float16), low_rank_rows(1, dtype=np.float16)),
}


@pytest.mark.parametrize("rank", [1, 5, DIM // 2, DIM])
@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("kind", KINDS)
def test_no_score_is_above_its_bound(kind, metric, rank):
    corpus, vectors = corpus_and_queries(*KINDS[kind](), metric)
    stored = next(corpus.source.blocks([(0, ROWS)]))
    own = corpus.preparation.rows(stored)
    stack = QueryStack(
        corpus, {"own": View(own[:60]), "other": View(vectors[:60])}, np.dtype(np.float32)
    )
    block = np.empty((ROWS, stack.width), np.float32)
    squares = stack.fill(stored, block)
    norms = stack.largest(block, squares)
    pruner = Pruner(stack, corpus.axes, corpus.preparation.shift)
    columns = np.arange(stack.columns)[::3]
    pruning = pruner.leading(min(rank, DIM - 1)).only(columns)
    upper = pruning.upper(block, squares, np.empty((ROWS, len(columns)), np.float32))
    exact = block.astype(np.float64) @ stack.queries[columns].T.astype(np.float64)
    slack = SLACK * stack.rounding(norms)[columns]
    assert (exact <= upper + slack).all()
    plain = block @ stack.queries[columns].T
    assert (plain <= upper + slack).all()
    rows = np.repeat(np.arange(ROWS), 3)
    chosen = np.tile(columns[:3], ROWS)
    pairs = pair_scores(block, stack.queries, rows, chosen)
    assert (pairs <= (upper + slack)[rows, np.tile(np.arange(3), ROWS)]).all()
    np.testing.assert_allclose(pairs, plain[rows, np.tile(np.arange(3), ROWS)], atol=slack.max())


def pruned_columns(monkeypatch):
    """Count the columns that are pruned in every round."""
    counts = []
    choose = Pruner.choose

    def counted(self, *arguments):
        pruning = choose(self, *arguments)
        counts.append(0 if pruning is None else len(pruning.columns))
        return pruning

    monkeypatch.setattr(Pruner, "choose", counted)
    return counts


def small_blocks(monkeypatch):
    monkeypatch.setattr(pass_two, "CORPUS_BYTES", 1)
    monkeypatch.setattr(pass_two, "PRUNED_FROM", 2)
    # Blocks of 64 rows: what rotating them costs is not made up for by their number.
    monkeypatch.setattr(bounds, "PAIR_COST", 1.0)


def run(corpus, own, views, workers=1):
    return search(corpus, own, views, 6, np.float32, workers, SilentProgress())


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("kind", KINDS)
def test_a_pruned_search_finds_what_a_plain_one_finds(monkeypatch, kind, metric):
    small_blocks(monkeypatch)
    counts = pruned_columns(monkeypatch)
    kept = np.random.default_rng(3).random(ROWS) < 0.8
    corpus, vectors = corpus_and_queries(*KINDS[kind](), metric, kept)
    own = np.random.default_rng(4).permutation(np.flatnonzero(kept))[:120]
    views = {
        "own": View(corpus.preparation.rows(corpus.source.take(own)), by_half=True),
        "other": View(vectors[own]),
    }
    found = run(corpus, own, views)
    if kind in {"low rank", "far mean", "no noise"}:
        assert max(counts) > 0
    plain = run(Corpus(corpus.source, corpus.preparation, kept, corpus.half), own, views)
    stored = next(corpus.source.blocks([(0, ROWS)]))
    for name, view in views.items():
        exact = oracles.scores(view.vectors, corpus.preparation.rows(stored), str(metric))
        exact[:, ~kept] = -np.inf
        exact[np.arange(len(own)), own] = -np.inf
        lists = [(found[name].all, plain[name].all, np.ones(ROWS, np.bool_))]
        if view.by_half:
            sides = zip(found[name].halves, plain[name].halves, strict=True)
            masks = (corpus.half, ~corpus.half)
            lists += [(*both, mask) for both, mask in zip(sides, masks, strict=True)]
        for pruned, straight, mask in lists:
            allowed = np.where(mask, exact, -np.inf)
            best = -np.sort(-allowed, axis=1)[:, :6]
            true = np.take_along_axis(allowed, pruned.rows[:, :6], axis=1)
            # What float32 cannot tell apart may change places, within the stated error.
            assert (true >= best - 2.0 * pruned.error[:, None]).all()
            assert np.array_equal(pruned.error, straight.error)
            assert (np.abs(pruned.scores[:, :6] - true) <= pruned.error[:, None]).all()


@given(st.integers(0, 10_000), st.sampled_from(list(Metric)), st.integers(1, 30))
@settings(max_examples=15, deadline=None)
def test_thread_count_changes_no_byte_of_a_pruned_search(seed, metric, rank):
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_blocks(monkeypatch)
        corpus, vectors = corpus_and_queries(
            low_rank_rows(seed, rank), low_rank_rows(seed + 1, rank), metric
        )
        own = np.arange(0, ROWS, 7)
        views = {"other": View(vectors[own], by_half=True)}
        runs = [run(corpus, own, views, workers)["other"].all for workers in (1, 2, 3)]
    for other in runs[1:]:
        for field in ("rows", "scores", "error", "bound"):
            assert getattr(other, field).tobytes() == getattr(runs[0], field).tobytes()


def test_views_that_bounds_do_not_help_are_scored_plainly(monkeypatch):
    small_blocks(monkeypatch)
    corpus, _ = corpus_and_queries(low_rank_rows(), low_rank_rows(1), Metric.DOT)
    own = np.arange(120)
    # Queries across the axes: their scores are all in what the axes leave out.
    across = np.random.default_rng(5).standard_normal((120, 30)) @ corpus.axes[:, 10:].T
    stack = QueryStack(
        corpus,
        {"own": View(corpus.preparation.rows(corpus.source.take(own))), "across": View(across)},
        np.dtype(np.float32),
    )
    block = np.empty((ROWS, stack.width), np.float32)
    squares = stack.fill(next(corpus.source.blocks([(0, ROWS)])), block)
    scores = block @ stack.queries.T
    thresholds = np.partition(scores, ROWS - 6, axis=0)[ROWS - 6]
    pruner = Pruner(stack, corpus.axes, corpus.preparation.shift)
    pruning = pruner.choose(block, squares, thresholds)
    assert pruning.columns.tolist() == list(range(120))
    assert pruning.others.tolist() == list(range(120, 240))
    isotropic, _ = corpus_and_queries(
        low_rank_rows(rank=DIM, noise=9.0), low_rank_rows(1), Metric.DOT
    )
    stored = next(isotropic.source.blocks([(0, ROWS)]))
    stack = QueryStack(
        isotropic, {"own": View(isotropic.preparation.rows(stored[:120]))}, np.dtype(np.float32)
    )
    squares = stack.fill(stored, block)
    thresholds = np.partition(block @ stack.queries.T, ROWS - 6, axis=0)[ROWS - 6]
    pruner = Pruner(stack, isotropic.axes, isotropic.preparation.shift)
    assert pruner.choose(block, squares, thresholds) is None


@pytest.mark.parametrize("dropped", [slice(200, 420), slice(0, 800), slice(250, 260)])
def test_runs_of_rows_that_are_left_out_change_nothing(monkeypatch, dropped):
    small_blocks(monkeypatch)
    kept = np.ones(ROWS, np.bool_)
    kept[dropped] = False
    corpus, vectors = corpus_and_queries(low_rank_rows(), low_rank_rows(1), Metric.COSINE, kept)
    own = np.flatnonzero(kept)[:60]
    views = {"other": View(vectors[own])}
    found = run(corpus, own, views)["other"].all
    exact = vectors[own] @ corpus.preparation.rows(next(corpus.source.blocks([(0, ROWS)]))).T
    exact[:, ~kept] = -np.inf
    exact[np.arange(len(own)), own] = -np.inf
    best = -np.sort(-exact, axis=1)[:, :6]
    true = np.take_along_axis(exact, found.rows, axis=1)
    assert (true >= best - 2.0 * found.error[:, None]).all()


def test_a_block_that_axes_do_not_help_is_scored_plainly(monkeypatch):
    small_blocks(monkeypatch)
    counts = pruned_columns(monkeypatch)
    generator = np.random.default_rng(0)
    rows = low_rank_rows(noise=1e-3)
    rows[ROWS // 2 :] = generator.standard_normal((ROWS - ROWS // 2, DIM))
    others = rows + 0.01 * generator.standard_normal((ROWS, DIM)).astype(np.float32)
    corpus, vectors = corpus_and_queries(rows, others, Metric.COSINE)
    asked = []
    scored = bounds.pair_scores

    def counted(block, *arguments):
        asked.append(len(arguments[1]) / (len(block) * 60))
        return scored(block, *arguments)

    monkeypatch.setattr(pass_two, "pair_scores", counted)
    monkeypatch.setattr(bounds, "PAIR_COST", 4.0)
    own = np.arange(ROWS // 2, ROWS // 2 + 60)
    run(corpus, own, {"other": View(vectors[own])})
    assert max(counts) > 0
    # At most a quarter of the pairs of a block, as far as one row in sixteen tells.
    assert max(asked, default=0.0) < 0.5


def test_far_smaller_rows_keep_their_error_bound():
    rows, queries = low_rank_rows() * np.float32(1e-24), low_rank_rows(1)
    corpus, vectors = corpus_and_queries(rows, queries, Metric.DOT)
    own = np.arange(0, ROWS, 9)
    with pytest.MonkeyPatch.context() as monkeypatch:
        small_blocks(monkeypatch)
        found = run(corpus, own, {"other": View(vectors[own])})["other"].all
    exact = oracles.scores(vectors[own], corpus.preparation.rows(rows), "dot")
    true = np.take_along_axis(exact, found.rows, axis=1)
    assert (np.abs(found.scores - true) <= found.error[:, None]).all()
    exact[np.arange(len(own)), own] = -np.inf
    best = -np.sort(-exact, axis=1)[:, :6]
    assert (true >= best - 2.0 * found.error[:, None]).all()


def test_a_pair_has_one_score_alone_and_among_others():
    generator = np.random.default_rng(0)
    block, queries = generator.standard_normal((2, 40, 9000)).astype(np.float32)
    rows, columns = generator.integers(0, 40, (2, 137))
    together = pair_scores(block, queries, rows, columns)
    for row, column, score in zip(rows, columns, together, strict=True):
        assert pair_scores(block, queries, np.array([row]), np.array([column]))[0] == score
