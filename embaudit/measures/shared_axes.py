"""Columns of two sets that carry the same thing, in whatever order and sign."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from embaudit.datatypes import Mask, Matrix, Rows, Stored, Vector
from embaudit.measures.distances import row_cosines
from embaudit.stats.prepare import unit_rows

FEWEST_ROWS = 50
"""With fewer, columns of independent sets correlate by chance."""
OUTLYING = 10.0
"""A row this many times farther from the centre than the median would decide every correlation."""
SAME_COLUMN = 0.7
"""Correlation of a column with its match, in the median: 0.8 for sign bits, 0.88 for a fine-tuned
model; the best match of two trainings of one model has 0.55, of two models 0.35."""
ELSEWHERE = 0.1
"""Correlation by which another column must beat the one in the same place: three standard errors
at the size of the sample."""

SURE_SIGN = 0.3
"""Correlation from which the sign of a column is not chance."""
ROUNDING = 1e-12
"""Deviation, relative to the largest value, that float64 makes of a constant."""


@dataclass(frozen=True)
class ColumnMatch:
    """Column ``columns_a[j]`` of A is column ``columns_b[j]`` of B times ``signs[j]``, up to scale.

    The columns of the side with fewer are in order.

    Attributes
    ----------
    columns_a, columns_b : int64 arrays, shape (d,)
    signs : float64 array, shape (d,)
        1 or -1.
    correlation : float
        In the median, signs undone.
    """

    columns_a: Rows
    columns_b: Rows
    signs: Vector
    correlation: float

    @property
    def moved(self) -> int:
        """Number of columns that stand elsewhere."""
        return int((self.columns_a != self.columns_b).sum())

    @property
    def flipped(self) -> int:
        """Number of columns with the other sign."""
        return int((self.signs < 0.0).sum())


@dataclass(frozen=True)
class SharedAxes:
    """A sample of both sides, and how columns of one stand in the other.

    Attributes
    ----------
    a, b : float64 arrays, shapes (s, p) and (s, q)
        Rows as stored, without trailing columns of zeros and without outlying rows.
    padding : (int, int)
        Trailing columns that hold zero in every sampled row, without those that the other side has
        too, in the same place or elsewhere.
    """

    a: Matrix
    b: Matrix
    padding: tuple[int, int]

    @classmethod
    def of(cls, a: Stored, b: Stored) -> SharedAxes:
        """Return what a paired sample of stored rows shows, shapes (s, p) and (s, q)."""
        padding = (_padding(a, b), _padding(b, a))
        x = a[:, : a.shape[1] - padding[0]].astype(np.float64)
        y = b[:, : b.shape[1] - padding[1]].astype(np.float64)
        near = _near(x) & _near(y)
        return cls(x[near], y[near], padding)

    @cached_property
    def match(self) -> ColumnMatch | None:
        """Which columns correspond; None where most have no match."""
        if len(self.a) < FEWEST_ROWS or min(self.a.shape[1], self.b.shape[1]) == 0:
            return None
        x, y = _unit_columns(self.a), _unit_columns(self.b)
        correlations = x.T @ y
        narrow_a = self.a.shape[1] < self.b.shape[1]
        narrow = np.abs(correlations.T if narrow_a else correlations)
        if float(np.median(narrow.max(axis=0))) < SAME_COLUMN:
            return None
        elsewhere, kept = _assignment(narrow), np.arange(narrow.shape[1])
        columns_a, columns_b = (kept, elsewhere) if narrow_a else (elsewhere, kept)
        chosen = correlations[columns_a, columns_b]
        varies = np.any(x != 0.0, axis=0)[columns_a] & np.any(y != 0.0, axis=0)[columns_b]
        typical = float(np.median(np.abs(chosen[varies]))) if varies.any() else 0.0
        if typical < SAME_COLUMN:
            return None
        # A column without signal on one side has no sign worth turning.
        signs = np.where(chosen < -SURE_SIGN, -1.0, 1.0)
        return ColumnMatch(columns_a, columns_b, signs, typical)

    @cached_property
    def undone(self) -> tuple[Matrix, Matrix]:
        """The columns that correspond, signs undone; those in the same place without a match."""
        if self.match is None:
            return self.in_place
        return self.a[:, self.match.columns_a] * self.match.signs, self.b[:, self.match.columns_b]

    @property
    def in_place(self) -> tuple[Matrix, Matrix]:
        """The columns that both sides have, as they stand."""
        common = min(self.a.shape[1], self.b.shape[1])
        return self.a[:, :common], self.b[:, :common]

    @cached_property
    def direct_cosine(self) -> float:
        """Median cosine of partners about the means, columns as they stand."""
        return likeness(*self.in_place)

    @cached_property
    def undone_cosine(self) -> float:
        """Median cosine of partners about the means, order and signs of the columns undone."""
        return likeness(*self.undone)


def likeness(x: Matrix, y: Matrix) -> float:
    """Return the median cosine of partners about the means, of rows as stored or of unit length.

    The larger of both: dividing rows by their lengths moves the mean, and is no turn of the axes.
    """
    return max(centred_cosine(x, y), centred_cosine(unit_rows(x), unit_rows(y)))


def typical_cosine(x: Matrix, y: Matrix) -> float:
    """Return the median cosine of row i of `x` with row i of `y`: mispaired rows do not count."""
    if len(x) == 0:
        return 0.0
    return float(np.median(row_cosines(x, y)))


def centred_cosine(x: Matrix, y: Matrix) -> float:
    """Return the median cosine of partners about the mean of each side."""
    return typical_cosine(centred(x), centred(y))


def trimmed_cosine(x: Matrix, y: Matrix) -> float:
    """Return `centred_cosine` of the rows without partners much farther apart than most.

    A few foreign rows move both means apart, and with them every cosine about the means.
    """
    apart = 1.0 - row_cosines(centred(x), centred(y))
    typical = apart <= OUTLYING * np.median(apart) if len(apart) else np.ones(0, np.bool_)
    return centred_cosine(x[typical], y[typical])


def centred(rows: Matrix) -> Matrix:
    """Return rows minus their mean."""
    return np.asarray(rows - rows.mean(axis=0)) if len(rows) else rows


def _padding(stored: Stored, other: Stored) -> int:
    """Return the trailing columns of zeros; a dead column of both sides, moved or not, is none."""
    dead, dead_there = (~(side != 0).any(axis=0) for side in (stored, other))
    start = int(np.flatnonzero(~dead).max(initial=-1)) + 1
    while start < len(dead) and (
        dead_there[start : start + 1].any() or dead_there[:start].sum() > dead[:start].sum()
    ):
        start += 1
    return len(dead) - start


def _near(rows: Matrix) -> Mask:
    if rows.size == 0:
        return np.ones(len(rows), np.bool_)
    distances = np.linalg.norm(rows - np.median(rows, axis=0), axis=1)
    typical = float(np.median(distances))
    return np.asarray(distances <= OUTLYING * typical) if typical else np.ones(len(rows), np.bool_)


def _unit_columns(rows: Matrix) -> Matrix:
    """Return centred columns of length 1; zeros where a column is constant up to rounding."""
    columns = np.ascontiguousarray(centred(rows).T)
    size = np.abs(rows).max(axis=0)
    columns[np.abs(columns).max(axis=1) <= ROUNDING * size] = 0.0
    return unit_rows(columns).T


def _assignment(correlations: Matrix) -> Rows:
    """Return the row of each column's match, shape (narrow,); rows at least as many as columns.

    A column stays where it is unless another place is clearly better, so that noise moves none.
    """
    wide, narrow = correlations.shape
    best = correlations.max(axis=0)
    own = correlations[np.arange(narrow), np.arange(narrow)]
    stays = (best > 0.0) & (own >= best - ELSEWHERE)
    chosen = np.where(stays, np.arange(narrow), -1)
    free = np.setdiff1d(np.arange(wide), chosen)
    moving = np.flatnonzero(~stays & (best > 0.0))
    if len(moving):
        # Its import takes longer than all other causes, and few pairs have columns that moved.
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(-correlations[np.ix_(free, moving)])
        chosen[moving[columns]] = free[rows]
    # A constant column correlates with nothing: its own place where that is free, else any.
    constant = np.flatnonzero(chosen < 0)
    at_home = constant[~np.isin(constant, chosen)]
    chosen[at_home] = at_home
    chosen[chosen < 0] = np.setdiff1d(np.arange(wide), chosen)[: int((chosen < 0).sum())]
    return chosen
