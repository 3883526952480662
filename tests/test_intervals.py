"""Intervals hold what they promise, over repeated draws and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from embaudit.stats.intervals import chance_corrected, clopper_pearson, looks, mean_interval

ALPHA = 0.05
DRAWS = 800


POPULATIONS = {
    "all or nothing": {0.0: 0.4, 1.0: 0.6},
    "middling": {0.5: 0.3, 0.7: 0.4, 0.9: 0.3},
    "near one": {0.9: 0.1, 1.0: 0.9},
    "near zero": {0.0: 0.98, 0.1: 0.02},
    "rare failures": {0.0: 0.01, 1.0: 0.99},
    "very rare failures": {0.0: 0.002, 1.0: 0.998},
    "rare failures below one": {0.0: 0.01, 0.9: 0.99},
    "small losses and rare failures": {0.0: 0.01, 0.9: 0.2, 1.0: 0.79},
    "small gains and rare successes": {0.0: 0.7, 0.1: 0.29, 1.0: 0.01},
}
"""Recalls and how often they occur."""


def population_of(name, n):
    values, weights = (list(part) for part in zip(*POPULATIONS[name].items(), strict=True))
    return np.random.default_rng(1).choice(values, n, p=weights)


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize(("m", "n"), [(32, 40), (32, 10**6), (128, 2000), (512, 600), (1500, 2000)])
def test_coverage_of_the_mean_of_a_sample_without_replacement(name, m, n):
    values = population_of(name, min(n, 50_000))
    generator = np.random.default_rng(2)
    covered = 0
    for _ in range(DRAWS):
        if len(values) == n:
            sample = generator.permutation(values)[:m]
        else:
            sample = values[generator.integers(0, len(values), m)]
        interval = mean_interval(sample, n, ALPHA)
        assert 0.0 <= interval.low <= interval.value <= interval.high <= 1.0
        covered += interval.low <= values.mean() <= interval.high
    assert covered / DRAWS >= 0.93


@pytest.mark.parametrize("m", [64, 512])
@pytest.mark.parametrize("kind", ["hubs are found", "hubs are no help"])
def test_coverage_of_recall_corrected_for_chance_that_varies_with_it(kind, m):
    generator = np.random.default_rng(3)
    hub = generator.random(40_000) < 0.3
    chance = np.where(hub, 0.8, 0.05)
    values = generator.binomial(10, 0.6, 40_000) / 10.0
    if kind == "hubs are found":
        values[hub] = 0.97
    truth = (values.mean() - chance.mean()) / (1.0 - chance.mean())
    covered, widths = 0, []
    for _ in range(DRAWS):
        chosen = generator.integers(0, len(values), m)
        interval = chance_corrected(values[chosen], chance[chosen], 10**6, ALPHA)
        covered += interval.low <= truth <= interval.high
        widths.append(interval.high - interval.low)
    assert covered / DRAWS >= 0.93
    assert np.mean(widths) < 4.0 / math.sqrt(m)


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=2, max_size=60), st.integers(1, 500)
)
@settings(max_examples=60, deadline=None)
def test_exact_when_every_row_was_drawn_and_narrower_with_more_of_them(values, more):
    values = np.array(values)
    exact = mean_interval(values, len(values), ALPHA)
    assert exact.low == exact.value == exact.high == values.mean()
    few, many = (mean_interval(values, len(values) + extra, ALPHA) for extra in (more, 10**6))
    assert many.low <= few.low <= few.value <= few.high <= many.high
    sure = mean_interval(values, 10**6, 0.5)
    assert many.low <= sure.low <= sure.high <= many.high


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_sample_without_variance_is_not_certain(value):
    interval = mean_interval(np.full(100, value), 10**6, ALPHA)
    exact = clopper_pearson(round(100 * value), 100, ALPHA)
    assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high), abs=1e-4)
    assert interval.high - interval.low > 0.02


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 190), (187, 190), (499, 4096)]
)
@pytest.mark.parametrize("alpha", [0.05, 0.002])
def test_clopper_pearson_equals_scipy(successes, trials, alpha):
    expected = binomtest(successes, trials).proportion_ci(1.0 - alpha, "exact")
    found = clopper_pearson(successes, trials, alpha)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.value == successes / trials


def test_recall_is_corrected_for_chance():
    values, chance = np.full(50, 0.9), np.full(50, 0.5)
    found = chance_corrected(values, chance, 50, ALPHA)
    assert (found.low, found.value, found.high) == pytest.approx((0.8, 0.8, 0.8))
    without = chance_corrected(values, np.zeros(50), 10**6, ALPHA)
    plain = mean_interval(values, 10**6, ALPHA)
    assert (without.low, without.high) == pytest.approx((plain.low, plain.high))
    below = chance_corrected(np.full(50, 0.2), chance, 10**6, ALPHA)
    assert below.low <= below.value == pytest.approx(-0.6)


def test_recall_that_chance_explains_altogether_is_unbounded():
    found = chance_corrected(np.ones(50), np.ones(50), 10**6, ALPHA)
    assert (found.low, found.value, found.high) == (-math.inf, -math.inf, math.inf)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(512, 512, 1), (512, 100, 1), (512, 513, 2), (512, 1024, 2), (512, 1025, 3), (512, 16_384, 6)],
)
def test_looks_count_the_sample_sizes(first, last, expected):
    assert looks(first, last) == expected
