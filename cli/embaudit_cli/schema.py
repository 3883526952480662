"""The command ``embaudit schema``."""

from __future__ import annotations

import json

import typer

from embaudit_cli import options

EPILOG = """[bold]Examples[/bold]
  embaudit schema
  embaudit schema verify

[bold]Exit status[/bold]
  0    it is printed
  2    usage
"""


def schema(command: options.SchemaOf = "compare") -> None:
    """Print the JSON Schema of what a command prints with --json."""
    from embaudit.report.formats import schema as schema_of
    from embaudit_cli import streams

    found = schema_of(command)
    with streams.standard_output():
        streams.write_document(json.dumps(found, indent=2))
    raise typer.Exit(0)
