"""Partner ranks of a growing sample of rows, by direction and map."""

from __future__ import annotations

import numpy as np

from embaudit.datatypes import DIRECTIONS, Matrix, Rows, Vector
from embaudit.maps.cross_fit import CrossFit
from embaudit.measures.neighbors import MAPS, RAW, QueryResults, partner_id
from embaudit.measures.pairing import Mispairing, View, judge, judge_raw
from embaudit.stages.population import Population
from embaudit.stats.intervals import looks
from embaudit.stats.ranks import partner_ranks

FIRST_RANKS = 4096
SMALLEST_BATCH = 1024
"""References come from the batch itself; a smaller rest joins the batch before it."""


class RankSample:
    """Ranks for a prefix of the sampling order, extended while the decision straddles."""

    def __init__(self, population: Population, maps: CrossFit) -> None:
        self._population = population
        self._maps = maps
        self._ranks: dict[View, Vector] = {}
        self._count = 0
        possible = looks(min(FIRST_RANKS, population.n), population.n)
        self._alpha = (1.0 - population.options.policy.confidence) / possible

    def judged(self, results: QueryResults) -> Mispairing:
        """Return the judgement, from ranks enough to decide it and of every query."""
        n, limit = self._population.n, self._population.options.policy.max_mispaired
        self._extend(min(n, max(FIRST_RANKS, len(results.rows))))
        found = [
            float(results.values[key].mean())
            for key in map(partner_id, DIRECTIONS)
            if key in results.values
        ]
        while True:
            judged = judge(self._ranks, self._rows, min(found, default=None), self._alpha)
            straddles = judged.fraction.low <= limit < judged.fraction.high
            if not (straddles and judged.flat) or self._count == n:
                return judged
            self._extend(min(2 * self._count, n))

    def judged_raw(self) -> Mispairing | None:
        """Return the judgement by the stored vectors; None where the dimensions differ."""
        return judge_raw(self._ranks, self._rows, self._alpha)

    @property
    def _rows(self) -> Rows:
        return self._population.order[: self._count]

    def _extend(self, count: int) -> None:
        while self._count < count:
            stop = min(self._count + FIRST_RANKS, count)
            if count - stop < SMALLEST_BATCH:
                stop = count
            for view, ranks in self._batch(self._count, stop).items():
                held = self._ranks.get(view)
                self._ranks[view] = ranks if held is None else np.concatenate([held, ranks])
            self._count = stop

    def _batch(self, start: int, stop: int) -> dict[View, Vector]:
        """Rank the rows of one batch against each other."""
        population, options = self._population, self._population.options
        rows = population.order[start:stop]
        sides = {
            "a": population.scan.a.preparation.rows(population.pair.a.take(rows)),
            "b": population.scan.b.preparation.rows(population.pair.b.take(rows)),
        }
        ranks: dict[View, Vector] = {}
        for direction in DIRECTIONS:
            source, target = sides[direction[0]], sides[direction[-1]]
            vectors: dict[str, Matrix] = {RAW: source} if population.same_dim else {}
            for kind in MAPS:
                vectors[kind] = self._maps.transform(direction, kind, rows, source)
            for kind, mapped in vectors.items():
                # The same references for every view: they differ by the map alone.
                generator = np.random.default_rng([options.seed, 4, start])
                ranks[direction, kind] = partner_ranks(mapped, target, options.metric, generator)
        return ranks
