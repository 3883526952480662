"""Fitting a map of any kind to all rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from embaudit.datatypes import Method
from embaudit.maps.affine import AffineMap
from embaudit.maps.fold_fit import row_spaces
from embaudit.maps.linear import RidgePath
from embaudit.maps.low_rank import ReducedRank
from embaudit.maps.orthogonal import fit_orthogonal
from embaudit.maps.row_space import RowSpace, within
from embaudit.stats.linalg import symmetric_eigen
from embaudit.stats.moments import Scatter


@dataclass(frozen=True)
class Recipe:
    """How a map is fitted.

    Attributes
    ----------
    method : Method
    penalty : float or None
        Of a linear or low-rank map, relative to the mean variance of the source.
    rank : int or None
        Of a low-rank map.
    """

    method: Method
    penalty: float | None = None
    rank: int | None = None


def fit_affine(scatter: Scatter, recipe: Recipe) -> AffineMap:
    """Return the map x -> y of centred sums.

    It is fitted in the spaces that the rows span, as the audit's maps are.
    """
    space_x, space_y = row_spaces(scatter)
    inside = within(scatter, space_x, space_y)
    if recipe.penalty is None:
        fitted, _ = fit_orthogonal(inside)
    else:
        # The decomposition may overwrite what it is given.
        path = RidgePath.of(inside, *symmetric_eigen(inside.xx.copy()), space_x.dim)
        if recipe.rank is None:
            fitted = path.fit(recipe.penalty)
        else:
            fitted = ReducedRank.of(path, recipe.penalty).fit(recipe.rank)
    return in_axes(fitted, space_x, space_y)


def in_axes(affine: AffineMap, space_x: RowSpace, space_y: RowSpace) -> AffineMap:
    """Return a map between coordinates of two spaces as one between rows themselves."""
    return replace(
        affine,
        matrix=space_x.spread(space_y.spread(affine.matrix).T).T,
        mean_x=space_x.leave(affine.mean_x[None])[0],
        mean_y=space_y.leave(affine.mean_y[None])[0],
    )
