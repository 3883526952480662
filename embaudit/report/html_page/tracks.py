"""Recalls on tracks from 0 to 1: the value, its interval, what is asked and chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embaudit.report.evidence import RETRIEVAL, asked, held_against
from embaudit.report.glyphs import UNICODE
from embaudit.report.page import Page
from embaudit.report.plain import share

if TYPE_CHECKING:
    from embaudit.result import CI, Audit, Slices

PAGE = Page(UNICODE, "utf-8", width=0)
STANDINGS = {True: (UNICODE.met, "green"), False: (UNICODE.missed, "red")}
OPEN = (UNICODE.open, "magenta")
NONE = ("", "muted")


@dataclass(frozen=True)
class Track:
    """One line of the chart, its numbers as text and as places in percent.

    Attributes
    ----------
    group, label : str
    first : bool
        Whether the group begins here.
    sign, colour : str
        Of its standing against what is asked.
    value, interval, asked, chance : str
    note : str
        Why there is no value, else what was measured.
    at, low, high, mark, floor : str or None
        Places of the value, its interval, what is asked and chance.
    """

    group: str
    label: str
    first: bool
    sign: str
    colour: str
    value: str
    interval: str
    asked: str
    chance: str
    note: str
    at: str | None
    low: str | None
    width: str | None
    mark: str | None
    floor: str | None


def recall_tracks(audit: Audit) -> Iterator[Track]:
    """Yield what the verdict rests on."""
    before = ""
    for line in RETRIEVAL:
        measure = audit.measures[line.id]
        wanted = asked(line, audit.policy, measure.chance)
        sign, colour = NONE
        if wanted is not None and measure.value is not None:
            held = held_against(measure, wanted)
            sign, colour = OPEN if held is None else STANDINGS[held]
        low, width = _between(measure.ci)
        yield Track(
            group=line.group,
            label=line.label,
            first=line.group != before,
            sign=sign,
            colour=colour,
            value=PAGE.number(measure.value),
            interval=PAGE.interval(measure.ci),
            asked="" if wanted is None else share(wanted),
            chance="" if measure.chance is None else share(measure.chance),
            note=measure.reason or measure.title,
            at=_place(measure.value),
            low=low,
            width=width,
            mark=_place(wanted),
            floor=_place(measure.chance),
        )
        before = line.group


def group_tracks(slices: Slices) -> Iterator[Track]:
    """Yield the recall of all rows and of each group, the worse of those the verdict rests on."""
    for group in (slices.whole, *slices.groups):
        if group.reason is not None or not slices.judged:
            continue
        recalls = [group.recalls[key] for key in slices.judged]
        worse = min(recalls, key=lambda one: 1.0 if one.value is None else one.value)
        low, width = _between(worse.ci)
        differs = bool(group.differs)
        yield Track(
            group="",
            label=group.name,
            first=True,
            sign=UNICODE.missed if differs else "",
            colour="red" if differs else "blue",
            value=PAGE.number(worse.value),
            interval=PAGE.interval(worse.ci),
            asked="",
            chance="",
            note=f"{group.rows:,} rows",
            at=_place(worse.value),
            low=low,
            width=width,
            mark=None,
            floor=None,
        )


def _place(value: float | None) -> str | None:
    return None if value is None else f"{100 * min(max(value, 0.0), 1.0):.2f}%"


def _between(ci: CI | None) -> tuple[str | None, str | None]:
    if ci is None:
        return None, None
    low, high = (min(max(end, 0.0), 1.0) for end in ci)
    return _place(low), _place(high - low)
