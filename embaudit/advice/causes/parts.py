"""A part of the rows that was made by another model, or whose rows do not correspond."""

from __future__ import annotations

from collections.abc import Iterator

from embaudit.advice.context import Context, percent
from embaudit.advice.finding import finding
from embaudit.result import Finding
from embaudit.stages.row_causes import Part, Parts

LISTED = 8


def parts(context: Context) -> Iterator[Finding]:
    """Yield the rows that no map of the others recovers, with their ranges."""
    found = context.row_causes.parts
    if found is None:
        return
    yield finding(
        "warning",
        "two_populations",
        _message(context, found),
        share=found.share,
        by=found.by,
        ranges=[
            (context.pair.stored_row(part.first), context.pair.stored_row(part.last))
            for part in found.parts
        ],
        parts=[
            {
                "rows": part.last - part.first + 1,
                "cka": part.inside,
                "paired": part.paired,
                "lag": part.lag,
            }
            for part in found.parts
        ],
        cka_outside=found.outside,
        cka_lost=found.lost,
    )


def _message(context: Context, found: Parts) -> str:
    if not found.parts:
        message = (
            f"{percent(found.share)} of the queries, spread over the file, find nothing while most "
            "find nearly all"
        )
        if found.lost_paired:
            return (
                f"{message}. Among themselves they agree (CKA {_cka(found.lost)}): likely another "
                "model's vectors, or another version's; re-embed them."
            )
        if found.lost_paired is False:
            return (
                f"{message}. They do not agree among themselves (CKA {_cka(found.lost)}): likely "
                "other items, damaged or collapsed vectors; look at their inputs."
            )
        return f"{message}: another model's vectors, or other items; they are too few to say which."
    listed = ", ".join(_range(context, part) for part in found.parts[:LISTED])
    apart = [part for part in found.parts if part.paired]
    lagging = [part for part in found.parts if part.lag]
    strangers = [part for part in found.parts if part.paired is False and not part.lag]
    if len(apart) == len(found.parts) and not found.known:
        values = ", ".join(_cka(value) for value in (*(p.inside for p in apart), found.outside))
        return (
            f"Rows {listed} and the others are likely of two models, or of two versions of one: "
            f"each agree among themselves (CKA {values}), but not with each other. Re-embed one of "
            "the two."
        )
    outside = "" if found.outside is None else f" (CKA {_cka(found.outside)} among the others)"
    message = (
        f"Rows {listed} behave differently: what brings the others together{outside} fails there."
    )
    if apart:
        values = ", ".join(_cka(part.inside) for part in apart[:LISTED])
        message += (
            f" Their vectors agree among themselves (CKA {values}) but not with the rest: likely "
            "another model's, or another version's; re-embed them."
        )
    if strangers:
        which = "Rows " + ", ".join(_range(context, part) for part in strangers[:LISTED])
        which = "They" if not apart else which
        message += (
            f" {which} do not agree among themselves either: likely other items, or rows in "
            "another order; look at their ids."
        )
    for part in lagging[:LISTED]:
        message += (
            f" Row i of {_range(context, part)} belongs to row i{part.lag:+,}: likely a row lost "
            f"or inserted at about row {context.pair.name(part.first)}."
        )
    if not apart and not strangers and not lagging:
        message += " They are too few to say why; re-embed them or look at their ids."
    return message


def _range(context: Context, part: Part) -> str:
    return f"{context.pair.name(part.first)} to {context.pair.name(part.last)}"


def _cka(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
