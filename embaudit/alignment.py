"""What `align` and `verify` found, as frozen models that are their JSON schemas."""

from __future__ import annotations

from typing import Literal

from embaudit.datatypes import Direction, Method, Metric
from embaudit.result import SCHEMA_VERSION, Document, Estimate, Value


class MappedSource(Value):
    """A side: what it holds, and the SHA-256 of what it was read from."""

    uri: str
    rows: int
    dim: int
    sha256: str | None = None


class MethodFigures(Value):
    """What a kind of map recovers on rows it has not seen.

    ``residual`` is ``sum |y - f(x)|^2 / sum |y - mean|^2``; ``penalty`` is relative to the mean
    variance of the source; ``rank`` is a low-rank map's. ``lengths`` says that unit rows of the
    target were given lengths, which a linear map leads to better.
    """

    method: Method
    recall: Estimate
    residual: float | None
    penalty: float | None = None
    rank: int | None = None
    lengths: bool = False
    chosen: bool = False


class Sight(Value):
    """How the two sets look to each other: vectors as stored, or the source's mapped.

    ``recall`` is of source vectors that search the target's index. ``mixed_index`` is of the
    target's vectors that search an index half of which are the source's, of neighbours stored as
    those. ``partner_found`` is the share of rows whose vector finds the same row of the other side
    first. Null where dimensions differ.
    """

    recall: Estimate | None = None
    mixed_index: Estimate | None = None
    partner_found: Estimate | None = None
    cosine: float | None = None


class CurvePoint(Value):
    """Recall of the chosen kind of map when it is fitted on fewer pairs."""

    pairs: int
    recall: Estimate


class IndexPoint(Value):
    """Recall of the mapped vectors in an index of fewer rows."""

    rows: int
    recall: Estimate


class Alignment(Document):
    """The whole result of fitting a map.

    ``helps`` says whether the map is worth having: it recovers at least ``min_aligned_recall`` and
    more than vectors as stored do. ``smaller_indexes`` is what `verify` holds fewer pairs against.
    ``fitted_on`` counts the pairs of the map that is written. ``timing`` has seconds by stage, and
    under ``query`` those that mapping one query takes.
    """

    schema_version: str = SCHEMA_VERSION
    embaudit_version: str
    direction: Direction
    method: Method
    metric: Metric
    k: int
    seed: int
    helps: bool
    min_aligned_recall: float
    grade: Literal["excellent", "good", "fair"] | None
    a: MappedSource
    b: MappedSource
    pairs: int
    fitted_on: int
    queries: int
    methods: list[MethodFigures]
    before: Sight
    after: Sight
    random_cosine: float | None
    curve: list[CurvePoint]
    smaller_indexes: list[IndexPoint]
    timing: dict[str, float]


class Verification(Document):
    """What a saved map recovers on other pairs.

    ``fault`` says why the map no longer does, null where it does. ``recorded`` is the recall that
    was measured on unseen rows when it was fitted, in an index of as many rows; ``same_inputs``
    says that these are the very files it was fitted on, so that nothing new is learnt.
    """

    schema_version: str = SCHEMA_VERSION
    embaudit_version: str
    map: str
    direction: Direction
    method: Method
    metric: Metric
    k: int
    seed: int
    passed: bool
    fault: str | None
    min_aligned_recall: float
    a: MappedSource
    b: MappedSource
    pairs: int
    fitted_on: int
    queries: int
    now: Sight
    recorded: Estimate | None
    same_inputs: bool
    timing: dict[str, float]
