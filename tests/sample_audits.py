"""Audits as ``embaudit.audit.compare`` returns them, one for each verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embaudit.datatypes import Metric, Verdict
from embaudit.result import (
    Audit,
    Estimate,
    Finding,
    Measure,
    MetricRow,
    Pairing,
    Policy,
    Recommendation,
    ScoreSummary,
    SetInfo,
)

ROWS = 5873
CHANCE = 0.0017


@dataclass(frozen=True)
class Case:
    """What differs between verdicts; recalls are (raw, orthogonal, linear), A to B."""

    summary: str
    action: str
    recalls: tuple[float | None, float, float]
    overlap: float
    mixed: float | None
    partner: float | None
    cka: float
    mispaired: float = 0.0004
    candidates: tuple[Verdict, ...] = ()
    advice: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


CASES = {
    Verdict.SAFE: Case(
        "Both files are one space: a vector of A finds 98% of its true neighbours in B, and a "
        "mixed index keeps 98% of them.",
        "Compare the vectors directly; mixing them in one index is fine.",
        (0.981, 0.982, 0.988),
        0.972,
        0.979,
        0.9998,
        0.9996,
    ),
    Verdict.DEGRADED: Case(
        "The axes agree but the vectors are noisier: direct search finds 86% of the true "
        "neighbours, below the 90% asked for, and no map does better.",
        "Accept the loss with --min-recall 0.85, or re-embed B without quantisation.",
        (0.863, 0.865, 0.868),
        0.846,
        0.781,
        0.9989,
        0.987,
        findings=(
            Finding(
                id="mixing_loses",
                severity="warning",
                message="A mixed index keeps 78% of the neighbours that are stored as A.",
            ),
        ),
    ),
    Verdict.ALIGN: Case(
        "The spaces hold the same information on different axes: as stored nothing is found, "
        "a linear map finds 91% of the true neighbours.",
        "Fit a linear map on the paired rows and query B's index through it.",
        (0.0019, 0.853, 0.912),
        0.812,
        0.0012,
        0.0003,
        0.979,
        advice={
            "map": "linear",
            "direction": "both",
            "grade": "good",
            "expected_recall": 0.908,
            "commands": [
                "embaudit align old-index/vectors-2024.npy new-model/vectors-2025.npy "
                "--map linear --direction a_to_b --save old-to-new.map.npz"
            ],
        },
        findings=(
            Finding(
                id="not_measured",
                severity="info",
                message="Mixing mapped vectors with native ones in one index is not measured here.",
            ),
        ),
    ),
    Verdict.CONCATENATE: Case(
        "The spaces hold different information: the best map finds 38% of the true neighbours.",
        "Keep the indexes apart and fuse their rankings, concatenate the vectors, or re-embed "
        "both sides with one model.",
        (None, 0.352, 0.381),
        0.189,
        None,
        None,
        0.340,
    ),
    Verdict.MISPAIRED: Case(
        "About 10.4% of the rows do not correspond; without them the verdict would be safe.",
        "Fix the rows listed below, then compare again.",
        (0.981, 0.884, 0.887),
        0.812,
        0.978,
        0.897,
        0.846,
        mispaired=0.104,
        findings=(
            Finding(
                id="mispaired_rows",
                severity="error",
                message="Rows 1200-1799 find other partners than their own; the worst are "
                "1203, 1207, 1219, 1240 and 1301.",
            ),
            Finding(
                id="two_populations",
                severity="warning",
                message="Rows 1200-1799 look like vectors of another model; re-embed them.",
            ),
        ),
    ),
    Verdict.UNRELATED: Case(
        "No trace of row correspondence: shuffled rows, a wrong file, or nothing shared.",
        "Check that both files list the same items in the same order.",
        (0.0016, 0.0021, 0.0018),
        0.0017,
        0.0015,
        0.0002,
        -0.0002,
        mispaired=0.992,
    ),
    Verdict.INCONCLUSIVE: Case(
        "Recall as stored is 0.898 (0.893 to 0.903), too close to the 0.90 asked for.",
        "Give more rows, or decide with --min-recall 0.88.",
        (0.898, 0.897, 0.899),
        0.871,
        0.902,
        0.9993,
        0.991,
        candidates=(Verdict.SAFE, Verdict.DEGRADED),
    ),
}


def sample_audit(verdict: Verdict, **changes: Any) -> Audit:
    """Return a realistic audit that ends in `verdict`; `changes` replace whole fields."""
    case = CASES[verdict]
    dim_b = 384 if case.recalls[0] is not None else 128
    fields: dict[str, Any] = {
        "embaudit_version": "0.1.0",
        "verdict": verdict,
        "candidates": list(case.candidates or (verdict,)),
        "summary": case.summary,
        "policy": Policy(),
        "metric": Metric.COSINE,
        "k": 10,
        "seed": 0,
        "a": side("old-index/vectors-2024.npy", 384, normalized=True),
        "b": side("new-model/vectors-2025.npy", dim_b, normalized=dim_b == 384),
        "pairing": Pairing(
            by="row",
            rows=6000,
            distinct_rows=ROWS,
            only_in_a=0,
            only_in_b=0,
            dropped_rows=0,
            mispaired_fraction=Estimate(
                value=case.mispaired, ci=(max(0, case.mispaired - 0.01), case.mispaired + 0.008)
            ),
        ),
        "measures": measures(case),
        "metrics": [
            MetricRow(
                metric=name,
                overlap=case.overlap,
                recall_a_to_b=case.recalls[0],
                recall_b_to_a=case.recalls[0],
                rsa=0.93,
                agreement_a=0.981,
                agreement_b=0.43,
                partners=ScoreSummary(mean=0.913, q05=0.71, q95=0.99),
                random=ScoreSummary(mean=0.12, q05=-0.04, q95=0.3),
                n=500,
                k=10,
            )
            for name in ("cosine", "dot", "euclidean", "manhattan", "hamming")
        ],
        "recommendation": Recommendation(action=case.action, **case.advice),
        "findings": list(case.findings),
        "timing": {"read": 0.12, "moments": 0.84, "maps": 0.61, "search": 1.93},
    }
    return Audit(**(fields | changes))


def side(uri: str, dim: int, *, normalized: bool, **changes: Any) -> SetInfo:
    """Return one side without anything noteworthy."""
    fields: dict[str, Any] = {
        "uri": uri,
        "rows": 6000,
        "dim": dim,
        "dtype": "float16",
        "normalized": normalized,
        "zero_rows": 0,
        "nonfinite_rows": 0,
        "duplicate_rows": 0,
        "constant_columns": 0,
        "value_levels": None,
        "norm_min": 1.0 if normalized else 0.83,
        "norm_mean": 1.0 if normalized else 1.72,
        "norm_max": 1.0 if normalized else 3.21,
    }
    return SetInfo(**(fields | changes))


def measures(case: Case) -> dict[str, Measure]:
    """Return every measure that a report may ask for."""
    raw, orthogonal, linear = case.recalls
    found = {
        "neighbors.overlap": recall("neighbours shared", case.overlap),
        "mixed_index.a.raw": recall("mixed index, searched by A", case.mixed),
        "mixed_index.b.raw": recall("mixed index, searched by B", case.mixed),
        "partner.found.a_to_b.raw": recall("partner found", case.partner),
        "partner.found.b_to_a.raw": recall("partner found", case.partner),
        "partner.cosine.raw": number("cosine of partners", raw),
        "cka.linear": number("CKA, debiased", case.cka, p_value=0.0 if case.cka > 0.01 else 0.41),
        "cka.linear.biased": number("CKA, biased", max(case.cka, 0) * 0.98 + 0.02),
        "cka.rbf": number("CKA, Gaussian kernel", case.cka * 0.97),
        "procrustes.residual.in_sample": number("residual", (1 - orthogonal) * 0.4, "lower"),
        "procrustes.angular": number("angle", 0.42, "lower"),
        "cca.mean": number("canonical correlation", linear),
        "cca.svcca": number("SVCCA", linear),
        "cca.pwcca": number("PWCCA", linear),
        "rsa.spearman": number("RSA", case.cka * 0.95),
    }
    for direction, loss in (("a_to_b", 0.0), ("b_to_a", 0.004)):
        found |= {
            f"recall.{direction}.raw": recall("recall as stored", raw, loss),
            f"recall.{direction}.orthogonal": recall("recall, orthogonal map", orthogonal, loss),
            f"recall.{direction}.linear": recall("recall, linear map", linear, loss),
            f"procrustes.residual.{direction}": number(
                "residual", (1 - orthogonal) * 0.5 + loss, "lower"
            ),
            f"linear.r2.{direction}": number("R2", linear - loss),
        }
    return dict(sorted(found.items()))


def recall(title: str, value: float | None, loss: float = 0.0) -> Measure:
    """Return a retrieval measure with its interval and chance."""
    if value is None:
        return Measure(
            value=None, reason="dimensions differ: 384 and 128", title=title, better="higher"
        )
    value = max(0.0, value - loss)
    half = 0.0049
    return Measure(
        value=value,
        ci=(max(0.0, value - half), min(1.0, value + half)),
        chance=CHANCE,
        n=ROWS,
        k=10,
        queries=2048,
        title=title,
        better="higher",
    )


def number(title: str, value: float | None, better: str = "higher", **more: Any) -> Measure:
    """Return a measure without an interval."""
    reason = "dimensions differ: 384 and 128" if value is None else None
    return Measure(value=value, reason=reason, n=ROWS, title=title, better=better, **more)
