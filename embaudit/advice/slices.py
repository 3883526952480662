"""Groups of rows for which the verdict does not hold."""

from __future__ import annotations

from collections.abc import Iterator

from embaudit.advice.context import Context, percent
from embaudit.advice.finding import finding
from embaudit.result import Finding, SliceGroup, Slices

NAMED = 3
"""Groups told with their numbers; the report has the others."""
SHOWN_CHARACTERS = 40


def about_slices(context: Context) -> Iterator[Finding]:
    """Yield one finding for all groups that fall short of the policy or of the other rows."""
    slices = context.slices
    if slices is None:
        return
    differing = [group for group in slices.groups if group.differs]
    if not differing:
        return
    told = "; ".join(_told(group, slices) for group in differing[:NAMED])
    more = len(differing) - NAMED
    yield finding(
        "warning",
        "slice_differs",
        f"{_count(len(differing))} of {slices.column} {'falls' if len(differing) == 1 else 'fall'} "
        f"short of the other rows: {told}{f'; and {more} more' if more > 0 else ''}.",
        column=slices.column,
        groups=[group.name for group in differing],
    )


def _told(group: SliceGroup, slices: Slices) -> str:
    name = group.name
    if len(name) > SHOWN_CHARACTERS:
        name = f"{name[: SHOWN_CHARACTERS - 3]}..."
    parts = []
    if {"below_policy", "below_whole"} & set(group.differs):
        key = min(slices.judged, key=lambda key: group.recalls[key].value or 0.0)
        parts.append(
            f"recall {_shown(group.recalls[key].value)} "
            f"(all rows {_shown(slices.whole.recalls[key].value)})"
        )
    if "mispaired" in group.differs and group.mispaired_fraction.value is not None:
        parts.append(f"{percent(group.mispaired_fraction.value)} look mispaired")
    return f"{name} ({group.rows:,} rows) {', '.join(parts)}"


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _count(groups: int) -> str:
    return "One group" if groups == 1 else f"{groups} groups"
