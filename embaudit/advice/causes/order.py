"""Rows that stand elsewhere in the other file: lags, moved blocks, another order."""

from __future__ import annotations

from collections.abc import Iterator

from embaudit.advice.context import Context, percent
from embaudit.advice.finding import counted_rows, finding
from embaudit.measures.order import Block, Order
from embaudit.result import Finding

LISTED = 6


def order(context: Context) -> Iterator[Finding]:
    """Yield how the rows of B are ordered against those of A, where that is known."""
    found = context.row_causes.order
    if found is None:
        return
    writers = {"lag": _lag, "blocks": _blocks, "reversed": _shuffled, "shuffled": _shuffled}
    identifier, message = writers[found.kind](context, found)
    stored = context.pair.stored_row
    yield finding(
        "error",
        identifier,
        message,
        by=found.by,
        share=found.share,
        looked=found.looked,
        blocks=[
            {
                "first": stored(block.first),
                "last": stored(block.last),
                "lag": block.lag,
            }
            for block in found.blocks
        ],
        examples=[(stored(row), stored(place, "b")) for row, place in found.examples],
        cka=found.strength,
    )


def _lag(context: Context, found: Order) -> tuple[str, str]:
    moving = [block for block in found.blocks if block.lag]
    if len(found.blocks) == 1:
        where = f"Row i of A belongs to row i{moving[0].lag:+,} of B"
    else:
        listed = "; ".join(_named(context, block) for block in found.blocks[:LISTED])
        more = len(found.blocks) - LISTED
        where = f"B lags in a part of the rows: {listed}{f' and {more} more' if more > 0 else ''}"
    return "lagged_rows", (
        f"{where} ({_proof(found)}). Likely a row lost or inserted on one side, or a header "
        f"counted as a row: {_likely_row(context, found)}, then compare again."
    )


def _likely_row(context: Context, found: Order) -> str:
    changes = [
        (after.first, after.lag - before.lag)
        for before, after in zip(found.blocks[:-1], found.blocks[1:], strict=True)
    ]
    if not changes:
        return "compare the first rows of both files"
    row, gain = changes[0]
    where = context.pair.name(row)
    if gain > 0:
        return f"look at B for {counted_rows(gain)} too many at about row {where}"
    return f"look at B for {counted_rows(-gain)} missing at about row {where}"


def _blocks(context: Context, found: Order) -> tuple[str, str]:
    listed = "; ".join(_named(context, block) for block in found.blocks[:LISTED])
    return "moved_blocks", (
        f"Blocks of rows stand elsewhere in B: {listed} ({_proof(found)}). Likely parts joined in "
        "another order: join by id, or put the parts in one order, then compare again."
    )


def _shuffled(context: Context, found: Order) -> tuple[str, str]:
    order = "the reverse order" if found.kind == "reversed" else "another order"
    row, place = found.examples[0]
    example = (
        f"row {context.pair.name(row)} of A is row {context.pair.stored_row(place, 'b'):,} of B"
    )
    shown = {
        "bytes": f"{percent(found.share)} of the {found.looked:,} rows whose bytes both sides hold "
        "once stand elsewhere",
        "search": f"{found.moved:,} of {found.looked:,} rows searched for have a clear, mutual "
        "best match elsewhere",
    }
    return "shuffled_rows", (
        f"B holds rows of A in {order}: {shown.get(found.by, _proof(found))}, as {example}. "
        f"{_cure(context)}."
    )


def _cure(context: Context) -> str:
    if context.pair.by == "id":
        return "Rows are joined by id already: likely one side's ids belong to other rows"
    return "Join by id (--on, or --ids-a and --ids-b) to restore the order"


def _named(context: Context, block: Block) -> str:
    name = context.pair.name
    rows = f"rows {name(block.first)} to {name(block.last)}"
    return f"{rows} in place" if block.lag == 0 else f"{rows} at i{block.lag:+,}"


def _proof(found: Order) -> str:
    if found.by == "bytes":
        return f"shown by the bytes of {found.looked:,} rows"
    if found.by == "search":
        return f"shown by {found.moved:,} rows with a clear, mutual best match"
    return f"CKA of blocks brought together {found.strength:.2f}"
