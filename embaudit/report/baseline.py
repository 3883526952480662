"""What has changed since an audit that was accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.evidence import RETRIEVAL
from embaudit.report.page import Page
from embaudit.report.plain import share

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.result import Audit, Baseline, BaselineChange

NAMED = 3
"""Recalls that a line names."""
STYLES = {"worse": "red", "better": "green", "same": ""}
LABELS = {line.id: f"{line.group}: {line.label}" for line in RETRIEVAL}


def section(page: Page, audit: Audit, baseline: Baseline) -> Iterator[RenderableType]:
    """Yield the verdict then and now, and every recall that has changed."""
    yield page.text(sentence(audit, baseline))
    changed = changes(baseline)
    if not changed:
        return
    table = page.table("left", "right", "left", "right", "left", "left")
    table.add_row("", "accepted", "interval", "now", "interval", "")
    for change in changed:
        cells = []
        for one in (change.accepted, change.now):
            cells += [page.number(one.value), page.interval(one.ci)]
        table.add_row(label(change), *cells, Text(change.standing, STYLES[change.standing]))
    yield table


def changes(baseline: Baseline) -> list[BaselineChange]:
    """Return the recalls that are worse or better, the worse first."""
    changed = [change for change in baseline.changes if change.standing != "same"]
    return sorted(changed, key=lambda change: change.standing != "worse")


def why(audit: Audit) -> str:
    """Return the summary, before it what is worse than accepted."""
    baseline = audit.baseline
    if baseline is None or baseline.answer == 0:
        return audit.summary
    worse = [change for change in changes(baseline) if change.standing == "worse"]
    named = ", ".join(
        f"{label(change)} {_shown(change.now.value)} ({_shown(change.accepted.value)} accepted)"
        for change in worse[:NAMED]
    )
    more = f", {len(worse) - NAMED} more" if len(worse) > NAMED else ""
    recalls = f" Worse: {named}{more}." if worse else ""
    told = sentence(audit, baseline).partition(".")[0]
    return f"{told}.{recalls} {audit.summary}"


def _shown(value: float | None) -> str:
    return "not measured" if value is None else share(value)


def label(change: BaselineChange) -> str:
    """Return what a recall is called in the report."""
    return LABELS.get(change.id, change.id)


def sentence(audit: Audit, baseline: Baseline) -> str:
    """Return what has changed, in a sentence."""
    verdict = {
        "no": f"The verdict is no worse: {audit.verdict}, accepted was {baseline.verdict}.",
        "yes": f"The verdict is worse: {audit.verdict}, accepted was {baseline.verdict}.",
        "open": f"The verdict may be worse: {audit.verdict}, accepted was {baseline.verdict}.",
    }[baseline.verdict_worse]
    worse = sum(change.standing == "worse" for change in baseline.changes)
    better = sum(change.standing == "better" for change in baseline.changes)
    of = f"of {len(baseline.changes)} recalls {worse} are worse, {better} better"
    rows = audit.pairing.distinct_rows
    size = ""
    if rows != baseline.rows:
        then = f"{baseline.rows:,} rows then, {rows:,} now"
        size = f" There were {then}: recall falls as rows are added."
    return f"{verdict} By more than their intervals {of}.{size}"
