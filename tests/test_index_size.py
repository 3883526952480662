"""Recall projected to a larger index: the line, its interval, and what happens at sizes at hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_audits import sample_audit
from scipy.special import expit, logit
from test_report import shown

import embaudit
from benchmarks.pairs import load, rotation
from embaudit.datatypes import Verdict
from embaudit.errors import UsageError
from embaudit.result import Estimate, Projection
from embaudit.stats.extrapolation import WANDER, extrapolate

SETS = load()
SIZES = np.array([250.0, 500.0, 1000.0, 2000.0])


def rows(n=400, dim=12, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


# --- numbers of rows ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10M", 10_000_000),
        ("2.5M", 2_500_000),
        ("1e7", 10_000_000),
        ("500k", 500_000),
        ("10_000_000", 10_000_000),
        ("1,000,000", 1_000_000),
        (" 1B ", 1_000_000_000),
        (5000, 5000),
    ],
)
def test_sizes_are_read_as_people_write_them(written, meant):
    audit = embaudit.compare(rows(), rows(), index_size=written)
    assert audit.projection.index_size == meant


@pytest.mark.parametrize(
    "written", ["", "M", "many", "1.5", "-5k", "0", "nan", "inf", "1e99", "1e9999999999", "2Q"]
)
def test_what_is_no_size_is_refused(written):
    with pytest.raises(UsageError, match=r"--index-size .*: expected a whole number of rows"):
        embaudit.compare(rows(), rows(), index_size=written)


def test_a_smaller_index_is_refused():
    with pytest.raises(UsageError, match=r"hold 400 distinct rows .* pass a larger number"):
        embaudit.compare(rows(), rows(), index_size=399)


def test_too_few_rows_are_refused():
    with pytest.raises(UsageError, match="needs at least 336 distinct rows and 335 are left"):
        embaudit.compare(rows(335), rows(335), index_size="1M")


# --- the line ----------------------------------------------------------------------------------


def answers(recall, queries=500, k=10, seed=0):
    """Return values of the same queries at every size: each has its own difficulty."""
    generator = np.random.default_rng(seed)
    easier = 0.5 * generator.standard_normal(queries)
    chances = expit(logit(np.asarray(recall))[:, None] + easier)
    return generator.binomial(k, chances) / k


def slow_prediction(values, sizes, target):
    """Weighted least squares by inverses, and the residuals carried on (Cressie 1993)."""
    queries = values.shape[1]
    share = (values.sum(1) + 0.5) / (queries + 1)
    slope = 1 / (share * (1 - share))
    steps = np.log2(np.append(sizes, target) / sizes[0])
    wander = np.array(
        [
            [WANDER**2 * min(s, t) ** 2 * (3 * max(s, t) - min(s, t)) / 6 for t in steps]
            for s in steps
        ]
    )
    noise = np.cov(values, ddof=0) * queries
    far = np.maximum(share, 1 - share)
    unseen = 0.5 * max((far * slope) ** 2)
    noise = (noise * np.outer(slope, slope) + unseen) / queries**2
    inverse = np.linalg.inv(wander[:-1, :-1] + noise)
    design = np.stack([np.ones(len(sizes)), steps[:-1]], 1)
    line = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse @ logit(share))
    rest = logit(share) - design @ line
    return expit(line @ [1, steps[-1]] + wander[-1, :-1] @ inverse @ rest)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    start=st.floats(0.2, 0.95),
    slope=st.floats(-0.4, 0.05),
    target=st.sampled_from([2000.0, 8000.0, 1e6, 1e7]),
)
def test_the_line_is_the_textbook_one(seed, start, slope, target):
    values = answers(expit(logit(start) + slope * np.arange(4)), seed=seed)
    fast = extrapolate(values, SIZES, target, 0.05)
    expected = slow_prediction(values, SIZES, target)
    assert fast.value == pytest.approx(min(expected, fast.high), rel=1e-6)
    assert 0 <= fast.low <= fast.value <= fast.high <= 1


def test_intervals_widen_with_the_distance():
    values = answers([0.8, 0.78, 0.76, 0.74])
    widths = [
        interval.high - interval.low
        for interval in (
            extrapolate(values, SIZES, size, 0.05) for size in (2e3, 1e4, 1e5, 1e6, 1e7)
        )
    ]
    assert widths == sorted(widths)
    wide, narrow = (extrapolate(values, SIZES, 1e5, alpha) for alpha in (0.01, 0.2))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(("start", "slope"), [(0.9, -0.1), (0.6, -0.2), (0.98, 0.0), (0.3, -0.3)])
def test_intervals_hold_on_lines(start, slope):
    at = expit(logit(start) + slope * np.arange(7))
    held = 0
    for seed in range(200):
        values = answers(at, seed=seed)
        truth = answers(at[6:], queries=20_000, seed=1).mean()
        interval = extrapolate(values[:4], SIZES, SIZES[0] * 2**6, 0.05)
        held += interval.low <= truth <= interval.high
    assert held >= 188


def test_what_is_all_right_stays_so_and_is_not_certain():
    interval = extrapolate(np.ones((4, 500)), SIZES, 1e7, 0.05)
    assert interval.value > 0.998
    assert 0.9 < interval.low < 0.995
    none = extrapolate(np.zeros((4, 500)), SIZES, 1e7, 0.05)
    assert none.value < 0.002
    assert none.high < 0.1


# --- whole audits ------------------------------------------------------------------------------


def test_unrelated_sets_fall_as_chance_does():
    found = embaudit.compare(rows(4000, 32), rows(4000, 32, 1), index_size=32_000).projection
    assert found.sizes == [500, 1000, 2000, 4000]
    assert found.n == 4000
    assert found.extrapolated
    for key in ("neighbors.overlap", "recall.a_to_b.raw"):
        for size, observed in zip(found.sizes, found.observed[key], strict=True):
            assert observed == pytest.approx(10 / (size - 1), rel=0.5)
        low, high = found.measures[key].ci
        assert low <= 10 / 31_999 <= high


def test_a_copy_keeps_everything():
    x = rows(800, 16)
    found = embaudit.compare(x, x @ rotation(16), index_size="1M").projection
    for key in ("neighbors.overlap", "recall.a_to_b.orthogonal", "recall.b_to_a.linear"):
        assert min(found.observed[key]) > 0.99
        assert found.measures[key].value > 0.98


def test_it_begins_at_what_is_measured():
    a, b = SETS["minilm"], SETS["minilm_ft120"]
    audit = embaudit.compare(a, b, index_size=2000)
    found = audit.projection
    assert set(found.measures) == {
        key for key in audit.measures if key.startswith(("recall.", "mixed_index.", "neighbors."))
    }
    for key, estimate in found.measures.items():
        measured = audit.measures[key]
        assert found.observed[key][-1] == pytest.approx(measured.value, abs=1e-9)
        assert estimate.value == pytest.approx(measured.value, abs=0.02)
    assert found.queries == audit.measures["recall.a_to_b.raw"].queries


def test_asking_changes_nothing_else():
    a, b = SETS["minilm"], SETS["minilm_ft120"]
    plain = embaudit.compare(a, b).model_dump(exclude={"timing", "projection"})
    asked = embaudit.compare(a, b, index_size="1M", threads=1)
    again = embaudit.compare(a, b, index_size="1M", threads=3)
    assert asked.model_dump(exclude={"timing", "projection"}) == plain
    assert asked.projection == again.projection


def large_pair():
    """Return 16,000 rows whose directions matter less and less, and the same rows with noise."""
    x = np.random.default_rng(4).standard_normal((16_000, 32)) * np.arange(1, 33) ** -0.5
    return x.astype(np.float32), noisy(x, 0.5)


def noisy(x, strength):
    noise = np.random.default_rng(2).standard_normal(x.shape)
    return (x + strength * x.std() * noise).astype(np.float32)


PAIRS = {
    "fine-tuned": lambda: (SETS["minilm"], SETS["minilm_ft120"]),
    "noise": lambda: (SETS["minilm"], noisy(SETS["minilm"], 0.6)),
    "signs": lambda: (SETS["minilm"], np.sign(SETS["minilm"]) + (SETS["minilm"] == 0)),
    "eight bits": lambda: (SETS["minilm"], SETS["minilm_w8"]),
    "large": large_pair,
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_quarter_predicts_the_whole(name):
    a, b = PAIRS[name]()
    quarter = np.random.default_rng(8).permutation(len(a))[: len(a) // 4]
    found = embaudit.compare(a[quarter], b[quarter], index_size=len(a)).projection
    whole = embaudit.compare(a, b)
    # What rests on stored vectors alone: maps are fitted better on more rows.
    for key in ("neighbors.overlap", "recall.a_to_b.raw", "recall.b_to_a.raw"):
        (low, high), (least, most) = found.measures[key].ci, whole.measures[key].ci
        assert low <= most, key
        assert least <= high, key
        assert found.measures[key].value == pytest.approx(whole.measures[key].value, abs=0.06), key


# --- the report --------------------------------------------------------------------------------


def projection(size=10_000_000):
    keys = ("neighbors.overlap", "recall.a_to_b.raw", "recall.b_to_a.linear", "mixed_index.a.raw")
    return Projection(
        index_size=size,
        n=5873,
        k=10,
        queries=2048,
        measures={key: Estimate(value=0.713, ci=(0.601, 0.802)) for key in keys},
        sizes=[734, 1468, 2936, 5873],
        observed={key: [0.91, 0.9, 0.89, 0.88] for key in keys},
    )


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_the_section_fits_and_says_what_it_is(encoding):
    text = shown(sample_audit(Verdict.ALIGN, projection=projection()), 72, encoding)
    section = text[text.index("\nAt 10,000,000 rows") :].split("\n\nFindings")[0]
    assert all(len(line) <= 72 for line in section.splitlines())
    for word in ("extrapolated from 5,873", "not measured", "0.713", "0.601", "734", "0.910"):
        assert word in section
