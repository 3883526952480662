"""Some rows on a plane, as they lie in each space, with their neighbours in each."""

from __future__ import annotations

import numpy as np

from embaudit.answers.rows import named_rows
from embaudit.datatypes import Matrix, Metric, Rows
from embaudit.figures import FEWEST_LAID_OUT, Layout, Layouts
from embaudit.stages.ledger import Ledger
from embaudit.stages.population import Population
from embaudit.stats.parallel import ordered_map

DRAWN = 500
"""Rows: as many as a person can tell apart."""
NEIGHBOURS = 10
ROWS_A_NEIGHBOUR = 5
"""Fewer rows have fewer neighbours: half of all rows are near to nothing in particular."""
PERPLEXITY = 30.0
TSNE_STEPS = 500
TSNE_START = 1e-4
"""Deviation of the first coordinates, of which the larger axis has this (Kobak and Berens 2019)."""
DIGITS = 4


def measure_layouts(population: Population, ledger: Ledger) -> Layouts | None:
    """Draw the first rows of the sampling order by principal components and by t-SNE.

    Distances are those of the metric, for t-SNE under ``dot`` euclidean ones. Neighbours are those
    among the drawn rows.

    Returns
    -------
    Layouts or None
        None where fewer than 8 rows are left.
    """
    rows = population.order[: min(DRAWN, population.n)]
    if len(rows) < FEWEST_LAID_OUT:
        return None
    options, pair = population.options, population.pair
    k = min(NEIGHBOURS, len(rows) // ROWS_A_NEIGHBOUR)
    options.progress.stage("layouts", 1)
    with ledger.stage("layouts"):
        sides = population.prepared(rows)
        near_a, near_b = (_neighbours(side, options.metric, k) for side in sides)
        components = [_components(side) for side in sides]
        starts = [plane for plane, _ in components]
        pca = _over(*starts)
        embedded = list(
            ordered_map(
                lambda side: _embedded(*side, options.seed),
                list(zip(sides, starts, strict=True)),
                options.workers,
            )
        )
    options.progress.advance()
    a, b = embedded
    row_a = pair.stored_rows(rows, "a")
    return Layouts(
        n=len(rows),
        k=k,
        rows_a=row_a.tolist(),
        rows_b=pair.stored_rows(rows, "b").tolist(),
        ids=named_rows(pair, row_a),
        neighbors_a=near_a.tolist(),
        neighbors_b=near_b.tolist(),
        pca=_layout(*pca, (components[0][1], components[1][1])),
        tsne=None if a is None or b is None else _layout(*_over(a, b)),
    )


def _neighbours(side: Matrix, metric: Metric, k: int) -> Rows:
    """Return the k nearest other rows of each, nearest first, shape (m, k); ties by position."""
    scores = side @ side.T
    if metric is Metric.EUCLIDEAN:
        squares = np.diag(scores)
        scores = 2.0 * scores - squares[:, None] - squares
    np.fill_diagonal(scores, -np.inf)
    return np.asarray(np.argsort(-scores, axis=1, kind="stable")[:, :k])


def _components(side: Matrix) -> tuple[Matrix, float]:
    """Return two principal components of rows, shape (m, 2), and their share of the variance."""
    centred = side - side.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(side), 2))
    shown = min(2, len(values))
    plane[:, :shown] = left[:, :shown] * values[:shown]
    # The sign of a component is arbitrary: its largest coordinate is positive.
    largest = plane[np.abs(plane).argmax(axis=0), [0, 1]]
    plane *= np.where(largest < 0.0, -1.0, 1.0)
    variance = np.square(values)
    total = float(variance.sum())
    return plane, float(variance[:shown].sum() / total) if total > 0.0 else 0.0


def _embedded(side: Matrix, plane: Matrix, seed: int) -> Matrix | None:
    """Return the t-SNE of rows, shape (m, 2); None where rows do not differ.

    On one thread: sums over several come out in another order each time.
    """
    from sklearn.manifold import TSNE

    deviation = float(plane[:, 0].std())
    if deviation == 0.0:
        return None
    model = TSNE(
        init=plane / deviation * TSNE_START,
        perplexity=min(PERPLEXITY, (len(side) - 1) / 3.0),
        max_iter=TSNE_STEPS,
        random_state=seed % (1 << 32),
        n_jobs=1,
    )
    # About their mean, and at a size that float32 holds: neither changes which rows are near.
    centred = side - side.mean(axis=0)
    scaled = centred / float(np.sqrt(np.square(centred).mean()))
    found = np.asarray(model.fit_transform(scaled), np.float64)
    return found if np.isfinite(found).all() else None


def _over(a: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
    """Return both planes, shapes (m, 2), in the unit square, B's turned over A's.

    By the orthogonal map of least squares (Schonemann 1966), reflections included.
    """
    a, b = (_fitted(plane) for plane in (a, b))
    left, _, right = np.linalg.svd(b.T @ a)
    return a, _fitted(b @ (left @ right))


def _fitted(plane: Matrix) -> Matrix:
    centred = plane - plane.mean(axis=0)
    largest = float(np.abs(centred).max())
    return np.asarray(centred / largest if largest > 0.0 else centred)


def _layout(a: Matrix, b: Matrix, explained: tuple[float, float] | None = None) -> Layout:
    first, second = (np.round(plane, DIGITS).tolist() for plane in (a, b))
    return Layout(a=first, b=second, explained=explained)
