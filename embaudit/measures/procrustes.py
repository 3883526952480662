"""How well one map carries one space onto the other: Procrustes residuals and ridge R^2."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.stats.linalg import singular_values
from embaudit.stats.moments import Scatter


def in_sample(scatter: Scatter) -> tuple[float, float] | None:
    """Return the in-sample residual of the orthogonal map a -> b and the angular distance.

    Parameters
    ----------
    scatter : Scatter
        Of all rows.

    Returns
    -------
    residual : float
        ``||Y~ - s X~ R||^2 / ||Y~||^2`` with the least-squares scale; fits noise.
    angle : float
        ``arccos(||X~^T Y~||_* / (||X~|| ||Y~||))`` in radians (Williams et al. 2021).

    None where a side has no variance.
    """
    trace_x, trace_y = float(scatter.xx.trace()), float(scatter.yy.trace())
    if trace_x <= 0.0 or trace_y <= 0.0:
        return None
    residual, total = 0.0, trace_y
    if len(scatter.xx) <= len(scatter.yy):
        # The map keeps lengths: its singular values say all.
        nuclear = float(singular_values(scatter.xy).sum())
        residual = total - nuclear * nuclear / trace_x
    else:
        forward, _ = fit_orthogonal(scatter)
        residual, total = forward.squared_error(scatter)
        nuclear = float((scatter.xy * forward.matrix).sum())
    similarity = nuclear / (math.sqrt(trace_x) * math.sqrt(trace_y))
    return max(0.0, residual / total), math.acos(min(1.0, max(-1.0, similarity)))


def held_out_residual(errors: Iterable[tuple[float, float]]) -> float | None:
    """Return the relative squared residual over folds, each judged by a map fitted without it.

    Parameters
    ----------
    errors : iterable of (residual, total)
        Sums of squares of each fold, as `AffineMap.squared_error` returns them.

    Returns
    -------
    float or None
        ``sum ||y - f(x)||^2 / sum ||y - mean||^2``: 0 is perfect, 1 no better than the mean, above
        1 worse. None where the target has no variance.
    """
    residual, total = np.sum(list(errors), axis=0)
    return float(residual / total) if total > 0.0 else None
