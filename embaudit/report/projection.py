"""The section on a larger index: recalls continued to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.evidence import RETRIEVAL
from embaudit.report.page import Page
from embaudit.report.plain import count, level

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.result import Audit, Projection


def title(projection: Projection) -> str:
    """Return the heading, with the size."""
    return f"At {count(projection.index_size, 'row')}"


def remark(projection: Projection) -> str:
    """Return that this is no measurement."""
    return f"extrapolated from {projection.n:,}, k {projection.k}; not measured"


def section(page: Page, audit: Audit, projection: Projection) -> Iterator[RenderableType]:
    """Yield the recalls observed in smaller indexes, and continued to the larger one."""
    table = page.table("left", "left", "right", "right", "right", "left")
    first, last = projection.sizes[0], projection.sizes[-1]
    interval = f"{level(audit.policy.confidence)} interval"
    table.add_row("", "", f"{first:,}", f"{last:,}", "projected", interval)
    lines = [line for line in RETRIEVAL if line.id in projection.measures]
    for group, members in groupby(lines, key=lambda line: line.group):
        label = group
        for line in members:
            observed, estimate = projection.observed[line.id], projection.measures[line.id]
            table.add_row(
                label,
                line.label,
                page.number(observed[0]),
                page.number(observed[-1]),
                page.number(estimate.value),
                page.interval(estimate.ci),
            )
            label = ""
    yield table
    sizes = ", ".join(f"{size:,}" for size in projection.sizes)
    yield Text(f"{projection.queries:,} rows as queries in nested indexes of {sizes} rows;")
    yield Text("a line in the logarithm of the size, on the logit scale; maps as fitted here")
