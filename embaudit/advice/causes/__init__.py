"""The likely causes of what the measures show: one file a family, each with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from embaudit.advice.context import Context
from embaudit.result import Finding

FAMILIES: tuple[Callable[[Context], Iterator[Finding]], ...] = ()
"""Each yields findings whose evidence it has seen, and nothing where it has not looked."""


def causes(context: Context) -> Iterator[Finding]:
    """Yield every likely cause; nothing for files that hold the same bytes."""
    if context.evidence.identical:
        return
    for family in FAMILIES:
        yield from family(context)
