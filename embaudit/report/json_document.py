"""The JSON document of an Audit, and of several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embaudit.checking import Checked
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Audit


def render(audit: Audit) -> str:
    """Return the JSON object, without a final newline."""
    return audit.to_json()


def render_gate(found: GateSheet) -> str:
    """Return the JSON object of another result."""
    return found.document.to_json()


def render_checks(checked: Sequence[Checked]) -> str:
    """Return one object: under ``pairs``, by name, the audit of each, or its ``error``."""
    pairs = {
        one.name: {"error": one.error} if one.audit is None else one.audit.to_dict()
        for one in checked
    }
    return json.dumps({"pairs": pairs}, indent=2, allow_nan=False, ensure_ascii=False)
