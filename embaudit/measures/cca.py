"""Canonical correlations, cross-fitted: directions from some folds, correlations on another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Rows, Vector
from embaudit.maps.cross_fit import FoldFit, FoldSums
from embaudit.stats.moments import Scatter

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


def cross_fitted_cca(fits: list[FoldFit], sums: FoldSums, workers: int = 1) -> CCA | None:
    """Return CCA averaged over folds by their rows; None where a side has no variance."""

    def of(fold: int) -> tuple[int, tuple[float, float, float]] | None:
        fit = fits[fold]
        held_out = sums.of(fold)
        if min(values[-1] for values, _ in fit.eigen) <= 0.0 or held_out.n <= 1:
            return None
        return held_out.n, _fold_cca(fit, held_out)

    with ThreadPoolExecutor(workers) as pool:
        found = [one for one in pool.map(of, range(len(fits))) if one is not None]
    if not found:
        return None
    weights, values = zip(*found, strict=True)
    mean, svcca, pwcca = np.average(np.array(values), axis=0, weights=weights)
    return CCA(float(mean), float(svcca), float(pwcca))


def _fold_cca(fit: FoldFit, held_out: Scatter) -> tuple[float, float, float]:
    x, y = (_Whitening.of(*eigen) for eigen in fit.eigen)
    cross = fit.cross[np.ix_(x.kept, y.kept)] / np.outer(x.deviations, y.deviations)
    u, v = _canonical(cross)
    correlations = _held_out(held_out, x.directions(u), y.directions(v))
    # How much of A a direction accounts for: its products with A's axes.
    along = fit.spaces[0].spread((x.vectors @ (x.deviations[:, None] * u)).T)
    weights = np.abs(along).sum(axis=1)
    few_x, few_y = x.leading(), y.leading()
    u, v = _canonical(cross[:few_x, :few_y])
    truncated = _held_out(held_out, x.directions(u), y.directions(v))
    return (
        float(correlations.mean()),
        float(truncated.mean()),
        float(np.average(correlations, weights=weights)),
    )


@dataclass(frozen=True)
class _Whitening:
    """Principal axes with variance, largest first.

    Attributes
    ----------
    kept : int64 array, shape (r,)
        Their places in the eigendecomposition.
    vectors : float64 array, shape (d, r)
    deviations : float64 array, shape (r,)
        Square roots of the eigenvalues.
    """

    kept: Rows
    vectors: Matrix
    deviations: Vector

    @classmethod
    def of(cls, values: Vector, vectors: Matrix) -> _Whitening:
        kept = np.flatnonzero(values > RANK_TOLERANCE * values[-1])[::-1]
        return cls(kept, vectors[:, kept], np.sqrt(values[kept]))

    def directions(self, rotation: Matrix) -> Matrix:
        """Return directions of unit variance, shape (d, c), from those among the leading axes."""
        used = slice(0, len(rotation))
        return np.asarray(self.vectors[:, used] @ (rotation / self.deviations[used, None]))

    def leading(self) -> int:
        """Return how many axes hold `SVCCA_VARIANCE` of the variance."""
        share = np.square(self.deviations)
        return int(np.searchsorted(np.cumsum(share), SVCCA_VARIANCE * share.sum())) + 1


def _canonical(cross: Matrix) -> tuple[Matrix, Matrix]:
    """Return the singular vectors of a whitened cross-covariance, shapes (r, c) and (s, c).

    By the eigenvectors of the smaller of its Gram matrices, in half the time of a decomposition
    into singular values: canonical correlations so small that squares lose them are rounding.
    """
    if cross.shape[0] < cross.shape[1]:
        v, u = _canonical(cross.T)
        return u, v
    v = np.linalg.eigh(cross.T @ cross)[1][:, ::-1]
    u = cross @ v
    norms = np.sqrt(np.einsum("ij,ij->j", u, u))
    return np.divide(u, norms, out=np.zeros_like(u), where=norms > 0.0), v


def _held_out(held: Scatter, directions_x: Matrix, directions_y: Matrix) -> Vector:
    """Return the correlation of each pair of directions on the held-out rows."""
    cross = np.einsum("ic,ic->c", directions_x, held.xy @ directions_y)
    square_x = np.einsum("ic,ic->c", directions_x, held.xx @ directions_x)
    square_y = np.einsum("ic,ic->c", directions_y, held.yy @ directions_y)
    norms = np.sqrt(np.maximum(square_x, 0.0) * np.maximum(square_y, 0.0))
    return np.asarray(np.divide(cross, norms, out=np.zeros_like(cross), where=norms > 0.0))
