"""Sentences that every rendering says alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from embaudit.report.plain import share

if TYPE_CHECKING:
    from embaudit.result import Audit, Recommendation

Answer = Literal["met", "not met", "undecided"]

DIRECTIONS = {"a_to_b": "A to B", "b_to_a": "B to A", "both": "both directions"}


def gate(audit: Audit) -> tuple[str, Answer]:
    """Return what is required, and whether the verdict meets it."""
    answers: dict[int, Answer] = {0: "met", 1: "not met", 3: "undecided"}
    if audit.baseline is not None:
        return "no worse than accepted", answers[audit.exit_code()]
    required = audit.policy.require
    wanted = required if required == "safe" else f"{required} or better"
    return f"required {wanted}", answers[audit.exit_code()]


def sampled(audit: Audit) -> str | None:
    """Return which part of the rows was looked at; None where all were."""
    if audit.sample is None:
        return None
    return f"a sample of {audit.sample.rows:,} of {audit.sample.of:,} rows"


def advised(advice: Recommendation) -> list[str | None]:
    """Return the map that is advised, where it leads, how good it is; None for what is not."""
    expected = advice.expected_recall
    return [
        f"{advice.map} map" if advice.map else None,
        DIRECTIONS[advice.direction] if advice.direction else None,
        advice.grade,
        None if expected is None else f"expected recall {share(expected)}",
    ]
