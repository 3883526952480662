"""What `embaudit verify` found, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from embaudit.report.gate_sheet import GateSheet
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
        super().__init__(fold)
        self._found = found

    @property
    def document(self) -> Verification:
        """The whole result."""
        return self._found

    @property
    def subject(self) -> str:
        """The map's file."""
        return self._found.map

    @property
    def passed(self) -> bool:
        """Whether the map still does."""
        return self._found.passed

    @property
    def word(self) -> str:
        """The answer in two words."""
        return "map holds" if self.passed else "map fails"

    @property
    def kind(self) -> str:
        """The method it was fitted by."""
        return self._found.method

    @property
    def facts(self) -> list[str]:
        """What the answer rests on."""
        found = self._found
        return [count(found.pairs, "distinct pair"), str(found.metric), f"k {found.k}"]

    @property
    def sentence(self) -> str:
        """Whether the map still does, and why."""
        return summary(self._found)

    @property
    def remarks(self) -> list[str]:
        """Whether this was news."""
        same = "These are the files it was fitted on: nothing new is learnt."
        return [same] if self._found.same_inputs else []

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._found.timing.get("total", 0.0)

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
