"""Centred kernel alignment: linear from the moments, RBF on a sample; both debiased."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from embaudit.datatypes import Matrix, Vector
from embaudit.measures.distances import by_row
from embaudit.stats.moments import Moments

ROUNDING = 1e-8
"""What debiasing leaves of the squared covariances is rounding below this share: one row carries
nearly all of them."""


@dataclass(frozen=True)
class LinearCKA:
    """Linear CKA of n paired rows.

    Attributes
    ----------
    debiased : float or None
        Song et al. 2012, feature-space form; slightly negative values occur. None where a side
        has no variance left after debiasing: none at all, or one row has nearly all of it.
    biased : float or None
        Kornblith et al. 2019; rises with dimension over rows even for independent data.
    p_value : float or None
        Of independence, without permutations (Shen, Panda and Vogelstein 2022).
    """

    debiased: float | None
    biased: float | None
    p_value: float | None


def linear_cka(moments: Moments) -> LinearCKA:
    """Return linear CKA from the moments of all rows; more than 3 rows are needed."""
    n = moments.n
    scatter = moments.scatter()
    k_xx, k_xy, k_yy = moments.norm_products()
    trace_x, trace_y = float(scatter.xx.trace()), float(scatter.yy.trace())
    square_xx, square_yy = float(np.square(scatter.xx).sum()), float(np.square(scatter.yy).sum())
    square_xy = float(np.square(scatter.xy).sum())
    denominator = math.sqrt(square_xx) * math.sqrt(square_yy)
    biased = square_xy / denominator if denominator > 0.0 else None

    def unbiased(square: float, k: float, traces: float) -> float:
        # n (n - 3) HSIC; the common factor cancels in the ratio.
        return square - n / (n - 2) * k + traces / ((n - 1) * (n - 2))

    if n <= 3:
        return LinearCKA(None, biased, None)
    xy = unbiased(square_xy, k_xy, trace_x * trace_y)
    xx = unbiased(square_xx, k_xx, trace_x * trace_x)
    yy = unbiased(square_yy, k_yy, trace_y * trace_y)
    if xx <= ROUNDING * square_xx or yy <= ROUNDING * square_yy:
        return LinearCKA(None, biased, None)
    debiased = xy / (math.sqrt(xx) * math.sqrt(yy))
    return LinearCKA(debiased, biased, independence_p_value(debiased, n))


def independence_p_value(cka: float, n: int) -> float:
    """Return ``P(chi2_1 > n CKA + 1)``, 1 where the statistic is negative."""
    return float(chdtrc(1.0, max(0.0, n * cka + 1.0)))


def rbf_cka(kernel: Vector | None, other: Vector | None, n: int) -> float | None:
    """Return debiased CKA of the `gaussian_kernel` of either side, n > 3 rows.

    Returns
    -------
    float or None
        None where all rows of a side are equal.
    """
    if kernel is None or other is None:
        return None
    sums, other_sums = _row_sums(kernel, n), _row_sums(other, n)
    xy = debiased_hsic(2.0 * float(kernel @ other), sums, other_sums)
    xx = debiased_hsic(2.0 * float(kernel @ kernel), sums, sums)
    yy = debiased_hsic(2.0 * float(other @ other), other_sums, other_sums)
    if xx <= 0.0 or yy <= 0.0:
        return None
    return xy / math.sqrt(xx * yy)


def gaussian_kernel(squared: Vector) -> Vector | None:
    """Return ``exp(-d^2 / (2 median^2))`` of all pairs; None where the median is 0.

    Parameters
    ----------
    squared : float64 array, shape (n (n - 1) / 2,)
        `squared_distances` of a sample; rounding may have made some negative.
    """
    median = float(np.median(squared))
    if median <= 0.0:
        return None
    kernel = np.maximum(squared, 0.0)
    kernel /= -2.0 * median
    return np.asarray(np.exp(kernel, out=kernel))


def _row_sums(kernel: Vector, n: int) -> Vector:
    """Return the sum over each row's pairs, shape (n,)."""
    sums = np.zeros(n)
    for place, part in enumerate(by_row(kernel, n)):
        sums[place] += part.sum()
        sums[place + 1 :] += part
    return sums


def linear_kernel(rows: Matrix) -> Matrix:
    """Return the inner products of centred rows, the diagonal zero as debiasing wants it."""
    centred = rows - rows.mean(axis=0)
    kernel: Matrix = centred @ centred.T
    np.fill_diagonal(kernel, 0.0)
    return kernel


def debiased_hsic(trace: float, sums: Vector, other_sums: Vector) -> float:
    """Return n (n - 3) times the unbiased HSIC of two kernels (Song et al. 2012, eq. 5).

    Parameters
    ----------
    trace : float
        Sum of the products of the kernels' entries; their diagonals are zero.
    sums, other_sums : float64 arrays, shape (n,)
        Row sums of the kernels.
    """
    n = len(sums)
    product = float(sums.sum()) * float(other_sums.sum()) / ((n - 1) * (n - 2))
    return trace + product - 2.0 / (n - 2) * float(sums @ other_sums)
