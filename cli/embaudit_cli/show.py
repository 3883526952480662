"""The command ``embaudit show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from embaudit_cli import options

if TYPE_CHECKING:
    from embaudit.alignment import Verification
    from embaudit.checking import Checked
    from embaudit.joint_space import JointVerification
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Checks

EPILOG = """[bold]Examples[/bold]
  embaudit show audit.json
  embaudit show audit.json --format markdown
  embaudit show audit.json --output markdown=audit.md --output junit=audit.xml

[bold]Exit status[/bold]
  0    it is shown, whatever its verdict
  2    usage, what is no audit, or an output that could not be written
"""


def show(
    audit: options.AuditFile,
    format: options.Format = "terminal",
    output: options.Output = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show what compare, check or verify has written as JSON, in any of its forms."""
    from embaudit.report.outputs import parse_outputs, write_checks, write_gate, write_outputs
    from embaudit.result import Audit, Checks
    from embaudit.saved_audit import read_saved
    from embaudit_cli.shown import show_audit, show_checks, show_gate

    chosen = [] if format == "terminal" else [f"{format}=-"]
    outputs = parse_outputs([*(output or []), *chosen], inputs=[audit])
    outputs.refuse_rows()
    found = read_saved(audit)
    if isinstance(found, Audit):
        show_audit(found, outputs, None, quiet=quiet, verbose=verbose)
        write_outputs(found, outputs.files)
    elif isinstance(found, Checks):
        checked = _checked(found)
        show_checks(checked, outputs, quiet=quiet)
        write_checks(checked, outputs.files)
    else:
        report = _verified(found)
        show_gate(report, outputs, quiet=quiet)
        write_gate(report, outputs.files)
    raise typer.Exit(0)


def _checked(found: Checks) -> list[Checked]:
    from embaudit.checking import Checked
    from embaudit.result import Audit

    return [
        Checked(name, one) if isinstance(one, Audit) else Checked(name, error=one.error)
        for name, one in found.pairs.items()
    ]


def _verified(found: Verification | JointVerification) -> GateSheet:
    from embaudit.alignment import Verification
    from embaudit.report.joint import JointVerificationReport
    from embaudit.report.verification import VerificationReport

    if isinstance(found, Verification):
        return VerificationReport(found)
    return JointVerificationReport(found)
