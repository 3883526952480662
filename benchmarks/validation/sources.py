"""Items with several models of them: stored embeddings, and models trained on bundled data.

Every world is a set of items; every model of it gives one vector an item, so that two models of a
world make a pair of sets. Nothing is fetched: scikit-learn brings the data.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.decomposition import NMF, PCA, KernelPCA
from sklearn.kernel_approximation import Nystroem
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.random_projection import GaussianRandomProjection

from benchmarks.pairs import load

Rows = NDArray[Any]
Embed = Callable[[Rows], Rows]
SHIFTS = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))
PIXEL_NOISE = 0.06


@dataclass(frozen=True)
class World:
    """Items as a model sees them, and what it is taught about them.

    Attributes
    ----------
    features : float array, shape (n, d), values in [0, 1]
    labels : int array, shape (n,)
    """

    features: Rows
    labels: Rows


@cache
def world(name: str) -> World:
    """Return the items of a bundled data set, features scaled to [0, 1], in random order."""
    loaders = {
        "digits": datasets.load_digits,
        "cells": datasets.load_breast_cancer,
        "wines": datasets.load_wine,
        "patients": datasets.load_diabetes,
    }
    features, targets = loaders[name](return_X_y=True)
    low, high = features.min(axis=0), features.max(axis=0)
    features = (features - low) / np.where(high > low, high - low, 1.0)
    if name == "patients":
        targets = np.digitize(targets, np.quantile(targets, [0.25, 0.5, 0.75]))
    order = np.random.default_rng(1).permutation(len(features))
    return World(features[order], targets[order].astype(np.int64))


@cache
def items(name: str, count: int) -> Rows:
    """Return the first `count` items; digits go on with shifted and noised copies."""
    features = world(name).features
    if count <= len(features):
        return features[:count]
    if name != "digits":
        raise ValueError(f"{name} has {len(features)} items, {count} were asked for")
    generator = np.random.default_rng(2)
    copies: list[Rows] = []
    while len(copies) * len(features) < count:
        down, right = SHIFTS[len(copies) % len(SHIFTS)]
        moved = np.roll(features.reshape(-1, 8, 8), (down, right), axis=(1, 2))
        noise = PIXEL_NOISE * generator.standard_normal(features.shape)
        copies.append(np.clip(moved.reshape(features.shape) + noise, 0.0, 1.0))
    return generator.permutation(np.concatenate(copies))[:count]


def network(width: int, epochs: int, seed: int, task: str = "class") -> Callable[[World], Embed]:
    """Return what trains a network and embeds with its hidden layer.

    The same seed with more epochs is the same training, carried on.
    """

    def train(known: World) -> Embed:
        kind = MLPRegressor if task == "copy" else MLPClassifier
        model = kind(
            hidden_layer_sizes=(width,),
            max_iter=epochs,
            random_state=seed,
            tol=0.0,
            n_iter_no_change=epochs + 1,
        )
        teach = {"class": known.labels, "parity": known.labels % 2, "copy": known.features}[task]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model.fit(known.features, teach)
        weights, bias = model.coefs_[0], model.intercepts_[0]
        return lambda rows: np.maximum(rows @ weights + bias, 0.0)

    return train


def _fitted(make: Callable[[World], Any]) -> Callable[[World], Embed]:
    def train(known: World) -> Embed:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fitted = make(known).fit(known.features)
        embed: Embed = fitted.transform
        return embed

    return train


def _dims(known: World, most: int) -> int:
    return min(most, int(known.features.shape[1]))


MODELS: dict[str, Callable[[World], Embed]] = {
    "features": lambda known: lambda rows: rows,
    "centred": lambda known: lambda rows: rows - known.features.mean(axis=0),
    "pca": _fitted(lambda known: PCA()),
    "pca16": _fitted(lambda known: PCA(_dims(known, 16), random_state=0)),
    "pca8": _fitted(lambda known: PCA(_dims(known, 8), random_state=0)),
    "projection": _fitted(lambda known: GaussianRandomProjection(48, random_state=1)),
    "projection2": _fitted(lambda known: GaussianRandomProjection(48, random_state=2)),
    "projection256": _fitted(lambda known: GaussianRandomProjection(256, random_state=1)),
    "nmf": _fitted(lambda known: NMF(_dims(known, 16), init="nndsvda", max_iter=300)),
    "rbf": _fitted(lambda known: Nystroem(gamma=0.1, n_components=64, random_state=1)),
    "rbf2": _fitted(lambda known: Nystroem(gamma=0.1, n_components=64, random_state=2)),
    "kernel pca": _fitted(lambda known: KernelPCA(16, kernel="rbf", gamma=0.05)),
    "net": network(64, 30, 1),
    "net, other seed": network(64, 30, 2),
    "net, epoch 31": network(64, 31, 1),
    "net, epoch 33": network(64, 33, 1),
    "net, epoch 60": network(64, 60, 1),
    "net, epoch 2": network(64, 2, 1),
    "net, wide": network(128, 30, 1),
    "net, narrow": network(16, 30, 1),
    "net, parity": network(64, 30, 1, "parity"),
    "net, copy": network(64, 30, 1, "copy"),
    "net, copy, other seed": network(64, 30, 2, "copy"),
}


@cache
def _model(world_name: str, model_name: str) -> Embed:
    return MODELS[model_name](world(world_name))


@cache
def _stored() -> dict[str, Rows]:
    return load()


def vectors(world_name: str, model_name: str, count: int) -> Rows:
    """Return the vectors of the first `count` items, float32, shape (count, d).

    ``packages`` are the stored embeddings of sample_data, ``noise`` normal vectors that are
    independent between models, isotropic or stretched: ``noise`` models are ``SEEDxDIM`` and
    ``SEEDxDIM stretched``.
    """
    if world_name == "packages":
        order = np.random.default_rng(3).permutation(2000)[:count]
        return np.ascontiguousarray(_stored()[model_name][order], np.float32)
    if world_name == "noise":
        return independent(model_name, count)
    return np.ascontiguousarray(_model(world_name, model_name)(items(world_name, count)), "f4")


def independent(model_name: str, count: int) -> Rows:
    """Return normal vectors; stretched ones have deviations 1/rank and a common mean."""
    shape, *stretched = model_name.split()
    seed, dim = map(int, shape.split("x"))
    rows = np.random.default_rng(seed).standard_normal((count, dim))
    if stretched:
        rows = rows / np.arange(1, dim + 1) + 1.0
    return rows.astype(np.float32)
