"""The formats a result can be written in."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from embaudit.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from embaudit.result import Audit

RENDERERS = {
    "json": "embaudit.report.json_document",
}
"""Format -> module with ``render(audit) -> str``, imported when it is first used."""

ROWS = "rows"
"""The table of measured rows, which is no part of the Audit."""
ROW_SUFFIXES = (".parquet", ".csv")
FORMATS = (*RENDERERS, ROWS)
"""Every name that ``--output NAME=PATH`` takes."""


def check_format(name: str) -> None:
    """Refuse an unknown format.

    Raises
    ------
    UsageError
        Names the known formats and the nearest one.
    """
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(
            f"unknown output format '{name}'; expected {known}{did_you_mean(name, FORMATS)}"
        )


def render(audit: Audit, name: str) -> str:
    """Return `audit` in the format `name`, without a final newline.

    Raises
    ------
    UsageError
        For an unknown format.
    """
    check_format(name)
    text: str = import_module(RENDERERS[name]).render(audit)
    return text
