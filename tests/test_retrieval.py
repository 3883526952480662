"""Everything measured by searching, query by query, against full float64 score matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import oracles
import pytest

from embaudit.data.embedding_set import ArraySet
from embaudit.data.pair import Pair
from embaudit.datatypes import Metric, SilentProgress
from embaudit.measures import retrieval
from embaudit.measures.neighbors import applicable, depending_on_k
from embaudit.measures.retrieval import NeighbourSearch
from embaudit.streaming import search as pass_two
from embaudit.streaming.corpus import Corpus
from embaudit.streaming.scan import scan

K = 6


@dataclass(frozen=True)
class Maps:
    """Fixed maps between the prepared spaces, standing in for cross-fitted ones."""

    matrices: dict[tuple[str, str], np.ndarray]

    @classmethod
    def random(cls, p, q, seed=5):
        generator = np.random.default_rng(seed)
        shapes = {"a_to_b": (p, q), "b_to_a": (q, p)}
        return cls(
            {
                (direction, kind): generator.standard_normal(shape)
                for direction, shape in shapes.items()
                for kind in ("orthogonal", "linear")
            }
        )

    def __call__(self, direction, kind, rows, vectors):
        return vectors @ self.matrices[direction, kind]


def neighbour_search(a, b, metric, kept=None, maps=None, workers=1, seed=0, ks=(K,)):
    pair = Pair(ArraySet(a), ArraySet(b))
    found = scan(pair, metric, 1, SilentProgress())
    kept = found.kept(metric, True) if kept is None else kept
    half = np.random.default_rng(7).random(len(a)) < 0.5
    return NeighbourSearch(
        pair,
        Corpus(pair.a, found.a.preparation, kept, half),
        Corpus(pair.b, found.b.preparation, kept, half),
        ks,
        maps or Maps.random(a.shape[1], b.shape[1]),
        seed,
        workers,
    )


def rows_of(n, dim=10, seed=0, mean=0.0, centres=12):
    """Clustered rows, as embeddings are."""
    generator = np.random.default_rng(seed)
    middle = generator.standard_normal((centres, dim))[generator.integers(0, centres, n)]
    return (middle + 0.5 * generator.standard_normal((n, dim)) + mean).astype(np.float32)


def noisy(rows, strength=0.2, seed=1):
    noise = np.random.default_rng(seed).standard_normal(rows.shape)
    return (rows + strength * noise).astype(np.float32)


def repeated(n, times, both=False):
    """Exact duplicates in A, far apart in the file; B has them too, or tells them apart."""
    a = np.tile(rows_of(n // times), (times, 1))
    return a, (np.tile(noisy(a[: n // times]), (times, 1)) if both else noisy(a, 0.4))


def nearly_repeated(n, times, dtype):
    """Copies that differ by less than the rounding of float32 scores, apart on both sides."""
    a = rows_of(n // times).repeat(times, axis=0).astype(np.float64)
    generator = np.random.default_rng(9)
    a, b = (a + 1e-4 * generator.standard_normal(a.shape) for _ in "ab")
    return a.astype(dtype), b.astype(dtype)


def one_hot(n):
    turn = np.random.default_rng(2).permutation(n)
    return np.eye(n, dtype=np.float32), np.eye(n, dtype=np.float32)[turn]


def whole_numbers(n, dim, largest):
    generator = np.random.default_rng(3)
    a = generator.integers(-largest, largest + 1, (n, dim))
    return a.astype(np.int8), (a + generator.integers(-1, 2, a.shape)).astype(np.int8)


def turned(n):
    a = rows_of(n)
    return a, (a @ oracles.rotation(10, np.random.default_rng(4))).astype(np.float32)


PAIRS = {
    "noisy copy": lambda: (rows_of(300), noisy(rows_of(300))),
    "other dimension": lambda: (rows_of(200), noisy(rows_of(200))[:, :7]),
    "rotation": lambda: turned(200),
    "unrelated": lambda: (rows_of(200), rows_of(200, seed=8)),
    "far mean": lambda: (rows_of(200, mean=300.0), noisy(rows_of(200, mean=300.0))),
    "20 copies in A": lambda: repeated(300, 20),
    "100 copies in A": lambda: repeated(300, 100),
    "20 copies in both": lambda: repeated(300, 20, both=True),
    "20 near copies": lambda: nearly_repeated(300, 20, np.float32),
    "100 near copies": lambda: nearly_repeated(300, 100, np.float64),
    "one-hot": lambda: one_hot(120),
    "whole numbers": lambda: whole_numbers(200, 6, 3),
    "few whole numbers": lambda: whole_numbers(200, 3, 1),
    "fewest rows": lambda: (rows_of(4 * K + 2), noisy(rows_of(4 * K + 2))),
    "float16": lambda: (rows_of(200).astype("f2"), noisy(rows_of(200)).astype("f2")),
    "float64": lambda: (rows_of(200) / 3.0, noisy(rows_of(200)) / 3.0),
    "scales far apart": lambda: (rows_of(200) * np.float32(1e8), rows_of(200) * np.float32(1e-3)),
    "constant offset": lambda: (rows_of(200), rows_of(200) + np.float32(5.0)),
}


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("name", PAIRS)
def test_every_value_equals_full_score_matrices(monkeypatch, name, metric):
    monkeypatch.setattr(pass_two, "CORPUS_BYTES", 1)
    monkeypatch.setattr(retrieval, "QUERIES_AT_ONCE", 50)
    a, b = PAIRS[name]()
    generator = np.random.default_rng(6)
    kept = (generator.random(len(a)) < 0.95) | (len(a) == 4 * K + 2)
    if metric is Metric.COSINE:
        kept &= a.any(axis=1) & b.any(axis=1)
    search = neighbour_search(a, b, metric, kept, ks=(K, 1, 3 * K))
    queries = generator.permutation(np.flatnonzero(kept))[:90]
    found = search.run(queries, SilentProgress())

    scale = search.a.preparation.scale
    if metric is not Metric.COSINE:
        # Powers of two: one unit for both sides, exact.
        a, b = a.astype(np.float64) * scale, b.astype(np.float64) * scale
    same_dim = a.shape[1] == b.shape[1]
    assert list(found.at) == [1, 3 * K]
    for k, results in {K: found, **found.at}.items():
        expected = oracles.retrieval(
            a, b, str(metric), k, queries, kept, search.a.half, search.map_rows
        )
        ids = (applicable if k == K else depending_on_k)(same_dim)
        wanted = {key for key, reason in ids.items() if reason is None}
        assert set(results.values) == wanted <= set(expected)
        assert np.array_equal(results.rows, queries)
        for key in wanted:
            shares, values = expected[key], results.values[key]
            assert (values >= shares.least - 1e-9).all(), (k, key)
            assert (values <= shares.most + 1e-9).all(), (k, key)
            if ("copies in A" in name and name.startswith("20")) or name == "whole numbers":
                # Ties that fit among the candidates go to lower rows.
                np.testing.assert_allclose(values, shares.value, err_msg=f"{k} {key}")


def test_other_k_change_nothing_and_are_what_a_search_of_their_own_finds():
    a, b = PAIRS["noisy copy"]()
    queries = np.random.default_rng(0).permutation(len(a))[:100]
    several = neighbour_search(a, b, Metric.COSINE, ks=(K, 1, 40)).run(queries, SilentProgress())
    for k, results in {K: several, **several.at}.items():
        alone = neighbour_search(a, b, Metric.COSINE, ks=(k,)).run(queries, SilentProgress())
        assert alone.at == {}
        for key, values in results.values.items():
            assert np.array_equal(values, alone.values[key]), (k, key)
        for key, values in results.chance.items():
            assert np.array_equal(values, alone.chance[key]), (k, key)


@pytest.mark.parametrize("metric", list(Metric))
def test_a_set_against_itself_finds_everything(metric):
    a = np.repeat(rows_of(130), 2, axis=0)
    identity = Maps(dict.fromkeys(Maps.random(10, 10).matrices, np.eye(10)))
    found = neighbour_search(a, a.copy(), metric, maps=identity).run(
        np.arange(0, 260, 3), SilentProgress()
    )
    for values in found.values.values():
        assert np.array_equal(values, np.ones(87))


@pytest.mark.parametrize("metric", [Metric.COSINE, Metric.EUCLIDEAN])
def test_the_rotation_recovers_what_the_stored_vectors_lose(metric):
    a, _ = turned(400)
    turn = oracles.rotation(10, np.random.default_rng(4))
    b = a.astype(np.float64) @ turn
    matrices = Maps.random(10, 10).matrices
    matrices["a_to_b", "orthogonal"], matrices["b_to_a", "orthogonal"] = turn, turn.T
    found = neighbour_search(a.astype(np.float64), b, metric, maps=Maps(matrices)).run(
        np.arange(400), SilentProgress()
    )
    for direction in ("a_to_b", "b_to_a"):
        assert found.values[f"recall.{direction}.orthogonal"].min() == 1.0
        assert found.values[f"recall.{direction}.raw"].mean() < 0.2
    assert found.values["neighbors.overlap"].min() == 1.0
    assert found.values["mixed_index.a.raw"].mean() < 0.2


def test_independent_noise_is_found_by_chance_and_chance_is_measured():
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((2, 500, 60)).astype(np.float32)
    found = neighbour_search(a, b, Metric.COSINE).run(np.arange(500), SilentProgress())
    for key, chance in found.chance.items():
        if key.startswith("mixed"):
            continue
        assert found.values[key].mean() == pytest.approx(K / 499, abs=0.004), key
        assert chance.mean() == pytest.approx(K / 499, abs=0.004), key
    assert set(found.values) - set(found.chance) == {
        "partner.found.a_to_b.raw",
        "partner.found.b_to_a.raw",
    }


@pytest.mark.parametrize("metric", list(Metric))
def test_chance_is_one_where_every_row_ties(metric):
    found = neighbour_search(*one_hot(120), metric).run(np.arange(100), SilentProgress())
    for key, chance in found.chance.items():
        if (key.endswith("raw") and not key.startswith("mixed")) or key == "neighbors.overlap":
            assert np.array_equal(chance, np.ones(100)), key


def test_chance_of_hubs_is_above_the_share_of_neighbours():
    """A few rows near the middle are everyone's neighbours."""
    generator = np.random.default_rng(0)
    a = generator.standard_normal((300, 40)) * np.where(np.arange(300) < 10, 0.01, 1.0)[:, None]
    found = neighbour_search(a, a + 1e-3, Metric.EUCLIDEAN).run(np.arange(300), SilentProgress())
    assert found.chance["recall.a_to_b.raw"].mean() > 2.0 * K / 299


