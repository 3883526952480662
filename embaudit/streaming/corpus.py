"""One side of a pair as the target of a search."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import even_spans
from embaudit.datatypes import Mask, Matrix, Metric, Rows, Vector
from embaudit.stats.prepare import Preparation


@dataclass(frozen=True)
class Corpus:
    """One side as the target of a search.

    Attributes
    ----------
    source : EmbeddingSet
    preparation : Preparation
    kept : bool array, shape (rows,)
        Rows that may be returned.
    half : bool array, shape (rows,)
        The seeded half of the rows; a search reports both halves apart where asked.
    axes : float64 array, shape (d, d), or None
        Orthonormal columns, those along which the prepared rows vary most first: a search of many
        rows uses them to leave out products. Any such columns are right.
    share : float
        Of the usual size of a block of rows.
    """

    source: EmbeddingSet
    preparation: Preparation
    kept: Mask
    half: Mask
    axes: Matrix | None = None
    share: float = 1.0

    @property
    def metric(self) -> Metric:
        """The metric rows are scored by."""
        return self.preparation.metric

    def by_angle(self) -> Corpus:
        """Return the corpus under cosine, shifted by nothing: its unit mean was not measured."""
        preparation = replace(
            self.preparation,
            metric=Metric.COSINE,
            scale=1.0,
            norm=1.0,
            shift=np.zeros_like(self.preparation.shift),
            precise=True,
        )
        return replace(self, preparation=preparation)

    def exact(self, vectors: Matrix, queries: Rows, rows: Rows) -> Vector:
        """Return float64 scores of pairs from the stored rows.

        Parameters
        ----------
        vectors : float64 array, shape (m, d)
            Query vectors in the prepared space.
        queries, rows : int64 arrays, shape (pairs,)
            Positions in `vectors`, and corpus rows.

        Returns
        -------
        float64 array, shape (pairs,)
            Inner products, or under euclidean minus half the squared distance, by differences.
        """
        scores = np.empty(len(rows))
        unique, inverse = np.unique(rows, return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        bounds = np.searchsorted(inverse[order], np.arange(len(unique) + 1))
        for positions, stored in self.source.gather(unique):
            block = self.preparation.rows(stored)
            pairs = order[bounds[positions.start] : bounds[positions.stop]]
            for low, high in even_spans(len(pairs), 4096):
                part = pairs[low:high]
                left, right = vectors[queries[part]], block[inverse[part] - positions.start]
                if self.metric is Metric.EUCLIDEAN:
                    left -= right
                    scores[part] = -0.5 * np.einsum("ij,ij->i", left, left)
                else:
                    scores[part] = np.einsum("ij,ij->i", left, right)
        return scores
