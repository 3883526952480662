"""Canonical correlations, cross-fitted: directions from some folds, correlations on another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Vector
from embaudit.maps.cross_fit import FoldFit
from embaudit.stats.linalg import thin_svd

SVCCA_VARIANCE = 0.99
RANK_TOLERANCE = 1e-6
"""Directions with less variance than this share of the largest are rounding, not data."""


@dataclass(frozen=True)
class CCA:
    """Held-out canonical correlation, summed up in three ways.

    Attributes
    ----------
    mean : float
        Over all canonical directions.
    svcca : float
        Over the directions that hold 99% of each side's variance (Raghu et al. 2017).
    pwcca : float
        Weighted by how much of A each direction accounts for (Morcos et al. 2018).
    """

    mean: float
    svcca: float
    pwcca: float


def cross_fitted_cca(fits: list[FoldFit], workers: int = 1) -> CCA | None:
    """Return CCA averaged over folds by their rows; None where a side has no variance."""
    usable = [
        fit
        for fit in fits
        if min(fit.eigen_x[0][-1], fit.eigen_y[0][-1]) > 0.0 and fit.held_out.n > 1
    ]
    if not usable:
        return None
    with ThreadPoolExecutor(workers) as pool:
        values = list(pool.map(_fold_cca, usable))
    weights = [fit.held_out.n for fit in usable]
    mean, svcca, pwcca = np.average(np.array(values), axis=0, weights=weights)
    return CCA(float(mean), float(svcca), float(pwcca))


def _fold_cca(fit: FoldFit) -> tuple[float, float, float]:
    white_x, share_x = _whitening(*fit.eigen_x)
    white_y, share_y = _whitening(*fit.eigen_y)
    cross = white_x.T @ fit.train.xy @ white_y
    u, _, vt = thin_svd(cross)
    correlations = _held_out(fit, white_x @ u, white_y @ vt.T)
    weights = np.abs(fit.spaces[0].spread((white_x @ u).T @ fit.train.xx)).sum(axis=1)

    kept_x, kept_y = (
        int(np.searchsorted(np.cumsum(share), SVCCA_VARIANCE * share.sum())) + 1
        for share in (share_x, share_y)
    )
    u, _, vt = thin_svd(cross[:kept_x, :kept_y])
    truncated = _held_out(fit, white_x[:, :kept_x] @ u, white_y[:, :kept_y] @ vt.T)
    return (
        float(correlations.mean()),
        float(truncated.mean()),
        float(np.average(correlations, weights=weights)),
    )


def _whitening(values: Vector, vectors: Matrix) -> tuple[Matrix, Vector]:
    """Return whitening directions, largest variance first, and the variances."""
    kept = values > RANK_TOLERANCE * values[-1]
    values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]
    return vectors / np.sqrt(values), values


def _held_out(fit: FoldFit, directions_x: Matrix, directions_y: Matrix) -> Vector:
    """Return the correlation of each pair of directions on the held-out rows."""
    held = fit.held_out
    cross = np.einsum("ic,ic->c", directions_x, held.xy @ directions_y)
    square_x = np.einsum("ic,ic->c", directions_x, held.xx @ directions_x)
    square_y = np.einsum("ic,ic->c", directions_y, held.yy @ directions_y)
    norms = np.sqrt(np.maximum(square_x, 0.0) * np.maximum(square_y, 0.0))
    return np.asarray(np.divide(cross, norms, out=np.zeros_like(cross), where=norms > 0.0))