@pytest.mark.parametrize("count", [1, 2, 31])
def test_a_last_batch_of_any_size_has_finite_chance(monkeypatch, count):
    monkeypatch.setattr(retrieval, "QUERIES_AT_ONCE", 30)
    a = rows_of(100)
    found = neighbour_search(a, noisy(a), Metric.COSINE).run(np.arange(count), SilentProgress())
    for values in (*found.values.values(), *found.chance.values()):
        assert len(values) == count
        assert ((values >= 0.0) & (values <= 1.0)).all()


@pytest.mark.parametrize("name", ["noisy copy", "far mean", "few whole numbers"])
def test_threads_and_batches_change_no_value(monkeypatch, name):
    a, b = PAIRS[name]()
    queries = np.random.default_rng(0).permutation(len(a))[:100]
    kept = np.ones(len(a), np.bool_)

    def run(workers, at_once, budget):
        monkeypatch.setattr(retrieval, "QUERIES_AT_ONCE", at_once)
        monkeypatch.setattr(pass_two, "CORPUS_BYTES", budget)
        search = neighbour_search(a, b, Metric.EUCLIDEAN, kept, workers=workers)
        return search.run(queries, SilentProgress())

    one = run(1, 100, 1)
    for workers in (2, 3):
        other = run(workers, 100, 1)
        for key, values in one.values.items():
            assert np.array_equal(values, other.values[key]), key
        for key, values in one.chance.items():
            assert np.array_equal(values, other.chance[key]), key
    if name != "few whole numbers":
        other = run(1, 33, 12 << 20)
        for key, values in one.values.items():
            assert np.array_equal(values, other.values[key]), key


