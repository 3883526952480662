"""The command ``embaudit show``."""

from __future__ import annotations

import typer

from embaudit_cli import options

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
    """Show an audit that compare has written as JSON, in any of its forms."""
    from embaudit.report.outputs import parse_outputs, write_outputs
    from embaudit.saved_audit import read_audit
    from embaudit_cli.shown import show_audit

    chosen = [] if format == "terminal" else [f"{format}=-"]
    outputs = parse_outputs([*(output or []), *chosen], inputs=[audit])
    outputs.refuse_rows()
    found = read_audit(audit)
    show_audit(found, outputs, None, quiet=quiet, verbose=verbose)
    write_outputs(found, outputs.files)
    raise typer.Exit(0)
