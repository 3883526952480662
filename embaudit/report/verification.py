"""What `embaudit verify` found, for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from embaudit.report.page import Page
from embaudit.report.plain import count, encodable, printable, share
from embaudit.report.sheet import Sheet, badge, headed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.alignment import Verification
    from embaudit.report.sheet import Placed


def summary(found: Verification) -> str:
    """Return whether the map still does, in a sentence."""
    recall = found.now.recall
    now = share(recall.value) if recall and recall.value is not None else "not measured"
    was = ""
    if found.recorded is not None and found.recorded.value is not None:
        was = f", {share(found.recorded.value)} when it was fitted"
    verdict = "still does" if found.passed else "no longer does"
    fault = "" if found.fault is None else f": {found.fault}"
    return f"The map {verdict}{fault}. Recall@{found.k} is {now}{was}."


def one_line(found: Verification, encoding: str = "utf-8") -> str:
    """Return whether the map still does and why, in one line that `encoding` can carry."""
    word = "passed" if found.passed else "failed"
    return encodable(printable(f"{word}: {summary(found)}"), encoding)


class VerificationReport(Sheet):
    """The report of a map that was measured again."""

    def __init__(self, found: Verification, fold: bool = False) -> None:
        super().__init__(fold)
        self._found = found

    def parts(self, page: Page) -> Iterator[Placed]:
        """Yield the sections."""
        found = self._found
        facts = [count(found.pairs, "distinct pair"), str(found.metric), f"k {found.k}"]
        word = "MAP HOLDS" if found.passed else "MAP FAILS"
        yield 0, badge(page, found.passed, "green", word, found.method, facts)
        yield 0, page.text(summary(found))
        if found.same_inputs:
            yield 0, page.text("These are the files it was fitted on: nothing new is learnt.")
        yield from headed("Recovered", _figures(page, found), f"{found.queries:,} rows")


def _figures(page: Page, found: Verification) -> Iterator[RenderableType]:
    source, target = found.direction[0].upper(), found.direction[-1].upper()
    table = page.table("left", "right", "left", "right", "left")
    table.add_row("", "now", "interval", "then", "interval")
    then = found.recorded
    rows = [
        (f"recall, {source} in {target}", found.now.recall, then),
        (f"mixed index, {target}", found.now.mixed_index, None),
        ("partner found first", found.now.partner_found, None),
    ]
    for label, now, before in rows:
        cells = []
        for one in (now, before):
            cells += ["", ""] if one is None else [page.number(one.value), page.interval(one.ci)]
        table.add_row(label, *cells)
    table.add_row("cosine of partners", page.number(found.now.cosine), "", "", "")
    yield table
