"""What every question about rows looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from embaudit.datatypes import Matrix, Rows, Verdict
from embaudit.measures.lags import shifted_cka
from embaudit.stages.linear import LinearStage
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage
from embaudit.stages.sample import SampleStage
from embaudit.stats.hashing import Hashes
from embaudit.streaming.scan import row_hashes

PROBED = 512
FEWEST_PROBED = 24


@dataclass(frozen=True)
class Look:
    """The stages before, and prepared vectors of any rows of the pair."""

    population: Population
    linear: LinearStage
    sample: SampleStage
    retrieval: RetrievalStage

    @cached_property
    def hashes(self) -> tuple[Hashes, Hashes]:
        """One hash for each row of both sides; reads every row."""
        options = self.population.options
        return row_hashes(self.population.pair, options.workers, options.plan.share)

    @property
    def verdict(self) -> Verdict:
        """What the causes are to explain."""
        return self.retrieval.decision.verdict

    def take_a(self, rows: Rows) -> Matrix:
        """Return prepared vectors of A."""
        scanned = self.population.scan.a
        return _valid(scanned.preparation.rows(self.population.pair.a.take(rows)))

    def take_b(self, rows: Rows) -> Matrix:
        """Return prepared vectors of B."""
        scanned = self.population.scan.b
        return _valid(scanned.preparation.rows(self.population.pair.b.take(rows)))

    def rows_a(self, start: int, stop: int) -> Matrix:
        """Return prepared vectors of contiguous rows of A."""
        return self.take_a(np.arange(start, stop))

    def rows_b(self, start: int, stop: int) -> Matrix:
        """Return prepared vectors of contiguous rows of B."""
        return self.take_b(np.arange(start, stop))

    def cka(self, rows: Rows) -> tuple[float, int] | None:
        """Return debiased CKA of some of the rows, and of how many; None of too few."""
        rows = rows[self.population.kept[rows]]
        if len(rows) < FEWEST_PROBED:
            return None
        generator = np.random.default_rng([self.population.options.seed, 7])
        chosen = np.sort(generator.permutation(rows)[:PROBED])
        return float(shifted_cka(self.take_a(chosen), self.take_b(chosen))[0]), len(chosen)


def _valid(rows: Matrix) -> Matrix:
    """Return rows with those that hold NaN or infinity at the mean of the others."""
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        rows[~finite] = rows[finite].mean(axis=0) if finite.any() else 0.0
    return rows
