"""What a map would recover with more rows: recall at nested sizes, carried on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import TIES, Matrix, Metric, Rows
from embaudit.maps.linear import PENALTIES, RidgePath
from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.stats.moments import Scatter
from embaudit.streaming.fold_moments import FOLDS, FoldPlan

QUERIES = 128
"""Held-out rows asked of each fold, at most."""
HALVINGS = 2
FARTHEST = 8
"""A curve is carried on to this many times the rows it was measured on, not farther."""


@dataclass(frozen=True)
class LearningCurve:
    """Recall of the best map at several numbers of rows, and its course beyond them.

    Attributes
    ----------
    points : list of (rows, recall)
        Ascending; cross-fitted, each with its own rows as corpus.
    limit, slope : float
        ``recall(n) = limit + slope / sqrt(n)``, fitted to the points. Of the powers 1/4, 1/2 and 1
        this one predicted best what 2,000 real rows show, from 300, 500 and 1,000 of them.
    """

    points: list[tuple[int, float]]
    limit: float
    slope: float

    def at(self, rows: int) -> float:
        """Return the recall expected at a number of rows."""
        return min(1.0, max(0.0, self.limit + self.slope / math.sqrt(rows)))

    def rows_for(self, recall: float) -> int | None:
        """Return the number of rows at which `recall` is expected; None where it is out of reach.

        Beyond `FARTHEST` times the rows of the last point nothing is said.
        """
        most = self.points[-1][0]
        if self.at(most) >= recall:
            return most
        if self.slope >= 0.0 or self.limit <= recall:
            return None
        rows = math.ceil((self.slope / (recall - self.limit)) ** 2)
        return rows if rows <= FARTHEST * most else None


def learning_curve(x: Matrix, y: Matrix, metric: Metric, k: int, seed: int) -> LearningCurve | None:
    """Measure recall at n/4, n/2 and n rows, each time as a whole comparison of so many rows.

    Parameters
    ----------
    x, y : float64 arrays, shapes (n, p) and (n, q)
        Prepared paired rows, in the order of the file: near-duplicates tend to be neighbours.
    metric : Metric
    k : int
        Neighbours asked for.
    seed : int

    Returns
    -------
    LearningCurve or None
        Of the direction and kind of map that is best at n; None where a quarter of the rows is too
        few to ask for k neighbours.
    """
    if len(x) >> HALVINGS < 4 * k + 2:
        return None
    order = np.random.default_rng([seed, 10]).permutation(len(x))
    sizes, recalls = [], []
    for halvings in range(HALVINGS, -1, -1):
        parts = 1 << halvings
        sizes.append(len(x) // parts)
        recalls.append(
            np.mean(
                [_recalls(x[part], y[part], metric, k, seed) for part in _dealt(order, parts)],
                axis=0,
            )
        )
    best = int(recalls[-1].argmax())
    values = np.array([recall[best] for recall in recalls])
    # Larger samples are measured on more rows each; their points weigh as much more.
    weights = np.sqrt(np.array(sizes, np.float64))
    design = np.stack([np.ones(len(sizes)), 1.0 / np.sqrt(sizes)], axis=1)
    limit, slope = np.linalg.lstsq(design * weights[:, None], values * weights, rcond=None)[0]
    return LearningCurve(
        [(size, float(value)) for size, value in zip(sizes, values, strict=True)],
        float(limit),
        float(slope),
    )


def _dealt(order: Rows, parts: int) -> Iterator[Rows]:
    yield from (np.sort(order[part::parts]) for part in range(parts))


def _recalls(x: Matrix, y: Matrix, metric: Metric, k: int, seed: int) -> Matrix:
    """Return cross-fitted recall by direction and kind of map, flat."""
    everything = np.arange(len(x))
    folds = FoldPlan.seeded(np.ones(len(x), np.bool_), seed).fold_of(everything)
    x, y = _in_row_space(x), _in_row_space(y)
    recalls = []
    for fold in range(FOLDS):
        held_out = np.flatnonzero(folds == fold)
        held_out = held_out[:: -(-len(held_out) // QUERIES)]
        train = _scatter(x[folds != fold], y[folds != fold])
        orthogonal = fit_orthogonal(train)
        found = []
        for side, (source, target, sums) in enumerate(((x, y, train), (y, x, train.swapped()))):
            found.append(
                _recall(orthogonal[side].transform(source[held_out]), held_out, target, metric, k)
            )
            path = RidgePath.of(sums, *np.linalg.eigh(sums.xx))
            for mapped in path.transform(source[held_out], PENALTIES):
                found.append(_recall(mapped, held_out, target, metric, k))
        recalls.append(found)
    return np.asarray(np.mean(recalls, axis=0))


def _in_row_space(rows: Matrix) -> Matrix:
    """Return the same rows in fewer coordinates where there are fewer rows than dimensions.

    Inner products stay, so the space is that of the rows themselves, not of their deviations.
    """
    if len(rows) >= rows.shape[1]:
        return rows
    u, singular_values, _ = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(u * singular_values)


def _scatter(x: Matrix, y: Matrix) -> Scatter:
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    centred_x, centred_y = x - mean_x, y - mean_y
    return Scatter(
        len(x),
        mean_x,
        mean_y,
        centred_x.T @ centred_x,
        centred_x.T @ centred_y,
        centred_y.T @ centred_y,
    )


def _recall(vectors: Matrix, rows: Rows, corpus: Matrix, metric: Metric, k: int) -> float:
    """Return tie-aware recall of query vectors whose own rows are `rows` of the corpus."""

    def scores(queries: Matrix) -> Matrix:
        found = queries @ corpus.T
        if metric is Metric.EUCLIDEAN:
            found -= 0.5 * np.square(corpus).sum(axis=1)
        found[np.arange(len(rows)), rows] = -np.inf
        return np.asarray(found)

    truth, found = scores(corpus[rows]), scores(vectors)
    kth = -np.partition(-truth, k - 1, axis=1)[:, k - 1 : k]
    best = np.argpartition(-found, k - 1, axis=1)[:, :k]
    reached = np.take_along_axis(truth, best, axis=1) >= kth - TIES * np.abs(kth)
    return float(reached.mean())
