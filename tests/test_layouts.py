"""Rows on a plane, and the distributions behind the measures."""

from __future__ import annotations

import numpy as np
import pytest

import embaudit
from benchmarks.pairs import SAMPLE_DATA

METRICS = pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])


def rotated(rows, seed=0):
    generator = np.random.default_rng(seed)
    return rows @ np.linalg.qr(generator.standard_normal((rows.shape[1],) * 2))[0]


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(3)
    scales = np.linspace(3.0, 0.2, 12)
    return generator.standard_normal((700, 12)) * scales + 0.5


def distances(points):
    points = np.asarray(points)
    return np.linalg.norm(points[:, None] - points[None], axis=2)


@METRICS
def test_neighbours_are_the_nearest_among_the_drawn_rows(rows, metric):
    found = embaudit.compare(rows, rotated(rows), metric=metric, layouts=True).layouts
    drawn = rows[found.rows_a]
    if metric == "cosine":
        drawn = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    scores = -distances(drawn) if metric == "euclidean" else drawn @ drawn.T
    np.fill_diagonal(scores, -np.inf)
    wanted = np.argsort(-scores, axis=1)[:, :10]
    assert np.array_equal(found.neighbors_a, wanted)
    assert np.array_equal(found.neighbors_b, wanted)  # a rotation changes none
    assert (found.n, found.k) == (500, 10)
    assert found.rows_a == found.rows_b
    assert len(set(found.rows_a)) == 500


@METRICS
def test_principal_components_of_a_rotated_copy_lie_on_those_of_the_set(rows, metric):
    found = embaudit.compare(rows, rotated(rows), metric=metric, layouts=True).layouts
    assert np.allclose(found.pca.a, found.pca.b, atol=2e-4)
    drawn = rows[found.rows_a]
    if metric == "cosine":
        drawn = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    centred = drawn - drawn.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    plane = centred @ np.linalg.svd(centred)[2][:2].T
    wanted = distances(plane) / np.abs(plane).max()
    assert np.allclose(distances(found.pca.a), wanted, atol=5e-4)
    assert found.pca.explained[0] == pytest.approx((values[:2] ** 2).sum() / (values**2).sum())


def test_tsne_keeps_clusters_together():
    generator = np.random.default_rng(1)
    centres = generator.standard_normal((5, 20)) * 20
    label = np.repeat(np.arange(5), 80)
    a = centres[label] + generator.standard_normal((400, 20))
    # A mean far from all rows moves no row nearer to another.
    found = embaudit.compare(a, rotated(a) + 3000.0, metric="euclidean", layouts=True).layouts
    for side in (found.tsne.a, found.tsne.b):
        apart = distances(side)
        np.fill_diagonal(apart, np.inf)
        nearest = np.argmin(apart, axis=1)
        labels = label[found.rows_a]
        assert (labels[nearest] == labels).mean() > 0.99
        assert np.abs(side).max() == pytest.approx(1.0)


def test_layouts_are_the_same_at_any_thread_count_and_change_nothing_else(rows):
    noisy = rows + np.random.default_rng(5).standard_normal(rows.shape) * 0.3
    one, two = (embaudit.compare(rows, noisy, layouts=True, threads=threads) for threads in (1, 2))
    without = embaudit.compare(rows, noisy)
    assert one.layouts == two.layouts
    assert one.layouts is not None
    assert without.layouts is None
    plain = {"timing": {}, "layouts": None}
    assert one.model_copy(update=plain) == without.model_copy(update=plain)


def test_degenerate_rows_are_laid_out_too():
    line = np.linspace(1.0, 2.0, 60)[:, None]
    found = embaudit.compare(line, 2 * line, metric="euclidean", layouts=True).layouts
    assert found.n == 60
    assert np.allclose(np.asarray(found.pca.a)[:, 1], 0.0)
    few = np.random.default_rng(0).standard_normal((12, 3))
    assert embaudit.compare(few, few, k=1, layouts=True).layouts.k == 2
    repeated = np.repeat(np.random.default_rng(0).standard_normal((4, 3)), 30, axis=0)
    kept = embaudit.compare(repeated, repeated, keep_duplicates=True, layouts=True).layouts
    assert kept.n == 120


def test_chance_is_far_from_agreement_however_few_rows_there_are():
    generator = np.random.default_rng(2)
    for rows in (8, 12, 60, 700):
        pair = generator.standard_normal((2, rows, 4))
        found = embaudit.compare(*pair, k=1, layouts=True).layouts
        near = zip(found.neighbors_a, found.neighbors_b, strict=True)
        shared = np.mean([len(set(a) & set(b)) for a, b in near])
        assert shared < 0.5 * found.k
    assert (
        embaudit.compare(*generator.standard_normal((2, 7, 4)), k=1, layouts=True).layouts is None
    )


