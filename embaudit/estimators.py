"""The maps as scikit-learn estimators: ``fit(X, Y)``, ``transform(X)``, clone, Pipeline."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from embaudit.datatypes import Method, Metric, Stored
from embaudit.fitting import fit_map


class _MapEstimator(TransformerMixin, BaseEstimator):
    method: ClassVar[Method]

    def __init__(self, metric: Metric | str = "cosine", seed: int = 0) -> None:
        self.metric = metric
        self.seed = seed

    def fit(self, X: Stored, Y: Stored) -> Self:
        """Fit the map on paired rows.

        Parameters
        ----------
        X, Y : arrays, shapes (n, p) and (n, q)
            Row i of both describes one item; pairs that repeat count once.

        Raises
        ------
        InputError
            For arrays that cannot be paired, and for too few rows.
        """
        self.map_ = fit_map(
            np.asarray(X), np.asarray(Y), method=self.method, metric=self.metric, seed=self.seed
        )
        self.n_features_in_ = self.map_.dims[0]
        return self

    def transform(self, X: Stored) -> NDArray[np.float32]:
        """Map rows, shape (m, p), into the space of `Y`; returns float32, shape (m, q).

        Raises
        ------
        InputError
            For rows of another dimension, and for NaN or inf.
        """
        check_is_fitted(self)
        mapped: NDArray[np.float32] = self.map_.transform(np.asarray(X))
        return mapped


class OrthogonalMap(_MapEstimator):
    """A rotation with offset and scale, semi-orthogonal where dimensions differ (Procrustes).

    Parameters
    ----------
    metric : "cosine", "dot" or "euclidean"
        Under cosine rows are mapped as unit rows.
    seed : int

    Attributes
    ----------
    map_ : FittedMap
        For `embaudit.save_map` and `embaudit.apply_map`.
    """

    method = "orthogonal"


class LinearMap(_MapEstimator):
    """Ridge regression; the penalty is chosen by retrieval on held-out rows.

    Parameters
    ----------
    metric : "cosine", "dot" or "euclidean"
        Under cosine rows are mapped as unit rows.
    seed : int
        Draws the rows that choose.

    Attributes
    ----------
    map_ : FittedMap
        For `embaudit.save_map` and `embaudit.apply_map`.
    """

    method = "linear"


class LowRankMap(_MapEstimator):
    """Reduced-rank regression; penalty and rank are chosen on held-out rows.

    Parameters
    ----------
    metric : "cosine", "dot" or "euclidean"
        Under cosine rows are mapped as unit rows.
    seed : int
        Draws the rows that choose.

    Attributes
    ----------
    map_ : FittedMap
        For `embaudit.save_map` and `embaudit.apply_map`.
    """

    method = "low-rank"
