"""One space, seen through noise."""

from __future__ import annotations

import math
from collections.abc import Iterator

from embaudit.advice.context import Context
from embaudit.advice.finding import finding
from embaudit.measures.shared_axes import typical_cosine
from embaudit.result import Finding

NOTABLE_NOISE = 0.02
"""Noise to signal below which no neighbour changes; float16 makes 0.0003, 8-bit grids 0.01."""

STORED_TOO = 0.05
"""Share of the noise that cosines as stored must show: where the mean is 20 times the deviation,
they show this much."""


def noise(context: Context) -> Iterator[Finding]:
    """Yield how strong the noise is where axes agree and no map does better.

    With r the cosine of partners about the means, noise on one side that knows nothing of the
    signal has ``sqrt(1 / r^2 - 1)`` of its size. The median over rows leaves mispaired rows out.
    """
    shared = context.shared_axes
    match = shared.match
    if match is None or match.moved or match.flipped or context.a.dim != context.b.dim:
        return
    if not context.same_axes or context.a.value_levels or context.b.value_levels:
        return
    ratio = _noise_to_signal(shared.direct_cosine)
    # A few foreign rows move the mean, and with it every cosine about the mean; as stored, the
    # other rows are still the same.
    as_stored = _noise_to_signal(typical_cosine(*shared.in_place))
    if ratio < NOTABLE_NOISE or as_stored < STORED_TOO * ratio:
        return
    yield finding(
        "info",
        "noisy_copy",
        f"Both sides likely have the same axes, one of them with noise of {ratio:.2g} times the "
        "signal (or both with less): lower precision, another runtime, or a model trained a little "
        "further. Comparing each side with a second run of itself would confirm which.",
        noise_to_signal=ratio,
        cosine_about_means=shared.direct_cosine,
    )


def _noise_to_signal(cosine: float) -> float:
    return math.sqrt(max(0.0, 1.0 / cosine**2 - 1.0))
