"""Bounds on scores from the leading axes of a corpus: products that cannot matter are left out.

With orthonormal columns V a score splits into ``q.x = (V^T q).(V^T x) + q'.x'``, and the rest is
at most ``|q'| |x'|`` (Cauchy and Schwarz). Where few axes hold most of the variance, a product in
those coordinates bounds every score closely enough that all but a few rows stay below what a query
has found already. Those few are scored as without bounds, so that what is found is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Matrix, Rows, Vector
from embaudit.streaming.query_stack import QueryStack

FRACTIONS = (1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2)
"""Shares of the axes that are tried."""
PAIR_COST = 56.0
"""A score of one pair of gathered rows costs as much as so many within a product of matrices."""
WORTH_IT = 0.9
"""Pruned products must cost less than this share of plain ones."""
SLACK = 4.0
"""Bounds are products too, of rounded coordinates: their rounding in units of a score's."""
COUNTED_ROWS = 16
"""One row in so many is looked at before the rows of a block are scored one by one."""
PAIR_BYTES = 1 << 19
"""Rows gathered together on either side: small enough that they stay in cache."""


@dataclass(frozen=True)
class Pruning:
    """Leading axes for some columns of the scores.

    Attributes
    ----------
    columns : int64 array, shape (c,)
        Columns whose rows are pruned.
    others : int64 array, shape (columns - c,)
        Those that are scored plainly.
    basis : float32 array, shape (d, r)
        Orthonormal columns.
    bounds : float32 array, shape (c, r + 2)
        Coordinates of the queries, what of their norm those leave out, and 1 for the number that
        corpus rows may have of their own.
    """

    columns: Rows
    others: Rows
    basis: NDArray[np.float32]
    bounds: NDArray[np.float32]

    def pays(self, bounds: NDArray[np.float32], limits: NDArray[np.float32]) -> bool:
        """Return whether the rows above the limits are few enough to be scored one by one.

        Parameters
        ----------
        bounds : float32 array, shape (rows, c)
        limits : float32 array, shape (c,)
        """
        some = bounds[::COUNTED_ROWS]
        return bool(PAIR_COST * np.count_nonzero(some > limits) <= some.size)

    def only(self, columns: Rows) -> Pruning:
        """Return the same axes for some of the columns, the rest to be scored plainly."""
        if len(columns) == len(self.columns):
            return self
        kept = np.isin(self.columns, columns)
        others = np.append(self.others, self.columns[~kept])
        return replace(self, columns=self.columns[kept], others=others, bounds=self.bounds[kept])

    def upper(
        self,
        block: NDArray[np.float32],
        squares: NDArray[np.float32],
        out: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return upper bounds of the scores of a block, shape (rows, c), up to rounding.

        Parameters
        ----------
        block : float32 array, shape (rows, width)
            Corpus rows as `QueryStack.fill` leaves them.
        squares : float32 array, shape (rows,)
            Of their norms, as it returns them.
        out : float32 array, shape (rows, c)
            Room for the result.
        """
        dim, rank = self.basis.shape
        coordinates = np.empty((len(block), rank + 2), np.float32)
        along = coordinates[:, :rank]
        np.matmul(block[:, :dim], self.basis, out=along)
        rest = squares - np.einsum("ij,ij->i", along, along)
        # Squares cancel: what rounding may have taken is added.
        rounding = SLACK * np.sqrt(dim) * float(np.finfo(np.float32).eps) * squares
        np.sqrt(np.maximum(rest, 0.0) + rounding, out=coordinates[:, rank])
        coordinates[:, rank + 1] = block[:, -1] if block.shape[1] > dim else 0.0
        return np.asarray(np.matmul(coordinates, self.bounds.T, out=out))


class Pruner:
    """Chooses how many axes to use, if any, from a few rows and what has been found so far.

    Parameters
    ----------
    stack : QueryStack
        Of float32 queries.
    axes : float64 array, shape (d, d)
        Orthonormal columns, leading ones first.
    mean : float64 array, shape (d,)
        Direction that queries share and rows about their mean lack: it joins the axes.
    """

    def __init__(self, stack: QueryStack, axes: Matrix, mean: Vector) -> None:
        self._stack = stack
        self._axes = axes
        self._queries = stack.centred @ axes
        self._mean = mean @ axes
        self._led: dict[int, Pruning] = {}

    def choose(
        self,
        block: NDArray[np.float32],
        squares: NDArray[np.float32],
        thresholds: NDArray[np.float32],
    ) -> Pruning | None:
        """Return the axes that make the products cheapest; None where plain ones are.

        Parameters
        ----------
        block, squares : float32 arrays, shapes (rows, width) and (rows,)
            Some corpus rows as `QueryStack.fill` leaves them.
        thresholds : float32 array, shape (columns,)
            What upper bounds must exceed.
        """
        dim, rows = len(self._axes), len(block)
        parts = self._stack.view_columns
        plain = 2.0 * dim * rows * np.array([part.stop - part.start for part in parts])
        best, cheapest = None, WORTH_IT * float(plain.sum())
        out = np.empty((rows, self._stack.columns), np.float32)
        for fraction in FRACTIONS:
            pruning = self.leading(max(1, round(fraction * dim)))
            above = (pruning.upper(block, squares, out) > thresholds).sum(axis=0)
            rank = pruning.basis.shape[1]
            pairs = np.array([above[part].sum() for part in parts])
            pruned = plain * (rank / dim) + PAIR_COST * 2.0 * dim * pairs
            cost = 2.0 * dim * rank * rows + float(np.minimum(plain, pruned).sum())
            if cost < cheapest:
                used = [part for part, saves in zip(parts, pruned < plain, strict=True) if saves]
                best, cheapest = pruning.only(np.concatenate([np.r_[part] for part in used])), cost
        return best

    def leading(self, rank: int) -> Pruning:
        """Return the leading axes and what they leave of the mean, for all columns."""
        if rank not in self._led:
            tail = self._mean[rank:]
            size = float(np.linalg.norm(tail))
            direction = tail / size if size > 0.0 else np.eye(1, len(tail))[0]
            rest = self._queries[:, rank:]
            along = rest @ direction
            squares = np.einsum("ij,ij->i", rest, rest) - np.square(along)
            bounds = np.ones((len(rest), rank + 3), np.float32)
            bounds[:, :rank] = self._queries[:, :rank]
            bounds[:, rank] = along
            bounds[:, rank + 1] = np.sqrt(np.maximum(squares, 0.0))
            basis = np.empty((len(self._axes), rank + 1), np.float32)
            basis[:, :rank] = self._axes[:, :rank]
            basis[:, rank] = self._axes[:, rank:] @ direction
            none = np.empty(0, np.int64)
            self._led[rank] = Pruning(np.arange(len(rest)), none, basis, bounds)
        return self._led[rank]


def pair_scores(
    block: NDArray[np.float32], queries: NDArray[np.float32], rows: Rows, columns: Rows
) -> NDArray[np.float32]:
    """Return the scores of some rows and queries, shape (pairs,)."""
    if len(rows) == 1:
        # One pair alone may be summed in another order than one of several.
        return pair_scores(block, queries, np.tile(rows, 2), np.tile(columns, 2))[:1]
    scores = np.empty(len(rows), np.float32)
    step = max(2, PAIR_BYTES // (block.shape[1] * block.itemsize))
    for start in range(0, len(rows), step):
        start = min(start, len(rows) - 2)
        part = slice(start, start + step)
        np.einsum("ij,ij->i", block[rows[part]], queries[columns[part]], out=scores[part])
    return scores
