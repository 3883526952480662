"""Cross-fitting: for every fold, maps fitted on the rows of all other folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import DIRECTIONS, Matrix, Rows
from embaudit.maps.affine import AffineMap
from embaudit.maps.fold_fit import FoldFit
from embaudit.maps.row_space import RowSpace
from embaudit.stats.parallel import ordered_map


@dataclass(frozen=True)
class CrossFit:
    """The maps of all folds, and which of them may map which row.

    Attributes
    ----------
    spaces : (RowSpace, RowSpace)
        Of x and y: the maps are between their coordinates.
    maps : dict of (direction, kind) to list of AffineMap
        By direction (a_to_b, b_to_a) and kind (orthogonal, linear), one map for each fold.
    fold_of : callable
        Fold of each row position.
    axes : (array or None, array or None)
        Of each side, those with most variance first, as the first fold's map sees them; None with
        fewer rows than dimensions.
    """

    spaces: tuple[RowSpace, RowSpace]
    maps: dict[tuple[str, str], list[AffineMap]]
    fold_of: Callable[[Rows], NDArray[np.int8]]
    axes: tuple[Matrix | None, Matrix | None]

    def transform(self, direction: str, kind: str, rows: Rows, vectors: Matrix) -> Matrix:
        """Map each vector with the map that has not seen its row's fold.

        Parameters
        ----------
        direction, kind : str
        rows : int64 array, shape (m,)
            Positions in the file; negative for vectors that no map has seen, which the first
            fold's map takes.
        vectors : float64 array, shape (m, p)
            Prepared rows of the source side.
        """
        enter, leave = self.spaces
        if direction == "b_to_a":
            enter, leave = leave, enter
        folds = np.where(rows < 0, np.int8(0), self.fold_of(np.maximum(rows, 0)))
        return leave.leave(apply_by_fold(self.maps[direction, kind], folds, enter.enter(vectors)))


def cross_fit(
    fits: list[FoldFit],
    penalties: dict[str, float],
    fold_of: Callable[[Rows], NDArray[np.int8]],
    workers: int = 1,
) -> CrossFit:
    """Return the maps of all folds, the linear ones with the penalty of their direction.

    `fits` is emptied: what is left of a fold are its maps.
    """
    spaces, eigen = fits[0].spaces, fits[0].eigen
    x, y = (
        vectors[:, ::-1] if space.basis is None else None
        for space, (_, vectors) in zip(spaces, eigen, strict=True)
    )
    maps: dict[tuple[str, str], list[AffineMap]] = {
        (direction, kind): [] for direction in DIRECTIONS for kind in ("orthogonal", "linear")
    }

    def linear(fit: FoldFit) -> tuple[FoldFit, list[AffineMap]]:
        return fit, [
            fit.ridge(side).fit(penalties[direction]) for side, direction in enumerate(DIRECTIONS)
        ]

    taken = (fits.pop(0) for _ in range(len(fits)))
    for fit, fitted in ordered_map(linear, taken, workers):
        for side, direction in enumerate(DIRECTIONS):
            maps[direction, "orthogonal"].append(fit.orthogonal[side])
            maps[direction, "linear"].append(fitted[side])
    return CrossFit(spaces, maps, fold_of, (x, y))


def apply_by_fold(maps: list[AffineMap], folds: NDArray[np.int8], vectors: Matrix) -> Matrix:
    """Map each vector, shape (m, p), with the map of its fold; returns shape (m, q)."""
    mapped = np.empty((len(vectors), maps[0].matrix.shape[1]))
    for fold in np.unique(folds):
        chosen = folds == fold
        mapped[chosen] = maps[fold].transform(vectors[chosen])
    return mapped
