"""The Audit value: everything one comparison found, as frozen models that are the JSON schema."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from embaudit.datatypes import Metric, Verdict
from embaudit.errors import UsageError, did_you_mean
from embaudit.figures import CONFIG, Distributions, Layouts, ScorePoint

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.stats.intervals import Interval

SCHEMA_VERSION = "1"
SIGNIFICANT_DIGITS = 6

RANK = {
    Verdict.SAFE: 0,
    Verdict.DEGRADED: 1,
    Verdict.ALIGN: 2,
    Verdict.CONCATENATE: 3,
    Verdict.MISPAIRED: 4,
    Verdict.UNRELATED: 4,
    Verdict.INCONCLUSIVE: 4,
}
"""Order for gating, best first."""

Requirement = Literal["safe", "degraded", "align", "concatenate"]
CI = tuple[float, float]


class Value(BaseModel):
    """A frozen value without NaN or infinity."""

    model_config = CONFIG


class Document(Value):
    """A whole result, that can be written as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, numbers rounded to 6 significant digits."""
        found = _rounded(self.model_dump(mode="json"))
        assert isinstance(found, dict)
        return found

    def to_json(self, indent: int | None = 2) -> str:
        """Return the JSON document; NaN cannot occur in it."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)


ALLOWED: dict[str, tuple[Callable[[float], bool], str]] = {
    "min_recall": (lambda share: 0 < share <= 1, "above 0 and at most 1"),
    "min_aligned_recall": (lambda share: 0 < share <= 1, "above 0 and at most 1"),
    "max_mispaired": (lambda share: 0 <= share < 1, "of at least 0 and below 1"),
    "min_matched": (lambda share: 0 <= share <= 1, "from 0 to 1"),
    "confidence": (lambda share: 0.5 <= share < 1, "of at least 0.5 and below 1"),
    "max_queries": (lambda count: count >= 1 and count % 1 == 0, "that is whole and at least 1"),
}
"""What each number of a policy may be, and how to say so."""


class Policy(Value):
    """What the user asks for; see DESIGN of the verdict in docs/verdicts.md.

    Raises
    ------
    UsageError
        For a value out of its range; names the option, the value and the range.
    """

    require: Requirement = "safe"
    min_recall: float = 0.90
    min_aligned_recall: float = 0.70
    max_mispaired: float = 0.02
    min_matched: float = 0.90
    confidence: float = 0.95
    max_queries: int = 16_384

    @field_validator(*ALLOWED, mode="before")
    @classmethod
    def _refuse_out_of_range(cls, value: object, info: ValidationInfo) -> object:
        """Refuse with one line before pydantic would, with a report of several."""
        name = str(info.field_name)
        allowed, meaning = ALLOWED[name]
        if not isinstance(value, Real) or not allowed(float(value)):
            raise UsageError(f"--{name.replace('_', '-')} {value}: expected a number {meaning}")
        return value

    @field_validator("require", mode="before")
    @classmethod
    def _refuse_unknown_verdict(cls, value: object) -> object:
        known = get_args(Requirement)
        if value not in known:
            raise UsageError(
                f"--require {value}: expected one of {', '.join(known)}"
                f"{did_you_mean(str(value), known)}"
            )
        return value

    def checked(self) -> Policy:
        """Return this policy, checked again: ``model_copy`` changes values without looking."""
        return Policy.model_validate(self.model_dump())


class SetInfo(Value):
    """One side: what it holds, and the health of the rows that have a partner.

    ``rows`` counts all stored rows; the other counts are over the paired ones, of a sample over the
    drawn ones. ``value_levels`` is the number of distinct values where there are so few that they
    lie on a grid.
    """

    uri: str
    rows: int
    dim: int
    dtype: str
    normalized: bool
    zero_rows: int
    nonfinite_rows: int
    duplicate_rows: int
    constant_columns: int
    value_levels: int | None
    norm_min: float
    norm_mean: float
    norm_max: float


class Sample(Value):
    """That ``rows`` of ``of`` matched rows were drawn, and no others entered anything."""

    rows: int
    of: int


class Estimate(Value):
    """A value with its interval; both null where it could not be measured."""

    value: float | None = None
    ci: CI | None = None

    @classmethod
    def of(cls, interval: Interval) -> Estimate:
        """Return a value that was measured."""
        return cls(value=interval.value, ci=(interval.low, interval.high))


class Pairing(Value):
    """How rows were matched, how many entered and how many of them remain."""

    by: Literal["row", "id"]
    rows: int
    distinct_rows: int
    only_in_a: int
    only_in_b: int
    dropped_rows: int
    mispaired_fraction: Estimate


