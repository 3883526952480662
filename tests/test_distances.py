"""Measures of a sample's pairwise distances against scipy and plain loops."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist
from scipy.stats import rankdata, spearmanr

from embaudit.datatypes import Metric
from embaudit.measures.distances import (
    above_diagonal,
    average_ranks,
    by_row,
    dissimilarities,
    ends,
    paired_cosine,
    row_cosines,
    spearman,
    squared_distances,
)
from embaudit.measures.metric_table import compare_metrics
from embaudit.stats.prepare import prepare

NAMES = {Metric.COSINE: "cosine", Metric.EUCLIDEAN: "sqeuclidean"}


def distances(rows, metric):
    """Distances in the order of scipy's `pdist`; whole numbers stay whole under dot."""
    if metric is Metric.DOT:
        upper = np.triu_indices(len(rows), 1)
        return -(rows @ rows.T)[upper]
    return pdist(rows, NAMES[metric])


def rsa(x, y, metric):
    """Representational similarity of prepared rows."""
    return spearman(*(dissimilarities(z, squared_distances(z), metric) for z in (x, y)))


@pytest.mark.parametrize("n", [1, 2, 7, 300])
def test_pairs_come_row_by_row(n):
    square = np.arange(n * n, dtype=np.float64).reshape(n, n)
    first, second = np.triu_indices(n, 1)
    pairs = above_diagonal(square)
    assert np.array_equal(pairs, square[first, second])
    assert np.array_equal(ends(np.arange(len(pairs)), n), (first, second))
    for row, part in zip(square, by_row(pairs, n), strict=True):
        assert np.array_equal(part, row[n - len(part) :])


@pytest.mark.parametrize("n", [2, 30, 300])
def test_squared_distances_equal_scipy(n):
    rows = np.random.default_rng(6).standard_normal((n, 5)) + 20.0
    assert squared_distances(rows) == pytest.approx(pdist(rows) ** 2, abs=1e-11)


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=40))
@settings(max_examples=50, deadline=None)
def test_average_ranks_equal_scipy(values):
    values = np.array(values, np.float64)
    assert np.array_equal(average_ranks(values), rankdata(values) - 1.0)


def test_ranks_take_rounding_for_ties_and_nothing_larger():
    values = np.array([1.0, 1.0 + 4e-16, 3.0, 3.0 - 4e-16, 2.0, 1.0 + 1e-9])
    assert average_ranks(values).tolist() == [0.5, 0.5, 4.5, 4.5, 3.0, 2.0]


def test_spearman_equals_scipy():
    generator = np.random.default_rng(0)
    x = generator.integers(0, 5, 60).astype(float)
    y = x + generator.integers(0, 4, 60)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert spearman(x, -(x**3)) == pytest.approx(-1.0)
    assert spearman(x, np.full(60, 0.1)) is None


@pytest.mark.parametrize("metric", list(Metric))
def test_rsa_equals_scipy(metric):
    generator = np.random.default_rng(1)
    x = generator.standard_normal((40, 6)) + 1.0
    y = x[:, :4] + generator.standard_normal((40, 4))
    expected = spearmanr(distances(x, metric), distances(y, metric)).statistic
    assert rsa(prepare(x, metric), prepare(y, metric), metric) == pytest.approx(expected)
    assert rsa(prepare(x, metric), prepare(x, metric), metric) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", list(Metric))
def test_rsa_does_not_rank_rounding(metric):
    generator = np.random.default_rng(2)
    one_hot = np.eye(30)[generator.permutation(30)]
    x, y = (prepare(rows, metric) for rows in (one_hot, one_hot[generator.permutation(30)]))
    assert rsa(x, y, metric) is None
    # Codes of equal length have few distances; rounding must not order equal ones.
    codes = np.sign(generator.standard_normal((40, 12)))
    others = np.where(generator.random((40, 12)) < 0.2, -codes, codes)
    expected = spearmanr(
        distances(codes, Metric.EUCLIDEAN), distances(others, Metric.EUCLIDEAN)
    ).statistic
    found = rsa(prepare(codes, metric), prepare(others, metric), metric)
    assert found == pytest.approx(expected, abs=1e-9)


def test_paired_cosine():
    generator = np.random.default_rng(3)
    x, y = generator.standard_normal((2, 30, 5))
    partners, random = paired_cosine(7.0 * x, y, np.random.default_rng(0))
    for row in range(30):
        cosine = x[row] @ y[row] / (np.linalg.norm(x[row]) * np.linalg.norm(y[row]))
        assert partners[row] == pytest.approx(cosine)
    # No row meets its own partner among the random pairs.
    _, same = paired_cosine(np.eye(30), np.eye(30), np.random.default_rng(0))
    assert np.array_equal(same, np.zeros(30))
    assert abs(random.mean()) < 0.4


def test_cosines_of_rows_of_any_length():
    x, y = np.random.default_rng(7).standard_normal((2, 6, 4))
    expected = [1.0 - cdist(x[[row]], y[[row]], "cosine")[0, 0] for row in range(6)]
    for size in (1.0, 1e-150, 1e150):
        sizes = np.where(np.arange(6) % 2, size, 1.0)[:, None]
        assert row_cosines(x * sizes, y * sizes) == pytest.approx(expected)
    x[2] = 0.0
    assert row_cosines(x, y)[2] == 0.0


# The pair as other metrics see it

