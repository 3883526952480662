"""Sections of the terminal report as HTML: tables become tables, lines become paragraphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from embaudit.report.grid import Grid
from embaudit.report.plain import printable

if TYPE_CHECKING:
    from rich.console import RenderableType


SCROLLED = '<div class="scrolled" tabindex="0" role="region" aria-label="Table">'
"""Reached by the keyboard too, which else could not scroll it."""


def as_html(parts: Iterable[RenderableType], *, heads: int = 1, labels: int = 1) -> str:
    """Return what a section yields, tables and lines, as HTML, its text escaped.

    Parameters
    ----------
    parts : iterable of renderables
    heads, labels : int
        As in `Grid.of`.
    """
    return "\n".join(_blocks(parts, heads, labels))


def _blocks(parts: Iterable[RenderableType], heads: int, labels: int) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Table):
            yield _table(Grid.of(part, heads, labels))
        elif isinstance(part, Text):
            if part.plain.strip():
                yield f"<p>{_text(part.plain.strip())}</p>"
        else:
            raise TypeError(f"{type(part).__name__} is neither a table nor a line")


def _text(content: str) -> str:
    """Return text from outside as HTML."""
    return escape(printable(content))


def _table(grid: Grid) -> str:
    head = f"<thead>{_row('th', grid.titles, grid.numeric)}</thead>" if grid.titles else ""
    body = "\n".join(_row("td", row, grid.numeric) for row in grid.rows)
    return f"{SCROLLED}<table>{head}<tbody>{body}</tbody></table></div>"


def _row(tag: str, cells: Sequence[str], numeric: Sequence[bool]) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    name, *rest = cells
    first = f'<th scope="{"col" if scope else "row"}">{_text(name)}</th>' if name else "<td></td>"
    styles = [' class="number"' if right else "" for right in numeric[1:]]
    others = (
        f"<{tag}{scope}{style}>{_text(cell)}</{tag}>"
        for cell, style in zip(rest, styles, strict=True)
    )
    return f"<tr>{first}{''.join(others)}</tr>"
