"""Values of one side as another side's, rounded to a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix

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

    Parameters
    ----------
    codes, values : float64 arrays, shape (s, d)
        Column j of both holds the same quantity.
    """
    grid = _grid_point(codes)
    mean_code, mean_value = codes.mean(axis=0), values.mean(axis=0)
    code, value = codes - mean_code, values - mean_value
    squares = np.square(code).sum(axis=0)
    varies = (squares > 0.0) & (values.std(axis=0) > 0.0)
    if grid is None or not varies.any():
        return None
    code, value, squares = code[:, varies], value[:, varies], squares[varies]
    products = (code * value).sum(axis=0)
    correlation = products / np.sqrt(squares * np.square(value).sum(axis=0))
    slope = products / squares
    if float(np.median(correlation)) < LINEAR or not (slope > 0.0).all():
        return None
    distance = float(np.median(np.abs(value - code * slope) / (slope * grid)))
    if distance > ROUNDED:
        return None
    low, middle, high = np.quantile(slope, [0.25, 0.5, 0.75])
    zero = float(np.median(mean_code[varies] - mean_value[varies] / slope))
    return Rounding(
        step=float(middle) * grid,
        per_code=float(middle),
        per_column=bool(high - low > ONE_STEP * middle),
        zero_point=zero if abs(zero) > grid else 0.0,
        distance=distance,
    )


def _grid_point(codes: Matrix) -> float | None:
    """Return the distance of neighbouring values, None where there are fewer than three."""
    steps = np.diff(np.unique(codes))
    return float(np.median(steps)) if len(steps) > 1 else None