TABLE = {
    "cosine": "cosine",
    "dot": lambda a, b: -(a @ b),
    "euclidean": "euclidean",
    "manhattan": "cityblock",
    "hamming": lambda a, b: float(((a > 0.0) != (b > 0.0)).mean()),
}


def shares(found, expected):
    """Whether a share over all rows is one that some choice among ties gives."""
    _, least, most = expected
    return least.mean() - 1e-9 <= found <= most.mean() + 1e-9


def ranking(distances, size):
    allowed = np.where(np.eye(len(distances), dtype=bool), -np.inf, -distances)
    return oracles.Ranking.of(allowed, size * np.abs(distances).max(axis=1), K)


K = 5


@pytest.mark.parametrize("chosen", ["cosine", "euclidean"])
@pytest.mark.parametrize(
    ("kind", "copies"), [("gauss", 1), ("gauss", 20), ("offset", 1), ("codes", 1)]
)
def test_metric_table_equals_scipy(kind, copies, chosen):
    generator = np.random.default_rng(4)
    n = 120
    a = generator.standard_normal((n // copies, 8))
    if kind == "codes":
        a = np.sign(a)
    if kind == "offset":
        a += 30.0
    a = np.repeat(a, copies, axis=0)
    b = a + 0.5 * generator.standard_normal((n, 8))
    table = compare_metrics(a, b, chosen, K)
    assert table[0].metric == chosen
    assert {row.metric for row in table} == set(TABLE)
    upper = np.triu_indices(n, 1)
    own = {name: [cdist(rows, rows, TABLE[name]) for rows in (a, b)] for name in TABLE}
    first = [ranking(distances, 1.0) for distances in own[chosen]]
    for row in table:
        # Manhattan distances are float32: what is closer than its rounding may fall either way.
        size = 1e6 if row.metric == "manhattan" else 1.0
        near_a, near_b = (ranking(distances, size) for distances in own[row.metric])
        cross = cdist(a, b, TABLE[row.metric])
        both = near_a.share(near_b.reached), near_b.share(near_a.reached)
        assert shares(row.overlap, np.mean(both, axis=0))
        assert shares(row.recall_a_to_b, ranking(cross, size).share(near_b.reached))
        assert shares(row.recall_b_to_a, ranking(cross.T, size).share(near_a.reached))
        assert shares(row.agreement_a, near_a.share(first[0].reached))
        assert shares(row.agreement_b, near_b.share(first[1].reached))
        sign = -1.0 if row.metric == "dot" else 1.0
        partners, random = sign * cross.diagonal(), sign * cross[upper]
        if row.metric == "cosine":
            partners, random = 1.0 - partners, 1.0 - random
        for found, values in ((row.partners, partners), (row.random, random)):
            expected = (values.mean(), *np.quantile(values, [0.05, 0.95]))
            assert (found.mean, found.q05, found.q95) == pytest.approx(expected, rel=1e-5)
        distances_a, distances_b = (distances[upper] for distances in own[row.metric])
        if np.ptp(distances_a) == 0.0:
            assert row.rsa is None
        elif copies == 1 and (kind, row.metric) != ("codes", "cosine"):
            expected = spearmanr(distances_a, distances_b).statistic
            assert row.rsa == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("n", [60, 400])
def test_metric_table_is_that_of_one_thread(n):
    # Both sizes: rows whose differences are taken at once, and in parts.
    a, b = np.random.default_rng(6).standard_normal((2, n, 700))
    assert compare_metrics(a, b, "dot", K, workers=3) == compare_metrics(a, b, "dot", K)
    manhattan = compare_metrics(a, b, "manhattan", K)[0]
    expected = cdist(a, b, "cityblock")
    assert manhattan.partners.mean == pytest.approx(expected.diagonal().mean(), rel=1e-6)
    assert manhattan.random.mean == pytest.approx(above_diagonal(expected).mean(), rel=1e-6)
    own = [rankdata(above_diagonal(cdist(rows, rows, "cityblock"))) for rows in (a, b)]
    assert manhattan.rsa == pytest.approx(np.corrcoef(own)[0, 1], abs=1e-4)


def test_metric_table_of_equal_sets_and_of_other_dimensions():
    generator = np.random.default_rng(5)
    a = np.repeat(generator.standard_normal((20, 6)), 10, axis=0)
    for row in compare_metrics(a, a.copy(), "dot", K):
        assert (row.overlap, row.recall_a_to_b, row.recall_b_to_a) == (1.0, 1.0, 1.0)
        assert row.rsa == pytest.approx(1.0)
    for row in compare_metrics(a, a[:, :3], "dot", K):
        assert (row.recall_a_to_b, row.recall_b_to_a) == (None, None)
        assert (row.partners, row.random) == (None, None)
        assert 0.0 < row.overlap <= 1.0


@pytest.mark.parametrize("kind", ["one-hot", "rotation"])
def test_metric_table_takes_rounding_for_ties(kind):
    turn = np.random.default_rng(0).permutation(40)
    a, b = np.eye(40), np.eye(40)[turn]
    if kind == "rotation":
        a, b = (oracles.rotation(40, np.random.default_rng(seed)) for seed in (0, 1))
    for row in compare_metrics(a, b, "cosine", K):
        if kind == "one-hot" or row.metric in {"cosine", "dot", "euclidean"}:
            assert (row.overlap, row.rsa) == (1.0, None), row.metric
