"""What every section of the terminal report draws with: signs, safe text, numbers, bars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from embaudit.report.glyphs import Glyphs
from embaudit.report.plain import encodable, printable, share

if TYPE_CHECKING:
    from rich.console import JustifyMethod

    from embaudit.result import CI

INDENT = 2


@dataclass(frozen=True)
class Page:
    """The console a report is drawn for.

    Attributes
    ----------
    glyphs : Glyphs
    encoding : str
    width : int
        Columns a line may take.
    """

    glyphs: Glyphs
    encoding: str
    width: int

    def text(self, content: str, style: str = "") -> Text:
        """Return text from outside, wrapped between words and safe for the console."""
        return Text(encodable(printable(content), self.encoding), style, overflow="fold")

    def table(self, *columns: JustifyMethod) -> Table:
        """Return a borderless table whose columns keep their width, each justified as given."""
        table = Table.grid(padding=(0, 2, 0, 0))
        for justify in columns:
            table.add_column(justify=justify, no_wrap=True)
        return table

    def join(self, facts: Iterable[str | None]) -> str:
        """Return the facts that there are on one line."""
        return self.glyphs.separator.join(filter(None, facts))

    def number(self, value: float | None) -> str:
        """Return a value to three decimals, or the sign for none."""
        return self.glyphs.missing if value is None else share(value)

    def interval(self, ci: CI | None) -> str:
        """Return ``low-high``, or the sign for none."""
        if ci is None:
            return self.glyphs.missing
        low, high = ci
        return "exact" if low == high else f"{share(low)}{self.glyphs.range}{share(high)}"

    def bar(self, value: float, mark: float | None, columns: int, style: str) -> Text:
        """Return a bar from 0 to 1 in `columns`, with what is asked marked across it."""
        filled = round(min(max(value, 0.0), 1.0) * columns)
        if mark is None:
            return self._filled(filled, columns, style)
        position = min(int(mark * columns), columns - 1)
        # Rounding must not draw a value on the wrong side of what is asked.
        filled = max(filled, min(position + 2, columns)) if value >= mark else min(filled, position)
        bar = self._filled(filled, columns, style)
        return Text.assemble(bar[:position], (self.glyphs.mark, "bold"), bar[position + 1 :])

    def _filled(self, filled: int, columns: int, style: str) -> Text:
        return Text.assemble(
            (self.glyphs.bar * filled, style),
            (self.glyphs.rest * (columns - filled), "bright_black"),
        )
