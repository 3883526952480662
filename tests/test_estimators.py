"""The maps as scikit-learn estimators."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import rotation
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import embaudit
from embaudit.errors import InputError
from embaudit.estimators import LinearMap, LowRankMap, OrthogonalMap

RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 12)).astype(np.float32)
Y = (X @ RNG.standard_normal((12, 2)) @ RNG.standard_normal((2, 7))).astype(np.float32)
KINDS = {"orthogonal": OrthogonalMap, "linear": LinearMap, "low-rank": LowRankMap}


@pytest.mark.parametrize("method", KINDS)
def test_an_estimator_is_the_map_of_its_method(method):
    estimator = KINDS[method](metric="euclidean", seed=3)
    mapped = estimator.fit(X, Y).transform(X)
    fitted = embaudit.fit_map(X, Y, method=method, metric="euclidean", seed=3)
    assert np.array_equal(mapped, fitted.transform(X))
    assert estimator.map_.method == method
    assert estimator.n_features_in_ == 12
    assert estimator.fit_transform(X, Y).shape == (400, 7)


@pytest.mark.parametrize("kind", KINDS.values())
def test_parameters_and_clones(kind):
    estimator = kind(metric="dot", seed=5)
    assert estimator.get_params() == {"metric": "dot", "seed": 5}
    twin = clone(estimator.fit(X, Y)).set_params(metric="cosine")
    assert twin.get_params() == {"metric": "cosine", "seed": 5}
    with pytest.raises(NotFittedError):
        twin.transform(X)


def test_in_a_pipeline():
    turned = (X @ rotation(12, RNG)).astype(np.float32)
    pipeline = make_pipeline(OrthogonalMap(metric="euclidean"), PCA(3))
    found = pipeline.fit(X, turned).transform(X)
    expected = PCA(3).fit_transform(turned)
    assert np.abs(np.abs(found) - np.abs(expected)).max() < 1e-3


def test_what_cannot_be_fitted_or_mapped():
    with pytest.raises(InputError, match="rows"):
        LinearMap().fit(X, Y[:100])
    with pytest.raises(InputError, match="dimension 7; the map takes 12"):
        LinearMap().fit(X, Y).transform(Y)
