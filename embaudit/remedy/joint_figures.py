"""How well two sets in one space find each other: what `align` and `verify` say of joint maps."""

from __future__ import annotations

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.datatypes import DIRECTIONS, Metric, Rows, Vector
from embaudit.joint_space import BothWays, PartnerRecall, SharedSight
from embaudit.measures.shared_space import alignment, modality_gap, partner_ranks, uniformity
from embaudit.remedy.joined_rows import JoinedRows
from embaudit.result import Estimate
from embaudit.stages.population import Population
from embaudit.stages.retrieval import ENDLESS
from embaudit.stats.intervals import mean_interval

FIRST = (1, 5, 10)
"""Among how many found rows the partner is looked for."""


def unit_set(source: EmbeddingSet) -> EmbeddingSet:
    """Return the rows of a set at length 1."""
    return JoinedRows([source], Metric.COSINE, [1.0])


def retrieval(
    population: Population,
    sets: tuple[EmbeddingSet, EmbeddingSet],
    queries: Rows,
    *,
    endless: bool = False,
) -> BothWays:
    """Return for how many queries the partner is among the first of all rows that are found.

    Parameters
    ----------
    population : Population
    sets : (EmbeddingSet, EmbeddingSet)
        The pair's rows at length 1, in one space.
    queries : int64 array, shape (m,)
    endless : bool
        Intervals are for pairs to come; else for the rows of these files.
    """
    options = population.options
    ranks = partner_ranks(*sets, population.kept, queries, options.workers, options.progress)
    of = ENDLESS if endless else population.n

    def share(before: Vector, first: int) -> Estimate:
        found = (before < first).astype(np.float64)
        interval = mean_interval(found, of, 1.0 - options.policy.confidence)
        return Estimate(value=interval.value, ci=(interval.low, interval.high))

    forward, backward = (
        PartnerRecall(**{f"at_{first}": share(before, first) for first in FIRST})
        for before in (ranks.a_to_b, ranks.b_to_a)
    )
    return BothWays(a_to_b=forward, b_to_a=backward)


def sight(
    sets: tuple[EmbeddingSet, EmbeddingSet], queries: Rows, found: BothWays | None
) -> SharedSight:
    """Return how two sets of unit rows lie to each other, at some rows."""
    x, y = (side.take(queries).astype(np.float64) for side in sets)
    together = x.shape[1] == y.shape[1]
    return SharedSight(
        retrieval=found,
        modality_gap=modality_gap(x, y) if together else None,
        alignment=alignment(x, y) if together else None,
        uniformity_a=uniformity(x),
        uniformity_b=uniformity(y),
    )


def worse_way(found: BothWays, n: int) -> float:
    """Return R@10 of the worse direction, corrected for chance among n rows."""
    chance = min(1.0, FIRST[-1] / n)
    worse = min(found.a_to_b.at_10.value or 0.0, found.b_to_a.at_10.value or 0.0)
    return (worse - chance) / (1.0 - chance) if chance < 1.0 else 0.0


def flat(found: BothWays) -> dict[str, Estimate]:
    """Return the figures of both directions by name, as ``a_to_b.at_10``."""
    return {
        f"{direction}.at_{first}": getattr(getattr(found, direction), f"at_{first}")
        for direction in DIRECTIONS
        for first in FIRST
    }
