"""The few signs a report draws, for terminals that can show them and for those that cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import ConsoleOptions


@dataclass(frozen=True)
class Glyphs:
    """One set of signs, each a single column wide."""

    verdicts: dict[str, str]
    severities: dict[str, str]
    met: str
    missed: str
    open: str
    missing: str
    range: str
    times: str
    separator: str
    bar: str
    rest: str
    mark: str


UNICODE = Glyphs(
    verdicts={
        "safe": "✔",
        "degraded": "≈",
        "align": "↻",
        "concatenate": "≠",
        "mispaired": "✘",
        "unrelated": "∅",
        "inconclusive": "?",
    },
    severities={"info": "·", "warning": "!", "error": "✘"},
    met="✔",
    missed="✘",
    open="?",
    missing="\N{EM DASH}",
    range="\N{EN DASH}",
    times="\N{MULTIPLICATION SIGN}",
    separator=" · ",
    bar="━",
    rest="─",
    mark="┃",
)

ASCII = Glyphs(
    verdicts={
        "safe": "+",
        "degraded": "~",
        "align": "@",
        "concatenate": "/",
        "mispaired": "x",
        "unrelated": "0",
        "inconclusive": "?",
    },
    severities={"info": "-", "warning": "!", "error": "x"},
    met="+",
    missed="x",
    open="?",
    missing="-",
    range="-",
    times="x",
    separator=", ",
    bar="=",
    rest=".",
    mark="|",
)


def glyphs_for(options: ConsoleOptions) -> Glyphs:
    """Return ASCII for other encodings than UTF and for old Windows consoles' raster fonts."""
    return ASCII if options.ascii_only or options.legacy_windows else UNICODE
