"""Run the tool and its rivals on a pair, and hold both against the truth."""

from __future__ import annotations

import time
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

import embaudit
from benchmarks.validation import rivals, truth
from benchmarks.validation.cases import Case
from benchmarks.validation.right import MAX_MISPAIRED, MIN_RECALL, right_verdicts
from embaudit.result import Audit

TOLERATED = 0.01
"""`safe` may be said of a pair this far below the asked recall, rarely; further below, never."""


@dataclass(frozen=True)
class Judged:
    """One pair with its truth, its right verdicts, and what was said of it.

    Attributes
    ----------
    case : Case
    truth : Truth
    right : frozenset of str
    verdict : str
    candidates : tuple of str
        What an inconclusive verdict leaves possible.
    measured : dict of str to float
        The numbers of the tool that its verdict rests on.
    rivals : dict of str to bool
    seconds : float
        Of the tool, on one thread.
    """

    case: Case
    truth: truth.Truth
    right: frozenset[str]
    verdict: str
    candidates: tuple[str, ...]
    measured: dict[str, float]
    rivals: dict[str, bool]
    seconds: float

    @property
    def inconclusive(self) -> bool:
        """Whether the tool left the question open."""
        return self.verdict == "inconclusive"

    @property
    def wrong(self) -> bool:
        """Whether what was said rules the truth out."""
        said = {self.verdict, *self.candidates} if self.inconclusive else {self.verdict}
        return not said & self.right

    @property
    def truly_safe(self) -> bool:
        """Whether `safe` is among the right verdicts."""
        return "safe" in self.right

    @property
    def badly_safe(self) -> bool:
        """Whether `safe` was said where it may never be."""
        low = self.truth.direct < MIN_RECALL - TOLERATED
        return self.verdict == "safe" and (low or self.truth.moved > MAX_MISPAIRED)


def judge(case: Case) -> Judged:
    """Build a pair and find out everything about it, on one thread."""
    sets = case.build()
    with threadpool_limits(limits=1):
        true = truth.measure(sets.a, sets.b, sets.moved, case.metric)
        started = time.perf_counter()
        audit = embaudit.compare(sets.a, sets.b, metric=case.metric, threads=1)
        seconds = time.perf_counter() - started
        asked = rivals.answers(sets.a, sets.b)
    return Judged(
        case=case,
        truth=true,
        right=frozenset(right_verdicts(true)),
        verdict=str(audit.verdict),
        candidates=tuple(map(str, audit.candidates)),
        measured=_measured(audit),
        rivals=asked,
        seconds=seconds,
    )


def _measured(audit: Audit) -> dict[str, float]:
    """Return the least favourable of the two ways, where there is one."""
    families = {
        "raw": ("recall.a_to_b.raw", "recall.b_to_a.raw"),
        "mixed": ("mixed_index.a.raw", "mixed_index.b.raw"),
        "partners": ("partner.found.a_to_b.raw", "partner.found.b_to_a.raw"),
    }
    found: dict[str, float] = {}
    for name, keys in families.items():
        values = [audit.measures[key].value for key in keys]
        found |= {name: min(v for v in values if v is not None)} if None not in values else {}
    maps = [
        audit.measures[f"recall.{direction}.{kind}"].value
        for direction in ("a_to_b", "b_to_a")
        for kind in ("orthogonal", "linear")
    ]
    known = [value for value in maps if value is not None]
    found |= {"best map": max(known)} if known else {}
    fraction = audit.pairing.mispaired_fraction.value
    return found | ({} if fraction is None else {"mispaired": fraction})
