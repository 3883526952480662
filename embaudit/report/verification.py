"""What `embaudit verify` found, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from embaudit.report.gate_sheet import Answer, GateSheet
from embaudit.report.page import Page
from embaudit.report.plain import count, share

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.alignment import Verification


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


class VerificationReport(GateSheet):
    """The report of a map that was measured again."""

    def __init__(self, found: Verification, fold: bool = False) -> None:
        same = "These are the files it was fitted on: nothing new is learnt."
        answer = Answer(
            document=found,
            subject=found.map,
            passed=found.passed,
            word="map holds" if found.passed else "map fails",
            kind=found.method,
            sentence=summary(found),
            facts=[count(found.pairs, "distinct pair"), str(found.metric), f"k {found.k}"],
            seconds=found.timing.get("total", 0.0),
            remarks=[same] if found.same_inputs else [],
        )
        super().__init__(answer, fold)
        self._found = found

    def sections(self, page: Page) -> Iterator[tuple[str, str, Iterable[RenderableType]]]:
        """Yield what the map recovers, now and then."""
        yield "Recovered", f"{self._found.queries:,} rows", _figures(page, self._found)


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
