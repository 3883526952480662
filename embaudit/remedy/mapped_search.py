"""Searching with mapped vectors, and in an index that holds some: what a map makes of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from embaudit.alignment import Sight
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import Pair
from embaudit.datatypes import DIRECTIONS, Direction, Matrix, Rows
from embaudit.maps.fitted import FittedMap
from embaudit.measures.neighbors import RAW, QueryResults, mixed_id, partner_id, recall_id
from embaudit.measures.retrieval import MapRows, NeighbourSearch
from embaudit.remedy.mapped_set import MappedSet
from embaudit.result import Estimate
from embaudit.stages.population import Population
from embaudit.stages.retrieval import ENDLESS, corpus_of
from embaudit.stats.intervals import chance_corrected, mean_interval
from embaudit.streaming.corpus import Corpus
from embaudit.streaming.fold_moments import FoldPlan

Side = TypeVar("Side")


@dataclass(frozen=True)
class OneWay:
    """A pair seen in one direction: source vectors search the target's index.

    Attributes
    ----------
    population : Population
    direction : Direction
    endless : bool
        Intervals are for pairs to come, of which these are a sample; else for the rows of these
        files, of which the queries are one.
    """

    population: Population
    direction: Direction
    endless: bool = False

    @property
    def side(self) -> int:
        """Which side is the source: 0 is A."""
        return DIRECTIONS.index(self.direction)

    def turned(self, sides: tuple[Side, Side]) -> tuple[Side, Side]:
        """Return what both sides have, A's first or the source's first: one from the other."""
        return sides if self.side == 0 else (sides[1], sides[0])

    def vectors(self, rows: Rows) -> tuple[Matrix, Matrix]:
        """Return rows of the source and of the target, prepared."""
        return self.turned(self.population.prepared(rows))

    def stored(
        self,
        axes: tuple[Matrix | None, Matrix | None] = (None, None),
        map_rows: MapRows | None = None,
        kinds: tuple[str, ...] = (),
    ) -> NeighbourSearch:
        """Return a search of the sets as stored, that also asks maps of some kinds.

        `axes` are those along which the rows of each side vary most, where they are known.
        """
        corpora = tuple(corpus_of(self.population, side, axes[side]) for side in (0, 1))
        return self._search(self.population.pair, corpora, map_rows, kinds)

    def mapped(
        self,
        maps: Sequence[FittedMap],
        plan: FoldPlan | None = None,
        axes: Matrix | None = None,
        map_rows: MapRows | None = None,
        kinds: tuple[str, ...] = (),
    ) -> NeighbourSearch:
        """Return a search in which the source's rows are mapped ones, queries and index alike.

        Parameters
        ----------
        maps : sequence of FittedMap
            One for each fold of `plan`, or one for all rows.
        plan : FoldPlan, optional
        axes : array, optional
            Along which the target's rows vary most.
        map_rows, kinds
            Further maps to ask.
        """
        pair = self.population.pair
        target = corpus_of(self.population, 1 - self.side, axes)
        source, _ = self.turned((pair.a, pair.b))
        mapped = MappedSet(source, maps, plan)
        sides: tuple[EmbeddingSet, EmbeddingSet] = (mapped, target.source)
        a, b = self.turned(sides)
        # Mapped rows lie where the target's do: its mean is their provisional mean too.
        corpora = self.turned((replace(target, source=mapped), target))
        return self._search(replace(pair, a=a, b=b), corpora, map_rows, kinds)

    def _search(
        self,
        pair: Pair,
        corpora: tuple[Corpus, ...],
        map_rows: MapRows | None,
        kinds: tuple[str, ...],
    ) -> NeighbourSearch:
        options = self.population.options
        asked: dict[str, tuple[str, ...]] = {**dict.fromkeys(DIRECTIONS, ()), self.direction: kinds}
        return NeighbourSearch(
            pair=pair,
            a=corpora[0],
            b=corpora[1],
            ks=(options.k,),
            map_rows=map_rows or _no_maps,
            seed=options.seed,
            workers=options.workers,
            kinds=asked,
        )

    def estimate(self, found: QueryResults, kind: str = RAW) -> Estimate | None:
        """Return the recall of a kind of query vector; None where it was not asked."""
        return self._estimate(found, recall_id(self.direction, kind))

    def corrected(self, found: QueryResults, kind: str = RAW) -> float | None:
        """Return a recall corrected for chance, as the verdict takes it."""
        key = recall_id(self.direction, kind)
        if key not in found.values:
            return None
        values, chance = found.values[key], found.chance[key]
        return chance_corrected(values, chance, self._of, self._alpha).value

    def sight(self, found: QueryResults, cosine: float | None) -> Sight:
        """Return how the sets look to each other."""
        return Sight(
            recall=self.estimate(found),
            mixed_index=self._estimate(found, mixed_id(self.direction[-1])),
            partner_found=self._estimate(found, partner_id(self.direction)),
            cosine=cosine,
        )

    @property
    def _of(self) -> int:
        return ENDLESS if self.endless else self.population.n

    @property
    def _alpha(self) -> float:
        return 1.0 - self.population.options.policy.confidence

    def _estimate(self, found: QueryResults, key: str) -> Estimate | None:
        if key not in found.values:
            return None
        interval = mean_interval(found.values[key], self._of, self._alpha)
        return Estimate.of(interval)


def _no_maps(direction: str, kind: str, rows: Rows, vectors: Matrix) -> Matrix:
    raise AssertionError(f"no map {direction}.{kind} has been named")
