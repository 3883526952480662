"""What causes share: when undoing a change explains a gap, and how much is listed."""

from __future__ import annotations

NOTICEABLE = 1e-3
"""Disagreement, 1 minus the cosine of partners, below which nothing needs a cause."""
LEFT_OVER = 0.25
"""Share of the disagreement that may be left once the cause is undone. Half would let noise and a
change of equal size be blamed on the change alone."""
AGREES = 0.95
"""Cosine of partners that undoing must reach: noise of a third of the signal may remain."""

LISTED = 4096
"""Columns whose order is given in full; more would fill the document."""
SAME_UNIT = 0.01
"""Change of scale below which two sides have one unit: 8-bit calibration makes as much."""


def explains(before: float, after: float, agrees: float = AGREES) -> bool:
    """Say whether a change that takes the cosine of partners from `before` to `after` is a cause.

    Parameters
    ----------
    before, after : float
        Median cosines of partners, as they are and with the change undone.
    agrees : float
        Least cosine afterwards.
    """
    gap = 1.0 - before
    return gap >= NOTICEABLE and after >= agrees and 1.0 - after <= LEFT_OVER * gap
