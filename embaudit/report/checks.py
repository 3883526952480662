"""Pairs that were checked, one a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report import baseline
from embaudit.report.page import Page
from embaudit.report.plain import encodable, printable
from embaudit.report.sheet import Sheet
from embaudit.report.terminal import one_line
from embaudit.report.wording import gate

if TYPE_CHECKING:
    from embaudit.checking import Checked
    from embaudit.report.sheet import Placed

STYLES = {0: "green", 1: "red", 2: "red", 3: "magenta"}


class CheckReport(Sheet):
    """The table of all pairs, and below it why those that are not met are not."""

    def __init__(self, checked: Sequence[Checked], fold: bool = False) -> None:
        super().__init__(fold)
        self._checked = checked

    def parts(self, page: Page) -> Iterator[Placed]:
        """Yield the table and the sentences."""
        table = page.table("left", "left", "left", "left")
        table.add_row("", "pair", "verdict", "")
        signs = {0: page.glyphs.met, 1: page.glyphs.missed, 2: "!", 3: page.glyphs.open}
        for one in self._checked:
            style = STYLES[one.exit_code]
            verdict = "error" if one.audit is None else str(one.audit.verdict)
            wanted, answer = ("", "not compared") if one.audit is None else gate(one.audit)
            told = f"{wanted}: {answer}" if wanted else answer
            sign = Text(signs[one.exit_code], style)
            table.add_row(sign, page.text(one.name), Text(verdict, f"bold {style}"), told)
        yield 0, table
        for one in self._checked:
            if one.exit_code != 0:
                yield 0, Text("")
                yield 0, page.text(f"{one.name}: {why(one)}")


def why(one: Checked) -> str:
    """Return what came of a pair, in a sentence."""
    return one.error or "" if one.audit is None else baseline.why(one.audit)


def line(one: Checked, encoding: str) -> str:
    """Return what came of a pair in one line that `encoding` can carry."""
    told = f"error: {one.error}" if one.audit is None else one_line(one.audit, encoding)
    return encodable(printable(f"{one.name}: {told}"), encoding)
