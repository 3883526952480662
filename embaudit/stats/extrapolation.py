"""Shares observed at growing sizes, extrapolated to a larger one."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit, ndtri

from embaudit.datatypes import Matrix, Vector
from embaudit.stats.intervals import Interval

WANDER = 0.05
"""Standard deviation by which the slope of a curve changes over one doubling of the size, on the
logit scale; chosen so that intervals hold on known pairs (``python -m benchmarks.projection``)."""
HALF = 0.5


def extrapolate(values: Matrix, sizes: Vector, target: float, alpha: float) -> Interval:
    """Return the mean at `target`, from a line in the logarithm of the size on the logit scale.

    The line is the best linear unbiased prediction from the means (universal kriging, Cressie 1993,
    section 3.4) under two errors: that of the sampled queries, whose covariance over the sizes is
    measured because the same queries are asked at every size; and a slope that wanders by `WANDER`
    a doubling (integrated Brownian motion), because no curve is quite a line. Both widen the
    interval, the second with the third power of the doublings to go. A larger index holds more rows
    that may come between: the interval does not reach above a curve that is level at the largest
    size.

    Parameters
    ----------
    values : float64 array, shape (s, m)
        One row a size, one column a query, in [0, 1].
    sizes : float64 array, shape (s,)
        Ascending, at least two.
    target : float
    alpha : float
        1 - confidence.
    """
    means, covariance = _logit_means(values)
    steps = np.log2(sizes / sizes[0])
    ahead = float(np.log2(target / sizes[0]))
    count = len(sizes)
    trend = np.stack([np.ones(count), steps], axis=1)
    system = np.zeros((count + 2, count + 2))
    system[:count, :count] = covariance + _wandering(steps[:, None], steps[None, :])
    system[:count, count:] = trend
    system[count:, :count] = trend.T
    shared = _wandering(steps, np.full(count, ahead))
    asked = np.concatenate([shared, [1.0, ahead]])
    solution = np.linalg.lstsq(system, asked, rcond=None)[0]
    value = float(solution[:count] @ means)
    variance = float(_wandering(np.array(ahead), np.array(ahead)) - solution @ asked)
    quantile = float(ndtri(1.0 - alpha / 2.0))
    half_width = quantile * np.sqrt(max(0.0, variance))
    further = np.array(ahead - steps[-1])
    level = covariance[-1, -1] + _wandering(further, further)
    high = min(value + half_width, float(means[-1] + quantile * np.sqrt(level)))
    low, middle, high = expit([min(value - half_width, high), min(value, high), high])
    # The half query that stands for a mean of 0 or 1 is no evidence against 0 or 1.
    low = 0.0 if not values[-1].any() else low
    high = 1.0 if (values[-1] == 1.0).all() else high
    return Interval(float(middle), float(low), float(high))


def _logit_means(values: Matrix) -> tuple[Vector, Matrix]:
    """Return the logits of the means, shape (s,), and their covariance.

    Half a query at either end is added (Anscombe 1956), so that a mean of 0 or 1 has a logit. Half
    of one at the far end is added to the variance, so that values which are all alike are not
    certain; it moves all sizes alike, for it says nothing about their differences.
    """
    count = values.shape[1]
    means = (values.sum(axis=1) + HALF) / (count + 1)
    deviations = values - values.mean(axis=1)[:, None]
    far = np.where(means > HALF, means, 1.0 - means)
    slopes = 1.0 / (means * (1.0 - means))
    scatter = deviations @ deviations.T * np.outer(slopes, slopes)
    unseen = HALF * float(np.square(far * slopes).max())
    return np.asarray(logit(means)), (scatter + unseen) / count**2


def _wandering(first: Vector, second: Vector) -> Vector:
    """Return the covariance of integrated Brownian motion at two numbers of doublings."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.asarray(WANDER**2 * low**2 * (3.0 * high - low) / 6.0)
