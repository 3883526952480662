"""Rows of another length, another unit, or about another origin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from embaudit.advice.causes.threshold import SAME_UNIT, explains
from embaudit.advice.context import Context
from embaudit.advice.finding import finding
from embaudit.datatypes import Matrix, Metric, Vector
from embaudit.measures.shared_axes import centred, centred_cosine, typical_cosine
from embaudit.result import Finding, SetInfo

SAME_DIRECTION = 0.99
"""Median cosine of partners from which only the lengths of the rows differ; 8-bit grids have
0.999."""
ONE_SCALE = 0.05
"""Spread of the scales of rows or of columns, between the quartiles, up to which they share one."""
LENGTHS_VARY = 0.03
"""Spread of row lengths, between the quartiles, of vectors that nobody normalised; noise of a tenth
of the signal makes 0.007."""
NOTABLE_OFFSET = 0.1
"""Length of an offset, in typical distances of a row from the mean, that can change a neighbour."""
AT_ORIGIN = 0.1
"""Length of a mean, in the same unit, that counts as none: sets of 100 rows have 0.1 by chance."""
COLUMNS_LISTED = 8


def scale_and_offset(context: Context) -> Iterator[Finding]:
    """Yield what sets lengths, units and origins apart where directions agree."""
    yield from _not_normalised(context)
    if context.shared_axes.match is None or any(side.value_levels for side in _sides(context)):
        return
    yield from _offset(context)
    yield from _scale(context)


def _sides(context: Context) -> tuple[SetInfo, SetInfo]:
    return context.a, context.b


def _not_normalised(context: Context) -> Iterator[Finding]:
    shared = context.shared_axes
    if context.a.normalized == context.b.normalized or shared.a.shape[1] != shared.b.shape[1]:
        return
    unit, other = sorted(_sides(context), key=lambda side: not side.normalized)
    stored = context.sample.stored[0 if other is context.a else 1]
    low, middle, high = _quartiles(np.linalg.norm(stored.astype(np.float64), axis=1))
    if high - low <= LENGTHS_VARY * middle:
        return
    same = shared.match is not None and typical_cosine(*shared.undone) >= SAME_DIRECTION
    if context.options.metric is Metric.COSINE and not same:
        return
    effect = (
        "cosine does not see it, dot and euclidean would"
        if context.options.metric is Metric.COSINE
        else f"{context.options.metric} sees it"
    )
    directions = " and partners point the same way" if same else ""
    yield finding(
        "info" if context.options.metric is Metric.COSINE else "warning",
        "not_normalised",
        f"{other.uri}: rows have lengths from {other.norm_min:.3g} to {other.norm_max:.3g}, those "
        f"of the other side 1{directions}: likely not normalised. {effect.capitalize()}; divide "
        "each row by its length.",
        side="a" if other is context.a else "b",
        normalised_side="a" if unit is context.a else "b",
        same_directions=same,
        norm_min=other.norm_min,
        norm_max=other.norm_max,
    )


def _offset(context: Context) -> Iterator[Finding]:
    """Compare the cosine of partners before and after a constant vector is taken away."""
    x, y = context.shared_axes.undone
    before, after = typical_cosine(x, y), centred_cosine(x, y)
    removed = {"b": typical_cosine(centred(x), y), "a": typical_cosine(x, centred(y))}
    for name, cosine in removed.items():
        mean = (x if name == "a" else y).mean(axis=0)
        other = (y if name == "a" else x).mean(axis=0)
        spread = _spread(x if name == "a" else y)
        if not explains(before, cosine) or float(np.linalg.norm(mean)) > AT_ORIGIN * spread:
            continue
        length = float(np.linalg.norm(other)) / _spread(y if name == "a" else x)
        if length < NOTABLE_OFFSET:
            continue
        uri = (context.a if name == "a" else context.b).uri
        yield finding(
            "warning",
            "mean_removed",
            f"{uri}: likely the other side's vectors with their mean removed (cosine of partners "
            f"{before:.3f} as stored, {cosine:.3f} after the other side's mean, {length:.2g} times "
            "its spread, is taken away too). Remove it on both sides or on none.",
            side=name,
            mean_over_spread=length,
            cosine_as_stored=before,
            cosine_without_mean=cosine,
        )
        return
    if not explains(before, after):
        return
    slope = float(np.median(_scales(centred(x), centred(y))))
    offset = y.mean(axis=0) - slope * x.mean(axis=0)
    length = float(np.linalg.norm(offset)) / _spread(y)
    if length < NOTABLE_OFFSET:
        return
    yield finding(
        "warning",
        "constant_offset",
        f"B likely is A plus one constant vector, {length:.2g} times as long as B's rows are from "
        f"their mean (cosine of partners {before:.3f} as stored, {after:.3f} about the means). "
        "Subtract each side's mean, or find out what adds it.",
        offset_over_spread=length,
        offset_norm=float(np.linalg.norm(offset)),
        offset_start=[float(value) for value in offset[:COLUMNS_LISTED]],
        cosine_as_stored=before,
        cosine_about_means=after,
    )


def _scale(context: Context) -> Iterator[Finding]:
    """Name a scale only if it is one in every row and every column, and no noise explains it."""
    if context.a.normalized and context.b.normalized:
        return
    x, y = (centred(rows) for rows in context.shared_axes.undone)
    if typical_cosine(x, y) < SAME_DIRECTION or context.a.dim != context.b.dim:
        return
    low, middle, high = _quartiles(_scales(x, y))
    lowest, typical, highest = _quartiles(_scales(x.T, y.T))
    # Noise on A lowers the slope of B on A, noise on B raises the inverse of A on B.
    inverse = 1.0 / float(np.median(_scales(y, x)))
    first, second = sorted((middle, inverse))
    apart = first > 1.0 + SAME_UNIT or second < 1.0 - SAME_UNIT
    if not apart or max((high - low) / middle, (highest - lowest) / typical) > ONE_SCALE:
        return
    scale = float(np.sqrt(first * second))
    cosine = context.options.metric is Metric.COSINE
    effect = "Cosine does not see it" if cosine else f"{context.options.metric} does see it"
    yield finding(
        "info" if cosine else "warning",
        "constant_scale",
        f"B likely is A times {scale:.4g} in every row. {effect.capitalize()}; divide B by it.",
        scale=scale,
        quartiles=[low, high],
    )


def _scales(x: Matrix, y: Matrix) -> Vector:
    """Return each row's least-squares factor from x to y."""
    squares = np.einsum("ij,ij->i", x, x)
    usable = squares > 0.0
    return np.asarray(np.einsum("ij,ij->i", x, y)[usable] / squares[usable])


def _quartiles(numbers: Vector) -> tuple[float, float, float]:
    low, middle, high = np.quantile(numbers, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _spread(rows: Matrix) -> float:
    """Return the median distance from the mean."""
    return float(np.median(np.linalg.norm(centred(rows), axis=1))) or 1.0
