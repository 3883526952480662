"""The likely causes of what the measures show: one file a family, each with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from embaudit.advice.causes.anisotropy import anisotropy
from embaudit.advice.causes.axes import axes
from embaudit.advice.causes.dimensions import dimensions
from embaudit.advice.causes.enough_rows import enough_rows
from embaudit.advice.causes.noise import noise
from embaudit.advice.causes.order import order
from embaudit.advice.causes.outliers import outliers
from embaudit.advice.causes.parts import parts
from embaudit.advice.causes.repeats import repeats
from embaudit.advice.causes.scale_and_offset import scale_and_offset
from embaudit.advice.causes.values import values
from embaudit.advice.context import Context
from embaudit.result import Finding

FAMILIES: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    order,
    parts,
    repeats,
    outliers,
    enough_rows,
    values,
    dimensions,
    axes,
    scale_and_offset,
    noise,
    anisotropy,
)
"""Each yields findings whose evidence it has seen, and nothing where it has not looked."""


def causes(context: Context) -> Iterator[Finding]:
    """Yield every likely cause; nothing for files that hold the same bytes."""
    if context.evidence.identical:
        return
    for family in FAMILIES:
        yield from family(context)
