"""What `embaudit concat` wrote and found, as frozen models that are its JSON schema."""

from __future__ import annotations

from typing import Literal

from embaudit.datatypes import Metric
from embaudit.result import SCHEMA_VERSION, Document, Estimate, Value


class ConcatenatedSet(Value):
    """One of the sets. ``kept`` is the share of its rows' nearest that the joined rows have too."""

    uri: str
    rows: int
    dim: int
    kept: Estimate | None


class Probe(Value):
    """How many labels of unseen rows their nearest neighbours tell.

    ``parts`` are the sets, ``best`` the place of the one that tells most, ``gain`` the accuracy of
    the joined rows above that one's, row by row.
    """

    labels: str
    rows: int
    classes: int
    joined: Estimate
    parts: list[Estimate]
    best: int
    gain: Estimate


class Concatenation(Document):
    """The whole result of joining vectors.

    ``weights`` are shares of the average inner product of a row with itself; ``variance_kept`` is
    the share of the sum of squares that is left where dimensions were reduced.
    """

    schema_version: str = SCHEMA_VERSION
    embaudit_version: str
    output: str
    rows: int
    dim: int
    dtype: str
    metric: Metric
    k: int
    seed: int
    by: Literal["row", "id"]
    weights: list[float]
    sets: list[ConcatenatedSet]
    variance_kept: float | None
    probe: Probe | None
