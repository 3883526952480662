"""What `align --method joint` and `verify` of its maps found, as frozen models: JSON schemas."""

from __future__ import annotations

from typing import Literal

from embaudit.alignment import MappedSource
from embaudit.datatypes import Heads, Metric
from embaudit.result import SCHEMA_VERSION, Document, Estimate, Value

FIRST = (1, 5, 10)
"""Among how many found rows the partner is looked for."""


class PartnerRecall(Value):
    """Share of rows whose partner is among the first 1, 5 and 10 rows that their vector finds."""

    at_1: Estimate
    at_5: Estimate
    at_10: Estimate


class BothWays(Value):
    """A's vectors searching B's rows, and B's searching A's."""

    a_to_b: PartnerRecall
    b_to_a: PartnerRecall


class SharedSight(Value):
    """How two sets of unit rows lie to each other.

    ``retrieval`` is by cosine. ``modality_gap`` is the distance between the means of both sides
    (Liang et al. 2022); ``alignment`` is the mean squared distance of partners, ``uniformity`` the
    logarithm of the mean of ``exp(-2 |u - v|^2)`` over pairs of rows of a side (Wang and Isola
    2020), less is better. What needs equal dimensions is null without.
    """

    retrieval: BothWays | None = None
    modality_gap: float | None = None
    alignment: float | None = None
    uniformity_a: float
    uniformity_b: float


class HeadFigures(Value):
    """What a kind of heads recovers on rows they have not seen.

    ``penalty`` is relative to the mean variances, ``power`` that of the correlation by which a
    direction is weighed; both were chosen on rows that are not measured. ``epochs`` and
    ``temperature`` are of trained heads; ``trained_on`` counts their pairs.
    """

    heads: Heads
    retrieval: BothWays
    penalty: float
    power: float
    epochs: int | None = None
    temperature: float | None = None
    hidden: int | None = None
    trained_on: int | None = None


class SharedIndexPoint(Value):
    """Retrieval in indexes of fewer rows."""

    rows: int
    retrieval: BothWays


class JointAlignment(Document):
    """The whole result of fitting two heads into one shared space.

    ``helps`` says whether the space is worth having: in both directions the partner is among the
    first ten for at least ``min_aligned_recall`` of the rows, and for more than with vectors as
    stored. ``kept_a`` and ``kept_b`` are the shares of rows' nearest in their own set that they
    have in the shared space too. ``smaller_indexes`` is what `verify` holds fewer pairs against.
    """

    schema_version: str = SCHEMA_VERSION
    embaudit_version: str
    method: Literal["joint"]
    heads: Heads
    dim: int
    metric: Metric
    k: int
    seed: int
    helps: bool
    min_aligned_recall: float
    a: MappedSource
    b: MappedSource
    pairs: int
    queries: int
    figures: list[HeadFigures]
    before: SharedSight
    after: SharedSight
    kept_a: Estimate | None
    kept_b: Estimate | None
    smaller_indexes: list[SharedIndexPoint]
    timing: dict[str, float]


class JointVerification(Document):
    """What two saved heads recover on other pairs.

    ``fault`` says why they no longer do, null where they do. ``recorded`` is what was measured on
    unseen rows when they were fitted, in indexes of as many rows; ``same_inputs`` says that these
    are the very files they were fitted on.
    """

    schema_version: str = SCHEMA_VERSION
    embaudit_version: str
    maps: list[str]
    method: Literal["joint"]
    dim: int
    metric: Metric
    seed: int
    passed: bool
    fault: str | None
    min_aligned_recall: float
    a: MappedSource
    b: MappedSource
    pairs: int
    fitted_on: int
    queries: int
    now: SharedSight
    recorded: dict[str, Estimate]
    same_inputs: bool
    timing: dict[str, float]