def test_partners_are_found_by_cosine_under_dot_and_ties_count():
    generator = np.random.default_rng(0)
    a = generator.standard_normal((120, 8))
    a[5] *= 1000.0
    a[40] = a[41]
    found = neighbour_search(a, a.copy(), Metric.DOT).run(np.arange(120), SilentProgress())
    # The longest row has the largest inner product with half of the others.
    assert found.values["recall.a_to_b.raw"].min() == 1.0
    assert found.values["partner.found.a_to_b.raw"].min() == 1.0
    b = a.copy()
    b[[10, 11]] = b[[11, 10]]
    found = neighbour_search(a, b, Metric.DOT).run(np.arange(120), SilentProgress())
    for direction in ("a_to_b", "b_to_a"):
        lost = np.flatnonzero(found.values[f"partner.found.{direction}.raw"] == 0.0)
        assert lost.tolist() == [10, 11]


def test_results_of_samples_join_and_split():
    a = rows_of(100)
    search = neighbour_search(a, noisy(a), Metric.COSINE)
    first, second = (search.run(rows, SilentProgress()) for rows in np.split(np.arange(60), 2))
    both = first.extended(second)
    assert both.rows.tolist() == list(range(60))
    back = both.subset(both.rows >= 30)
    for key, values in second.values.items():
        assert np.array_equal(back.values[key], values)
    for key, values in second.chance.items():
        assert np.array_equal(back.chance[key], values)
