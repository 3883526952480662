"""The JSON document of an Audit, and of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embaudit.version import __version__

if TYPE_CHECKING:
    from embaudit.checking import Checked
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Audit


def render(audit: Audit) -> str:
    """Return the JSON object, without a final newline."""
    return audit.to_json()


def render_gate(found: GateSheet) -> str:
    """Return the JSON object of another result."""
    return found.answer.document.to_json()


def render_checks(checked: Sequence[Checked]) -> str:
    """Return one object: under ``pairs``, by name, the audit of each, or its ``error``."""
    # The models bring numpy, which no start of the command waits for.
    from embaudit.result import Checks, NotCompared

    pairs = {
        one.name: NotCompared(error=one.error or "") if one.audit is None else one.audit
        for one in checked
    }
    return Checks(embaudit_version=__version__, pairs=pairs).to_json()
