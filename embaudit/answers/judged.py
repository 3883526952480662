"""Which recalls the verdict rests on, for answers about parts of the rows."""

from __future__ import annotations

from dataclasses import dataclass

from embaudit.datatypes import DIRECTIONS, Verdict
from embaudit.measures.neighbors import RAW, recall_id
from embaudit.stages.retrieval import RetrievalStage
from embaudit.verdict import best_map

View = tuple[str, str]
"""(direction, kind) of query vectors."""


@dataclass(frozen=True)
class Judged:
    """The recalls that matter for this verdict.

    Attributes
    ----------
    views : list of (direction, kind)
        Stored vectors for `safe` and `degraded`, the chosen maps for `align`; elsewhere whatever
        does best in each direction.
    better_map : dict of direction to str
        The map that the audit prefers.
    same_dim : bool
        Whether stored vectors of one side can query the other.
    wanted : float or None
        The recall, corrected for chance, that the verdict says is reached; None where it says
        that none is.
    """

    views: list[View]
    better_map: dict[str, str]
    same_dim: bool
    wanted: float | None

    @property
    def ids(self) -> list[str]:
        """Measure ids of the recalls that matter."""
        return [recall_id(*view) for view in self.views]

    @property
    def shown(self) -> list[View]:
        """Stored vectors where they apply, then the better map, in both directions."""
        raw = [(direction, RAW) for direction in DIRECTIONS] if self.same_dim else []
        return [*raw, *((direction, self.better_map[direction]) for direction in DIRECTIONS)]


def judged(retrieval: RetrievalStage, min_recall: float, min_aligned_recall: float) -> Judged:
    """Return the recalls that matter; recalls must have been measured."""
    evidence, decision = retrieval.evidence, retrieval.decision
    same_dim = evidence.dims[0] == evidence.dims[1]
    chosen = decision.chosen or {}
    better: dict[str, str] = {
        direction: chosen[direction][0] if direction in chosen else best_map(evidence, direction)[0]
        for direction in DIRECTIONS
    }
    raw: list[View] = [(direction, RAW) for direction in DIRECTIONS]
    match decision.verdict:
        case Verdict.SAFE:
            return Judged(raw, better, same_dim, min_recall)
        case Verdict.DEGRADED:
            return Judged(raw, better, same_dim, min_aligned_recall)
        case Verdict.ALIGN:
            mapped: list[View] = [(direction, better[direction]) for direction in chosen]
            return Judged(mapped, better, same_dim, min_aligned_recall)

    def best(direction: str) -> View:
        kinds = [RAW, better[direction]] if same_dim else [better[direction]]
        views = [(direction, kind) for kind in kinds]
        return max(views, key=lambda view: evidence.recalls[view].corrected.value)

    return Judged([best(direction) for direction in DIRECTIONS], better, same_dim, None)
