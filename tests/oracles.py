"""Slow, obvious twins of the fast kernels: float64, n x n matrices, written from definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

TIES = 1e-12
"""Scores this close, relative to the size of what is multiplied, are ties."""


def rotation(dim: int, generator: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(generator.standard_normal((dim, dim)))[0]


# Kernels and CKA


def centring(n: int) -> np.ndarray:
    return np.eye(n) - np.ones((n, n)) / n


def biased_cka(k: np.ndarray, other: np.ndarray) -> float:
    """Kornblith et al. 2019: normalised inner product of double-centred kernels."""
    h = centring(len(k))
    k, other = h @ k @ h, h @ other @ h
    return float((k * other).sum() / (np.linalg.norm(k) * np.linalg.norm(other)))


def debiased_cka(k: np.ndarray, other: np.ndarray) -> float:
    """Song et al. 2012: normalised inner product of U-centred kernels (Szekely and Rizzo 2014)."""
    k, other = u_centred(k), u_centred(other)
    return float((k * other).sum() / (np.linalg.norm(k) * np.linalg.norm(other)))


def u_centred(kernel: np.ndarray) -> np.ndarray:
    n = len(kernel)
    k = kernel - np.diag(np.diag(kernel))
    rows = k.sum(axis=1) / (n - 2)
    centred = k - rows[:, None] - rows[None, :] + k.sum() / ((n - 1) * (n - 2))
    return centred - np.diag(np.diag(centred))


def gaussian_kernel(rows: np.ndarray) -> np.ndarray:
    """Gaussian kernel whose bandwidth is the median distance, by a double loop."""
    n = len(rows)
    distances = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            distances[i, j] = math.sqrt(((rows[i] - rows[j]) ** 2).sum())
    median = np.median([distances[i, j] for i in range(n) for j in range(i)])
    return np.exp(-(distances**2) / (2.0 * median**2))


# Maps


@dataclass(frozen=True)
class SlowMap:
    """``y = scale (x - mean_x) matrix + mean_y``."""

    matrix: np.ndarray
    mean_x: np.ndarray
    mean_y: np.ndarray
    least_squares_scale: float
    matched_scale: float

    def predict(self, x: np.ndarray, scale: float) -> np.ndarray:
        return scale * (x - self.mean_x) @ self.matrix + self.mean_y


def fit_map(x: np.ndarray, y: np.ndarray, matrix: np.ndarray) -> SlowMap:
    """Both scales of a map whose matrix is given, from the rows it was fitted on."""
    mapped = (x - x.mean(axis=0)) @ matrix
    target = y - y.mean(axis=0)
    return SlowMap(
        matrix,
        x.mean(axis=0),
        y.mean(axis=0),
        float((mapped * target).sum() / (mapped**2).sum()),
        float(np.linalg.norm(target) / np.linalg.norm(mapped)),
    )


def orthogonal_map(x: np.ndarray, y: np.ndarray) -> SlowMap:
    u, _, vt = np.linalg.svd((x - x.mean(axis=0)).T @ (y - y.mean(axis=0)), full_matrices=False)
    return fit_map(x, y, u @ vt)


def ridge_map(x: np.ndarray, y: np.ndarray, penalty: float) -> SlowMap:
    """Normal equations; the penalty is relative to the mean eigenvalue of the covariance sums."""
    centred = x - x.mean(axis=0)
    covariance = centred.T @ centred
    ridge = penalty * np.trace(covariance) / len(covariance)
    matrix = np.linalg.solve(
        covariance + ridge * np.eye(len(covariance)), centred.T @ (y - y.mean(axis=0))
    )
    fitted = fit_map(x, y, matrix)
    return SlowMap(matrix, fitted.mean_x, fitted.mean_y, 1.0, fitted.matched_scale)


# Canonical correlations


def principal(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes (columns) and singular values of centred rows."""
    _, values, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    kept = values > 1e-3 * values[0]
    return axes[kept].T, values[kept]


