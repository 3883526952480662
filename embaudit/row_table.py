"""The table of measured rows: too large for the Audit, so it travels beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from embaudit.datatypes import Rows, Vector

NUMBERS = (
    "partner_rank",
    "cosine_raw",
    "cosine_mapped",
    "neighbors_shared",
    "recall_a_to_b_raw",
    "recall_b_to_a_raw",
    "recall_a_to_b_mapped",
    "recall_b_to_a_mapped",
)
"""Columns of numbers, in the order they are written."""


@dataclass(frozen=True)
class RowTable:
    """What was measured of single rows, worst first.

    Attributes
    ----------
    row_a, row_b : int64 arrays, shape (m,)
        Where each row is stored.
    ids : sequence of int or str, or None
        Of rows that were joined by id.
    numbers : dict of str to float64 array, shape (m,)
        By `NUMBERS`; NaN where not measured.
    notes : dict of str to str
        Which maps and view the numbers are about.
    """

    row_a: Rows
    row_b: Rows
    ids: Sequence[int] | Sequence[str] | None
    numbers: dict[str, Vector]
    notes: dict[str, str]

    def __len__(self) -> int:
        return len(self.row_a)
