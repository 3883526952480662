"""Error of CKA and Procrustes on hard numbers, against plain float64 sums over all rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import embaudit
from benchmarks.cases.case import Bench, Case, Outcome, Size
from benchmarks.generated import Structure, pair_bytes

ALLOWED = 1e-6
BLOCK = 100_000
ROWS, DIM = 10_000_000, 32
"""Large enough for products in float32, in which small inputs are not computed."""
QUERIES = 512
"""What is measured here does not depend on neighbours."""


@dataclass(frozen=True)
class Reference:
    """Values by their definitions on the stored numbers.

    Attributes
    ----------
    cka : float
        Debiased linear CKA.
    angle : float
        Angular Procrustes distance in radians.
    """

    cka: float
    angle: float


def reference(a: NDArray[Any], b: NDArray[Any]) -> Reference:
    """Compute both in float64: first the means, then sums over centred rows."""
    n = len(a)
    spans = [slice(start, start + BLOCK) for start in range(0, n, BLOCK)]
    mean_a, mean_b = (
        np.sum([side[span].sum(axis=0, dtype=np.float64) for span in spans], axis=0) / n
        for side in (a, b)
    )
    # Products of squares must not overflow where values are near 1e10: CKA and angle have no unit.
    scale_a, scale_b = (float(np.abs(side[:BLOCK]).max()) for side in (a, b))
    aa, bb, ab = (np.zeros((p, q)) for p, q in _shapes(a.shape[1], b.shape[1]))
    fourth = np.zeros(3)
    for span in spans:
        x = (a[span].astype(np.float64) - mean_a) / scale_a
        y = (b[span].astype(np.float64) - mean_b) / scale_b
        aa += x.T @ x
        bb += y.T @ y
        ab += x.T @ y
        norms_x, norms_y = np.square(x).sum(axis=1), np.square(y).sum(axis=1)
        fourth += [norms_x @ norms_x, norms_y @ norms_y, norms_x @ norms_y]

    def hsic(cross: NDArray[Any], norms: float, left: float, right: float) -> float:
        cross_term = float(np.square(cross).sum())
        return cross_term - n / (n - 2) * norms + left * right / ((n - 1) * (n - 2))

    total_a, total_b = float(np.trace(aa)), float(np.trace(bb))
    across = hsic(ab, fourth[2], total_a, total_b)
    own_a, own_b = hsic(aa, fourth[0], total_a, total_a), hsic(bb, fourth[1], total_b, total_b)
    nuclear = float(np.linalg.svd(ab, compute_uv=False).sum())
    return Reference(
        cka=float(across / math.sqrt(own_a * own_b)),
        angle=math.acos(nuclear / math.sqrt(total_a * total_b)),
    )


def _shapes(p: int, q: int) -> tuple[tuple[int, int], ...]:
    return (p, p), (q, q), (p, q)


def error(structure: Structure, dtype: str, bench: Bench, size: Size) -> Outcome:
    """Audit the stored numbers as they are and take the larger relative error."""
    with bench.pair(structure, size, dtype) as (a, b):
        audit = _audit(a, b)
        true = reference(np.load(a, mmap_mode="r"), np.load(b, mmap_mode="r"))
    errors = {}
    for key, value in (("cka.linear", true.cka), ("procrustes.angular", true.angle)):
        found = audit.measures[key].value
        errors[key] = math.inf if found is None else abs(found - value) / abs(value)
    detail = (
        f"{structure.about}; {dtype}; euclidean, duplicates kept; "
        f"cka.linear {true.cka:.6f}, error {errors['cka.linear']:.1e}; "
        f"procrustes.angular {true.angle:.6f}, error {errors['procrustes.angular']:.1e}"
    )
    worst = max(errors.values())
    return Outcome(f"{worst:.1e}", worst < ALLOWED, detail)


def _audit(a: Path, b: Path) -> embaudit.Audit:
    return embaudit.compare(
        a, b, metric="euclidean", keep_duplicates=True, policy=embaudit.Policy(max_queries=QUERIES)
    )


def _structure(name: str, about: str, mean: float = 0.0, scale: float = 1.0) -> Structure:
    return Structure(name, about, None, 0.9, 0.5, norms=0.0, mean=mean, scale=scale)


CASES = tuple(
    Case(
        name=f"exact-{structure.name}",
        measures=f"error at {ROWS:,} x {DIM} {dtype}: {structure.about}",
        target=f"< {ALLOWED:.0e} relative, against float64",
        size=Size(ROWS, DIM),
        reduced=Size(5_000, 8),
        disk=partial(lambda size, dtype: pair_bytes(size.rows, size.dim, dtype), dtype=dtype),
        minutes=3,
        run=partial(error, structure, dtype),
    )
    for structure, dtype in (
        (_structure("mean", "means of 100 deviations", mean=100.0), "float32"),
        (_structure("large", "values of 1e10", scale=1e10), "float32"),
        (
            _structure(
                "mean-large", "means of 100 deviations, values of 1e10", mean=100.0, scale=1e8
            ),
            "float32",
        ),
        (_structure("float16", "deviation 1", mean=1.0), "float16"),
    )
)
