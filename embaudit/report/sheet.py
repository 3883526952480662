"""A report drawn with rich: parts down the page, for a console of any width and encoding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.segment import Segment
from rich.text import Text

from embaudit.report.continuation import continued
from embaudit.report.glyphs import glyphs_for
from embaudit.report.page import INDENT, Page

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    Placed: TypeAlias = tuple[int, RenderableType]
    """How far a part is indented, and the part."""

WIDTHS = (72, 100)
"""Narrower tables say nothing, so the terminal wraps them; longer lines are hard to follow."""


class Sheet(ABC):
    """A rich renderable that chooses its signs by what the console can show.

    Print it with ``crop=False``: commands stay on one line so that they can be copied.

    Parameters
    ----------
    fold : bool
        Let no line pass the console's width, for those that crop, as ``rich.print``: a longer
        command continues on the next line after a backslash.
    """

    def __init__(self, fold: bool = False) -> None:
        self._fold = fold

    @abstractmethod
    def parts(self, page: Page) -> Iterator[Placed]:
        """Yield what is drawn, from top to bottom."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, without trailing spaces."""
        narrowest, widest = WIDTHS
        width = max(narrowest, min(options.max_width, widest))
        page = Page(glyphs_for(options), options.encoding, width)
        for indent, part in self.parts(page):
            room = width - indent
            if isinstance(part, Text) and part.no_wrap:
                if self._fold:
                    part = continued(part, options.max_width - indent)
                room = max(room, part.cell_len)
            for line in console.render_lines(part, options.update(width=room), pad=False):
                whole = [*_without_trailing_spaces([Segment(" " * indent), *line])]
                for piece in _folded(whole, options.max_width) if self._fold else [whole]:
                    yield from piece
                    yield Segment.line()


def badge(
    page: Page, good: bool, style: str, word: str, kind: str, facts: Iterable[str]
) -> RenderableType:
    """Return the panel on top: the answer in a word, of what kind, and on what it rests."""
    glyph = page.glyphs.met if good else page.glyphs.missed
    style = style if good else "red"
    title = Text.assemble((f" {glyph} {word} ", f"bold reverse {style}"), "  ", (kind, "bold"))
    parts = Group(title, Text(""), Text(f" {page.join(facts)}"))
    return Panel(parts, box=box.ROUNDED, border_style=style, padding=(1, 2))


def headed(
    title: str, parts: Iterable[RenderableType], remark: str | None = None
) -> Iterator[Placed]:
    """Yield a section: an empty line, its title and remark, its parts indented."""
    yield 0, Text("")
    yield 0, Text.assemble((title, "bold"), f"  {remark}" if remark else "")
    for part in parts:
        yield INDENT, part


def _folded(line: list[Segment], columns: int) -> Iterable[list[Segment]]:
    """Return a line in pieces, broken where a terminal of that width would break it."""
    length = Segment.get_line_length(line)
    return Segment.divide(line, [*range(columns, length, columns), length])


def _without_trailing_spaces(line: list[Segment]) -> Iterator[Segment]:
    """Yield a line as rich pads it, less its padding, which would be copied along."""
    rest = list(line)
    while rest and not rest[-1].text.strip(" "):
        rest.pop()
    if rest:
        last = rest.pop()
        yield from rest
        yield Segment(last.text.rstrip(" "), last.style)
