"""A score threshold carried from one space to another by the share of pairs that pass it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from embaudit.datatypes import TIES, Mask, Matrix, Rows, Vector
from embaudit.stats.intervals import Interval, share_interval

FEWEST_PAIRS = 30
"""Passing pairs below which a share of them is not worth a number."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows with a score in either space; larger is nearer.

    Attributes
    ----------
    rows_of : callable
        Both rows, numbered from 0, of the pairs in some places.
    wanted : float64 array, shape (pairs,)
        Scores in the space a threshold was chosen in.
    found : float64 array, shape (orders, pairs)
        Scores in the space it is carried to: of each pair once, or once in each order of its rows.
    count : int
        How many pairs there are, once an order, with those that are not held.
    floor : float
        Pairs are missing only where `found` is below it; all that pass on `wanted` are held.
    beneath : float
        The best wanted score that does not pass, where pairs are missing.
    """

    rows_of: Callable[[Rows], tuple[Rows, Rows]]
    wanted: Vector
    found: Matrix
    count: int
    floor: float = -np.inf
    beneath: float = -np.inf

    def passing(self, threshold: float) -> int:
        """Return how many pairs pass a threshold on the wanted scores, once an order."""
        return len(self.found) * int(np.count_nonzero(passes(self.wanted, threshold)))

    @cached_property
    def ascending(self) -> Vector:
        """The found scores, the lowest first."""
        return np.sort(self.found, axis=None)


@dataclass(frozen=True)
class Agreement:
    """How well the pairs that pass one threshold are those that pass another.

    Attributes
    ----------
    precision : Interval or None
        Of the pairs that pass on found scores, the share that passes on wanted ones; None where
        no pair passes.
    recall : Interval or None
        The other way round.
    """

    precision: Interval | None
    recall: Interval | None


def passes(scores: Vector | Matrix, threshold: float) -> Mask:
    """Mark the scores that reach a threshold, up to rounding."""
    return np.asarray(scores >= threshold - TIES * max(1.0, abs(threshold)))


def carried(pairs: Pairs, threshold: float) -> float | None:
    """Return the threshold on found scores that as many pairs pass as `threshold` on wanted ones.

    Between two found scores it lies where `threshold` lies between two wanted ones: a scaled copy
    has the scaled threshold. Where equal scores leave no such place, the nearest count is taken.
    None where no pair passes, or more than are held.
    """
    passing = passes(pairs.wanted, threshold)
    count = len(pairs.found) * int(np.count_nonzero(passing))
    if count == 0:
        return None
    ascending = pairs.ascending
    at = float(ascending[-count])
    tolerance = TIES * max(1.0, abs(at))
    above = len(ascending) - int(np.searchsorted(ascending, at + tolerance, side="right"))
    reached = len(ascending) - int(np.searchsorted(ascending, at - tolerance, side="left"))
    cut = above if above > 0 and count - above < reached - count else reached
    beneath = max(pairs.beneath, float(np.where(passing, -np.inf, pairs.wanted).max()))
    lowest = float(ascending[-cut])
    next_lower = float(ascending[-cut - 1]) if cut < len(ascending) else -np.inf
    if cut == len(ascending) or next_lower < pairs.floor or beneath == -np.inf:
        return lowest if pairs.floor == -np.inf else None
    least = float(pairs.wanted[passing].min())
    place = float(np.clip((threshold - beneath) / (least - beneath), 0.0, 1.0))
    return next_lower + place * (lowest - next_lower)


def agreement(
    pairs: Pairs, threshold: float, found_threshold: float, alpha: float
) -> Agreement | None:
    """Hold the pairs that pass on found scores against those that pass on wanted ones.

    Parameters
    ----------
    pairs : Pairs
        Not those that `found_threshold` was chosen on.
    threshold, found_threshold : float
        On wanted and on found scores.
    alpha : float
        1 - confidence.

    Returns
    -------
    Agreement or None
        None where `found_threshold` lies below the scores that are held.
    """
    if found_threshold < pairs.floor:
        return None
    wanted = np.broadcast_to(passes(pairs.wanted, threshold), pairs.found.shape)
    found = passes(pairs.found, found_threshold)
    both = wanted & found
    return Agreement(
        precision=_share_of_pairs(pairs, both, found, alpha),
        recall=_share_of_pairs(pairs, both, wanted, alpha),
    )


def _share_of_pairs(pairs: Pairs, hits: Mask, among: Mask, alpha: float) -> Interval | None:
    """Return the share of hits among some pairs, with an interval over samples of rows.

    Pairs that share a row are not independent. The variance is what resampling rows comes to:
    with e = hit - share, sums s over the pairs of a row, and D pairs,
    ``(sum over rows of s^2 - sum over pairs of e^2) / D^2`` (Fafchamps and Gubert 2007); the second
    term takes back that each pair belongs to two rows. As in `mean_interval` this gives effective
    trials for Clopper-Pearson bounds, one value at the far end is added (here a row with as many
    pairs as others), and where all pairs agree the trials are pairs that share no row.
    """
    chosen = np.flatnonzero(among)
    if len(chosen) == 0:
        return None
    ends = np.concatenate(pairs.rows_of(chosen % len(pairs.wanted)))
    rows, place = np.unique(ends, return_inverse=True)
    hit = hits.ravel()[chosen].astype(np.float64)
    share = float(hit.mean())
    total = len(chosen)
    trials = len(rows) / 2.0
    if 0.0 < share < 1.0:
        error = hit - share
        by_row = np.bincount(place, np.concatenate([error, error]))
        low, high = (
            np.minimum(place[:total], place[total:]),
            np.maximum(place[:total], place[total:]),
        )
        _, pair = np.unique(low * len(rows) + high, return_inverse=True)
        by_pair = np.bincount(pair, error)
        square = float(np.square(by_row).sum() - np.square(by_pair).sum())
        square = max(square, float(np.square(error).sum()))
        square += (2.0 * total / len(rows) * max(share, 1.0 - share)) ** 2
        trials = share * (1.0 - share) * total**2 / square
    return share_interval(share, max(1.0, trials), alpha)
