"""Where a part of a file begins and ends, row by row, from inner products with known rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from embaudit.datatypes import Matrix, Rows, Vector
from embaudit.measures.lags import change_point, profile_agreement

ROWS_AT_ONCE = 1024
CLEARLY_LESS = 0.4
"""Agreement of a part's rows with the others, relative to that of the others, below which they
differ."""
LEAST_AGREEMENT = 0.1

TakeRows = Callable[[Rows], Matrix]
"""Prepared vectors of some rows."""


class Borders:
    """Tells rows of a part from the others by whom they are alike to on both sides.

    A row agrees with reference rows of its own kind: their inner products with it correlate
    between A and B under any rotation.

    Parameters
    ----------
    outside, inside : int64 arrays
        Rows known to be outside and inside the part, in random order.
    take_a, take_b : callable
    """

    def __init__(self, outside: Rows, inside: Rows, take_a: TakeRows, take_b: TakeRows) -> None:
        self._take_a, self._take_b = take_a, take_b
        # One half of the known rows is seen, the other tells what agreement is usual.
        halves = [
            (known[: len(known) // 2], known[len(known) // 2 :]) for known in (outside, inside)
        ]
        self._seen = [(take_a(seen), take_b(seen)) for seen, _ in halves]
        usual = [self._agreements(judged) for _, judged in halves]
        self._outside, self._inside = (float(np.median(agreed[0])) for agreed in usual)
        self._limit = sum(float(np.median(agreed[0] - agreed[1])) for agreed in usual) / 2.0

    @property
    def differ(self) -> bool:
        """Whether rows of the part agree with the others clearly less than those do."""
        known = self._outside >= LEAST_AGREEMENT
        return known and self._inside < CLEARLY_LESS * self._outside

    def begins(self, low: int, high: int) -> int:
        """Return the first row of the part, which begins in ``[low, high]``."""
        return self._border(low, high, 1.0)

    def ends(self, low: int, high: int) -> int:
        """Return the row behind the part, which ends in ``[low, high]``."""
        return self._border(low, high, -1.0)

    def _border(self, low: int, high: int, sign: float) -> int:
        """Look at rows evenly spread over the range, and then at every row around the change."""
        while high - low > 0:
            step = -(-(high - low) // ROWS_AT_ONCE)
            rows = np.arange(low, high, step)
            to_others, to_part = self._agreements(rows)
            speaks = sign * (to_others - to_part - self._limit)
            count = change_point(speaks, np.zeros(len(speaks)))
            if step == 1:
                return low + count
            at = low + count * step
            low, high = max(low, at - 4 * step), min(high, at + 4 * step)
        return low

    def _agreements(self, rows: Rows) -> tuple[Vector, Vector]:
        """Return how rows agree with those outside and those inside the part."""
        a, b = self._take_a(rows), self._take_b(rows)
        to_others, to_part = (profile_agreement(a, b, *seen) for seen in self._seen)
        return to_others, to_part
