"""Numbers of rows as people write them."""

from __future__ import annotations

from decimal import Decimal

from embaudit.errors import UsageError

UNITS = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
MOST = 10**15


def row_count(option: str, written: int | float | str) -> int:
    """Return a number of rows: 10M, 2.5M, 500k, 1e7, 10_000_000.

    Raises
    ------
    UsageError
        For what is no whole number of at least 1; names `option`.
    """
    text = str(written).strip().lower().replace("_", "").replace(",", "")
    unit = UNITS.get(text[-1:], 1)
    try:
        rows = Decimal(text[:-1] if unit > 1 else text) * unit
    except ArithmeticError:
        rows = Decimal(0)
    if not (rows.is_finite() and 1 <= rows <= MOST and rows == int(rows)):
        raise UsageError(
            f"{option} {written}: expected a whole number of rows, as 10M, 2.5M, 500k or 1e7"
        )
    return int(rows)
