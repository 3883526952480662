"""How many observations would decide."""

from __future__ import annotations

import math

from scipy.special import betaincinv

from embaudit.stats.intervals import Interval

MOST = 1 << 40


def trials_to_prove(share: float, needed: float, alpha: float) -> int | None:
    """Return how many trials with such a share of successes prove the needed one.

    The least number whose Clopper-Pearson lower bound reaches `needed`; None where the share
    itself does not exceed it.

    Parameters
    ----------
    share, needed : float
        In [0, 1].
    alpha : float
        1 - confidence.
    """
    if share <= needed:
        return None

    def proves(trials: int) -> bool:
        successes = share * trials
        low = betaincinv(successes, trials - successes + 1.0, alpha / 2.0)
        return bool(low >= needed)

    high = 1
    while not proves(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle, high)
    return high


def trials_to_clear(interval: Interval, threshold: float, trials: int) -> int | None:
    """Return how many trials would move an interval off a threshold it straddles.

    Widths shrink with the square root of the trials; None where the value is on the threshold.
    """
    gap = abs(interval.value - threshold)
    reach = (
        interval.value - interval.low
        if interval.value >= threshold
        else interval.high - interval.value
    )
    if gap == 0.0 or trials * (reach / gap) ** 2 > MOST:
        return None
    return max(trials + 1, math.ceil(trials * (reach / gap) ** 2))
