"""Where a row's true partner ranks among random other rows of the target."""

from __future__ import annotations

import numpy as np

from embaudit.datatypes import TIES, Matrix, Metric, Vector
from embaudit.stats.prepare import unit_rows

REFERENCES = 512
QUERIES_AT_ONCE = 256
"""Queries that share one draw of references: few enough that draws differ within a sample."""


class Partners:
    """The true partners of some queries, and the rows of the target they are ranked among.

    Parameters
    ----------
    targets : float64 array, shape (m, d), m at least 2
        The partner of each query.
    metric : Metric
        Cosine decides under cosine and dot (the largest inner product need not be a row's own
        partner), distance under euclidean.
    pool : float64 array, shape (r, d), r at least 2, optional
        Rows of the target to draw the references from, none of them a partner; default is
        `targets`.
    """

    def __init__(self, targets: Matrix, metric: Metric, pool: Matrix | None = None) -> None:
        self._by_distance = metric is Metric.EUCLIDEAN
        self._apart = pool is not None
        self._mean = (targets if pool is None else pool).mean(axis=0)
        self._targets = self._placed(targets)
        self._pool = self._targets if pool is None else self._placed(pool)

    @property
    def units(self) -> Matrix | None:
        """The targets as rows of length 1, shape (m, d), not to be written to; None by distance."""
        return None if self._by_distance else self._targets

    def ranks(self, vectors: Matrix, generator: np.random.Generator) -> Vector:
        """Return each query's partner rank in (0, 1).

        ``rank = (above + u (tied + 1)) / (R + 1)`` over R other random rows of the target, u
        uniform: near 0 where rows are paired, uniform for a mispaired row, ties included.

        Parameters
        ----------
        vectors : float64 array, shape (m, d)
            Query vectors in the target's space; the partner of each is the target in its place.
        generator : numpy Generator

        Returns
        -------
        float64 array, shape (m,)
        """
        count = len(vectors)
        references = min(REFERENCES, len(self._pool) - 1)
        ranks = np.empty(count)
        for start in range(0, count, QUERIES_AT_ONCE):
            queries = np.arange(start, min(start + QUERIES_AT_ONCE, count))
            part = slice(start, start + len(queries))
            # One more than needed: a query that draws itself goes without it, others without the
            # last.
            drawn = generator.choice(len(self._pool), references + 1, replace=False)
            usable = (drawn[None, :] != queries[:, None]) | self._apart
            usable[usable.all(axis=1), -1] = False
            placed, drawn_rows = self._placed(vectors[part]), self._pool[drawn]
            scores = placed @ drawn_rows.T
            own = np.einsum("ij,ij->i", placed, self._targets[part])
            size = np.ones(len(queries))
            if self._by_distance:
                squares = np.einsum("ij,ij->i", drawn_rows, drawn_rows)
                scores -= 0.5 * squares
                own -= 0.5 * np.square(self._targets[part]).sum(axis=1)
                size = np.square(placed).sum(axis=1) + float(squares.max())
            scores -= own[:, None]
            tied = (np.abs(scores) <= (TIES * size)[:, None]) & usable
            above = (scores > 0.0) & ~tied & usable
            uniform = generator.random(len(queries))
            ties = tied.sum(axis=1)
            ranks[part] = (above.sum(axis=1) + uniform * (ties + 1)) / (references + 1)
        return ranks

    def _placed(self, rows: Matrix) -> Matrix:
        """Return rows whose products order them as the metric does."""
        return rows - self._mean if self._by_distance else unit_rows(rows)
