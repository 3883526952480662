"""The JSON document of an Audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embaudit.result import Audit


def render(audit: Audit) -> str:
    """Return the JSON object, without a final newline."""
    return audit.to_json()
