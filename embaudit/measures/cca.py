"""Canonical correlations, cross-fitted: directions from some folds, correlations on another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Matrix, Rows, Vector
from embaudit.maps.held_out import HeldOut
from embaudit.stats.linalg import symmetric_eigen

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
    correlations : float64 array, shape (c,)
        Of each direction, in the order of the correlations they were fitted with.
    """

    mean: float
    svcca: float
    pwcca: float
    correlations: Vector


def cca_over_folds(folds: Iterable[tuple[int, CCA] | None]) -> CCA | None:
    """Average the CCA of folds by their rows; None where no fold has any.

    Folds may differ in how many directions have any variance: those that all have are averaged.
    """
    found = [fold for fold in folds if fold is not None]
    if not found:
        return None
    values = [(cca.mean, cca.svcca, cca.pwcca) for _, cca in found]
    weights = [rows for rows, _ in found]
    mean, svcca, pwcca = np.average(values, axis=0, weights=weights)
    shared = min(len(cca.correlations) for _, cca in found)
    spectra = [cca.correlations[:shared] for _, cca in found]
    correlations = np.average(spectra, axis=0, weights=weights)
    return CCA(float(mean), float(svcca), float(pwcca), correlations)


def fold_cca(held_out: HeldOut) -> tuple[int, CCA] | None:
    """Return the rows of a fold and their CCA along the directions of all others.

    None where a side has no variance.
    """
    fit = held_out.fit
    if min(values[-1] for values, _ in fit.eigen) <= 0.0 or held_out.n <= 1:
        return None
    x, y = (_Whitening.of(*eigen) for eigen in fit.eigen)
    cross = fit.cross[np.ix_(x.kept, y.kept)]
    cross /= x.deviations[:, None]
    cross /= y.deviations
    truncated, _ = _correlations(held_out, x, y, *_canonical(cross[: x.leading(), : y.leading()]))
    directions = _canonical(cross)
    del cross
    correlations, weights = _correlations(held_out, x, y, *directions)
    return held_out.n, CCA(
        float(correlations.mean()),
        float(truncated.mean()),
        float(np.average(correlations, weights=weights)),
        correlations,
    )


@dataclass(frozen=True)
class _Whitening:
    """Principal axes with variance, largest first.

    Attributes
    ----------
    kept : int64 array, shape (r,)
        Their places in the eigendecomposition.
    vectors : float64 array, shape (d, d)
        All eigenvectors.
    deviations : float64 array, shape (r,)
        Square roots of the eigenvalues.
    """

    kept: Rows
    vectors: Matrix
    deviations: Vector

    @classmethod
    def of(cls, values: Vector, vectors: Matrix) -> _Whitening:
        kept = np.flatnonzero(values > RANK_TOLERANCE * values[-1])[::-1]
        return cls(kept, vectors, np.sqrt(values[kept]))

    def directions(self, rotation: Matrix) -> Matrix:
        """Return directions of unit variance in the eigenbasis, shape (d, c)."""
        leading = slice(0, len(rotation))
        directions = np.zeros((len(self.vectors), rotation.shape[1]))
        directions[self.kept[leading]] = rotation / self.deviations[leading, None]
        return directions

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
    v = symmetric_eigen(cross.T @ cross)[1][:, ::-1]
    u = cross @ v
    norms = np.sqrt(np.einsum("ij,ij->j", u, u))
    # Of no size: a column of zeros.
    u /= np.where(norms > 0.0, norms, 1.0)
    return u, v


def _correlations(
    held_out: HeldOut, x: _Whitening, y: _Whitening, u: Matrix, v: Matrix
) -> tuple[Vector, Vector]:
    """Return the held-out correlation of each pair of directions, and the weight of each.

    A direction weighs as much as it accounts for of A: the sizes of its products with A's axes.
    """
    directions_x, directions_y = x.directions(u), y.directions(v)
    cross = np.einsum("ic,ic->c", directions_x, held_out.xy @ directions_y)
    square_y = np.einsum("ic,ic->c", directions_y, held_out.yy @ directions_y)
    square_x = np.einsum("ic,ic->c", directions_x, held_out.xx @ directions_x)
    norms = np.sqrt(np.maximum(square_x, 0.0) * np.maximum(square_y, 0.0))
    # Products with A's axes: the variances along the eigenvectors, and back from their basis.
    directions_x[x.kept] *= np.square(x.deviations)[:, None]
    along = held_out.fit.spaces[0].spread((x.vectors @ directions_x).T)
    correlations = np.divide(cross, norms, out=np.zeros_like(cross), where=norms > 0.0)
    return correlations, np.abs(along).sum(axis=1)
