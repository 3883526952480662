"""Rows whose norm about the mean is so large that they carry the sums, and CKA without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.data.pair import Pair, even_spans
from embaudit.datatypes import Mask, Matrix, Rows, Span, Stored, Vector
from embaudit.measures.cka import linear_cka
from embaudit.stats.moments import Moments
from embaudit.stats.parallel import ordered_map
from embaudit.stats.prepare import Preparation

CONCENTRATED = 20.0
"""Fourth moment of the row norms over the squared second one, above which a few rows carry both."""
MOST_ROWS = 64
FEWEST_LEFT = 8
CANCELLED = 1e-9
"""Fourth moments below this share of what they were subtracted from are rounding."""
BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class Outliers:
    """Rows that carry the sums.

    Attributes
    ----------
    rows : int64 array, shape (r,)
        Heaviest first: the fewest without which neither side is concentrated, or all that are
        looked at.
    shares : (array, array)
        Their shares of each side's variance, shape (r,).
    cka, cka_without : float or None
        Debiased linear CKA of all rows, and of the others.
    """

    rows: Rows
    shares: tuple[Vector, Vector]
    cka: float | None
    cka_without: float | None


def concentration(moments: Moments) -> tuple[float, float]:
    """Return ``n sum |x~|^4 / (sum |x~|^2)^2`` of both sides; 0 where a side has no variance."""
    scatter = moments.scatter()
    fourth_x, _, fourth_y = moments.norm_products()
    x, y = float(scatter.xx.trace()), float(scatter.yy.trace())
    return (
        moments.n * fourth_x / x**2 if x > 0.0 else 0.0,
        moments.n * fourth_y / y**2 if y > 0.0 else 0.0,
    )


def heaviest_rows(
    pair: Pair,
    kept: Mask,
    preparations: tuple[Preparation, Preparation],
    means: tuple[Vector, Vector],
    workers: int,
) -> tuple[Rows, tuple[Vector, Vector]]:
    """Return the kept rows farthest from the mean of either side; reads every row once.

    Returns
    -------
    rows : int64 array, shape (r,), r at most `MOST_ROWS`
        By the larger of their shares of the two sides' squares, largest first.
    squares : (array, array)
        Their squared distances from the mean, shape (r,).
    """
    totals = [0.0, 0.0]
    held_rows = np.empty(0, np.int64)
    held = np.empty((0, 2))
    widest = max(side.dim * 8 for side in (pair.a, pair.b))
    spans = even_spans(pair.rows, max(64, BLOCK_BYTES // widest))

    def squares(item: tuple[Span, Stored, Stored]) -> tuple[Rows, Matrix]:
        (start, stop), *sides = item
        rows = np.flatnonzero(kept[start:stop])
        found = np.empty((len(rows), 2))
        for side, (stored, preparation, mean) in enumerate(
            zip(sides, preparations, means, strict=True)
        ):
            centred = preparation.rows(stored[rows]) - mean
            found[:, side] = np.einsum("ij,ij->i", centred, centred)
        return start + rows, found

    for rows, found in ordered_map(squares, pair.blocks(spans, workers + 2), workers):
        for side in (0, 1):
            totals[side] += float(found[:, side].sum())
            # The best of either side are kept, so that what the totals become does not matter.
            best = np.argsort(-found[:, side], kind="stable")[:MOST_ROWS]
            held_rows = np.concatenate([held_rows, rows[best]])
            held = np.concatenate([held, found[best]])
        held_rows, first = np.unique(held_rows, return_index=True)
        held = held[first]
        chosen = np.unique(
            [np.argsort(-held[:, side], kind="stable")[:MOST_ROWS] for side in (0, 1)]
        )
        held_rows, held = held_rows[chosen], held[chosen]
    shares = held / np.maximum(totals, np.finfo(float).tiny)
    order = np.argsort(-shares.max(axis=1), kind="stable")[:MOST_ROWS]
    return held_rows[order], (held[order, 0], held[order, 1])


def outliers(
    pair: Pair,
    kept: Mask,
    preparations: tuple[Preparation, Preparation],
    moments: Moments,
    workers: int,
) -> Outliers:
    """Return the rows that carry the sums, from the moments of all kept rows and one more read."""
    scatter = moments.scatter()
    means = scatter.mean_x, scatter.mean_y
    rows, squares = heaviest_rows(pair, kept, preparations, means, workers)
    totals = float(scatter.xx.trace()), float(scatter.yy.trace())
    a = preparations[0].rows(pair.a.take(rows))
    b = preparations[1].rows(pair.b.take(rows))
    count = _fewest(moments, a, b)
    rest = moments.without(_of(moments, a[:count], b[:count]))
    return Outliers(
        rows[:count],
        (squares[0][:count] / (totals[0] or 1.0), squares[1][:count] / (totals[1] or 1.0)),
        linear_cka(moments).debiased,
        linear_cka(rest).debiased if _keeps_digits(moments, rest) else None,
    )


def _keeps_digits(moments: Moments, rest: Moments) -> bool:
    """Return whether the rest of the sums stands above the rounding of what was subtracted."""
    whole, left = moments.norm_products(), rest.norm_products()
    return all(part > CANCELLED * total for part, total in zip(left, whole, strict=True))


def _fewest(moments: Moments, a: Matrix, b: Matrix) -> int:
    """Return how many leading rows must go before the rest is not concentrated, by bisection."""
    most = min(len(a), moments.n - FEWEST_LEFT)

    def concentrated(count: int) -> bool:
        return (
            max(concentration(moments.without(_of(moments, a[:count], b[:count])))) > CONCENTRATED
        )

    enough = 1
    while enough < most and concentrated(enough):
        enough = min(2 * enough, most)
    few = enough // 2
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (middle, enough) if concentrated(middle) else (few, middle)
    return enough


def _of(moments: Moments, a: Matrix, b: Matrix) -> Moments:
    """Return the moments of some rows, about the same shifts."""
    some = Moments(moments.shift[: moments.p], moments.shift[moments.p :])
    some.update(a, b)
    return some
