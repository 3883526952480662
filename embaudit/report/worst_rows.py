"""The section of the report about single rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.page import Page

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.result import Audit, WorstRow

SILENT = ("safe", "unrelated")
"""Verdicts after which single rows tell nothing: no row fares badly, or all do."""
NAME_CHARACTERS = 24


def says_something(audit: Audit) -> bool:
    """Tell whether the worst rows help to mend what is wrong."""
    return bool(audit.worst) and audit.verdict not in SILENT


def section(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield the worst of the measured rows."""
    table = page.table("left", "right", "right", "right", "right", "right", "right")
    table.columns[0].no_wrap = False
    table.add_row("", "partner", "cosine", "cosine", "nbrs", "found", "found")
    table.add_row(_named(audit), "rank", "stored", "mapped", "shared", "stored", "mapped")
    for row in audit.worst:
        table.add_row(
            page.text(_name(row)),
            page.number(row.partner_rank),
            page.number(row.cosine_raw),
            page.number(row.cosine_mapped),
            page.number(row.neighbors_shared),
            page.number(_mean(row.recall_a_to_b_raw, row.recall_b_to_a_raw)),
            page.number(_mean(row.recall_a_to_b_mapped, row.recall_b_to_a_mapped)),
        )
    yield table
    yield Text("rank: share of random rows nearer than the partner; 0.5 on average if wrong")


def _named(audit: Audit) -> str:
    return "row of A" if audit.worst[0].id is None else "id"


def _name(row: WorstRow) -> str:
    name = f"{row.row_a:,}" if row.id is None else str(row.id)
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 3]}..."


def _mean(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else (first + second) / 2
