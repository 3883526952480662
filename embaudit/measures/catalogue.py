"""Every measure declares itself: id, title, direction, range, invariances, source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class MeasureSpec:
    """What a reader must know to interpret a value.

    Attributes
    ----------
    id, title : str
    better : "higher" or "lower"
        Which way means more alike.
    range : str
    invariant_to : str
        Changes of one side that leave the value as it is.
    source : str
    """

    id: str
    title: str
    better: Better
    range: str
    invariant_to: str
    source: str


ROTATION = "rotation, reflection, one scale, offset"
RETRIEVAL = "nothing but what keeps every ranking"
OWN = "whatever keeps each side's own rankings"
ANN = "tie-aware recall as in ann-benchmarks (Aumuller et al. 2020)"

SPECS = (
    MeasureSpec("recall.a_to_b.raw", "Recall A→B, raw", "higher", "[0, 1]", RETRIEVAL, ANN),
    MeasureSpec("recall.b_to_a.raw", "Recall B→A, raw", "higher", "[0, 1]", RETRIEVAL, ANN),
    MeasureSpec(
        "recall.a_to_b.orthogonal", "Recall A→B, orthogonal map", "higher", "[0, 1]", ROTATION, ANN
    ),
    MeasureSpec(
        "recall.b_to_a.orthogonal", "Recall B→A, orthogonal map", "higher", "[0, 1]", ROTATION, ANN
    ),
    MeasureSpec(
        "recall.a_to_b.linear",
        "Recall A→B, linear map",
        "higher",
        "[0, 1]",
        "affine maps of A",
        ANN,
    ),
    MeasureSpec(
        "recall.b_to_a.linear",
        "Recall B→A, linear map",
        "higher",
        "[0, 1]",
        "affine maps of B",
        ANN,
    ),
    MeasureSpec("mixed_index.a.raw", "Mixed index, A queries", "higher", "[0, 1]", RETRIEVAL, ANN),
    MeasureSpec("mixed_index.b.raw", "Mixed index, B queries", "higher", "[0, 1]", RETRIEVAL, ANN),
    MeasureSpec(
        "partner.found.a_to_b.raw", "Partners found A→B", "higher", "[0, 1]", RETRIEVAL, "recall@1"
    ),
    MeasureSpec(
        "partner.found.b_to_a.raw", "Partners found B→A", "higher", "[0, 1]", RETRIEVAL, "recall@1"
    ),
    MeasureSpec(
        "partner.cosine.raw", "Cosine of partners, mean", "higher", "[-1, 1]", "row scales", "mean"
    ),
    MeasureSpec(
        "partner.cosine.raw.q05",
        "Cosine of partners, 5% quantile",
        "higher",
        "[-1, 1]",
        "row scales",
        "quantile",
    ),
    MeasureSpec(
        "partner.cosine.random",
        "Cosine of random pairs, mean",
        "lower",
        "[-1, 1]",
        "row scales",
        "mean",
    ),
    MeasureSpec(
        "partner.cosine.random.q05",
        "Cosine of random pairs, 5% quantile",
        "lower",
        "[-1, 1]",
        "row scales",
        "quantile",
    ),
    MeasureSpec("neighbors.overlap", "Own-space neighbour overlap", "higher", "[0, 1]", OWN, ANN),
    MeasureSpec(
        "cka.linear", "CKA, linear, debiased", "higher", "[-1, 1]", ROTATION, "Song et al. 2012"
    ),
    MeasureSpec(
        "cka.linear.biased",
        "CKA, linear, biased",
        "higher",
        "[0, 1]",
        ROTATION,
        "Kornblith et al. 2019",
    ),
    MeasureSpec("cka.rbf", "CKA, RBF, debiased", "higher", "[-1, 1]", ROTATION, "Song et al. 2012"),
    MeasureSpec(
        "procrustes.residual.a_to_b",
        "Procrustes residual A→B, held out",
        "lower",
        "[0, inf)",
        ROTATION,
        "Schonemann 1966",
    ),
    MeasureSpec(
        "procrustes.residual.b_to_a",
        "Procrustes residual B→A, held out",
        "lower",
        "[0, inf)",
        ROTATION,
        "Schonemann 1966",
    ),
    MeasureSpec(
        "procrustes.residual.in_sample",
        "Procrustes residual A→B, in sample",
        "lower",
        "[0, 1]",
        ROTATION,
        "Schonemann 1966",
    ),
    MeasureSpec(
        "procrustes.angular",
        "Procrustes angle, in sample (rad)",
        "lower",
        "[0, pi/2]",
        ROTATION,
        "Williams et al. 2021",
    ),
    MeasureSpec(
        "linear.r2.a_to_b",
        "Ridge R² A→B, held out",
        "higher",
        "(-inf, 1]",
        "affine maps of A",
        "Hoerl and Kennard 1970",
    ),
    MeasureSpec(
        "linear.r2.b_to_a",
        "Ridge R² B→A, held out",
        "higher",
        "(-inf, 1]",
        "affine maps of B",
        "Hoerl and Kennard 1970",
    ),
    MeasureSpec(
        "cca.mean",
        "Mean canonical correlation, held out",
        "higher",
        "[-1, 1]",
        "affine maps of either side",
        "Hotelling 1936",
    ),
    MeasureSpec("cca.svcca", "SVCCA, held out", "higher", "[-1, 1]", ROTATION, "Raghu et al. 2017"),
    MeasureSpec(
        "cca.pwcca", "PWCCA, held out", "higher", "[-1, 1]", ROTATION, "Morcos et al. 2018"
    ),
    MeasureSpec(
        "rsa.spearman",
        "RSA, Spearman of distances",
        "higher",
        "[-1, 1]",
        "whatever keeps the order of distances",
        "Kriegeskorte et al. 2008",
    ),
)
SPEC = {spec.id: spec for spec in SPECS}
