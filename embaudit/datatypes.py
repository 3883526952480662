"""Types and enumerations shared by the whole package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]
"""Two-dimensional, rows are items."""

Vector: TypeAlias = NDArray[np.float64]
Stored: TypeAlias = NDArray[Any]
"""Rows in the dtype they are stored in (float16/32/64, int8, uint8), native byte order."""

Rows: TypeAlias = NDArray[np.int64]
"""Row positions, 0-based."""

Mask: TypeAlias = NDArray[np.bool_]
Span: TypeAlias = tuple[int, int]
"""Half-open range of rows ``[start, stop)``."""

Direction: TypeAlias = Literal["a_to_b", "b_to_a"]
DIRECTIONS: tuple[Direction, Direction] = ("a_to_b", "b_to_a")

Method: TypeAlias = Literal["orthogonal", "low-rank", "linear"]
METHODS: tuple[Method, ...] = ("orthogonal", "low-rank", "linear")
"""The kinds of map, the simplest first: fewest degrees of freedom."""

JOINT: Literal["joint"] = "joint"
MapMethod: TypeAlias = Method | Literal["joint"]
MapDirection: TypeAlias = Direction | Literal["a_to_joint", "b_to_joint"]
JOINT_DIRECTIONS: tuple[MapDirection, MapDirection] = ("a_to_joint", "b_to_joint")
"""Of the two heads that take both models into one shared space."""

Heads: TypeAlias = Literal["cca", "linear", "hidden"]
HEADS: tuple[Heads, ...] = ("cca", "linear", "hidden")
"""How heads into a shared space come about: in closed form, or trained."""

TIES = 1e-12
"""Float64 scores this close, relative to their size, are ties: they differ by rounding."""


class Metric(StrEnum):
    """How two vectors of one space are compared; neighbours have the largest score."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"


class Verdict(StrEnum):
    """What may be done with the two sets."""

    SAFE = "safe"
    DEGRADED = "degraded"
    ALIGN = "align"
    CONCATENATE = "concatenate"
    MISPAIRED = "mispaired"
    UNRELATED = "unrelated"
    INCONCLUSIVE = "inconclusive"


class Progress(Protocol):
    """Receives what the audit is doing; the library itself never prints."""

    def stage(self, name: str, total: int) -> None:
        """Begin stage `name` of `total` steps."""

    def advance(self, steps: int = 1) -> None:
        """Count `steps` of the current stage as done."""


@dataclass(frozen=True)
class Forecast:
    """What an audit is about to do: so many rows of so many dimensions, in so many seconds."""

    rows: int
    dims: tuple[int, int]
    seconds: float


@runtime_checkable
class WholeProgress(Progress, Protocol):
    """A listener that also wants to know how far the whole audit is, and how long it will last.

    Only where one listens is the machine measured, for some milliseconds, to tell.
    """

    def begin(self, forecast: Forecast) -> None:
        """Take the forecast, once, when the rows are known and before they are read."""

    def reach(self, done: float, seconds_left: float) -> None:
        """Take the share of the work that is done, never less than before, 1 at the end."""


class SilentProgress:
    """The default listener: ignores everything."""

    def stage(self, name: str, total: int) -> None:
        """Ignore a new stage."""

    def advance(self, steps: int = 1) -> None:
        """Ignore progress."""


ScoreFunction: TypeAlias = Callable[[Rows, Rows], Vector]
"""Exact float64 scores of (query position, corpus row) pairs."""
