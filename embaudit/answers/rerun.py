"""The noise floor: how far two runs of one model are apart."""

from __future__ import annotations

from collections.abc import Mapping

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.errors import InputError
from embaudit.result import CI, Audit, Measure, Rerun, RerunMeasure

ROUNDING = 1e-9
"""Differences this small are those of float64 sums."""
OF_RANDOM_PAIRS = "partner.cosine.random"
"""Measures of pairs that do not belong together: no difference between models."""


def check_rerun(rerun: EmbeddingSet, a: EmbeddingSet) -> None:
    """Refuse a second run of another dimension than the first.

    Raises
    ------
    InputError
    """
    if rerun.dim != a.dim:
        raise InputError(
            f"{rerun.uri}: dimension {rerun.dim}; a second run of the model of {a.uri} has "
            f"dimension {a.dim}"
        )


def noise_floor(measures: Mapping[str, Measure], floor: Audit) -> Rerun:
    """Return every difference between A and B as a multiple of that between two runs of A.

    The difference of a measure is its distance from what equal sets have: 1 where higher is
    better, 0 where lower is.

    Parameters
    ----------
    measures : mapping of str to Measure
        Of A against B.
    floor : Audit
        Of A against its second run.
    """
    compared = {
        key: _compare(measure, floor.measures[key])
        for key, measure in measures.items()
        if not key.startswith(OF_RANDOM_PAIRS)
    }
    return Rerun(uri=floor.b.uri, verdict=floor.verdict, measures=compared)


def _compare(measure: Measure, floor: Measure) -> RerunMeasure:
    if measure.value is None or floor.value is None:
        return RerunMeasure(reason=measure.reason or floor.reason)
    difference, noise = _difference(measure, measure.value), _difference(floor, floor.value)
    if noise <= ROUNDING:
        return RerunMeasure(difference=difference, floor=noise, reason="the two runs are alike")
    return RerunMeasure(
        difference=difference, floor=noise, multiple=difference / noise, ci=_bounds(measure, floor)
    )


def _difference(measure: Measure, value: float) -> float:
    return 1.0 - value if measure.better == "higher" else value


def _bounds(measure: Measure, floor: Measure) -> CI | None:
    """Return the smallest and largest multiple that both intervals allow."""
    if measure.ci is None or floor.ci is None:
        return None
    low, high = sorted(_difference(measure, bound) for bound in measure.ci)
    floor_low, floor_high = sorted(_difference(floor, bound) for bound in floor.ci)
    if floor_low <= 0.0:
        return None
    return low / floor_high, high / floor_low
