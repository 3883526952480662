"""Which measures a report shows, in which order, and what each is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embaudit.result import Audit, Measure, Policy


@dataclass(frozen=True)
class Line:
    """One row of the evidence: a measure under a short label."""

    group: str
    label: str
    id: str
    asked: str | None = None
    """The policy's field that this measure is held against."""


RETRIEVAL = (
    Line("own", "neighbours shared", "neighbors.overlap"),
    Line("A in B", "as stored", "recall.a_to_b.raw", "min_recall"),
    Line("A in B", "orthogonal map", "recall.a_to_b.orthogonal", "min_aligned_recall"),
    Line("A in B", "linear map", "recall.a_to_b.linear", "min_aligned_recall"),
    Line("B in A", "as stored", "recall.b_to_a.raw", "min_recall"),
    Line("B in A", "orthogonal map", "recall.b_to_a.orthogonal", "min_aligned_recall"),
    Line("B in A", "linear map", "recall.b_to_a.linear", "min_aligned_recall"),
    Line("mixed", "searched by A", "mixed_index.a.raw", "min_recall"),
    Line("mixed", "searched by B", "mixed_index.b.raw", "min_recall"),
    Line("partner", "found in B", "partner.found.a_to_b.raw", "max_mispaired"),
    Line("partner", "found in A", "partner.found.b_to_a.raw", "max_mispaired"),
)
"""What the user will do, measured; the verdict rests on it."""


@dataclass(frozen=True)
class Similarity:
    """One row of what explains the evidence: one measure, or one for each direction."""

    label: str
    ids: tuple[str, ...]
    note: str


SIMILARITY = (
    Similarity("CKA, debiased", ("cka.linear",), "1 for a rotated copy"),
    Similarity("CKA, biased", ("cka.linear.biased",), "for comparison; rises with dim / rows"),
    Similarity(
        "Procrustes residual",
        ("procrustes.residual.a_to_b", "procrustes.residual.b_to_a"),
        "held out; 0 for a rotated copy",
    ),
    Similarity(
        "linear map R2",
        ("linear.r2.a_to_b", "linear.r2.b_to_a"),
        "held out; 1 for a linear image",
    ),
    Similarity("canonical correlation", ("cca.mean",), "held-out mean; 1 where all is shared"),
)
"""What explains the verdict without deciding it."""


def asked(line: Line, policy: Policy, chance: float | None) -> float | None:
    """Return the value that `line` must reach, on the scale it is shown on.

    Recalls are judged after correction for chance, (r - c)/(1 - c); this is the recall whose
    corrected value equals the policy's.
    """
    match line.asked:
        case None:
            return None
        case "max_mispaired":
            return 1 - policy.max_mispaired
        case field:
            wanted: float = getattr(policy, field)
            return wanted + (1 - wanted) * (chance or 0.0)


def held_against(measure: Measure, wanted: float) -> bool | None:
    """Tell whether a measure's interval lies above `wanted`, below it (False) or across it."""
    if measure.value is None:
        return None
    low, high = measure.ci or (measure.value, measure.value)
    if low >= wanted:
        return True
    return False if high < wanted else None


def queries_asked(audit: Audit) -> int | None:
    """Return the number of queries behind the recalls."""
    recalls = (audit.measures[line.id].queries for line in RETRIEVAL if line.group == "A in B")
    return max((queries for queries in recalls if queries is not None), default=None)
