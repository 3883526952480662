"""Do rows correspond: partner ranks, Storey's estimate of the mispaired fraction, its tail."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Rows, Vector
from embaudit.stats.intervals import Interval, clopper_pearson

LAMBDA = 0.9
"""Ranks above it come from mispaired rows alone unless the relation is weak."""
LOWER_LAMBDAS = (0.5, 0.2)
PROVEN = 0.01
"""Median rank of stored vectors from which paired rows have no tail: ranks above 0.5 then come from
mispaired rows alone, which few rows show five times as well as ranks above 0.9."""
ATOM = 0.02
"""Ranks of rows that find their partner."""
LEAST_KIND = 0.2
"""Share of the rows with a rank below `ATOM`, and of the others, all uniform, that makes two kinds.
"""
FLAT_Z = 3.3
"""Standard errors by which a tail may decline and still count as flat: 0.1% of flat tails do."""
SUSPECT = 0.5

SURE = 0.9
"""Of the rows that are named as mispaired, the share that must be by the estimated fraction."""
LOWEST_SUSPECT = 0.02

View = tuple[str, str]
"""(direction, kind) of the query vectors: kind is raw, orthogonal or linear."""


@dataclass(frozen=True)
class Mispairing:
    """What the partner ranks of one view say.

    Attributes
    ----------
    view : (direction, kind)
        The view that shows the pairing best.
    fraction : Interval
        Share of mispaired rows by `mispaired_fraction`.
    flat : bool
        The tail of the ranks does not decline: mispaired rows, not a weak relation.
    median_rank : float
    ranks : float64 array, shape (m,)
    rows : int64 array, shape (m,)
        The rows that were ranked.
    """

    view: View
    fraction: Interval
    flat: bool
    median_rank: float
    ranks: Vector
    rows: Rows

    @property
    def by_raw(self) -> bool:
        """Whether the stored vectors themselves showed it, without a map."""
        return self.view[1] == "raw"

    @property
    def suspects(self) -> Rows:
        """Rows whose partner ranks in the worse half, worst first."""
        order = np.argsort(-self.ranks, kind="stable")
        return self.rows[order[self.ranks[order] > SUSPECT]]

    @property
    def threshold(self) -> float:
        """The lowest rank above which at least nine tenths of the rows are mispaired.

        Ranks of mispaired rows are uniform, so ``fraction (1 - t)`` of all rows are mispaired and
        rank above t. 0.5 where no lower rank is as sure.
        """
        for rank in np.arange(LOWEST_SUSPECT, SUSPECT, 0.01):
            above = float((self.ranks > rank).mean())
            if 0.0 < above * SURE <= self.fraction.value * (1.0 - rank):
                return float(rank)
        return SUSPECT

    @property
    def likely_mispaired(self) -> Rows:
        """Rows whose partner ranks above `threshold`, worst first."""
        order = np.argsort(-self.ranks, kind="stable")
        return self.rows[order[self.ranks[order] > self.threshold]]


def mispaired_fraction(ranks: Vector, alpha: float, proven: bool = False) -> Interval:
    """Return Storey's estimate at lambda 0.9 (Storey 2002) with a Clopper-Pearson interval.

    Ranks of mispaired rows are uniform, unless their vectors are systematically far from their
    partners (rows of a rotated model, say): then the tail rises towards 1 and lambda 0.9 counts
    too many. Every lambda bounds the fraction from above, so a rising tail takes the lowest.

    Parameters
    ----------
    ranks : float64 array, shape (m,)
        Partner ranks in (0, 1).
    alpha : float
        1 - confidence.
    proven : bool
        Paired rows rank so well that lambda 0.5 is as unbiased, and sharper.
    """
    lambdas: tuple[float, ...] = LOWER_LAMBDAS if proven else (LAMBDA, *LOWER_LAMBDAS)
    if _decline(ranks) >= -FLAT_Z:
        lambdas = lambdas[:1]
    estimates = [storey(ranks, threshold, alpha) for threshold in lambdas]
    return min(estimates, key=lambda estimate: estimate.value)


def storey(ranks: Vector, threshold: float, alpha: float) -> Interval:
    """Return ``share(rank > threshold) / (1 - threshold)`` with its interval, at most 1."""
    share = clopper_pearson(int((ranks > threshold).sum()), len(ranks), alpha)
    value, low, high = (
        min(1.0, bound / (1.0 - threshold)) for bound in (share.value, share.low, share.high)
    )
    return Interval(value, low, high)


def tail_is_flat(ranks: Vector) -> bool:
    """Tell mispaired rows (a uniform or rising tail) from a weak relation (a declining one)."""
    return _decline(ranks) <= FLAT_Z


def _decline(ranks: Vector) -> float:
    """Return by how many standard errors the counts fall from (0.6, 0.8] to (0.8, 1]."""
    near = int(((ranks > 0.6) & (ranks <= 0.8)).sum())
    far = int((ranks > 0.8).sum())
    return (near - far) / math.sqrt(max(1, near + far))


def two_kinds(ranks: Vector) -> bool:
    """Tell whether some rows find their partner and all others rank like random rows.

    Where the spaces are turned or weakly related, ranks decline smoothly instead.
    """
    middle = int(((ranks > 0.1) & (ranks <= SUSPECT)).sum())
    far = int((ranks > SUSPECT).sum())
    width = (SUSPECT - 0.1) / (1.0 - SUSPECT)
    declines = (middle - width * far) / math.sqrt(max(1.0, middle + width**2 * far))
    kinds = (float((ranks <= ATOM).mean()), far / (1.0 - SUSPECT) / len(ranks))
    return min(kinds) >= LEAST_KIND and declines <= FLAT_Z and tail_is_flat(ranks)


def judge(
    ranks: dict[View, Vector], rows: Rows, partners_found: float | None, alpha: float
) -> Mispairing:
    """Judge the pairing by the view that shows it best.

    Where at least half of the partners are found with the stored vectors, or their ranks are of
    two kinds, those decide; else the map and direction with the fewest ranks above 0.5, since any
    map that finds the partners proves the pairing.

    Parameters
    ----------
    ranks : dict of view to float64 array, shape (m,)
    rows : int64 array, shape (m,)
    partners_found : float or None
        The smaller share of partners found raw; None where the dimensions differ.
    alpha : float
        1 - confidence.
    """
    raw = judge_raw(ranks, rows, alpha)
    found = 0.0 if partners_found is None else partners_found
    if raw is not None and (found >= 0.5 or two_kinds(raw.ranks)):
        return raw
    return _judge_best(ranks, [view for view in ranks if view[1] != "raw"], rows, alpha)


def judge_raw(ranks: dict[View, Vector], rows: Rows, alpha: float) -> Mispairing | None:
    """Judge the pairing by the stored vectors; None where the dimensions differ."""
    views = [view for view in ranks if view[1] == "raw"]
    return _judge_best(ranks, views, rows, alpha) if views else None


def _judge_best(
    ranks: dict[View, Vector], views: list[View], rows: Rows, alpha: float
) -> Mispairing:
    view = min(views, key=lambda v: (float((ranks[v] > SUSPECT).mean()), views.index(v)))
    chosen = ranks[view]
    median = float(np.median(chosen))
    return Mispairing(
        view=view,
        fraction=mispaired_fraction(chosen, alpha, proven=view[1] == "raw" and median <= PROVEN),
        flat=tail_is_flat(chosen),
        median_rank=median,
        ranks=chosen,
        rows=rows,
    )
