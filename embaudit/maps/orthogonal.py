"""The orthogonal map: polar factor of the cross-covariance (Schonemann 1966)."""

from __future__ import annotations

from embaudit.datatypes import Matrix, Vector
from embaudit.maps.affine import AffineMap, mapped_square, matched_scale
from embaudit.stats.linalg import thin_svd
from embaudit.stats.moments import Scatter


def polar(cross: Matrix) -> tuple[Matrix, Vector]:
    """Return the (semi-)orthogonal polar factor and the singular values of `cross`.

    Parameters
    ----------
    cross : float64 array, shape (p, q)

    Returns
    -------
    rotation : float64 array, shape (p, q)
        ``U V^T``: orthonormal rows or columns, whichever are fewer.
    singular_values : float64 array, shape (min(p, q),)
    """
    u, singular_values, vt = thin_svd(cross)
    return u @ vt, singular_values


def fit_orthogonal(scatter: Scatter) -> tuple[AffineMap, AffineMap]:
    """Return the orthogonal maps x -> y and y -> x; both come from one decomposition."""
    rotation, singular_values = polar(scatter.xy)
    nuclear = float(singular_values.sum())
    return (
        _scaled(scatter, rotation, nuclear),
        _scaled(scatter.swapped(), rotation.T, nuclear),
    )


def _scaled(scatter: Scatter, rotation: Matrix, nuclear: float) -> AffineMap:
    isometric = rotation.shape[0] <= rotation.shape[1]
    square = mapped_square(scatter.xx, rotation, isometric)
    return AffineMap(
        matrix=rotation,
        mean_x=scatter.mean_x,
        mean_y=scatter.mean_y,
        least_squares_scale=nuclear / square if square > 0.0 else 0.0,
        matched_scale=matched_scale(float(scatter.yy.trace()), square),
        isometric=isometric,
    )
