"""Mergeable second moments of paired rows: the augmented Gram matrix of one pass.

For rows ``z = [x - x0 | y - y0 | a | b | 1]`` with ``a = ||x - x0||^2`` and ``b = ||y - y0||^2``
the matrix ``sum z z^T`` holds the count, the means, all covariances and the fourth-order terms of
the debiased HSIC. It is one symmetric product per block and adds up over blocks, files and
machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Matrix, Vector

EXTRA = 3
"""Columns behind x and y: a, b and the constant."""
NO_VARIANCE = 1e-26
"""Variance, relative to the squared mean, that float64 rounding alone can make."""


@dataclass(frozen=True)
class Scatter:
    """Centred sums of products of `n` paired rows.

    Attributes
    ----------
    n : int
    mean_x, mean_y : float64 arrays, shapes (p,) and (q,)
    xx, xy, yy : float64 arrays, shapes (p, p), (p, q), (q, q)
        ``X~^T X~``, ``X~^T Y~``, ``Y~^T Y~`` of the centred rows (sums, not divided by n).
    """

    n: int
    mean_x: Vector
    mean_y: Vector
    xx: Matrix
    xy: Matrix
    yy: Matrix

    def swapped(self) -> Scatter:
        """Return the same sums with the roles of x and y exchanged."""
        return Scatter(self.n, self.mean_y, self.mean_x, self.yy, self.xy.T, self.xx)


class Moments:
    """Accumulator of the augmented Gram matrix; associative under `merge`.

    Held are the blocks that the symmetric matrix does not repeat.

    Parameters
    ----------
    shift_x, shift_y : float64 arrays, shapes (p,) and (q,)
        Provisional means. Any values are correct; values near the means keep the digits of data
        whose mean is large against its deviation.

    Attributes
    ----------
    xx, xy, yy : float64 arrays, shapes (p, p), (p, q), (q, q)
        Sums of products of the shifted rows.
    edge : float64 array, shape (p + q + 3, 3)
        The columns of a, b and 1.
    """

    def __init__(self, shift_x: Vector, shift_y: Vector) -> None:
        p, q = len(shift_x), len(shift_y)
        self.p, self.q = p, q
        self.shift = np.concatenate([shift_x, shift_y]).astype(np.float64)
        self.xx: Matrix = np.zeros((p, p))
        self.xy: Matrix = np.zeros((p, q))
        self.yy: Matrix = np.zeros((q, q))
        self.edge: Matrix = np.zeros((p + q + EXTRA, EXTRA))

    @property
    def n(self) -> int:
        """Number of rows seen."""
        return round(float(self.edge[-1, -1]))

    def update(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        """Add paired rows, shapes (m, p) and (m, q), any floating dtype, summed in float64."""
        z = np.empty((len(x), self.p + self.q + EXTRA))
        np.subtract(x, self.shift[: self.p], out=z[:, : self.p])
        np.subtract(y, self.shift[self.p :], out=z[:, self.p : self.p + self.q])
        complete(z, self.p, self.q)
        self.add(z.T @ z)

    def add(self, gram: NDArray[Any]) -> None:
        """Add the Gram matrix of a block of augmented rows with the same shifts."""
        x, y = slice(0, self.p), slice(self.p, self.p + self.q)
        self.xx += gram[x, x]
        self.xy += gram[x, y]
        self.yy += gram[y, y]
        self.edge += gram[:, -EXTRA:]

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both sets of rows, about this one's shifts."""
        return total([self, other])

    def without(self, other: Moments) -> Moments:
        """Return the moments of the rows that are not `other`'s; those must be among these rows."""
        rest = total([self])
        rest._combine(other, np.subtract)
        return rest

    def absorb(self, other: Moments) -> None:
        """Add the moments of other rows, about whatever shifts."""
        self._combine(other, np.add)

    def _combine(self, other: Moments, operation: np.ufunc) -> None:
        other = other.rebased(self.shift)
        for mine, its in zip(self._blocks(), other._blocks(), strict=True):
            operation(mine, its, out=mine)

    def _blocks(self) -> tuple[Matrix, Matrix, Matrix, Matrix]:
        return self.xx, self.xy, self.yy, self.edge

    def rebased(self, shift: Vector) -> Moments:
        """Return the same moments about another shift, ``G' = T G T^T``.

        ``x' = x + d`` makes ``a' = a + 2 d.x + |d|^2``: linear in the augmented row.
        """
        if np.array_equal(shift, self.shift):
            return self
        p, q = self.p, self.q
        moved = Moments(shift[:p], shift[p:])
        offset = self.shift - shift
        transform = np.eye(p + q + EXTRA)
        transform[: p + q, -1] = offset
        for row, part in ((p + q, slice(0, p)), (p + q + 1, slice(p, p + q))):
            transform[row, part] = 2.0 * offset[part]
            transform[row, -1] = offset[part] @ offset[part]
        moved.add(transform @ self.gram @ transform.T)
        return moved

    @property
    def gram(self) -> Matrix:
        """Return the whole matrix, shape (p + q + 3, p + q + 3)."""
        inner = np.block([[self.xx, self.xy], [self.xy.T, self.yy]])
        return np.concatenate([np.concatenate([inner, self.edge[:-EXTRA].T]), self.edge], axis=1)

    def scatter(self) -> Scatter:
        """Return means and centred sums of products."""
        p, n = self.p, self.edge[-1, -1]
        sums = self.edge[:-EXTRA, -1]
        mean = sums / n + self.shift
        x, y = slice(0, p), slice(p, None)
        xx = self.xx - np.outer(sums[x], sums[x] / n)
        xy = self.xy - np.outer(sums[x], sums[y] / n)
        yy = self.yy - np.outer(sums[y], sums[y] / n)
        # Rows that differ by rounding alone have no variance to measure.
        for part, square in ((x, xx), (y, yy)):
            if np.trace(square) <= NO_VARIANCE * n * (mean[part] @ mean[part]):
                square[:] = xy[:] = 0.0
        return Scatter(self.n, mean[x], mean[y], xx, xy, yy)

    def norm_products(self) -> tuple[float, float, float]:
        """Return ``sum_i ||x~_i||^4``, ``sum_i ||x~_i||^2 ||y~_i||^2``, ``sum_i ||y~_i||^4``.

        The rows are centred; the middle one is k of the debiased HSIC, the outer ones are k of
        HSIC(X, X) and HSIC(Y, Y).
        """
        x, y = (slice(0, self.p), 0), (slice(self.p, self.p + self.q), 1)
        return (
            self._norm_product(x, x, self.xx),
            self._norm_product(x, y, self.xy),
            self._norm_product(y, y, self.yy),
        )

    def _norm_product(
        self, first: tuple[slice, int], second: tuple[slice, int], products: Matrix
    ) -> float:
        """Expand ``sum (a - 2 m.x + |m|^2)(b - 2 v.y + |v|^2)`` over the Gram entries."""
        (xs, a), (ys, b) = first, second
        edge, n = self.edge, self.edge[-1, -1]
        squares = self.p + self.q
        m, v = edge[xs, -1] / n, edge[ys, -1] / n
        mm, vv = m @ m, v @ v
        return float(
            edge[squares + a, b]
            - 2.0 * (v @ edge[ys, a])
            - 2.0 * (m @ edge[xs, b])
            + 4.0 * (m @ products @ v)
            + vv * edge[squares + a, -1]
            + mm * edge[squares + b, -1]
            - 3.0 * n * mm * vv
        )


def complete(z: NDArray[Any], p: int, q: int) -> None:
    """Fill the columns a, b and 1 of augmented rows whose x and y parts are in place."""
    x, y = z[:, :p], z[:, p : p + q]
    np.einsum("ij,ij->i", x, x, out=z[:, p + q])
    np.einsum("ij,ij->i", y, y, out=z[:, p + q + 1])
    z[:, -1] = 1.0


def total(parts: Sequence[Moments]) -> Moments:
    """Return the moments of all parts together, about the first one's shifts."""
    first = parts[0]
    merged = Moments(first.shift[: first.p], first.shift[first.p :])
    for part in parts:
        merged.absorb(part)
    return merged
