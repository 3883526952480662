"""Maps fitted on few pairs, then on more: how many were needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from embaudit.data.pair import even_spans
from embaudit.datatypes import Matrix, Rows
from embaudit.maps.affine import AffineMap
from embaudit.maps.lengths import Lengthened
from embaudit.maps.linear import PENALTIES
from embaudit.maps.methods import Recipe, fit_affine
from embaudit.remedy.mapped_search import OneWay
from embaudit.stages.lengths import most_pairs
from embaudit.stages.linear import TUNING_ROWS
from embaudit.stats.moments import Moments, Scatter
from embaudit.stats.ranks import Partners

SMALLEST_FIT, LARGEST_FIT = 64, 65_536
"""Pairs of the first point and of the last."""
POINTS = 4
HELD_BACK = 4
"""One pair of so many chooses the penalty."""
ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class FewPairs:
    """Fits maps of one kind on growing numbers of pairs.

    Attributes
    ----------
    way : OneWay
    recipe : Recipe
        Its penalty is chosen anew for each number of pairs.
    asked : int
        Rows at the beginning of the sampling order that are queries, and fit nothing.
    lengths : bool
        Unit rows of the target are given lengths.
    """

    way: OneWay
    recipe: Recipe
    asked: int
    lengths: bool = False

    def maps(self) -> dict[int, AffineMap]:
        """Return the maps by number of pairs, ascending; each number is twice the one before."""
        order = self.way.population.order
        largest = most_pairs(self.way.population) if self.lengths else LARGEST_FIT
        most = min(largest, len(order) - self.asked)
        pairs = order[len(order) - most :]
        sizes = [most >> halvings for halvings in range(POINTS - 1, -1, -1)]
        return {size: self._fit(pairs[:size]) for size in sizes if size >= SMALLEST_FIT}

    def _fit(self, pairs: Rows) -> AffineMap:
        if self.recipe.penalty is None:
            return fit_affine(self._scatter(pairs), self.recipe)
        held_back = pairs[::HELD_BACK]
        penalty = self._penalty(np.setdiff1d(pairs, held_back), held_back[:TUNING_ROWS])
        if self.lengths and len(pairs) > max(self.way.population.dims):
            x, y = (side.astype(np.float32) for side in self.way.vectors(np.sort(pairs)))
            return Lengthened.of(x, y).path(penalty).fit(penalty)
        return fit_affine(self._scatter(pairs), replace(self.recipe, penalty=penalty))

    def _penalty(self, pairs: Rows, held_back: Rows) -> float:
        """Return the penalty whose map, fitted on some pairs, ranks the partners of others best."""
        options = self.way.population.options
        scatter = self._scatter(pairs)
        x, y = self.way.vectors(held_back)
        partners = Partners(y, options.metric)

        def rank(penalty: float) -> float:
            image = fit_affine(scatter, replace(self.recipe, penalty=penalty)).transform(x)
            return float(partners.ranks(image, np.random.default_rng([options.seed, 3])).mean())

        return min(PENALTIES, key=rank)

    def _scatter(self, rows: Rows) -> Scatter:
        """Return the centred sums over some pairs, the source's first."""
        x, y = self.way.turned((self.way.population.scan.a, self.way.population.scan.b))
        moments = Moments(x.preparation.shift, y.preparation.shift)
        for start, stop in even_spans(len(rows), ROWS_AT_ONCE):
            moments.update(*self.way.vectors(np.sort(rows[start:stop])))
        return moments.scatter()


def asked_as(way: OneWay, maps: dict[int, AffineMap]) -> Callable[[str, str, Rows, Matrix], Matrix]:
    """Return what maps a search's queries, by kind: the number of pairs as text."""

    def map_rows(_: str, kind: str, rows: Rows, __: Matrix) -> Matrix:
        return maps[int(kind)].transform(way.vectors(rows)[0])

    return map_rows
