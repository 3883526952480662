"""What the verbose report adds: every number, by the id it has in the JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.page import Page
from embaudit.report.plain import precise, probability

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.result import Audit, Measure


def measures(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield every measure: its value, and what it rests on or why there is none."""
    table = page.table("left", "right", "left")
    table.columns[2].no_wrap = False
    for name, measure in audit.measures.items():
        value = page.glyphs.missing if measure.value is None else precise(measure.value)
        table.add_row(name, value, page.text(_basis(page, measure)))
    yield table


def _basis(page: Page, measure: Measure) -> str:
    sizes = {"n": measure.n, "k": measure.k, "queries": measure.queries}
    facts = [
        measure.reason,
        None if measure.ci is None else page.interval(measure.ci),
        None if measure.chance is None else f"chance {precise(measure.chance)}",
        None if measure.p_value is None else probability(measure.p_value),
        " ".join(f"{name}={size:,}" for name, size in sizes.items() if size is not None),
    ]
    return page.join(facts)


def timing(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield the seconds each stage took."""
    yield Text(page.join(f"{name} {seconds:.1f} s" for name, seconds in audit.timing.items()))
