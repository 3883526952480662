"""The Typer app; what it imports is what every start of the command pays for."""

from __future__ import annotations

from typing import Annotated

import typer

from embaudit.version import __version__
from embaudit_cli import align, apply, compare, concat, schema, show, verify
from embaudit_cli.failures import OneLineErrors
from embaudit_cli.options import NO_VALUE

app = typer.Typer(
    name="embaudit",
    cls=OneLineErrors,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"embaudit {__version__}")
        raise typer.Exit


@app.callback()
def embaudit(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            metavar=NO_VALUE,
            callback=_print_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Say, with evidence, whether the vectors of two embedding files may be compared."""


app.command(epilog=compare.EPILOG)(compare.compare)
app.command(epilog=align.EPILOG)(align.align)
app.command(epilog=apply.EPILOG)(apply.apply)
app.command(epilog=concat.EPILOG)(concat.concat)
app.command(epilog=verify.EPILOG)(verify.verify)
app.command(epilog=show.EPILOG)(show.show)
app.command(epilog=schema.EPILOG)(schema.schema)
