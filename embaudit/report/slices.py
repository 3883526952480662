"""The section of the report about groups of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.page import Page
from embaudit.report.plain import count, level, percent

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.result import Audit, SliceGroup, Slices

LISTED = 8
"""Groups that a report names besides those that differ; a verbose one names all."""
NAME_CHARACTERS = 28


def title(page: Page, slices: Slices) -> str:
    """Return the heading, with as much of the column's name as fits."""
    return page.text(f"Slices by {_short(slices.column)}").plain


def remark(audit: Audit, slices: Slices) -> str:
    """Return what the intervals of the section are."""
    return f"worst first; {level(audit.policy.confidence)} intervals, all together"


def section(page: Page, audit: Audit, slices: Slices, *, verbose: bool) -> Iterator[RenderableType]:
    """Yield the groups, worst first, under a line for all rows."""
    shown = [
        group
        for place, group in enumerate(slices.groups)
        if verbose or place < LISTED or group.differs
    ]
    table = page.table("left", "right", "right", "right", "right", "right", "left")
    table.columns[0].no_wrap = False
    table.add_row("", "rows", "recall", "interval", "cosine", "mispaired", "")
    for group in (slices.whole, *shown):
        table.add_row(*_cells(page, slices, group))
    yield table
    rest = len(slices.groups) - len(shown)
    if rest:
        yield Text(f"and {count(rest, 'more group')} in the JSON document")
    if slices.judged:
        yield Text(f"recall: {_legend(slices)}; cosine: of partners")


def _cells(page: Page, slices: Slices, group: SliceGroup) -> tuple[str | Text, ...]:
    name = page.text(_short(group.name), "" if group.kind == "value" else "italic")
    rows = f"{group.rows:,}"
    if group.reason is not None:
        missing = page.glyphs.missing
        return name, rows, missing, missing, missing, missing, ""
    key = min(slices.judged, key=lambda key: group.recalls[key].value or 0.0)
    recall, fraction = group.recalls[key], group.mispaired_fraction.value
    cosine = group.partner_cosine
    if cosine.value is None:
        cosine = group.partner_cosine_mapped
    return (
        name,
        rows,
        page.number(recall.value),
        page.interval(recall.ci),
        page.number(cosine.value),
        page.glyphs.missing if fraction is None else percent(fraction),
        Text(page.glyphs.missed, "red") if group.differs else "",
    )


def _legend(slices: Slices) -> str:
    kinds = sorted({key.rpartition(".")[2] for key in slices.judged})
    words = {"raw": "as stored", "orthogonal": "orthogonal map", "linear": "linear map"}
    both = ", the worse direction" if len(slices.judged) > 1 else ""
    return f"{' or '.join(words[kind] for kind in kinds)}{both}"


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 3]}..."
