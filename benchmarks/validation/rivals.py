"""What people ask today before they let two sets of vectors meet; each answers yes or no.

Textbook forms in plain numpy and scikit-learn, on at most 1,000 rows where the cost is quadratic.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Rows = NDArray[Any]
SAMPLE = 500
PERMUTATIONS = 200
MIN_COSINE = 0.95
MIN_CKA = 0.9
MIN_PROCRUSTES = 0.9
MAX_CENTROIDS = 0.1
MAX_AUC = 0.6
MMD_LEVEL = 0.05


def same_dimension(a: Rows, b: Rows) -> bool:
    """Say yes where the dimensions are equal."""
    return bool(a.shape[1] == b.shape[1])


def paired_cosine(a: Rows, b: Rows) -> bool:
    """Say yes where the mean cosine of partners is at least 0.95."""
    if not same_dimension(a, b):
        return False
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return bool(np.mean((a * b).sum(axis=1) / np.maximum(norms, 1e-300)) >= MIN_COSINE)


def biased_cka(a: Rows, b: Rows) -> bool:
    """Say yes where linear CKA (Kornblith et al. 2019) is at least 0.9."""
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    cross = np.linalg.norm(x.T @ y) ** 2
    return bool(cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)) >= MIN_CKA)


def procrustes_in_sample(a: Rows, b: Rows) -> bool:
    """Say yes where the Procrustes correlation of all rows is at least 0.9."""
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    return bool(nuclear / (np.linalg.norm(x) * np.linalg.norm(y)) >= MIN_PROCRUSTES)


def centroid_distance(a: Rows, b: Rows) -> bool:
    """Say yes where the means are nearer than 0.1 root mean square deviations."""
    if not same_dimension(a, b):
        return False
    spread = np.sqrt(a.var(axis=0).sum() + b.var(axis=0).sum())
    return bool(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)) <= MAX_CENTROIDS * spread)


def mmd(a: Rows, b: Rows) -> bool:
    """Say yes where an RBF two-sample test (Gretton et al. 2012) does not reject at 0.05."""
    if not same_dimension(a, b):
        return False
    random = np.random.default_rng(0)
    x, y = (rows[random.permutation(len(rows))[:SAMPLE]] for rows in (a, b))
    both = np.concatenate([x, y])
    squares = np.square(both).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2.0 * both @ both.T, 0.0)
    kernel = np.exp(-distances / max(float(np.median(distances)), 1e-300))
    signs = np.concatenate([np.ones(len(x)), -np.ones(len(y))])
    draws = np.stack([random.permutation(signs) for _ in range(PERMUTATIONS)])
    observed = signs @ kernel @ signs
    null = np.einsum("ij,ij->i", draws @ kernel, draws)
    return bool((1 + (null >= observed).sum()) / (1 + PERMUTATIONS) > MMD_LEVEL)


def domain_classifier(a: Rows, b: Rows) -> bool:
    """Say yes where a logistic regression tells the sides apart with AUC below 0.6."""
    if not same_dimension(a, b):
        return False
    random = np.random.default_rng(0)
    x, y = (rows[random.permutation(len(rows))[:SAMPLE]] for rows in (a, b))
    labels = np.repeat([0, 1], [len(x), len(y)])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        guess = cross_val_predict(
            model, np.concatenate([x, y]), labels, cv=3, method="decision_function"
        )
    return bool(roc_auc_score(labels, guess) < MAX_AUC)


RIVALS: dict[str, Callable[[Rows, Rows], bool]] = {
    "same dimension": same_dimension,
    "mean paired cosine ≥ 0.95": paired_cosine,
    "biased CKA ≥ 0.9": biased_cka,
    "in-sample Procrustes ≥ 0.9": procrustes_in_sample,
    "centroids within 0.1 deviations": centroid_distance,
    "MMD does not reject": mmd,
    "domain classifier AUC < 0.6": domain_classifier,
}


def answers(a: Rows, b: Rows) -> dict[str, bool]:
    """Ask every rival, in float64, on the rows as stored."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    return {name: ask(x, y) for name, ask in RIVALS.items()}
