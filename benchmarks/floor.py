"""The least arithmetic that a comparison needs, in floating-point operations."""

from __future__ import annotations

from typing import Any

FOLDS = 4
KINDS = ("raw", "orthogonal", "linear")


def moment_flops(n: int, p: int, q: int) -> float:
    """Return the operations of the symmetric product of n rows of p + q values."""
    return float(n) * (p + q) ** 2


def queries_asked(audit: dict[str, Any]) -> dict[str, int]:
    """Return how many query vectors an audit searched each side for, by side.

    The side's own vectors, the other's as stored where dimensions are equal, and the other's under
    every map: each measure's number of queries says how often it was asked.
    """
    measures = audit["measures"]
    asked = {}
    for side, direction in (("a", "b_to_a"), ("b", "a_to_b")):
        ids = ["neighbors.overlap", *(f"recall.{direction}.{kind}" for kind in KINDS)]
        asked[side] = sum(measures[key]["queries"] or 0 for key in ids)
    return asked


def neighbour_flops(audit: dict[str, Any]) -> float:
    """Return the operations of the products that an audit asked for, 2 n d for each query."""
    n = audit["pairing"]["distinct_rows"]
    asked = queries_asked(audit)
    return float(sum(2.0 * n * audit[side]["dim"] * queries for side, queries in asked.items()))


def audit_moment_flops(audit: dict[str, Any]) -> float:
    """Return `moment_flops` of the rows that entered an audit."""
    return moment_flops(audit["pairing"]["distinct_rows"], audit["a"]["dim"], audit["b"]["dim"])


def floor_seconds(audit: dict[str, Any], rate: float) -> float:
    """Return the seconds that both take at `rate` operations a second."""
    return (audit_moment_flops(audit) + neighbour_flops(audit)) / rate
