"""What the pictures of a report show, as part of its JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

CONFIG = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
"""Of every value in a result: it is frozen and holds neither NaN nor infinity."""

View = Literal["raw", "orthogonal", "linear"]
"""Whether vectors are as stored, else through which map."""
Point = tuple[float, float]


class Figure(BaseModel):
    """A part of what a picture shows."""

    model_config = CONFIG


class ScorePoint(Figure):
    """One share of all pairs of rows, and the score that as many reach in each space.

    ``a`` is for A's vectors, ``b`` for B's, ``cross`` for A's against B's (null where the
    dimensions differ).
    """

    share: float
    a: float
    b: float
    cross: float | None = None


class Cosines(Figure):
    """Cosines of `n` rows with their partners and with random other rows.

    Counts are of equal bins from ``low`` to ``high``.
    """

    direction: Literal["a_to_b", "b_to_a"]
    map: View
    n: int
    low: float
    high: float
    partners: list[int]
    random: list[int]


class PartnerRanks(Figure):
    """Partner ranks of `n` rows; counts are of equal bins from 0 to 1."""

    direction: Literal["a_to_b", "b_to_a"]
    map: View
    n: int
    counts: list[int]


class Distributions(Figure):
    """What the means and shares of the measures hide.

    ``canonical_correlations`` are held out, in the order of the fitted ones: at most 256 of
    ``canonical_directions``, evenly spaced, the first and the last among them.
    """

    canonical_correlations: list[float]
    canonical_directions: int
    cosines: list[Cosines]
    partner_ranks: list[PartnerRanks]


class Layout(Figure):
    """Some rows on a plane, twice: as they lie in A and as they lie in B.

    The farthest coordinate of a side is 1; B's is turned and mirrored to lie over A's as well as it
    can, which changes no distance. ``explained`` is the share of variance of both axes, A's and
    B's, where axes have one.
    """

    a: list[Point]
    b: list[Point]
    explained: tuple[Point, Point] | None = None


class Layouts(Figure):
    """Rows drawn at random, their neighbours among each other, and two ways to draw them.

    ``neighbors_a`` and ``neighbors_b`` are places in this list, the nearest first.
    """

    n: int
    k: int
    rows_a: list[int]
    rows_b: list[int]
    ids: list[int] | list[str] | None = None
    neighbors_a: list[list[int]]
    neighbors_b: list[list[int]]
    pca: Layout
    tsne: Layout | None = None