def test_ids_name_the_drawn_rows():
    pair = SAMPLE_DATA / "minilm.parquet", SAMPLE_DATA / "minilm_ft120.parquet"
    audit = embaudit.compare(*pair, on="id", layouts=True)
    found = audit.layouts
    ids = [
        __import__("pyarrow.parquet").parquet.read_table(path, columns=["id"])["id"].to_pylist()
        for path in pair
    ]
    assert found.ids == [ids[0][row] for row in found.rows_a]
    assert found.ids == [ids[1][row] for row in found.rows_b]


# Distributions


@pytest.fixture(scope="module")
def words():
    return embaudit.compare(SAMPLE_DATA / "w2v_seed1.npy", SAMPLE_DATA / "w2v_seed2.npy")


def test_the_mean_of_the_canonical_correlations_is_the_measure(words):
    found = words.distributions.canonical_correlations
    assert len(found) == words.distributions.canonical_directions == 128
    assert np.mean(found) == pytest.approx(words.measures["cca.mean"].value)


def test_long_spectra_are_thinned_from_end_to_end():
    generator = np.random.default_rng(0)
    a = generator.standard_normal((1500, 300)) * np.linspace(1, 0.1, 300)
    b = a + 0.3 * generator.standard_normal(a.shape)
    found = embaudit.compare(a, b).distributions
    assert found.canonical_directions == 300
    assert len(found.canonical_correlations) == 256
    assert found.canonical_correlations[0] > found.canonical_correlations[-1]


def centres(one):
    edges = np.linspace(one.low, one.high, len(one.partners) + 1)
    return (edges[1:] + edges[:-1]) / 2


def test_histograms_of_cosines_hold_what_the_measures_sum_up(words):
    raw, mapped = words.distributions.cosines
    assert (raw.map, mapped.map) == ("raw", "linear")
    width = (raw.high - raw.low) / len(raw.partners)
    for counts, key in (
        (raw.partners, "partner.cosine.raw"),
        (raw.random, "partner.cosine.random"),
    ):
        assert sum(counts) == raw.n == 1000
        mean = np.average(centres(raw), weights=counts)
        assert mean == pytest.approx(words.measures[key].value, abs=width)
        mean = raw.partners_mean if counts is raw.partners else raw.random_mean
        assert mean == pytest.approx(np.average(centres(raw), weights=counts), abs=width)
    assert raw.partners_mean == pytest.approx(words.measures["partner.cosine.raw"].value)
    # Mapped partners are near, mapped strangers are not.
    assert np.average(centres(mapped), weights=mapped.partners) > 0.95
    assert np.average(centres(mapped), weights=mapped.random) < 0.8


def test_histograms_of_ranks_tell_pairs_from_strangers(words):
    raw, mapped = words.distributions.partner_ranks
    assert sum(raw.counts) == sum(mapped.counts) == raw.n == mapped.n
    assert mapped.counts[0] == mapped.n
    assert max(raw.counts) < 0.1 * raw.n


@METRICS
def test_scores_of_a_scaled_copy_are_scaled(rows, metric):
    audit = embaudit.compare(rows, 2.0 * rotated(rows), metric=metric)
    curve = audit.thresholds.curve
    factor = {"cosine": 1.0, "dot": 4.0, "euclidean": 2.0}[metric]
    a, b = (np.array([getattr(point, side) for point in curve]) for side in "ab")
    assert np.allclose(b, factor * a, rtol=1e-5, atol=1e-6)
    shares = [point.share for point in curve]
    assert shares == sorted(shares, reverse=True)
    steps = np.diff(a)
    assert (steps < 0).all() if metric == "euclidean" else (steps > 0).all()


def test_the_mapped_view_is_the_direction_that_is_advised():
    minilm = np.load(SAMPLE_DATA / "minilm.npy")
    audit = embaudit.compare(np.ascontiguousarray(minilm[:, :96]), minilm)
    assert (audit.verdict, audit.recommendation.direction) == ("align", "b_to_a")
    for views in (audit.distributions.cosines, audit.distributions.partner_ranks):
        assert [(one.direction, one.map) for one in views] == [("b_to_a", "linear")]
    # Where no map is advised it is the one that recalls most.
    apart = embaudit.compare(minilm, SAMPLE_DATA / "lsa.npy")
    best = max(
        (key for key in apart.measures if key.startswith("recall.")),
        key=lambda key: apart.measures[key].value,
    )
    shown = apart.distributions.cosines[1]
    assert best == f"recall.{shown.direction}.{shown.map}"


def test_different_dimensions_have_no_scores_across():
    audit = embaudit.compare(SAMPLE_DATA / "minilm.npy", SAMPLE_DATA / "w2v_seed1.npy")
    assert {point.cross for point in audit.thresholds.curve} == {None}
    assert [one.map for one in audit.distributions.cosines] != ["raw", "linear"]


def test_too_few_rows_have_no_distributions():
    few = np.random.default_rng(0).standard_normal((12, 3))
    assert embaudit.compare(few, few).distributions is None
