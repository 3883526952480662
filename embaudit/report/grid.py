"""The text of a table that was made for the terminal, for forms that draw tables themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


@dataclass(frozen=True)
class Grid:
    """Cells without style.

    Attributes
    ----------
    titles : list of str
        Of the columns; empty where the table has none.
    rows : list of list of str
    numeric : list of bool
        Columns that end at the right.
    """

    titles: list[str]
    rows: list[list[str]]
    numeric: list[bool]

    @classmethod
    def of(cls, table: Table, heads: int = 1, labels: int = 1) -> Grid:
        """Return the cells of a table, columns that hold nothing left out.

        Parameters
        ----------
        table : rich.table.Table
            Its cells are text.
        heads : int
            Rows that have the titles of its columns, which are read as one.
        labels : int
            Columns that name a row, joined; where all but the last are empty, those above go on.
        """
        columns = [[_plain(cell) for cell in column.cells] for column in table.columns]
        kept = [place for place, cells in enumerate(columns) if place < labels or any(cells)]
        rows = [list(cells) for cells in zip(*(columns[place] for place in kept), strict=True)]
        titles = [" ".join(filter(None, cells)) for cells in zip(*rows[:heads], strict=True)]
        numeric = [table.columns[place].justify == "right" for place in kept]
        found = _carried_on(rows[heads:], labels) if labels > 1 else rows[heads:]
        return cls(
            _joined(titles, labels) if titles else [],
            [_joined(row, labels) for row in found],
            [False, *numeric[labels:]],
        )


def _joined(cells: list[str], labels: int) -> list[str]:
    return [" · ".join(filter(None, cells[:labels])), *cells[labels:]]


def _carried_on(rows: Iterable[list[str]], labels: int) -> list[list[str]]:
    """Return the rows with the label of their group, which a terminal names once."""
    found: list[list[str]] = []
    for row in rows:
        above = found[-1] if found else row
        found.append(row if row[0] else [*above[: labels - 1], *row[labels - 1 :]])
    return found


def _plain(cell: RenderableType) -> str:
    if isinstance(cell, Text):
        return cell.plain.strip()
    if isinstance(cell, str):
        return cell.strip()
    raise TypeError(f"{type(cell).__name__} in a cell is no text")