def cross_fitted_cca(x: np.ndarray, y: np.ndarray, folds: np.ndarray) -> tuple[float, float, float]:
    """Mean, SVCCA and PWCCA: directions from all other folds, correlations on each fold."""
    results = []
    for fold in np.unique(folds):
        train, held = folds != fold, folds == fold
        (axes_x, values_x), (axes_y, values_y) = principal(x[train]), principal(y[train])
        plain = _held_out_correlations(x, y, axes_x, axes_y, train, held)
        few_x, few_y = (
            int(np.argmax(np.cumsum(v**2) >= 0.99 * (v**2).sum())) + 1 for v in (values_x, values_y)
        )
        few = _held_out_correlations(x, y, axes_x[:, :few_x], axes_y[:, :few_y], train, held)
        results.append(
            (plain[0].mean(), few[0].mean(), (plain[0] * plain[1]).sum() / plain[1].sum())
        )
    return tuple(np.average(results, axis=0, weights=np.bincount(folds)).tolist())


def _held_out_correlations(
    x: np.ndarray,
    y: np.ndarray,
    axes_x: np.ndarray,
    axes_y: np.ndarray,
    train: np.ndarray,
    held: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Held-out correlations, and how much of x each direction accounts for (PWCCA's weights)."""
    rows_x, rows_y = x @ axes_x, y @ axes_y
    white_x, white_y = (
        np.linalg.inv(np.linalg.qr(rows[train] - rows[train].mean(axis=0))[1])
        for rows in (rows_x, rows_y)
    )
    white = [rows - rows[train].mean(axis=0) for rows in (rows_x, rows_y)]
    white = [white[0] @ white_x, white[1] @ white_y]
    u, _, vt = np.linalg.svd(white[0][train].T @ white[1][train], full_matrices=False)
    variates_x, variates_y = white[0] @ u, white[1] @ vt.T
    correlations = [
        np.corrcoef(variates_x[held, c], variates_y[held, c])[0, 1] for c in range(u.shape[1])
    ]
    centred = x[train] - x[train].mean(axis=0)
    return np.array(correlations), np.abs(variates_x[train].T @ centred).sum(axis=1)


# Neighbours


def prepared(stored: np.ndarray, metric: str) -> np.ndarray:
    rows = stored.astype(np.float64)
    if metric != "cosine":
        return rows
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0.0, largest, 1.0)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)


def scores(queries: np.ndarray, corpus: np.ndarray, metric: str) -> np.ndarray:
    """Inner products, or minus half the squared distances, shape (queries, corpus rows)."""
    if metric == "euclidean":
        return np.array([-0.5 * ((corpus - query) ** 2).sum(axis=1) for query in queries])
    return np.array([(corpus * query).sum(axis=1) for query in queries])


