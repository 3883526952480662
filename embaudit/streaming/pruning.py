"""Bounds on scores from the leading axes of a corpus: products that cannot matter are left out.

With orthonormal columns V a score splits into ``q.x = (V^T q).(V^T x) + q'.x'``, and the rest is
at most ``|q'| |x'|`` (Cauchy and Schwarz). Where few axes hold most of the variance, a product in
those coordinates bounds every score closely enough that all but a few rows stay below what a query
has found already. Those few are scored as without bounds, so that what is found is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Matrix, Rows, Vector
from embaudit.streaming.query_stack import QueryStack

FRACTIONS = (1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2)
"""Shares of the axes that are tried."""
PAIR_COST = 64.0
"""A score of one pair of gathered rows costs as much as so many within a product of matrices."""
WORTH_IT = 0.9
"""Pruned products must cost less than this share of plain ones."""
SLACK = 4.0
"""Bounds are products too, of rounded coordinates: their rounding in units of a score's."""
PAIRS_AT_ONCE = 2048
"""Pairs gathered together: small enough that they stay in cache."""


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

    def upper(self, block: NDArray[np.float32], out: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return upper bounds of the scores of a block, shape (rows, c), up to rounding.

        Parameters
        ----------
        block : float32 array, shape (rows, width)
            Corpus rows as `QueryStack.fill` leaves them.
        out : float32 array
            Room for the result.
        """
        rank = self.basis.shape[1]
        coordinates = np.empty((len(block), rank + 2), np.float32)
        rows = block[:, : len(self.basis)]
        np.matmul(rows, self.basis, out=coordinates[:, :rank])
        coordinates[:, rank] = _left_out(rows, coordinates[:, :rank])
        coordinates[:, rank + 1] = block[:, -1] if block.shape[1] > len(self.basis) else 0.0
        shaped = out.reshape(-1)[: len(block) * len(self.columns)].reshape(len(block), -1)
        return np.asarray(np.matmul(coordinates, self.bounds.T, out=shaped))


def _left_out(rows: NDArray[Any], coordinates: NDArray[Any]) -> Vector:
    """Bound the norms of what coordinates leave of rows, from above: squares cancel."""
    squares = np.einsum("ij,ij->i", rows, rows)
    rest = squares - np.einsum("ij,ij->i", coordinates, coordinates)
    unit = float(np.finfo(np.float32).eps)
    rounding = SLACK * np.sqrt(rows.shape[1]) * unit * squares
    return np.asarray(np.sqrt(np.maximum(rest, 0.0) + rounding))


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

    def choose(self, block: NDArray[np.float32], thresholds: NDArray[np.float32]) -> Pruning | None:
        """Return the axes that make the products cheapest; None where plain ones are.

        Parameters
        ----------
        block : float32 array, shape (rows, width)
            Some corpus rows as `QueryStack.fill` leaves them.
        thresholds : float32 array, shape (columns,)
            What upper bounds must exceed.
        """
        dim, rows = len(self._axes), len(block)
        stack = self._stack
        plain = 2.0 * dim * rows * np.array([_length(part) for part in stack.view_columns])
        best, cheapest = None, WORTH_IT * float(plain.sum())
        out = np.empty((rows, stack.columns), np.float32)
        everything = np.arange(stack.columns)
        for fraction in FRACTIONS:
            pruning = self.keep(max(1, round(fraction * dim)), everything)
            above = (pruning.upper(block, out) > thresholds).sum(axis=0)
            rank = pruning.basis.shape[1]
            pruned = np.array(
                [
                    2.0 * rank * rows * _length(part) + PAIR_COST * 2.0 * dim * above[part].sum()
                    for part in stack.view_columns
                ]
            )
            cost = 2.0 * dim * rank * rows + float(np.minimum(plain, pruned).sum())
            if cost < cheapest:
                used = [
                    everything[part]
                    for part, better in zip(stack.view_columns, pruned < plain, strict=True)
                    if better
                ]
                best, cheapest = (rank - 1, np.concatenate(used)), cost
        return None if best is None else self.keep(*best)

    def keep(self, rank: int, columns: Rows) -> Pruning:
        """Return the leading axes and what they leave of the mean, for some columns."""
        coordinates, mean = self._queries[columns], self._mean
        tail = mean[rank:]
        size = float(np.linalg.norm(tail))
        direction = tail / size if size > 0.0 else np.eye(1, len(tail))[0]
        along = coordinates[:, rank:] @ direction
        squares = np.einsum("ij,ij->i", coordinates[:, rank:], coordinates[:, rank:])
        bounds = np.ones((len(columns), rank + 3), np.float32)
        bounds[:, :rank] = coordinates[:, :rank]
        bounds[:, rank] = along
        bounds[:, rank + 1] = np.sqrt(np.maximum(squares - np.square(along), 0.0))
        basis = np.column_stack([self._axes[:, :rank], self._axes[:, rank:] @ direction])
        others = np.setdiff1d(np.arange(self._stack.columns), columns)
        return Pruning(columns, others, basis.astype(np.float32), bounds)


def _length(part: slice) -> int:
    return int(part.stop - part.start)


def pair_scores(
    block: NDArray[np.float32], queries: NDArray[np.float32], rows: Rows, columns: Rows
) -> NDArray[np.float32]:
    """Return the scores of some rows and queries, shape (pairs,)."""
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        np.einsum("ij,ij->i", block[rows[part]], queries[columns[part]], out=scores[part])
    return scores
