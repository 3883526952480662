"""Printing what a command found: as JSON, in one line, or as its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from embaudit_cli import streams

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.checking import Checked
    from embaudit.configuration import Setting
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.report.outputs import Outputs
    from embaudit.result import Audit, Document
    from embaudit.row_table import RowTable


def show(
    found: Document,
    line: Callable[[str], str],
    report: Callable[[], RenderableType],
    *,
    json: bool,
    quiet: bool,
) -> None:
    """Print a result on standard output.

    Parameters
    ----------
    found : Document
    line : callable
        Returns it in one line that an encoding can carry.
    report : callable
        Returns what is drawn for a person.
    json, quiet : bool
        JSON stays whole when quiet.
    """
    with streams.standard_output():
        console = streams.stdout()
        if json:
            streams.write_document(found.to_json())
        elif quiet:
            console.print(line(console.encoding), soft_wrap=True)
        else:
            console.print(report(), crop=False)


def show_checks(checked: list[Checked], outputs: Outputs, *, quiet: bool) -> None:
    """Print what came of several pairs: a document if one was asked for, else one table."""
    from embaudit.report.checks import CheckReport, line
    from embaudit.report.formats import render_checks

    with streams.standard_output():
        console = streams.stdout()
        if outputs.stdout is not None:
            streams.write_document(render_checks(checked, outputs.stdout))
        elif quiet:
            for one in checked:
                console.print(line(one, console.encoding), soft_wrap=True)
        else:
            console.print(CheckReport(checked), crop=False)


def show_gate(found: GateSheet, outputs: Outputs, *, quiet: bool) -> None:
    """Print another gate's answer: a document if one was asked for, else the report."""
    from embaudit.report import formats

    with streams.standard_output():
        console = streams.stdout()
        if outputs.stdout is not None:
            streams.write_document(formats.render_gate(found, outputs.stdout))
        elif quiet:
            console.print(found.answer.line(console.encoding), soft_wrap=True)
        else:
            console.print(found, crop=False)


def show_audit(
    audit: Audit,
    outputs: Outputs,
    rows: RowTable | None,
    *,
    quiet: bool,
    verbose: bool,
    asked: Setting | None = None,
) -> None:
    """Print the result on standard output: a document if one was asked for, else the report."""
    from embaudit.report import formats, row_files, terminal

    with streams.standard_output():
        console = streams.stdout()
        if outputs.stdout == formats.ROWS and rows is not None:
            streams.write_document(row_files.csv_text(rows))
        elif outputs.stdout is not None:
            streams.write_document(formats.render(audit, outputs.stdout, asked))
        elif quiet:
            console.print(terminal.one_line(audit, console.encoding), soft_wrap=True)
        else:
            console.print(terminal.render(audit, verbose=verbose), crop=False)