@dataclass(frozen=True)
class Ranking:
    """Who is nearest: `better` than the k-th for certain, and `tied` with it."""

    better: np.ndarray
    tied: np.ndarray
    k: int

    @classmethod
    def of(cls, values: np.ndarray, size: np.ndarray, k: int) -> Ranking:
        """From scores, minus infinity where a row may not be returned."""
        kth = -np.sort(-values, axis=1)[:, k - 1, None]
        tolerance = TIES * np.maximum(np.abs(kth), size[:, None])
        return cls(values > kth + tolerance, np.abs(values - kth) <= tolerance, k)

    @property
    def reached(self) -> np.ndarray:
        return self.better | self.tied

    @property
    def arbitrary(self) -> np.ndarray:
        """Queries with more ties than places."""
        return self.better.sum(axis=1) + self.tied.sum(axis=1) > self.k

    def share(self, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share of the k returned rows that `judged` marks: by lower rows, least and most.

        Least and most are over all ways to choose among ties.
        """
        free = self.k - self.better.sum(axis=1)
        first = self.tied & (np.cumsum(self.tied, axis=1) <= free[:, None])
        sure = (self.better & judged).sum(axis=1)
        hits, misses = (self.tied & judged).sum(axis=1), (self.tied & ~judged).sum(axis=1)
        return (
            (sure + (first & judged).sum(axis=1)) / self.k,
            (sure + np.maximum(0, free - misses)) / self.k,
            (sure + np.minimum(free, hits)) / self.k,
        )


@dataclass(frozen=True)
class Shares:
    """Per-query values: with ties to lower rows, and the range over all choices among ties."""

    value: np.ndarray
    least: np.ndarray
    most: np.ndarray


def retrieval(
    stored_a: np.ndarray,
    stored_b: np.ndarray,
    metric: str,
    k: int,
    queries: np.ndarray,
    kept: np.ndarray,
    half: np.ndarray,
    mapped: Callable[[str, str, np.ndarray, np.ndarray], np.ndarray],
) -> dict[str, Shares]:
    """Every measure of section 4, query by query, from full score matrices."""
    rows = {"a": prepared(stored_a, metric), "b": prepared(stored_b, metric)}
    same_dim = rows["a"].shape[1] == rows["b"].shape[1]
    others = np.arange(len(kept))[None, :] != queries[:, None]
    allowed = others & kept[None, :]

    def size(vectors: np.ndarray, corpus: np.ndarray) -> np.ndarray:
        if metric == "euclidean":
            return np.zeros(len(vectors))
        return np.linalg.norm(vectors, axis=1) * math.sqrt((corpus**2).sum(axis=1).mean())

    def ranking(vectors: np.ndarray, side: str) -> Ranking:
        values = scores(vectors, rows[side], metric)
        return Ranking.of(np.where(allowed, values, -np.inf), size(vectors, rows[side]), k)

    own = {side: ranking(rows[side][queries], side) for side in "ab"}
    found: dict[str, Shares] = {}
    both = [own["a"].share(own["b"].reached), own["b"].share(own["a"].reached)]
    found["neighbors.overlap"] = Shares(*np.mean(both, axis=0))
    for source, target in ("ab", "ba"):
        direction, vectors = f"{source}_to_{target}", rows[source][queries]
        kinds = {
            kind: mapped(direction, kind, queries, vectors) for kind in ("orthogonal", "linear")
        }
        if same_dim:
            kinds["raw"] = vectors
            found[f"partner.found.{direction}.raw"] = _partner_found(
                stored_a if source == "a" else stored_b,
                stored_b if source == "a" else stored_a,
                metric,
                queries,
                kept,
            )
        for kind, view in kinds.items():
            shares = ranking(view, target).share(own[target].reached)
            found[f"recall.{direction}.{kind}"] = Shares(*shares)
    if same_dim:
        for side, other in ("ab", "ba"):
            vectors = rows[side][queries]
            native, foreign = (scores(vectors, rows[s], metric) for s in (side, other))
            hits = np.zeros_like(allowed)
            for moved in (half, ~half):
                index = np.where(allowed, np.where(moved[None, :], foreign, native), -np.inf)
                reached = Ranking.of(index, size(vectors, rows[side]), k).reached
                hits |= reached & moved[None, :]
            found[f"mixed_index.{side}.raw"] = Shares(*own[side].share(hits))
    return found


def _partner_found(
    source: np.ndarray, target: np.ndarray, metric: str, queries: np.ndarray, kept: np.ndarray
) -> Shares:
    """Whether no other row scores above the true partner; cosine under dot."""
    metric = "cosine" if metric == "dot" else metric
    vectors, corpus = prepared(source, metric)[queries], prepared(target, metric)
    values = scores(vectors, corpus, metric)
    own = values[np.arange(len(queries)), queries]
    tolerance = TIES * (np.abs(own) if metric == "euclidean" else 1.0)
    beaten = kept[None, :] & (values > (own + tolerance)[:, None])
    beaten[np.arange(len(queries)), queries] = False
    found = np.where(beaten.any(axis=1), 0.0, 1.0)
    return Shares(found, found, found)


# Pairing


def partner_rank(
    query: np.ndarray, partner: np.ndarray, others: np.ndarray, metric: str, u: float
) -> float:
    """``(above + u (tied + 1)) / (R + 1)``, by a loop over the R other rows."""

    def score(row: np.ndarray) -> float:
        if metric == "euclidean":
            return -float(((query - row) ** 2).sum())
        return float(query @ row / (np.linalg.norm(query) * np.linalg.norm(row)))

    own, above, tied = score(partner), 0, 0
    for row in others:
        difference = score(row) - own
        tied += abs(difference) <= 1e-10
        above += difference > 1e-10
    return (above + u * (tied + 1)) / (len(others) + 1)
