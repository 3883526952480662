"""Does a joined space tell labels better than its parts? Nearest neighbours, cross-validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embaudit.data.files import brief
from embaudit.data.keyed import KeyedSet
from embaudit.datatypes import Mask, Matrix, Metric, Rows
from embaudit.errors import InputError, did_you_mean
from embaudit.stats.intervals import Interval

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = 5
DRAWN, MOST_ROWS = 20_000, 5000
"""Rows whose labels are read, and those of them with a label that are looked at."""
DRAWS = 2000
"""Of the bootstrap over rows."""
NEIGHBOURS = 10
"""Of the probe. Neighbours see what a search sees, weights of the sets included; a linear probe is
nearly blind to them."""

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """Rows with a label.

    Attributes
    ----------
    rows : int64 array, shape (m,)
    labels : int64 array, shape (m,)
        Number of each row's class.
    classes : int
    """

    rows: Rows
    labels: Labels
    classes: int


def read_labels(
    source: KeyedSet,
    column: str,
    stored: Rows | None,
    generator: np.random.Generator,
    fewest: int = SPLITS,
) -> Labelled:
    """Read the labels of a sample of rows.

    Rows without a label (null, empty text), and classes of few rows, are left out.

    Parameters
    ----------
    source : KeyedSet
    column : str
        Of text, integers or truth values.
    stored : int64 array, shape (n,), or None
        Where the rows stand in the source; None where all are in place.
    generator : numpy Generator
    fewest : int
        Rows of a class.

    Raises
    ------
    InputError
        For a missing column, and for one without two classes of enough rows.
    """
    known = source.columns()
    if column not in known:
        raise InputError(
            f"{source.uri}: no column {column!r} of labels{did_you_mean(column, known)}; "
            f"there are {', '.join(known) or 'vectors only'}"
        )
    if not _is_label(known[column]):
        raise InputError(
            f"{source.uri}: column {column!r} of labels has type {brief(known[column])}; expected "
            "text, integers or truth values"
        )
    count = source.rows if stored is None else len(stored)
    drawn = np.arange(count)
    if count > DRAWN:
        drawn = np.sort(generator.choice(count, DRAWN, replace=False))
    values = _values(source, column, drawn if stored is None else stored[drawn])
    told = [place for place, value in enumerate(values) if value not in (None, "")]
    if len(told) > MOST_ROWS:
        told = np.sort(generator.choice(told, MOST_ROWS, replace=False)).tolist()
    numbers = {
        value: number for number, value in enumerate(sorted({str(values[at]) for at in told}))
    }
    labels = np.array([numbers[str(values[place])] for place in told], np.int64)
    counts = np.bincount(labels, minlength=1)
    enough: Mask = counts >= fewest
    if enough.sum() < 2:
        raise InputError(
            f"{source.uri}: {enough.sum()} of the {len(numbers)} values in column {column!r} have "
            f"at least {fewest} rows; labels need two such values"
        )
    kept = enough[labels]
    return Labelled(drawn[told][kept], labels[kept], int(enough.sum()))


def _is_label(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _is_label(kind.value_type)
    checks = (types.is_string, types.is_large_string, types.is_integer, types.is_boolean)
    return any(check(kind) for check in checks)


def _values(source: KeyedSet, column: str, rows: Rows) -> list[object]:
    """Return the values of ascending rows: those alone become Python objects."""
    found: list[object] = []
    for first, part in source.values(column):
        start, stop = np.searchsorted(rows, (first, first + len(part)))
        found += part.take(rows[start:stop] - first).to_pylist()
    return found


def halves(found: Labelled, generator: np.random.Generator) -> tuple[Labelled, Labelled]:
    """Return two sets of rows that hold half of every class each."""
    order = generator.permutation(len(found.rows))
    # Within a class every second row, in random order, goes to the first half.
    by_class = order[np.argsort(found.labels[order], kind="stable")]
    place = np.arange(len(order)) - np.searchsorted(found.labels[by_class], found.labels[by_class])
    first, second = np.sort(by_class[place % 2 == 0]), np.sort(by_class[place % 2 == 1])
    return (
        Labelled(found.rows[first], found.labels[first], found.classes),
        Labelled(found.rows[second], found.labels[second], found.classes),
    )


def hits(vectors: Matrix, labels: Labels, metric: Metric, seed: int) -> Mask:
    """Return which labels the nearest of other rows tell, shape (m,).

    Parameters
    ----------
    vectors : float64 array, shape (m, d)
    labels : int64 array, shape (m,)
    metric : Metric
        Under dot neighbours are those by cosine.
    seed : int
        Deals the rows out.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier

    nearest = "euclidean" if metric is Metric.EUCLIDEAN else "cosine"
    splits = StratifiedKFold(SPLITS, shuffle=True, random_state=seed)
    fewest = len(labels) - len(labels) // SPLITS - 1
    probe = KNeighborsClassifier(min(NEIGHBOURS, fewest), metric=nearest, algorithm="brute")
    told = cross_val_predict(probe, vectors, labels, cv=splits)
    right: Mask = told == labels
    return right


def bootstrap(values: NDArray[np.float64], confidence: float, seed: int) -> Interval:
    """Return the mean of values and its percentile interval over rows drawn again and again.

    Rows are what is drawn; that the probes share their training rows is not in it.
    """
    generator = np.random.default_rng([seed, 11])
    draws = np.array(
        [values[generator.integers(0, len(values), len(values))].mean() for _ in range(DRAWS)]
    )
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return Interval(float(values.mean()), float(low), float(high))


def best_weights(
    parts: Sequence[Matrix], labels: Labels, metric: Metric, seed: int, grid: Sequence[float]
) -> list[float]:
    """Return the weights whose joined rows a probe reads best, one set's weight tried at a time.

    Parameters
    ----------
    parts : sequence of float64 arrays, shapes (m, d_i)
        Each of mean squared norm 1.
    labels : int64 array, shape (m,)
    metric : Metric
    seed : int
    grid : sequence of float
        Weights of a set beside the others' 1.
    """
    weights = [1.0] * len(parts)

    def told(tried: list[float]) -> float:
        total = sum(tried)
        joined = [np.sqrt(one / total) * part for one, part in zip(tried, parts, strict=True)]
        return float(hits(np.hstack(joined), labels, metric, seed).mean())

    # The first set is the unit of the others.
    for place in range(1, len(parts)):
        tried = [[*weights[:place], one, *weights[place + 1 :]] for one in grid]
        weights = max(tried, key=told)
    return weights
