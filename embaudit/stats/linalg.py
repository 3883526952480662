"""Decompositions that do not fail on data that occurs."""

from __future__ import annotations

import numpy as np

from embaudit.datatypes import Matrix, Vector

LARGE = 2048
"""Dimension from which scipy decomposes, in place; it holds the interpreter lock meanwhile, and
such matrices are decomposed one at a time."""


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
        if min(matrix.shape) < LARGE:
            u, s, vt = np.linalg.svd(matrix, full_matrices=False)
        else:
            from scipy.linalg import svd

            in_place = np.array(matrix, order="F")
            u, s, vt = svd(in_place, full_matrices=False, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        from scipy.linalg import svd

        u, s, vt = svd(matrix, full_matrices=False, lapack_driver="gesvd")
    return u, s, vt


def symmetric_eigen(matrix: Matrix) -> tuple[Vector, Matrix]:
    """Return eigenvalues, ascending, and eigenvectors (columns) of a symmetric matrix.

    A large matrix is overwritten: copies of it are what memory has no room for.
    """
    if len(matrix) < LARGE:
        values, vectors = np.linalg.eigh(matrix)
        return values, vectors
    from scipy.linalg import eigh

    # The transpose is the same matrix in the order that LAPACK works on in place.
    values, vectors = eigh(matrix.T, overwrite_a=True, check_finite=False, driver="evd")
    return values, vectors


def singular_values(matrix: Matrix) -> Vector:
    """Return the singular values of a finite float64 matrix, shape (m, n), descending."""
    try:
        return np.asarray(np.linalg.svd(matrix, compute_uv=False))
    except np.linalg.LinAlgError:
        return thin_svd(matrix)[1]
