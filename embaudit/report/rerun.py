"""Differences as multiples of those between two runs of one model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.evidence import RETRIEVAL, SIMILARITY
from embaudit.report.page import Page

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType

    from embaudit.result import Rerun


def rerun(page: Page, floor: Rerun) -> Iterator[RenderableType]:
    """Yield how far A and B, and two runs of A, are from equal by each measure shown above."""
    yield page.text(f"A2 {floor.uri}: against A it is {floor.verdict}")
    columns: tuple[JustifyMethod, ...] = ("left", "left", "right", "right", "right", "left")
    table = page.table(*columns)
    table.add_row("", "", "A to B", "A to A2", "multiple", "interval")
    for group, lines in groupby(RETRIEVAL, key=lambda line: line.group):
        label = group
        for line in lines:
            table.add_row(label, line.label, *_numbers(page, floor, line.id))
            label = ""
    for similarity in SIMILARITY:
        table.add_row("", similarity.label, *_numbers(page, floor, similarity.ids[0]))
    yield table
    yield Text("how far from what equal sets have: 1 less a recall, a residual as it is")


def _numbers(page: Page, floor: Rerun, key: str) -> tuple[str, ...]:
    measure = floor.measures[key]
    multiple = page.glyphs.missing if measure.multiple is None else f"{measure.multiple:.3g}"
    between = ""
    if measure.ci is not None:
        low, high = measure.ci
        between = f"{low:.3g}{page.glyphs.range}{high:.3g}"
    return page.number(measure.difference), page.number(measure.floor), multiple, between
