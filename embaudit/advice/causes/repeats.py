"""Rows of one side that hold one vector while their partners differ."""

from __future__ import annotations

from collections.abc import Iterator

from embaudit.advice.context import Context, percent
from embaudit.advice.finding import finding
from embaudit.result import Finding


def repeats(context: Context) -> Iterator[Finding]:
    """Yield, for each side, the rows that repeat a vector while their partners differ."""
    for found in context.row_causes.repeats:
        side = context.a if found.side == "a" else context.b
        other = "B" if found.side == "a" else "A"
        listed = ", ".join(context.pair.name(row) for row in found.examples)
        notable = found.share > context.options.policy.max_mispaired
        yield finding(
            "warning" if notable else "info",
            "one_sided_repeats",
            f"{side.uri}: {found.rows:,} rows ({percent(found.share)}) repeat another row's vector "
            f"while their partners in {other} differ; one vector stands for {found.largest:,} "
            f"rows, as {listed}. Likely empty or truncated inputs, a failed batch, or a coarse "
            "model: look at the inputs of those rows.",
            side=found.side,
            rows=found.rows,
            share=found.share,
            vectors=found.vectors,
            largest=found.largest,
            examples=[
                context.pair.stored_row(row, "a" if found.side == "a" else "b")
                for row in found.examples
            ],
        )
