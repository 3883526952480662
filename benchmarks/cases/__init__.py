"""All cases, in the order of the table."""

from __future__ import annotations

from benchmarks.cases import (
    applying,
    by_hand,
    command,
    extremes,
    growth,
    safety,
    single_stages,
    startup,
    storage,
)
from benchmarks.cases.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for module in (
        command,
        single_stages,
        storage,
        growth,
        extremes,
        applying,
        startup,
        by_hand,
        safety,
    )
    for case in module.CASES
}
