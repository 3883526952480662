"""Values that were rounded: to a grid, to their sign, to bits packed in bytes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from embaudit.advice.context import Context, percent
from embaudit.advice.finding import finding
from embaudit.datatypes import Matrix
from embaudit.measures.packed_bits import SAME_BITS, looks_packed
from embaudit.measures.rounding import Rounding, rounding
from embaudit.result import Finding


def values(context: Context) -> Iterator[Finding]:
    """Yield how one side's values were rounded, measured against the other's."""
    yield from _packed(context)
    levels = (context.a.value_levels, context.b.value_levels)
    if context.shared_axes.match is None or (levels[0] is None) == (levels[1] is None):
        return
    x, y = context.shared_axes.undone
    name, codes, full = ("a", x, y) if levels[0] is not None else ("b", y, x)
    count = levels[0] or levels[1] or 0
    if count == 2:
        yield from _signs(context, name, codes, full)
        return
    found = rounding(codes, full)
    if found is not None:
        yield _quantised(context, name, count, found)


def _quantised(context: Context, name: str, levels: int, found: Rounding) -> Finding:
    side = context.a if name == "a" else context.b
    other = "B" if name == "a" else "A"
    zero = "" if found.zero_point == 0.0 else f" - {found.zero_point:.4g}"
    formula = f"({name}{zero}) * {found.per_code:.4g}" if zero else f"{name} * {found.per_code:.4g}"
    warn = found.per_column or bool(zero)
    if found.per_column:
        cure = (
            f"each column has a scale of its own, so scores of codes mean little: decode "
            f"{name.upper()} with the scales it was written with"
        )
    elif zero:
        cure = f"codes start from a zero point, so decode before comparing: {formula}"
    else:
        cure = f"{other}'s unit is {formula}"
    message = (
        f"{side.uri}: {side.dtype} values likely are {other}'s, rounded to a grid of {levels} "
        f"levels with a step of {found.step:.3g}; {cure}."
    )
    return finding(
        "warning" if warn else "info",
        "quantised",
        message,
        side=name,
        levels=levels,
        step=found.step,
        scale=found.per_code,
        zero_point=found.zero_point,
        per_column=found.per_column,
        distance_in_steps=found.distance,
        decode=None if found.per_column else formula,
    )


def _signs(context: Context, name: str, codes: Matrix, full: Matrix) -> Iterator[Finding]:
    positive = codes > codes.min()
    agreement = max(
        float((positive == (full > 0.0)).mean()),
        float((positive == (full > np.median(full, axis=0))).mean()),
    )
    if agreement < SAME_BITS:
        return
    side = context.a if name == "a" else context.b
    other = "B" if name == "a" else "A"
    yield finding(
        "warning",
        "sign_bits",
        f"{side.uri}: likely only the signs of {other}'s values ({percent(agreement)} agree). "
        "Use them to find candidates, and rescore those with full vectors.",
        side=name,
        agreement=agreement,
    )


def _packed(context: Context) -> Iterator[Finding]:
    """Warn of bytes that look packed; proven ones are refused before this."""
    sides = zip("ab", (context.a, context.b), context.sample.stored, strict=True)
    for name, side, stored in sides:
        if looks_packed(stored):
            yield finding(
                "warning",
                "packed_bits",
                f"{side.uri}: {side.dtype} bytes look like packed bits, eight to a byte, and then "
                f"{context.options.metric} of bytes means nothing. To confirm, compare "
                f"2.0 * np.unpackbits({name}.view(np.uint8), axis=1) - 1.",
                side=name,
            )