class Measure(Value):
    """One number with what is needed to read it.

    ``value`` is null where the measure does not apply or is undefined; ``reason`` says why.
    """

    value: float | None
    reason: str | None = None
    ci: CI | None = None
    chance: float | None = None
    p_value: float | None = None
    n: int | None = None
    k: int | None = None
    queries: int | None = None
    title: str
    better: Literal["higher", "lower"]


class ScoreSummary(Value):
    """Where scores lie, in the metric's own unit."""

    mean: float
    q05: float
    q95: float


class MetricRow(Value):
    """One metric's view of the pair, on a seeded sample of ``n`` rows.

    See `embaudit.measures.metric_table.MetricComparison`.
    """

    metric: str
    overlap: float
    recall_a_to_b: float | None
    recall_b_to_a: float | None
    rsa: float | None
    agreement_a: float
    agreement_b: float
    partners: ScoreSummary | None
    random: ScoreSummary | None
    n: int
    k: int


class QueryFiles(Value):
    """Real queries, encoded by both models: how many there are."""

    a: str
    b: str
    rows: int


class RerunMeasure(Value):
    """How far A and B are apart by one measure, and how far two runs of A are.

    ``multiple`` is null where one of them has no value or the runs do not differ; ``reason`` says
    which.
    """

    difference: float | None = None
    floor: float | None = None
    multiple: float | None = None
    ci: CI | None = None
    reason: str | None = None


class Rerun(Value):
    """The noise floor; see `embaudit.answers.rerun.noise_floor`."""

    uri: str
    verdict: Verdict
    measures: dict[str, RerunMeasure]


class CarriedThreshold(Value):
    """A threshold on B: what it returns, held against the pairs that A's threshold returns.

    Precision and recall are null where no pair passes.
    """

    threshold: float
    precision: float | None
    precision_ci: CI | None
    recall: float | None
    recall_ci: CI | None


class ThresholdRow(Value):
    """One threshold on A's scores, and the same share of pairs on B's.

    ``own`` is for B against B, ``cross`` for A's vectors against B's (null where the dimensions
    differ), ``unchanged`` for B against B at A's number. All are null where ``reason`` says why.
    ``n`` rows were looked at; ``pairs`` is how many pairs that pass on A judge the answer.
    """

    threshold: float
    asked: bool
    share: float
    n: int
    pairs: int
    own: CarriedThreshold | None = None
    cross: CarriedThreshold | None = None
    unchanged: CarriedThreshold | None = None
    reason: str | None = None


class Thresholds(Value):
    """Where thresholds on A's scores land on B's; see `embaudit.answers.thresholds`.

    ``curve`` has scores that the same share of all pairs reach, the rarest last.
    """

    n: int
    metric: Metric
    rows: list[ThresholdRow]
    curve: list[ScorePoint] = []


class Projection(Value):
    """Recalls continued to a larger index; see `embaudit.answers.index_size`.

    ``sizes`` ascend to ``n``; ``observed`` has each measure's recall at every one of them.
    """

    index_size: int
    n: int
    k: int
    queries: int
    measures: dict[str, Estimate]
    sizes: list[int]
    observed: dict[str, list[float]]
    extrapolated: Literal[True] = True


class Recommendation(Value):
    """What to do next; the lines of ``commands`` run in a shell, in their order, as printed."""

    action: str
    map: Literal["orthogonal", "linear"] | None = None
    direction: Literal["a_to_b", "b_to_a", "both"] | None = None
    grade: Literal["excellent", "good", "fair"] | None = None
    expected_recall: float | None = None
    commands: list[str] = []


