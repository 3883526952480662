"""One space, seen through noise."""

from __future__ import annotations

import math
from collections.abc import Iterator

from embaudit.advice.context import Context
from embaudit.advice.finding import finding
from embaudit.datatypes import Verdict
from embaudit.measures.shared_axes import trimmed_cosine, typical_cosine
from embaudit.result import Finding

NOTABLE_NOISE = 0.02
"""Noise to signal below which no neighbour changes; float16 makes 0.0003, 8-bit grids 0.01."""
STORED_TOO = 0.05
"""Share of the noise that cosines as stored must show: where the mean is 20 times the deviation,
they show this much."""


def noise(context: Context) -> Iterator[Finding]:
    """Yield how strong the noise is where axes agree and no map does better."""
    shared = context.shared_axes
    match = shared.match
    if match is None or match.moved or match.flipped or context.a.dim != context.b.dim:
        return
    if context.decision.verdict is Verdict.ALIGN or not context.same_axes:
        return
    if context.a.value_levels or context.b.value_levels:
        return
    cosine = trimmed_cosine(*shared.in_place)
    ratio = noise_to_signal(cosine)
    if ratio is None or ratio < NOTABLE_NOISE:
        return
    # Rows of other lengths differ about the means, and point the same way as stored.
    as_stored = noise_to_signal(typical_cosine(*shared.in_place))
    if as_stored is not None and as_stored < STORED_TOO * ratio:
        return
    yield finding(
        "info",
        "noisy_copy",
        f"Both sides likely have the same axes, one of them with noise of {ratio:.2g} times the "
        "signal (or both with less): lower precision, another runtime, or a model trained a little "
        "further. Comparing each side with a second run of itself would confirm which.",
        noise_to_signal=ratio,
        cosine_about_means=cosine,
    )


def noise_to_signal(cosine: float) -> float | None:
    """Return ``sqrt(1 / r^2 - 1)``, the size of noise on one side that knows nothing of the signal.

    Parameters
    ----------
    cosine : float
        r, the cosine of partners about the means. Partners without one, or with a negative one, are
        no noisy copies: None.
    """
    return math.sqrt(max(0.0, 1.0 / cosine**2 - 1.0)) if cosine > 0.0 else None
