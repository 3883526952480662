"""A few rows that carry the sums."""

from __future__ import annotations

from collections.abc import Iterator

from embaudit.advice.context import Context, percent
from embaudit.advice.finding import finding
from embaudit.measures.outliers import CONCENTRATED
from embaudit.result import Finding

LISTED = 5


def outliers(context: Context) -> Iterator[Finding]:
    """Yield, for each side, the rows whose norm about the mean carries the sums."""
    found = context.row_causes.outliers
    if found is None:
        return
    for index, (name, side) in enumerate((("a", context.a), ("b", context.b))):
        concentration = context.linear.concentration[index]
        if concentration <= CONCENTRATED:
            continue
        rows = [int(row) for row in found.rows]
        listed = ", ".join(context.pair.name(row) for row in rows[:LISTED])
        share = float(found.shares[index].sum())
        subject = f"row {listed}" if len(rows) == 1 else f"{len(rows)} rows ({listed}{_more(rows)})"
        verb = "carries" if len(rows) == 1 else "carry"
        without = ""
        if found.cka is not None and found.cka_without is not None:
            those = "that row" if len(rows) == 1 else "those rows"
            without = (
                f" Without {those} debiased CKA is {found.cka_without:.3f}, not {found.cka:.3f}."
            )
        yield finding(
            "warning",
            "few_rows_carry_the_sums",
            f"{side.uri}: {subject} {verb} {percent(share)} of the variance; CKA, Procrustes and "
            f"R² describe those, recall does not depend on them.{without}",
            side=name,
            concentration=concentration,
            rows=[context.pair.stored_row(row, "a" if index == 0 else "b") for row in rows],
            share=share,
            cka=found.cka,
            cka_without=found.cka_without,
        )


def _more(rows: list[int]) -> str:
    return ", …" if len(rows) > LISTED else ""
