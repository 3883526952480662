"""The formats a result can be written in."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, cast

from embaudit.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from embaudit.checking import Checked
    from embaudit.configuration import Setting
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Audit

RENDERERS = {
    "json": "embaudit.report.json_document",
    "markdown": "embaudit.report.markdown",
    "junit": "embaudit.report.junit",
    "github": "embaudit.report.github",
    "html": "embaudit.report.html_page.document",
}
"""Format -> module that is a `Renderer`, imported when it is first used."""

HTML, GITHUB = "html", "github"
NEEDED = {HTML: ("jinja2", "vl_convert")}
"""Format -> packages of the extra of its name."""
MOST_LAYOUTS = 10
"""Of several pairs, how many are drawn on planes: each takes a quarter of a megabyte."""
ROWS = "rows"
"""The table of measured rows, which is no part of the Audit."""
NO_ROWS = "rows: of one comparison; ask `embaudit compare` for them"
ROW_SUFFIXES = (".parquet", ".csv")
FORMATS = (*RENDERERS, ROWS)
"""Every name that ``--output NAME=PATH`` takes."""


def render_gate(found: GateSheet, name: str) -> str:
    """Return what another gate found in the format `name`, without a final newline.

    Raises
    ------
    UsageError
        For a format that holds an audit alone.
    """
    return _renderer(name).render_gate(found)


def render_checks(checked: Sequence[Checked], name: str) -> str:
    """Return what came of several pairs in the format `name`, without a final newline.

    Raises
    ------
    UsageError
        For a format that holds one audit alone.
    """
    return _renderer(name).render_checks(checked)


SCHEMAS = {
    "compare": "embaudit.result:Audit",
    "check": "embaudit.result:Checks",
    "align": "embaudit.alignment:Alignment",
    "align-joint": "embaudit.joint_space:JointAlignment",
    "verify": "embaudit.alignment:Verification",
    "verify-joint": "embaudit.joint_space:JointVerification",
    "concat": "embaudit.concatenation:Concatenation",
}
"""Command -> module and model of what it prints with ``--json``."""


def schema(command: str) -> dict[str, object]:
    """Return the JSON Schema of what a command prints with ``--json``.

    Raises
    ------
    UsageError
        For a command without one.
    """
    if command not in SCHEMAS:
        raise UsageError(
            f"{command}: no JSON of that name; expected {', '.join(SCHEMAS)}"
            f"{did_you_mean(command, SCHEMAS)}"
        )
    module, model = SCHEMAS[command].split(":")
    found = getattr(import_module(module), model).model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def check_format(name: str) -> None:
    """Refuse an unknown format, and one whose extra is not installed.

    Raises
    ------
    UsageError
        Names the known formats and the nearest one, or the line that installs the extra.
    """
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(
            f"unknown output format '{name}'; expected {known}{did_you_mean(name, FORMATS)}"
        )
    missing = [package for package in NEEDED.get(name, ()) if find_spec(package) is None]
    if missing:
        raise UsageError(
            f"{name}: needs {missing[0]}, which is not installed: pip install 'embaudit[{name}]'"
        )


def render(audit: Audit, name: str, asked: Setting | None = None) -> str:
    """Return `audit` in the format `name`, without a final newline.

    Parameters
    ----------
    audit : Audit
    name : str
    asked : Setting, optional
        That the answer of the gate goes back to, for annotations.

    Raises
    ------
    UsageError
        For an unknown format.
    """
    place = (asked.file, asked.line) if name == GITHUB and asked is not None else ()
    return _renderer(name).render(audit, *place)


class Renderer(Protocol):
    """What the module of a format has; annotations also take the place of a setting."""

    def render(self, audit: Audit, *place: str | int | None) -> str:
        """Return an audit."""

    def render_checks(self, checked: Sequence[Checked]) -> str:
        """Return what came of several pairs."""

    def render_gate(self, found: GateSheet) -> str:
        """Return what another gate found."""


def _renderer(name: str) -> Renderer:
    check_format(name)
    if name == ROWS:
        raise UsageError(NO_ROWS)
    return cast("Renderer", import_module(RENDERERS[name]))
