"""How a map of each kind is fitted: penalty and rank, chosen on held-out rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from embaudit.datatypes import DIRECTIONS, Direction, Method
from embaudit.maps.affine import AffineMap
from embaudit.maps.linear import PENALTIES
from embaudit.maps.low_rank import ReducedRank, choose_rank
from embaudit.maps.methods import Recipe
from embaudit.stages.linear import JudgedFolds


@dataclass(frozen=True)
class Recipes:
    """What was chosen for a direction.

    Attributes
    ----------
    recipes : dict of Method to Recipe
    penalties : dict of direction to float
    low_rank : list of AffineMap
        Fitted without each fold; empty where none was asked for.
    """

    recipes: dict[Method, Recipe]
    penalties: dict[str, float]
    low_rank: list[AffineMap]


def recipes_of(folds: JudgedFolds, direction: Direction, methods: Iterable[Method]) -> Recipes:
    """Choose the penalty by retrieval, and the rank by squared error, on rows no map has seen."""
    penalties = {name: PENALTIES[index] for name, index in folds.penalties().items()}
    penalty = penalties[direction]
    recipes: dict[Method, Recipe] = {}
    low_rank: list[AffineMap] = []
    for method in methods:
        if method == "orthogonal":
            recipes[method] = Recipe(method)
        elif method == "linear":
            recipes[method] = Recipe(method, penalty)
        else:
            rank, low_rank = _low_rank(folds, DIRECTIONS.index(direction), penalty)
            recipes[method] = Recipe(method, penalty, rank)
    return Recipes(recipes, penalties, low_rank)


def _low_rank(folds: JudgedFolds, side: int, penalty: float) -> tuple[int, list[AffineMap]]:
    """Return the rank, and the maps of that rank fitted without each fold."""
    tuning = folds.tuning
    reduced = [ReducedRank.of(fit.ridge(side), penalty) for fit in folds.fits]
    gains = []
    for fold, (fit, maps) in enumerate(zip(folds.fits, reduced, strict=True)):
        own = tuning.folds == fold
        source, target = fit.spaces[side], fit.spaces[1 - side]
        gains.append(
            maps.gains(
                source.enter(tuning.rows[side][own]), target.enter(tuning.rows[1 - side][own])
            )
        )
    rank = choose_rank(gains)
    return rank, [maps.fit(rank) for maps in reduced]
