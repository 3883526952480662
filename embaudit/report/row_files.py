"""The table of measured rows as a file: Parquet or CSV."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embaudit.row_table import RowTable

SIGNIFICANT_DIGITS = 6
RISKY = "=+-@\uff1d\uff0b\uff0d\uff20"
"""A cell that begins with one of these is a formula to a spreadsheet, full-width ones too."""
LARGEST_SIGNED = 2**63 - 1


def render(table: RowTable, suffix: str) -> bytes:
    """Return the table as ``.parquet`` or ``.csv`` in UTF-8."""
    if suffix == ".parquet":
        return _parquet(table)
    return (csv_text(table) + "\n").encode("utf-8", "backslashreplace")


def csv_text(table: RowTable) -> str:
    """Return the table as CSV, without a final newline.

    Ids come from outside: an apostrophe goes before text that a spreadsheet could take for a
    formula, and before text that begins with one, so that dropping a first apostrophe restores
    every id.
    """
    named = [] if table.ids is None else ["id"]
    lines = [",".join([*named, "row_a", "row_b", *table.numbers])]
    for place in range(len(table)):
        ids = [] if table.ids is None else [_cell(table.ids[place])]
        positions = [str(table.row_a[place]), str(table.row_b[place])]
        numbers = [_number(float(values[place])) for values in table.numbers.values()]
        lines.append(",".join([*ids, *positions, *numbers]))
    return "\n".join(lines)


def _cell(value: int | str) -> str:
    """Return an id as a cell; text is always quoted, so that it may hold ends of lines."""
    if isinstance(value, int):
        return str(value)
    begins = value.lstrip()[:1]
    # A tab or return in front is dropped on import, and what follows is read.
    risky = value[:1] in {"\t", "\r", "\n", "'"} or begins in {*RISKY}
    quoted = value.replace('"', '""')
    apostrophe = "'" if risky else ""
    return f'"{apostrophe}{quoted}"'


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.{SIGNIFICANT_DIGITS}g}"


def _parquet(table: RowTable) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, object] = {}
    if table.ids is not None:
        # Integers of either sign fit no one type where an unsigned one is too large.
        large = any(isinstance(value, int) and value > LARGEST_SIGNED for value in table.ids)
        columns["id"] = pa.array(table.ids, pa.uint64() if large else None)
    columns |= {"row_a": pa.array(table.row_a), "row_b": pa.array(table.row_b)}
    for name, values in table.numbers.items():
        columns[name] = pa.array(values, from_pandas=True)
    notes = {"embaudit": json.dumps(table.notes)}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, metadata=notes), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data
