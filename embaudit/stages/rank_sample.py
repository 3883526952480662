"""Partner ranks of a growing sample of rows, by direction and map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import DIRECTIONS, Matrix, Rows, Vector
from embaudit.maps.cross_fit import CrossFit
from embaudit.measures.neighbors import MAPS, RAW, QueryResults, partner_id
from embaudit.measures.pairing import Mispairing, View, judge, judge_raw
from embaudit.stages.population import Population
from embaudit.stats.intervals import looks
from embaudit.stats.parallel import ordered_map
from embaudit.stats.prepare import unit_rows
from embaudit.stats.ranks import Partners

FIRST_RANKS = 4096
SMALLEST_BATCH = 1024
"""References come from the batch itself; a smaller rest joins the batch before it."""


@dataclass(frozen=True)
class PartnerScores:
    """How near some rows are to their partners, under every view.

    Attributes
    ----------
    rows : int64 array, shape (m,)
    ranks : dict of view to float64 array, shape (m,)
        Partner ranks in (0, 1).
    cosines : dict of view to float64 array, shape (m,)
        Cosine of a row and its partner.
    """

    rows: Rows
    ranks: dict[View, Vector]
    cosines: dict[View, Vector]

    def extended(self, other: PartnerScores) -> PartnerScores:
        """Return the scores of both samples."""
        return PartnerScores(
            np.concatenate([self.rows, other.rows]),
            _joined(self.ranks, other.ranks),
            _joined(self.cosines, other.cosines),
        )


class RankSample:
    """Ranks for a prefix of the sampling order, extended while the decision straddles."""

    def __init__(self, population: Population, maps: CrossFit) -> None:
        self._population = population
        self._maps = maps
        self._ranks: dict[View, Vector] = {}
        self._cosines: dict[View, Vector] = {}
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
    def scores(self) -> PartnerScores:
        """Ranks and cosines of the rows ranked first; cosines of more rows are not held."""
        held = len(next(iter(self._cosines.values())))
        first = {view: ranks[:held] for view, ranks in self._ranks.items()}
        return PartnerScores(self._rows[:held], first, self._cosines)

    def scores_of(self, rows: Rows) -> PartnerScores:
        """Return the scores of rows that have not been ranked, against rows ranked first.

        Parameters
        ----------
        rows : int64 array, shape (m,)
            Any selection: the references stay random rows of the target.
        """
        population = self._population
        seed, pool = population.options.seed, population.order[:FIRST_RANKS]
        found: PartnerScores | None = None
        for start in range(0, len(rows), FIRST_RANKS):
            part = rows[start : start + FIRST_RANKS]
            scores = PartnerScores(part, *self._scored(part, [seed, 7, start], pool))
            found = scores if found is None else found.extended(scores)
        assert found is not None, "at least one row"
        return found

    @property
    def _rows(self) -> Rows:
        return self._population.order[: self._count]

    def _extend(self, count: int) -> None:
        population = self._population
        most = max(FIRST_RANKS, population.options.policy.max_queries)
        while self._count < count:
            start, stop = self._count, min(self._count + FIRST_RANKS, count)
            if count - stop < SMALLEST_BATCH:
                stop = count
            rows = population.order[start:stop]
            seed = [population.options.seed, 4, start]
            ranks, cosines = self._scored(rows, seed, cosine=start < most)
            self._ranks = _joined(self._ranks, ranks)
            self._cosines = {**self._cosines, **_joined(self._cosines, cosines)}
            self._count = stop

    def _scored(
        self, rows: Rows, seed: list[int], pool: Rows | None = None, *, cosine: bool = True
    ) -> tuple[dict[View, Vector], dict[View, Vector]]:
        """Rank the rows of one batch, against each other or against a pool, and take cosines."""
        population = self._population
        metric = population.options.metric
        sides = dict(zip("ab", population.prepared(rows), strict=True))
        pools = None if pool is None else dict(zip("ab", population.prepared(pool), strict=True))
        partners = {
            side: Partners(vectors, metric, None if pools is None else pools[side])
            for side, vectors in sides.items()
        }
        units = _units(sides, partners) if cosine else None

        def score(view: View) -> tuple[Vector, Vector]:
            direction, kind = view
            vectors = sides[direction[0]]
            if kind != RAW:
                vectors = self._maps.transform(direction, kind, rows, vectors)
            # The same references for every view: they differ by the map alone.
            ranks = partners[direction[-1]].ranks(vectors, np.random.default_rng(seed))
            if units is None:
                return ranks, np.empty(0)
            # Mapped rows are a copy of ours to overwrite.
            own = units[direction[0]] if kind == RAW else unit_rows(vectors, out=vectors)
            return ranks, np.einsum("ij,ij->i", own, units[direction[-1]])

        kinds = (RAW, *MAPS) if population.same_dim else MAPS
        views: list[View] = [(direction, kind) for direction in DIRECTIONS for kind in kinds]
        ranks: dict[View, Vector] = {}
        cosines: dict[View, Vector] = {}
        scores = ordered_map(score, views, population.options.workers)
        for view, (ranks[view], found) in zip(views, scores, strict=True):
            if cosine:
                cosines[view] = found
        return ranks, cosines


def _units(sides: dict[str, Matrix], partners: dict[str, Partners]) -> dict[str, Matrix]:
    """Return the rows of both sides at length 1, those that are there already not made again."""
    found = {}
    for side, vectors in sides.items():
        units = partners[side].units
        found[side] = unit_rows(vectors) if units is None else units
    return found


def _joined(first: dict[View, Vector], second: dict[View, Vector]) -> dict[View, Vector]:
    return {
        view: np.concatenate([first[view], values]) if view in first else values
        for view, values in second.items()
    }
