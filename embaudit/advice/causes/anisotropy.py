"""A direction that all rows share, which lifts every cosine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from embaudit.advice.context import Context
from embaudit.advice.finding import finding
from embaudit.result import Finding
from embaudit.stats.prepare import unit_rows

DOMINATES = 0.5
"""Cosine of two random rows above which the common direction is more of a row than the rest.
Sentence models have 0.0 to 0.4, averaged word vectors and raw transformer layers 0.5 to 0.99."""
FEWEST_ROWS = 20
FEW_COLUMNS = 8
HALF = 0.5


def anisotropy(context: Context) -> Iterator[Finding]:
    """Yield the sides on which two random rows have a high cosine."""
    sides = zip("ab", (context.a, context.b), context.sample.stored, strict=True)
    for name, side, stored in sides:
        rows = unit_rows(stored.astype(np.float64))
        count = len(rows)
        if count < FEWEST_ROWS:
            continue
        total = rows.sum(axis=0)
        random_cosine = float((total @ total - count) / (count * (count - 1)))
        if random_cosine < DOMINATES:
            continue
        energy = np.square(total) / (total @ total)
        order = np.argsort(-energy, kind="stable")
        needed = int(np.searchsorted(np.cumsum(energy[order]), HALF)) + 1
        columns = order[:needed].tolist() if needed <= FEW_COLUMNS else []
        noun = "column" if len(columns) == 1 else "columns"
        where = f", half of it in {noun} {', '.join(map(str, columns))}" if columns else ""
        yield finding(
            "info",
            "common_direction",
            f"{side.uri}: two random rows have a cosine of {random_cosine:.2f}: a common direction "
            f"lifts all of them{where}. Judge cosines against that, or subtract the mean on both "
            "sides.",
            side=name,
            random_cosine=random_cosine,
            columns=columns,
        )
