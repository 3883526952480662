"""Values of one side as another side's, rounded to a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Vector

LINEAR = 0.9
"""Median correlation of codes with values: 0.98 on a grid of 15 levels, 0.9999 at 8 bits."""
ROUNDED = 0.35
"""Median distance of a value from its code, in steps: rounding gives 0.25, more is other noise."""
ONE_STEP = 0.05
"""Spread of the columns' steps, between the quartiles, up to which there is one."""


@dataclass(frozen=True)
class Rounding:
    """``value = offset + step * code`` in each column, codes counted in grid points.

    Attributes
    ----------
    step : float
        Distance of two grid points in the other side's unit, median over columns.
    per_code : float
        Factor from stored codes to the other side's values, median over columns.
    per_column : bool
        Columns have steps of their own.
    zero_point : float
        Code that stands for 0, median over columns; 0 where it is within one grid point of 0.
    distance : float
        Median distance of values from their codes, in steps.
    """

    step: float
    per_code: float
    per_column: bool
    zero_point: float
    distance: float


def rounding(codes: Matrix, values: Matrix) -> Rounding | None:
    """Return the grid on which `codes` are `values` rounded, None where they are not.

    The step is the distance of the values at which one code gives way to the next. A regression of
    values on codes shrinks where few codes are used, one of codes on values where they are clipped.

    Parameters
    ----------
    codes, values : float64 arrays, shape (s, d)
        Column j of both holds the same quantity.
    """
    grid = _grid_point(codes)
    slope, offset = _lines(codes, values)
    known = slope > 0.0
    if grid is None or not known.any():
        return None
    codes, values, slope, offset = codes[:, known], values[:, known], slope[known], offset[known]
    code, value = codes - codes.mean(axis=0), values - values.mean(axis=0)
    correlation = (code * value).sum(axis=0) / np.sqrt(
        np.square(code).sum(axis=0) * np.square(value).sum(axis=0)
    )
    if float(np.median(correlation)) < LINEAR or float(correlation.min()) <= 0.0:
        return None
    distance = float(np.median(np.abs(values - codes * slope - offset) / (slope * grid)))
    if distance > ROUNDED:
        return None
    low, middle, high = np.quantile(slope, [0.25, 0.5, 0.75])
    zero = float(np.median(-offset / slope))
    return Rounding(
        step=float(middle) * grid,
        per_code=float(middle),
        per_column=bool(high - low > ONE_STEP * middle),
        zero_point=zero if abs(zero) > grid else 0.0,
        distance=distance,
    )


def _lines(codes: Matrix, values: Matrix) -> tuple[Vector, Vector]:
    """Return slope and offset of each column's values where its codes change, shapes (d,).

    As many values lie below a change as codes. Slope 0 where a column has fewer than two changes.
    """
    lines = np.zeros((2, codes.shape[1]))
    half = np.arange(1, len(codes)) / len(codes)
    # The wider a gap between values, the less is known of where in it the code changes.
    certainty = half * (1.0 - half)
    columns = zip(np.sort(codes, axis=0).T, np.sort(values, axis=0).T, strict=True)
    for column, (code, value) in enumerate(columns):
        changes = np.flatnonzero(np.diff(code))
        if len(changes) < 2:
            continue
        at_code = (code[changes] + code[changes + 1]) / 2.0
        at_value = (value[changes] + value[changes + 1]) / 2.0
        lines[:, column] = np.polyfit(at_code, at_value, 1, w=certainty[changes])
    return lines[0], lines[1]


def _grid_point(codes: Matrix) -> float | None:
    """Return the distance of neighbouring values, None where there are fewer than three."""
    steps = np.diff(np.unique(codes))
    return float(np.median(steps)) if len(steps) > 1 else None
