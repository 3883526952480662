"""How well two sets in one space find each other: what `align` and `verify` say of joint maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.datatypes import DIRECTIONS, Direction, Mask, Metric, Rows, Vector
from embaudit.joint_space import FIRST, BothWays, PartnerRecall, SharedIndexPoint, SharedSight
from embaudit.measures.shared_space import (
    PartnerRanks,
    alignment,
    modality_gap,
    partner_ranks,
    uniformity,
)
from embaudit.remedy.joined_rows import JoinedRows
from embaudit.result import Estimate, Policy
from embaudit.stages.population import Population
from embaudit.stages.retrieval import ENDLESS
from embaudit.stats.intervals import mean_interval


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
    ranks = _ranks(population, sets, queries, [population.kept])[0]
    return _both_ways(ranks, ENDLESS if endless else population.n, population.options.policy)


def retrievals(
    population: Population,
    sets: tuple[EmbeddingSet, EmbeddingSet],
    queries: Rows,
    sizes: Sequence[int],
) -> tuple[BothWays, list[SharedIndexPoint]]:
    """Return the same among all rows, and in indexes of fewer of them, for pairs to come."""
    policy = population.options.policy
    indexes = [population.kept, *(population.drawn(size).kept for size in sizes)]
    everyone, *fewer = _ranks(population, sets, queries, indexes)
    points = [
        SharedIndexPoint(rows=size, retrieval=_both_ways(ranks, ENDLESS, policy))
        for size, ranks in zip(sizes, fewer, strict=True)
    ]
    return _both_ways(everyone, population.n, policy), points


def _ranks(
    population: Population,
    sets: tuple[EmbeddingSet, EmbeddingSet],
    queries: Rows,
    indexes: Sequence[Mask],
) -> list[PartnerRanks]:
    options = population.options
    return partner_ranks(*sets, indexes, queries, options.workers, options.progress)


def _both_ways(ranks: PartnerRanks, of: int, policy: Policy) -> BothWays:
    """Return the shares of queries, a sample of so many, and their intervals."""

    def share(before: Vector, first: int) -> Estimate:
        found = (before < first).astype(np.float64)
        interval = mean_interval(found, of, 1.0 - policy.confidence)
        return Estimate.of(interval)

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


def figures(found: BothWays) -> dict[tuple[Direction, int], Estimate]:
    """Return the figures by direction and number of first rows."""
    return {
        (direction, first): getattr(getattr(found, direction), f"at_{first}")
        for direction in DIRECTIONS
        for first in FIRST
    }


def name_of(direction: Direction, first: int) -> str:
    """Return what a map file calls a figure: ``a_to_b.at_10``."""
    return f"{direction}.at_{first}"
