"""The section on score thresholds: what to use on B where A had one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.page import Page
from embaudit.report.plain import level

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.result import Audit, CarriedThreshold, ThresholdRow, Thresholds

USED_ON = (("own", "B with B"), ("cross", "A with B"), ("unchanged", "B with B, as is"))


def section(page: Page, audit: Audit, thresholds: Thresholds) -> Iterator[RenderableType]:
    """Yield what was asked for with its intervals, then the table."""
    for row in thresholds.rows:
        if row.asked:
            yield from _asked(page, audit, row)
            yield Text("")
    rows = [row for row in thresholds.rows if not row.asked]
    judged = [row for row in rows if row.reason is None]
    if judged:
        yield from _table(page, judged)
    elif rows:
        yield Text(f"no table: {rows[0].reason}")


def remark(thresholds: Thresholds) -> str:
    """Return what the section rests on."""
    return f"on B, passed by as many pairs of rows as on A; {thresholds.n:,} rows"


def _asked(page: Page, audit: Audit, row: ThresholdRow) -> Iterator[RenderableType]:
    at = f"{row.threshold:g} on A"
    if row.reason is not None:
        yield Text(f"{at}: {row.reason}")
        return
    yield Text(f"{at}: passed by about 1 in {1 / row.share:,.0f} pairs; {row.n:,} rows looked at")
    table = page.table("left", "right", "right", "left", "right", "left")
    interval = level(audit.policy.confidence)
    table.add_row("used on", "threshold", "precision", interval, "recall", interval)
    for name, label in USED_ON:
        judged: CarriedThreshold | None = getattr(row, name)
        if judged is not None:
            table.add_row(
                label,
                _score(judged.threshold),
                page.number(judged.precision),
                page.interval(judged.precision_ci),
                page.number(judged.recall),
                page.interval(judged.recall_ci),
            )
    yield table


def _table(page: Page, rows: list[ThresholdRow]) -> Iterator[RenderableType]:
    table = page.table("left", "right", "right", "right", "right", "right", "right", "right")
    table.add_row("A", "of pairs", "B with B", "prec.", "A with B", "prec.", "as is", "recall")
    for row in rows:
        cells = [f"{100 * row.share:.2g}%"]
        for judged in (row.own, row.cross):
            cells.append(page.glyphs.missing if judged is None else _score(judged.threshold))
            cells.append(page.number(None if judged is None else judged.precision))
        kept = row.unchanged
        cells.append(page.number(None if kept is None else kept.precision))
        cells.append(page.number(None if kept is None else kept.recall))
        table.add_row(_score(row.threshold), *cells)
    yield table
    yield Text("prec.: of the pairs that pass on B, the share that passed on A")
    yield Text("as is: precision and recall of A's number kept on B with B")


def _score(value: float) -> str:
    return f"{value:#.4g}"
