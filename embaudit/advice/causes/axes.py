"""The same axes in another order, with other signs, or turned."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from embaudit.advice.causes.threshold import LEFT_OVER, LISTED, NOTICEABLE, SAME_UNIT, explains
from embaudit.advice.context import Context
from embaudit.advice.finding import finding
from embaudit.datatypes import DIRECTIONS, Verdict
from embaudit.measures.shared_axes import centred
from embaudit.result import Finding

MATCHED = 0.7
"""Cosine of partners, columns undone, from which their order is known: a fine-tuned model whose
columns moved has 0.88."""
EXACT_TURN = 0.02
"""Held-out Procrustes residual that a turned copy keeps, also at 8 bits; two trainings of one model
have 0.1 and more."""
START = 16


def axes(context: Context) -> Iterator[Finding]:
    """Yield how the axes of one side stand in the other's."""
    if context.decision.verdict is Verdict.CONCATENATE and context.same_axes:
        yield finding(
            "warning",
            "same_axes",
            "Direct search is far above chance and no map does better: the axes agree. "
            "Re-embedding one side will serve better than concatenating.",
        )
    residual = _turn_residual(context)
    undone = 1.0 - context.shared_axes.undone_cosine**2
    limit = min(EXACT_TURN, LEFT_OVER * undone)
    if residual is not None and residual <= limit and undone >= NOTICEABLE:
        yield _rotated(context, residual)
    else:
        yield from _columns(context)


def _columns(context: Context) -> Iterator[Finding]:
    """Name moved and flipped columns, which are undone exactly."""
    shared = context.shared_axes
    match = shared.match
    if match is None or shared.a.shape[1] != shared.b.shape[1]:
        return
    if not match.moved and not match.flipped:
        return
    before, after = shared.direct_cosine, shared.undone_cosine
    if not explains(before, after, MATCHED):
        return
    order = np.argsort(match.columns_a)
    signs = match.signs[order].astype(int)
    start = slice(None) if len(order) <= LISTED else slice(START)
    unmoved = f"b[:, :{len(order)}]" if shared.padding[1] else "b"
    undo = "b[:, permutation]" if match.moved else unmoved
    undo += " * signs" if match.flipped else ""
    where = [f"{match.moved:,} moved"] if match.moved else []
    where += [f"{match.flipped:,} with the other sign"] if match.flipped else []
    example = f" (permutation starts {', '.join(map(str, order[:6]))})" if match.moved else ""
    data: dict[str, object] = {"permutation": order[start].tolist()} if match.moved else {}
    if match.flipped:
        data["signs"] = signs[start].tolist()
    yield finding(
        "warning",
        "columns_permuted" if match.moved else "signs_flipped",
        f"B's columns likely are A's, {' and '.join(where)} of {len(order):,}{example}. Undo it "
        f"exactly: {undo}. Partners' cosine about the means: {before:.3f} now, {after:.3f} then.",
        moved=match.moved,
        flipped=match.flipped,
        columns=len(order),
        undo=undo,
        correlation=match.correlation,
        cosine_as_stored=before,
        cosine_undone=after,
        **data,
    )


def _rotated(context: Context, residual: float) -> Finding:
    shared = context.shared_axes
    cosine = shared.direct_cosine
    angle = math.degrees(math.acos(min(1.0, max(-1.0, cosine))))
    lengths = [np.median(np.linalg.norm(centred(side), axis=1)) for side in shared.in_place]
    scale = float(lengths[1] / lengths[0])
    times = f" and multiplied by {scale:.4g}" if abs(scale - 1.0) > SAME_UNIT else ""
    return finding(
        "warning" if context.decision.verdict is not Verdict.SAFE else "info",
        "rotated",
        f"B likely is A turned{times}: an orthogonal map leaves {residual:.2g} of the variance on "
        f"unseen rows, while partners are {angle:.0f} degrees apart about the means. The map "
        "undoes it; a rotation in one pipeline (OPQ, a Hadamard transform) would confirm it.",
        residual=residual,
        angle_degrees=angle,
        scale=scale,
        cosine_as_stored=cosine,
    )


def _turn_residual(context: Context) -> float | None:
    """Return the larger held-out residual of the orthogonal map; None where it says nothing."""
    if context.a.dim != context.b.dim:
        return None
    values = [context.measures[f"procrustes.residual.{d}"].value for d in DIRECTIONS]
    known = [value for value in values if value is not None]
    return max(known) if len(known) == 2 else None
