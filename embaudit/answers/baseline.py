"""Is this audit worse than one that was accepted? For gates that ask for no more than before."""

from __future__ import annotations

from typing import get_args

from embaudit.errors import InputError
from embaudit.result import (
    RANK,
    Audit,
    Baseline,
    BaselineChange,
    Estimate,
    Measure,
    Recommendation,
    Requirement,
)

RECALLS = ("recall.", "mixed_index.", "partner.found.")
"""Measures that are gated: what the user will do."""


def against(audit: Audit, accepted: Audit, uri: str) -> Audit:
    """Return the audit with what has changed since an accepted one, which then is its gate.

    The verdict is worse where it is further down in the order of gating; a recall is where its
    whole interval lies below the accepted one's, or where it is no longer measured.

    Parameters
    ----------
    audit, accepted : Audit
    uri : str
        Of the accepted one, as typed.

    Raises
    ------
    InputError
        For an audit under another metric or with another number of neighbours: its recalls are
        of something else; and for one that no gate could require, which anything would reach.
    """
    if accepted.verdict not in get_args(Requirement):
        raise InputError(
            f"{uri}: the baseline is {accepted.verdict}, and nothing would be worse; accept an "
            f"audit that is {', '.join(get_args(Requirement)[:-1])} or {get_args(Requirement)[-1]}"
        )
    for name in ("metric", "k"):
        then, now = getattr(accepted, name), getattr(audit, name)
        if then != now:
            raise InputError(
                f"{uri}: the baseline has {name} {then}, this comparison {now}; compare as it did, "
                "or accept a new baseline"
            )
    limit = RANK[accepted.verdict]
    worse = [RANK[candidate] > limit for candidate in audit.candidates]
    changes = [
        _change(key, before, audit.measures[key])
        for key, before in accepted.measures.items()
        if key.startswith(RECALLS) and before.value is not None
    ]
    baseline = Baseline(
        uri=uri,
        verdict=accepted.verdict,
        rows=accepted.pairing.distinct_rows,
        verdict_worse="yes" if all(worse) else "open" if any(worse) else "no",
        changes=changes,
    )
    update: dict[str, object] = {"baseline": baseline}
    if baseline.answer != 0:
        # Advice for the verdict alone would call a fall fine.
        advice = (
            f"Find out what has changed since {uri} was accepted. To accept this state instead, "
            "write that file anew."
        )
        update["recommendation"] = Recommendation(action=advice)
    return audit.model_copy(update=update)


def _change(key: str, before: Measure, now: Measure) -> BaselineChange:
    low, high = _interval(before)
    lowest, highest = _interval(now)
    if now.value is None or highest < low:
        standing = "worse"
    else:
        standing = "better" if lowest > high else "same"
    return BaselineChange.model_validate(
        {
            "id": key,
            "accepted": Estimate(value=before.value, ci=before.ci),
            "now": Estimate(value=now.value, ci=now.ci),
            "standing": standing,
        }
    )


def _interval(measure: Measure) -> tuple[float, float]:
    value = measure.value or 0.0
    return measure.ci or (value, value)
