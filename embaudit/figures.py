"""What the pictures of a report show, as part of its JSON."""

from __future__ import annotations

from collections.abc import Sized
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

CONFIG = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
"""Of every value in a result: it is frozen and holds neither NaN nor infinity."""

FEWEST_LAID_OUT = 8
"""Rows that are worth a picture."""
View = Literal["raw", "orthogonal", "linear"]
"""Whether vectors are as stored, else through which map."""
Point = tuple[float, float]
Counts = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
"""Of equal bins."""


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
    partners_mean: float
    random_mean: float
    partners: Counts
    random: Counts

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuse bins without a width."""
        if not self.low < self.high:
            raise ValueError("low is not below high")
        return self


class PartnerRanks(Figure):
    """Partner ranks of `n` rows; counts are of equal bins from 0 to 1."""

    direction: Literal["a_to_b", "b_to_a"]
    map: View
    n: int
    counts: Counts


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

    Each side has a scale of its own, its farthest coordinate is 1; B's is turned, and mirrored
    where that helps, to lie over A's as well as it can. ``explained`` is the share of A's and of
    B's variance that the plane holds, where it holds one.
    """

    a: list[Point]
    b: list[Point]
    explained: tuple[float, float] | None = None


class Layouts(Figure):
    """Rows drawn at random, their neighbours among each other, and two ways to draw them.

    ``rows_a`` and ``rows_b`` are positions in the files, from 0. ``neighbors_a`` and
    ``neighbors_b`` hold, for each of the `n` rows, the places of its `k` nearest among them, from
    0, the nearest first.
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuse lists of other lengths, and places where no row is."""
        lists: list[Sized | None] = [self.rows_a, self.rows_b, self.ids, self.pca.a, self.pca.b]
        lists += [] if self.tsne is None else [self.tsne.a, self.tsne.b]
        if any(one is not None and len(one) != self.n for one in lists):
            raise ValueError(f"expected {self.n} rows everywhere")
        for near in (self.neighbors_a, self.neighbors_b):
            if len(near) != self.n or any(len(row) != self.k for row in near):
                raise ValueError(f"expected {self.k} neighbours of {self.n} rows")
            if any(not 0 <= place < self.n for row in near for place in row):
                raise ValueError("a neighbour that is no row")
        return self
