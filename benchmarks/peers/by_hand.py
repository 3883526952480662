"""The audit's questions answered by hand: ``python -m benchmarks.peers.by_hand A B``.

Debiased CKA from its definition on two n x n matrices, the orthogonal map and its residual by
scipy, neighbours by scikit-learn; without folds, intervals or chance. ``--queries M`` asks M rows
for their neighbours, default is all of them. Prints the answers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes
from sklearn.neighbors import NearestNeighbors

Rows = NDArray[Any]


def unit(rows: Rows) -> Rows:
    """Return rows of length 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def hsic(k: Rows, m: Rows) -> float:
    """Return n (n - 3) times the debiased HSIC of two matrices with empty diagonals."""
    n = len(k)
    products = (k * m).sum(dtype=np.float64)
    rows_k, rows_m = k.sum(axis=1, dtype=np.float64), m.sum(axis=1, dtype=np.float64)
    totals = rows_k.sum() * rows_m.sum() / ((n - 1) * (n - 2))
    return float(products + totals - 2.0 / (n - 2) * (rows_k @ rows_m))


def cka(a: Rows, b: Rows) -> float:
    """Return the debiased linear CKA (Song et al. 2012) from n x n matrices."""
    k, m = a @ a.T, b @ b.T
    np.fill_diagonal(k, 0.0)
    np.fill_diagonal(m, 0.0)
    return float(hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m)))


def neighbours(corpus: Rows, queries: Rows, chosen: Rows, k: int) -> Rows:
    """Return the k nearest rows of each query, its own row left out, shape (m, k)."""
    search = NearestNeighbors(n_neighbors=k + 1, metric="cosine").fit(corpus)
    found = search.kneighbors(queries, return_distance=False)
    own = found == chosen[:, None]
    own[~own.any(axis=1), -1] = True
    return np.asarray(found[~own].reshape(len(found), k))


def shared(found: Rows, truth: Rows) -> float:
    """Return the mean share of true neighbours among those found."""
    return float((found[:, :, None] == truth[:, None, :]).any(axis=2).mean())


def main() -> None:
    """Answer and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--k", type=int, default=10)
    arguments = parser.parse_args()
    a, b = unit(np.load(arguments.a)), unit(np.load(arguments.b))
    answers = {"cka.linear": cka(a, b)}
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    rotation, _ = orthogonal_procrustes(a - mean_a, b - mean_b)
    mapped = (a - mean_a) @ rotation + mean_b
    back = (b - mean_b) @ rotation.T + mean_a
    spread = float(np.square(b - mean_b).sum(dtype=np.float64))
    answers["residual"] = float(np.square(mapped - b).sum(dtype=np.float64)) / spread
    count = arguments.queries or len(a)
    chosen = np.random.default_rng(0).choice(len(a), count, replace=False)
    truth_a = neighbours(a, a[chosen], chosen, arguments.k)
    truth_b = neighbours(b, b[chosen], chosen, arguments.k)
    answers["overlap"] = shared(truth_a, truth_b)
    for name, corpus, vectors, truth in (
        ("a_to_b.raw", b, a, truth_b),
        ("a_to_b.orthogonal", b, mapped, truth_b),
        ("b_to_a.raw", a, b, truth_a),
        ("b_to_a.orthogonal", a, back, truth_a),
    ):
        found = neighbours(corpus, vectors[chosen], chosen, arguments.k)
        answers[f"recall.{name}"] = shared(found, truth)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
