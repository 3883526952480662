"""Decompositions that do not fail on data that occurs."""

from __future__ import annotations

import numpy as np

from embaudit.datatypes import Matrix, Vector


def thin_svd(matrix: Matrix) -> tuple[Matrix, Vector, Matrix]:
    """Return ``u, s, vt`` with ``matrix = u @ diag(s) @ vt``, singular values descending.

    LAPACK's divide and conquer fails now and then where all singular values are equal up to
    rounding, as between a set and its rotated copy; QR iteration then takes its place.

    Parameters
    ----------
    matrix : float64 array, shape (m, n)
        Finite.

    Returns
    -------
    u, s, vt : float64 arrays, shapes (m, r), (r,) and (r, n), r = min(m, n)
    """
    try:
        u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:
        from scipy.linalg import svd

        u, s, vt = svd(matrix, full_matrices=False, lapack_driver="gesvd")
    return u, s, vt


def singular_values(matrix: Matrix) -> Vector:
    """Return the singular values of a finite float64 matrix, shape (m, n), descending."""
    try:
        return np.asarray(np.linalg.svd(matrix, compute_uv=False))
    except np.linalg.LinAlgError:
        return thin_svd(matrix)[1]