class Finding(Value):
    """Something the user should know; explains the verdict and never changes it silently."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    id: str
    severity: Literal["info", "warning", "error"]
    message: str


class SliceGroup(Value):
    """One group of rows, or all of them.

    ``recalls`` has the ids of `measures`: stored vectors where the dimensions are equal, and the
    better map. ``differs`` says in what the group falls short; where it was too small, ``reason``
    stands in place of the numbers.
    """

    name: str
    kind: Literal["all", "value", "range", "other", "null"]
    rows: int
    queries: int = 0
    recalls: dict[str, Estimate] = {}
    partner_cosine: Estimate = Estimate()
    partner_cosine_mapped: Estimate = Estimate()
    mispaired_fraction: Estimate = Estimate()
    differs: list[Literal["below_policy", "below_whole", "mispaired"]] = []
    reason: str | None = None


class Slices(Value):
    """The pair in groups by a column, worst first.

    Intervals of the groups hold together: 1 - confidence is divided by ``intervals``. ``judged``
    are the recalls that the verdict rests on.
    """

    column: str
    side: Literal["a", "b"]
    judged: list[str]
    intervals: int
    whole: SliceGroup
    groups: list[SliceGroup]


class WorstRow(Value):
    """One measured row; positions are those in the files. Null is what was not measured."""

    row_a: int
    row_b: int
    id: int | str | None = None
    partner_rank: float | None = None
    cosine_raw: float | None = None
    cosine_mapped: float | None = None
    neighbors_shared: float | None = None
    recall_a_to_b_raw: float | None = None
    recall_b_to_a_raw: float | None = None
    recall_a_to_b_mapped: float | None = None
    recall_b_to_a_mapped: float | None = None


class BaselineChange(Value):
    """A recall then and now; ``standing`` is by their whole intervals."""

    id: str
    accepted: Estimate
    now: Estimate
    standing: Literal["worse", "same", "better"]


class Baseline(Value):
    """What has changed since an audit that was accepted; see `embaudit.answers.baseline`.

    ``verdict_worse`` is "open" where some of the candidates are.
    """

    uri: str
    verdict: Verdict
    rows: int
    verdict_worse: Literal["no", "yes", "open"]
    changes: list[BaselineChange]

    @property
    def answer(self) -> Literal[0, 1, 3]:
        """Return 0 where nothing is worse, 1 where something is, 3 where the verdict may be."""
        if self.verdict_worse == "yes" or any(one.standing == "worse" for one in self.changes):
            return 1
        return 3 if self.verdict_worse == "open" else 0


class Audit(Document):
    """The whole result of one comparison."""

    schema_version: str = SCHEMA_VERSION
    embaudit_version: str
    verdict: Verdict
    candidates: list[Verdict]
    summary: str
    policy: Policy
    metric: Metric
    k: int
    seed: int
    a: SetInfo
    b: SetInfo
    pairing: Pairing
    sample: Sample | None = None
    queries: QueryFiles | None = None
    measures: dict[str, Measure]
    measures_at_k: dict[str, dict[str, Measure]] = {}
    metrics: list[MetricRow]
    thresholds: Thresholds | None = None
    projection: Projection | None = None
    rerun: Rerun | None = None
    slices: Slices | None = None
    baseline: Baseline | None = None
    distributions: Distributions | None = None
    layouts: Layouts | None = None
    worst: list[WorstRow] = []
    recommendation: Recommendation
    findings: list[SerializeAsAny[Finding]]
    timing: dict[str, float]

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuse a verdict that is none of its candidates, and slices without their recalls."""
        if self.verdict is not Verdict.INCONCLUSIVE and self.candidates != [self.verdict]:
            raise ValueError(f"verdict {self.verdict} with candidates {self.candidates}")
        groups = [] if self.slices is None else [self.slices.whole, *self.slices.groups]
        for group in groups:
            missing = set(self.slices.judged if self.slices else ()) - set(group.recalls)
            if group.reason is None and missing:
                raise ValueError(f"slice {group.name}: no {min(missing)}")
        return self

    def __repr__(self) -> str:
        """Show what a person at a prompt wants to know; the numbers are in `measures`."""
        shape = f"{self.pairing.distinct_rows:,} rows, {self.a.dim} and {self.b.dim} dimensions"
        return f"<Audit {self.verdict}: {self.summary} ({shape}, {self.metric}, k {self.k})>"

    __str__ = __repr__

    def __rich__(self) -> RenderableType:
        """Return the report, for ``rich.print``."""
        from embaudit.report import terminal

        return terminal.render(self, fold=True)

    def to_html(self) -> str:
        """Return the report as one HTML page that asks for nothing from anywhere.

        Raises
        ------
        UsageError
            Without the extra ``html``.
        """
        from embaudit.report import formats

        return formats.render(self, formats.HTML)

    def _repr_html_(self) -> str:
        """Return the report as HTML, for notebooks."""
        from embaudit.report import notebook

        return notebook.render(self)

    def exit_code(self, require: Requirement | None = None) -> Literal[0, 1, 3]:
        """Return the gate's answer.

        Parameters
        ----------
        require : str, optional
            The worst acceptable verdict; default is the baseline's answer where there is one, else
            the policy's.

        Returns
        -------
        int
            0 when every candidate verdict is at least `require`, 1 when none is, 3 when some are.
        """
        if require is None and self.baseline is not None:
            return self.baseline.answer
        limit = RANK[Verdict(require or self.policy.require)]
        passing = [RANK[candidate] <= limit for candidate in self.candidates]
        if passing and all(passing):
            return 0
        return 3 if any(passing) else 1


class NotCompared(Value):
    """A pair that could not be compared, and why."""

    error: str


class Checks(Document):
    """What came of the pairs that a file of settings names, by name."""

    schema_version: str = SCHEMA_VERSION
    embaudit_version: str
    pairs: dict[str, Audit | NotCompared]


def _rounded(value: object) -> object:
    """Round every float to `SIGNIFICANT_DIGITS`, recursively."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be written to JSON")
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
