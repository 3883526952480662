"""Intervals that hold at small samples and near 0 and 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from embaudit.datatypes import Vector


@dataclass(frozen=True)
class Interval:
    """A point estimate with lower and upper bound."""

    value: float
    low: float
    high: float


def clopper_pearson(successes: int, trials: int, alpha: float) -> Interval:
    """Return the exact binomial interval of a share (Clopper and Pearson 1934).

    Parameters
    ----------
    successes, trials : int
        At least one trial.
    alpha : float
        1 - confidence.
    """
    low, high = _beta_bounds(successes / trials, float(trials), alpha)
    return Interval(successes / trials, low, high)


def share_interval(share: float, trials: float, alpha: float) -> Interval:
    """Return the Clopper-Pearson interval of a share at a number of effective trials.

    Parameters
    ----------
    share : float
        In [0, 1].
    trials : float
        At least 1, not necessarily whole.
    alpha : float
        1 - confidence.
    """
    low, high = _beta_bounds(share, trials, alpha)
    return Interval(share, min(low, share), max(high, share))


def mean_interval(values: Vector, population: int, alpha: float) -> Interval:
    """Return an interval for the mean over a population from rows drawn without replacement.

    The mean of values in [0, 1] is treated as a share of ``m_e = m r (1 - r) / s^2`` effective
    trials, with Clopper-Pearson bounds. Two guards keep the coverage where a bootstrap or a normal
    interval loses it, at small m and near 0 or 1 where the rare values are not in the sample:
    one value at the far end is added to the variance, and without any variance m itself counts.
    Drawing m of n rows makes ``-n log(1 - m/n)`` trials of m: exact for the chance to miss all of
    a few rows, cautious otherwise.

    Parameters
    ----------
    values : float64 array, shape (m,)
        Nominally in [0, 1]; linearised estimates may leave it.
    population : int
        n; an interval of width 0 is returned when every row has been drawn.
    alpha : float
        1 - confidence.
    """
    count = len(values)
    mean = float(values.mean())
    if count >= population:
        return Interval(mean, mean, mean)
    share = min(1.0, max(0.0, mean))
    trials = -population * math.log1p(-count / population)
    square = float(np.square(values - mean).sum())
    if square > 0.0 and 0.0 < share < 1.0:
        variance = (square + max(share, 1.0 - share) ** 2) / count
        # Values in [0, 1] vary at most as a share does: the added value must not cost trials.
        trials *= max(1.0, share * (1.0 - share) / variance)
    low, high = _beta_bounds(share, trials, alpha)
    return Interval(mean, min(low, mean), max(high, mean))


NOTHING_KNOWN = Interval(-math.inf, -math.inf, math.inf)
"""Of a recall that chance alone reaches."""


def chance_corrected(values: Vector, chance: Vector, population: int, alpha: float) -> Interval:
    """Return ``(r - c) / (1 - c)`` for mean recall r and mean chance c, with its interval.

    Each query's influence on the ratio (its linearisation) stands in for its value, so recall and
    chance vary together as they do over samples of queries. Minus infinity where chance is 1.
    """
    recall, by_chance = float(values.mean()), float(chance.mean())
    room = 1.0 - by_chance
    if room <= 0.0:
        return NOTHING_KNOWN
    corrected = (recall - by_chance) / room
    influence = (values - recall) / room - (1.0 - recall) * (chance - by_chance) / room**2
    return mean_interval(corrected + influence, population, alpha)


def _beta_bounds(share: float, trials: float, alpha: float) -> tuple[float, float]:
    successes, failures = share * trials, (1.0 - share) * trials
    low = float(betaincinv(successes, failures + 1.0, alpha / 2.0)) if successes > 0.0 else 0.0
    high = (
        float(betaincinv(successes + 1.0, failures, 1.0 - alpha / 2.0)) if failures > 0.0 else 1.0
    )
    return low, high


def looks(first: int, last: int) -> int:
    """Return how many sample sizes ``first, 2 first, 4 first, ... last`` there are."""
    count = 1
    while first < last:
        first *= 2
        count += 1
    return count
