"""The gate as workflow commands, which GitHub shows as annotations of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from embaudit.report.plain import printable
from embaudit.report.terminal import one_line
from embaudit.report.wording import gate

if TYPE_CHECKING:
    from embaudit.checking import Checked
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Audit

Kind = Literal["notice", "warning", "error"]


def render(audit: Audit, file: str | None = None, line: int | None = None) -> str:
    """Return an annotation for the verdict and one for each finding that warns.

    A gate that is not met, or that the data cannot decide, is an error.

    Parameters
    ----------
    audit : Audit
    file, line : str and int, optional
        Of the setting that asks for what is answered.
    """
    return "\n".join(_lines(audit, "embaudit", file, line))


def render_gate(found: GateSheet) -> str:
    """Return one annotation: an error where the gate is not met."""
    kind: Kind = "notice" if found.answer.passed else "error"
    return annotation(kind, f"embaudit: {found.answer.word}", found.answer.line())


def render_checks(checked: Sequence[Checked]) -> str:
    """Return the annotations of all pairs, each at the line of the file that names it."""
    lines: list[str] = []
    for one in checked:
        title = f"embaudit, {one.name}"
        if one.audit is None:
            message = one.error or "not compared"
            lines.append(annotation("error", f"{title}: error", message, one.file, one.line))
        else:
            lines += _lines(one.audit, title, one.file, one.line)
    return "\n".join(lines)


def _lines(audit: Audit, title: str, file: str | None, line: int | None) -> list[str]:
    wanted, answer = gate(audit)
    kind: Kind = "notice" if answer == "met" else "error"
    told = f"{title}: {audit.verdict}, {wanted}: {answer}"
    return [
        annotation(kind, told, one_line(audit), file, line),
        *(
            annotation("warning", f"{title}: {finding.id}", finding.message, file, line)
            for finding in audit.findings
            if finding.severity != "info"
        ),
    ]


def annotation(
    kind: Kind, title: str, message: str, file: str | None = None, line: int | None = None
) -> str:
    """Return a workflow command on one line, whatever the texts hold.

    Parameters
    ----------
    kind : "notice", "warning" or "error"
    title, message : str
    file : str, optional
        That the annotation is shown in.
    line : int, optional
        Of the file, the first is 1.
    """
    places = {
        "file": None if file is None else _from_workspace(file),
        "line": None if line is None else str(line),
        "title": title,
    }
    properties = ",".join(
        f"{name}={_property(value)}" for name, value in places.items() if value is not None
    )
    return f"::{kind} {properties}::{_data(message)}"


def _from_workspace(file: str) -> str:
    """Return a path as GitHub looks for it: from the root of the checkout."""
    root = os.environ.get("GITHUB_WORKSPACE")
    if not root:
        return file
    try:
        found = os.path.relpath(os.path.realpath(file), os.path.realpath(root))
    except ValueError:  # another drive, on Windows
        return file
    return file if found.startswith(os.pardir) else found.replace(os.sep, "/")


def _data(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
