"""Which verdicts are right, given the truth: the meaning of each verdict, with grey thresholds.

Every condition is asked of the truth with a margin; inside the margin both answers count. The
conditions are those of the words that a verdict says to its reader, in the order best first:

- `safe`: raw and mixed recall both ways reach 0.90, 0.98 of the partners are found both ways, and
  at most 0.02 of the rows were moved;
- `degraded`: raw recall both ways reaches 0.70, no map gains more than 0.02, and mixing costs no
  more than 0.5;
- `align`: the best of many maps reaches 0.70 on rows it has not seen, in a direction;
- `concatenate`: none does;
- `mispaired`: construction moved more than 0.02 of the rows; `unrelated`: it moved all of them, and
  neighbourhoods agree no more than chance has them agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

from benchmarks.validation.truth import Truth

MIN_RECALL = 0.90
MIN_ALIGNED_RECALL = 0.70
MAX_MISPAIRED = 0.02
NOTABLE_GAIN = 0.02
MIXING_LOSS = 0.5
SILENT_CHANCE = 0.5
MARGIN = 0.01
PARTNER_MARGIN = 0.005
MIXING_MARGIN = 0.03
NEARLY_ALL = 0.8
RELATED = 0.02
"""Overlap above chance from which neighbourhoods certainly agree, where rows are many."""
HARDLY_RELATED = 0.005
NOISE = 4.0
"""Standard deviations that the overlap of independent rows keeps to."""
K = 10
FEWEST = 42
"""4k + 2 rows: fewer decide nothing."""

Answers = tuple[bool, ...]
YES: Answers = (True,)
NO: Answers = (False,)
BOTH: Answers = (True, False)


def above(value: float, threshold: float, margin: float) -> Answers:
    """Return the answers that count to whether a value reaches a threshold."""
    return between(value, value, threshold, margin)


def between(low: float, high: float, threshold: float, margin: float) -> Answers:
    """Return the answers that count for a value known to lie in a range."""
    if low >= threshold + margin:
        return YES
    return NO if high < threshold - margin else BOTH


def right_verdicts(truth: Truth) -> set[str]:
    """Return the verdicts that count as right."""
    if truth.chance > SILENT_CHANCE or truth.distinct < FEWEST:
        return {"inconclusive"}
    if truth.moved > MAX_MISPAIRED:
        return _without_correspondence(truth)
    return {
        _first(answers)
        for answers in product(_is_safe(truth), _is_degraded(truth), _is_aligned(truth))
    }


def _without_correspondence(truth: Truth) -> set[str]:
    if truth.moved < NEARLY_ALL:
        return {"mispaired"}
    excess, chance = truth.overlap - truth.overlap_chance, truth.overlap_chance
    noise = NOISE * math.sqrt(chance * (1.0 - chance) / (K * truth.distinct))
    if truth.moved == 1.0 and excess <= max(HARDLY_RELATED, noise):
        return {"unrelated"}
    if truth.moved == 1.0 and excess > max(RELATED, 2.0 * noise):
        return {"mispaired"}
    return {"mispaired", "unrelated"}


def _first(answers: tuple[bool, bool, bool]) -> str:
    names = ("safe", "degraded", "align")
    return next((name for name, yes in zip(names, answers, strict=True) if yes), "concatenate")


def _is_safe(truth: Truth) -> Answers:
    if truth.dims[0] != truth.dims[1]:
        return NO
    return _every(
        [
            above(truth.direct, MIN_RECALL, MARGIN),
            above(truth.partners, 1.0 - MAX_MISPAIRED, PARTNER_MARGIN),
        ]
    )


def _is_degraded(truth: Truth) -> Answers:
    if truth.dims[0] != truth.dims[1]:
        return NO
    few, many = truth.half, truth.most
    gains = [sorted(part[d] - raw for part in (few, many)) for d, raw in truth.raw.items()]
    gain = between(max(g[0] for g in gains), max(g[1] for g in gains), NOTABLE_GAIN, MARGIN)
    loss = max(truth.raw.values()) - min(truth.mixed.values())
    return _every(
        [
            above(min(truth.raw.values()), MIN_ALIGNED_RECALL, MARGIN),
            _no(gain),
            _no(above(loss, MIXING_LOSS, MIXING_MARGIN)),
        ]
    )


def _is_aligned(truth: Truth) -> Answers:
    low, high = sorted([max(truth.half.values()), max(truth.most.values())])
    return between(low, high, MIN_ALIGNED_RECALL, MARGIN)


def _every(conditions: list[Answers]) -> Answers:
    return tuple(sorted({all(answers) for answers in product(*conditions)}))


def _no(answers: Answers) -> Answers:
    return tuple(not answer for answer in answers)


def conditions(truth: Truth) -> Iterator[tuple[str, float]]:
    """Yield the numbers that the answers rest on, for a table."""
    yield "raw", min(truth.raw.values(), default=0.0)
    yield "mixed", min(truth.mixed.values(), default=0.0)
    yield "partners", truth.partners
    yield "best map", max(truth.most.values())
