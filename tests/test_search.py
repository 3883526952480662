"""One search of a corpus: what it finds, and whether its error bound holds."""

from __future__ import annotations

import numpy as np
import oracles
import pytest

from embaudit.data.embedding_set import ArraySet
from embaudit.data.pair import Pair
from embaudit.datatypes import Metric, SilentProgress
from embaudit.streaming import search as pass_two
from embaudit.streaming.corpus import Corpus
from embaudit.streaming.query_stack import View
from embaudit.streaming.scan import scan
from embaudit.streaming.search import search

ROWS = 700


def corpus_and_queries(corpus_rows, query_rows, metric, kept=None):
    """A corpus of stored rows, and other stored rows as prepared query vectors."""
    pair = Pair(ArraySet(corpus_rows), ArraySet(query_rows))
    found = scan(pair, metric, 1, SilentProgress())
    kept = found.kept(metric, True) if kept is None else kept
    half = np.random.default_rng(9).random(len(kept)) < 0.5
    corpus = Corpus(pair.a, found.a.preparation, kept, half)
    return corpus, found.b.preparation.rows(query_rows)


def random_rows(n=ROWS, dim=24, seed=0, mean=0.0):
    return (np.random.default_rng(seed).standard_normal((n, dim)) + mean).astype(np.float32)


def run(corpus, rows, views, precision=np.float32, size=12, workers=1):
    return search(corpus, rows, views, size, precision, workers, SilentProgress())


def best_rows(corpus, vectors, own, size, allowed):
    """Rows by exact score, the query's own and those not allowed left out."""
    stored = next(corpus.source.blocks([(0, corpus.source.rows)]))
    scores = oracles.scores(vectors, corpus.preparation.rows(stored), str(corpus.metric))
    scores[:, ~allowed] = -np.inf
    scores[np.arange(len(own)), own] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :size]


@pytest.mark.parametrize("budget", [1, 12 << 20], ids=["many blocks", "one block"])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("metric", list(Metric))
def test_finds_the_best_kept_rows_of_every_view_and_half(monkeypatch, metric, precision, budget):
    monkeypatch.setattr(pass_two, "CORPUS_BYTES", budget)
    generator = np.random.default_rng(1)
    kept = generator.random(ROWS) < 0.7
    corpus, vectors = corpus_and_queries(random_rows(), random_rows(seed=2), metric, kept)
    own = generator.permutation(np.flatnonzero(kept))[:60]
    views = {
        "split": View(vectors[own], by_half=True),
        "plain": View(corpus.preparation.rows(corpus.source.take(own))),
    }
    found = run(corpus, own, views, precision)
    for name, view in views.items():
        expected = best_rows(corpus, view.vectors, own, 12, kept)
        assert np.array_equal(found[name].all.rows[:, :12], expected)
    assert found["plain"].halves is None
    for candidates, half in zip(found["split"].halves, (corpus.half, ~corpus.half), strict=True):
        expected = best_rows(corpus, vectors[own], own, 12, kept & half)
        assert np.array_equal(candidates.rows, expected)


def scales(corpus_scale, query_scale):
    return lambda: (random_rows() * np.float32(corpus_scale), random_rows(seed=3) * query_scale)


def codes():
    """Rows of signs around few centres: equal products, whose rounding adds up."""
    generator = np.random.default_rng(4)
    centres = np.sign(generator.standard_normal((9, 300)))
    rows = centres[generator.integers(0, 9, ROWS)]
    rows = np.where(generator.random(rows.shape) < 0.03, -rows, rows).astype(np.float32)
    return rows, rows[::-1].copy()


PAIRS = {
    "plain": scales(1.0, 1.0),
    "far mean": lambda: (random_rows(mean=300.0), random_rows(seed=3, mean=300.0)),
    "queries far from the mean": lambda: (random_rows(mean=6.0), random_rows(seed=3, mean=-50.0)),
    "queries at the mean": lambda: (random_rows(mean=6.0), np.full((ROWS, 24), 6.0, np.float32)),
    "larger queries": scales(1e-3, np.float32(1e8)),
    "larger corpus": scales(1e8, np.float32(1e-3)),
    "products that vanish": scales(1e-11, np.float32(1e10)),
    "few dimensions": lambda: (random_rows(dim=3), random_rows(dim=3, seed=3)),
    "codes": codes,
    "float16": lambda: (random_rows().astype(np.float16), random_rows(seed=3).astype(np.float16)),
    "int8": lambda: ((random_rows() * 40).astype(np.int8), (random_rows(seed=3) * 40).astype("i1")),
    "float64": lambda: (random_rows() / 3.0 + 1.0 / 7.0, random_rows(seed=3).astype(np.float64)),
}


@pytest.mark.parametrize("view", ["own", "other"])
@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("name", PAIRS)
def test_scores_are_within_the_stated_error_and_left_out_rows_below_the_bound(name, metric, view):
    corpus, vectors = corpus_and_queries(*PAIRS[name](), metric)
    prepared = corpus.preparation.rows(next(corpus.source.blocks([(0, ROWS)])))
    own = np.arange(0, ROWS, 9)
    queries = (vectors if view == "other" else prepared)[own]
    exact = oracles.scores(queries, prepared, str(metric))
    exact[np.arange(len(own)), own] = -np.inf
    for precision, rounding in ((np.float32, 0.0), (np.float64, 1e-14)):
        found = run(corpus, own, {"view": View(queries)}, precision)["view"].all
        true = np.take_along_axis(exact, found.rows, axis=1)
        # In float64 the true scores round as much as the found ones.
        slack = found.error[:, None] + rounding * np.abs(true)
        assert (np.abs(found.scores - true) <= slack).all()
        left_out = exact.copy()
        np.put_along_axis(left_out, found.rows, -np.inf, axis=1)
        assert (left_out.max(axis=1) <= found.bound + slack.max(axis=1)).all()


@pytest.mark.parametrize("metric", list(Metric))
def test_exact_scores_equal_their_definition(metric):
    corpus, vectors = corpus_and_queries(random_rows(mean=300.0), random_rows(seed=3), metric)
    generator = np.random.default_rng(0)
    queries, rows = generator.integers(0, 40, 300), generator.integers(0, ROWS, 300)
    stored = next(corpus.source.blocks([(0, ROWS)]))
    expected = oracles.scores(vectors[:40], corpus.preparation.rows(stored), str(metric))
    found = corpus.exact(vectors[:40], queries, rows)
    np.testing.assert_allclose(found, expected[queries, rows], rtol=1e-13)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_thread_count_changes_no_byte(monkeypatch, precision):
    monkeypatch.setattr(pass_two, "CORPUS_BYTES", 1)
    corpus, vectors = corpus_and_queries(random_rows(), random_rows(seed=2), Metric.COSINE)
    own = np.arange(100)
    views = {"raw": View(vectors[own], by_half=True)}
    runs = [run(corpus, own, views, precision, workers=n)["raw"].all for n in (1, 2, 3)]
    for other in runs[1:]:
        for field in ("rows", "scores", "error", "bound"):
            assert getattr(other, field).tobytes() == getattr(runs[0], field).tobytes()


def test_a_corpus_of_few_rows_leaves_slots_empty():
    kept = np.zeros(ROWS, np.bool_)
    kept[::100] = True
    corpus, vectors = corpus_and_queries(random_rows(), random_rows(seed=2), Metric.DOT, kept)
    found = run(corpus, np.array([100]), {"raw": View(vectors[:1])})["raw"].all
    assert sorted(found.rows[0].tolist()) == [-1] * 6 + [0, 200, 300, 400, 500, 600]
    assert np.isneginf(found.bound).all()
