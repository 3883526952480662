"""Where a row's true partner ranks among random other rows of the target."""

from __future__ import annotations

import numpy as np

from embaudit.datatypes import TIES, Matrix, Metric, Vector
from embaudit.stats.prepare import unit_rows

REFERENCES = 512
QUERIES_AT_ONCE = 256
"""Queries that share one draw of references: few enough that draws differ within a sample."""


def partner_ranks(
    vectors: Matrix,
    targets: Matrix,
    metric: Metric,
    generator: np.random.Generator,
    pool: Matrix | None = None,
) -> Vector:
    """Return each query's partner rank in (0, 1).

    ``rank = (above + u (tied + 1)) / (R + 1)`` over R other random rows of the targets, u uniform:
    near 0 where rows are paired, uniform for a mispaired row, ties included.

    Parameters
    ----------
    vectors : float64 array, shape (m, d)
        Query vectors in the target's space; row i's partner is row i of `targets`.
    targets : float64 array, shape (m, d), m at least 2
    metric : Metric
        Cosine decides under cosine and dot (the largest inner product need not be a row's own
        partner), distance under euclidean.
    generator : numpy Generator
    pool : float64 array, shape (r, d), r at least 2, optional
        Rows of the target to draw the references from, none of them a partner; default is
        `targets`.

    Returns
    -------
    float64 array, shape (m,)
    """
    apart = pool is not None
    pool = targets if pool is None else pool
    if metric is Metric.EUCLIDEAN:
        mean = pool.mean(axis=0)
        vectors, targets, pool = vectors - mean, targets - mean, pool - mean
    else:
        vectors, targets, pool = unit_rows(vectors), unit_rows(targets), unit_rows(pool)
    count = len(targets)
    references = min(REFERENCES, len(pool) - 1)
    ranks = np.empty(count)
    for start in range(0, count, QUERIES_AT_ONCE):
        queries = np.arange(start, min(start + QUERIES_AT_ONCE, count))
        # One more than needed: a query that draws itself goes without it, others without the last.
        drawn = generator.choice(len(pool), references + 1, replace=False)
        usable = (drawn[None, :] != queries[:, None]) | apart
        usable[usable.all(axis=1), -1] = False
        scores = vectors[queries] @ pool[drawn].T
        own = np.einsum("ij,ij->i", vectors[queries], targets[queries])
        size = np.linalg.norm(vectors[queries], axis=1)
        if metric is Metric.EUCLIDEAN:
            scores -= 0.5 * np.square(pool[drawn]).sum(axis=1)
            own = own - 0.5 * np.square(targets[queries]).sum(axis=1)
            size = np.square(size) + float(np.square(pool[drawn]).sum(axis=1).max())
        gap = scores - own[:, None]
        tied = (np.abs(gap) <= (TIES * size)[:, None]) & usable
        above = (gap > 0.0) & ~tied & usable
        uniform = generator.random(len(queries))
        ranks[queries] = (above.sum(axis=1) + uniform * (tied.sum(axis=1) + 1)) / (references + 1)
    return ranks
