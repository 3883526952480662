"""One side has fewer dimensions: cut off, filled with zeros, or projected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from embaudit.advice.causes.threshold import LISTED
from embaudit.advice.context import Context, percent
from embaudit.advice.finding import finding
from embaudit.datatypes import Matrix
from embaudit.measures.shared_axes import centred_cosine, typical_cosine
from embaudit.result import Finding

SAME_VECTORS = 0.95
"""Median cosine of partners over the common columns: 0.98 on a grid of 15 levels, 0.999 at 8 bits;
unrelated models have 0."""
SAME_DEVIATIONS = 0.9
"""The same about the means, so that a mean that both sides share proves nothing."""
EXPLAINED = 0.99
"""Held-out share of variance that makes one side a linear function of the other."""
UNIT = 1e-2
"""Distance of every norm from 1 that float16 and 8-bit grids keep."""


def dimensions(context: Context) -> Iterator[Finding]:
    """Yield how one side's columns are part of the other's."""
    yield from _zero_padded(context)
    shared = context.shared_axes
    if shared.a.shape[1] == shared.b.shape[1]:
        return
    narrow: Literal["a", "b"] = "a" if shared.a.shape[1] < shared.b.shape[1] else "b"
    if _agree(*shared.in_place):
        yield _truncated(context, narrow)
    elif shared.match is not None and _agree(*shared.undone):
        yield _selected(context, narrow)
    else:
        yield from _projected(context, narrow)


def _agree(x: Matrix, y: Matrix) -> bool:
    return typical_cosine(x, y) >= SAME_VECTORS and centred_cosine(x, y) >= SAME_DEVIATIONS


def _zero_padded(context: Context) -> Iterator[Finding]:
    """Name trailing columns of zeros; the scan has counted the constant columns of every row."""
    shared = context.shared_axes
    for name, side, other, zeros in zip(
        "ab", (context.a, context.b), (context.b, context.a), shared.padding, strict=True
    ):
        if not 0 < zeros <= side.constant_columns:
            continue
        left = side.dim - zeros
        same = left == other.dim and _agree(*shared.in_place)
        whose = "the other side's vectors" if same else f"vectors of {left:,} dimensions"
        yield finding(
            "warning",
            "zero_padded",
            f"{side.uri}: the last {zeros:,} of {side.dim:,} columns are zero in every row: likely "
            f"{whose} padded with zeros. Cut them off: {name}[:, :{left}].",
            side=name,
            columns=zeros,
            dims=left,
            equals_other_side=same,
            undo=f"{name}[:, :{left}]",
        )


def _truncated(context: Context, narrow: Literal["a", "b"]) -> Finding:
    shared = context.shared_axes
    wide = "b" if narrow == "a" else "a"
    x, y = shared.in_place
    short, cut = (x, y) if narrow == "a" else (y, x)
    whole = shared.b if narrow == "a" else shared.a
    kept = short.shape[1]
    renormalised = _unit(short) and not _unit(cut)
    share = float(np.square(cut).sum() / np.square(whole).sum())
    undo = f"{wide}[:, :{kept}]"
    divided = ", each row divided by its length" if renormalised else ""
    return finding(
        "warning",
        "truncated",
        f"{narrow.upper()} likely is {wide.upper()} cut to its first {kept:,} of "
        f"{whole.shape[1]:,} columns{' and normalised again' if renormalised else ''} (cosine of "
        f"partners {typical_cosine(x, y):.3f}; they hold {percent(share)} of the squared length). "
        f"Compare with {undo}{divided}.",
        side=narrow,
        kept=kept,
        of=whole.shape[1],
        renormalised=renormalised,
        kept_share=share,
        cosine=typical_cosine(x, y),
        undo=undo,
    )


def _selected(context: Context, narrow: Literal["a", "b"]) -> Finding:
    shared = context.shared_axes
    match = shared.match
    assert match is not None, "asked before"
    wide = "b" if narrow == "a" else "a"
    columns = match.columns_b if narrow == "a" else match.columns_a
    whole = shared.b.shape[1] if narrow == "a" else shared.a.shape[1]
    start = ", ".join(map(str, columns[:6]))
    undo = f"{wide}[:, columns]" + (" * signs" if match.flipped else "")
    data = {"signs": match.signs[:LISTED].astype(int).tolist()} if match.flipped else {}
    return finding(
        "warning",
        "columns_selected",
        f"{narrow.upper()}'s {len(columns):,} columns likely are columns of {wide.upper()}'s "
        f"{whole:,}, from other places (they start {start}). Compare with {undo}.",
        side=narrow,
        columns=columns[:LISTED].tolist(),
        flipped=match.flipped,
        of=whole,
        undo=undo,
        **data,
    )


def _projected(context: Context, narrow: Literal["a", "b"]) -> Iterator[Finding]:
    wide = "b" if narrow == "a" else "a"
    explained = context.measures[f"linear.r2.{wide}_to_{narrow}"].value
    if explained is None or explained < EXPLAINED:
        return
    yield finding(
        "info",
        "projected",
        f"{narrow.upper()} is a linear function of {wide.upper()} ({percent(explained)} of its "
        "variance on unseen rows): likely a projection such as PCA. Project "
        f"{wide.upper()} with the same matrix; what it drops is lost.",
        side=narrow,
        explained=explained,
    )


def _unit(rows: Matrix) -> bool:
    norms = np.linalg.norm(rows, axis=1)
    return bool(np.quantile(np.abs(norms - 1.0), 0.99) <= UNIT)
