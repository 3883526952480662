"""Everything there is to talk about, and words that all parts share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from embaudit.data.pair import Pair
from embaudit.datatypes import DIRECTIONS
from embaudit.measures.shared_axes import SharedAxes
from embaudit.result import Measure, Pairing, QueryFiles, Rerun, SetInfo, Slices
from embaudit.stages.linear import LinearStage
from embaudit.stages.options import Options
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage
from embaudit.stages.row_causes import RowCauses
from embaudit.stages.sample import SampleStage
from embaudit.verdict import NOTABLE_GAIN, Decision, Evidence, Recall, best_map

NOTABLE_SHARE = 0.02
FAR_ABOVE_CHANCE = 0.2


@dataclass(frozen=True)
class Request:
    """How the inputs were named, as on the command line; see `embaudit.compare`."""

    on: str | None
    by_row: bool
    column: str | None
    ids_a: str | None
    ids_b: str | None
    queries_a: str | None
    queries_b: str | None


@dataclass(frozen=True)
class Context:
    """What the stages found.

    Attributes
    ----------
    request : Request or None
        None where an input is no file.
    population : Population
    linear : LinearStage
    sample : SampleStage
    retrieval : RetrievalStage
    measures : dict of str to Measure
        By id.
    a, b : SetInfo
    pairing : Pairing
    same_source : bool
        One file and column, given twice.
    query_files : QueryFiles or None
        The real queries that the recalls rest on, where they were given.
    slices : Slices or None
        The pair in groups, where a column was named.
    row_causes : RowCauses
        What rows are to blame for.
    rerun : Rerun or None
        The noise floor, where a second run of A was given.
    """

    request: Request | None
    population: Population
    linear: LinearStage
    sample: SampleStage
    retrieval: RetrievalStage
    measures: dict[str, Measure]
    a: SetInfo
    b: SetInfo
    pairing: Pairing
    same_source: bool
    query_files: QueryFiles | None
    slices: Slices | None
    row_causes: RowCauses
    rerun: Rerun | None

    @property
    def options(self) -> Options:
        """What the user asked for."""
        return self.population.options

    @property
    def pair(self) -> Pair:
        """The matched rows."""
        return self.population.pair

    @property
    def evidence(self) -> Evidence:
        """The evidence of the rules."""
        return self.retrieval.evidence

    @property
    def decision(self) -> Decision:
        """The outcome of the rules."""
        return self.retrieval.decision

    @property
    def lasting(self) -> Evidence:
        """The evidence as it is in an index of all rows: of a sample, continued to them."""
        return self.retrieval.whole or self.evidence

    @property
    def sampled(self) -> str | None:
        """Which part of the rows a sample is, in words; None where all rows were taken."""
        whole = self.pair.sampled_of
        return None if whole is None else f"{self.pair.rows:,} of {whole:,} rows"

    @property
    def every_row(self) -> str:
        """What is meant by all rows that were looked at."""
        return "every row" if self.sampled is None else "every sampled row"

    @property
    def queries(self) -> int:
        """Number of rows that were queries."""
        return 0 if self.retrieval.results is None else len(self.retrieval.results.rows)

    @property
    def asked(self) -> int:
        """Number of queries that the recalls rest on: rows, or real queries."""
        return 0 if self.retrieval.asked is None else len(self.retrieval.asked.rows)

    @property
    def lowest_partners_found(self) -> float:
        """The smaller share of partners found raw; dimensions must be equal."""
        return min(interval.value for interval in self.evidence.partners.values())

    @property
    def lowest_raw(self) -> float:
        """The lowest recall of stored vectors, mixed indexes included; equal dimensions."""
        return min(recall.plain.value for recall in stored_recalls(self.evidence))

    @property
    def best_chosen(self) -> tuple[str, Literal["orthogonal", "linear"], Recall]:
        """Direction, map and recall that read best, for `align`; A to B where both are alike."""
        chosen = self.decision.chosen or {}
        direction = max(
            chosen, key=lambda d: (round(chosen[d][1].corrected.value, 2), d == "a_to_b")
        )
        return direction, *chosen[direction]

    @property
    def same_axes(self) -> bool:
        """Whether direct search is far above chance and no map better, in both directions."""
        for direction in DIRECTIONS:
            raw = self.evidence.recalls.get((direction, "raw"))
            if raw is None or raw.corrected.value < FAR_ABOVE_CHANCE:
                return False
            best = best_map(self.evidence, direction)[1]
            if best.corrected.value - raw.corrected.value > NOTABLE_GAIN:
                return False
        return True

    @cached_property
    def shared_axes(self) -> SharedAxes:
        """Columns that correspond, on the sample."""
        return SharedAxes.of(*self.sample.stored)


def stored_recalls(evidence: Evidence) -> list[Recall]:
    """Return the recalls of stored vectors, mixed indexes included; equal dimensions."""
    raw = [evidence.recalls[direction, "raw"] for direction in DIRECTIONS]
    return [*raw, *evidence.mixed.values()]


def percent(share: float) -> str:
    """Write a share as a percentage, without rounding it to 0% or 100%."""
    value = 100.0 * share
    if 0.0 < value < 1.0 or 99.0 < value < 100.0:
        return f"{min(99.9, max(0.1, value)):.1f}%"
    return f"{value:.0f}%"
