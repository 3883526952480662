"""The Typer app; what it imports is what every start of the command pays for."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from embaudit.version import __version__
from embaudit_cli import align, apply, check, compare, concat, config, schema, show, verify
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
    context: typer.Context,
    settings: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="File of settings; the nearest embaudit.toml or pyproject.toml by default.",
        ),
    ] = None,
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
    from embaudit.configuration import Configuration, configuration

    group: Any = context.command
    # What an earlier run has written is shown whatever the settings are now.
    plain = settings is None and context.invoked_subcommand in ("show", "schema")
    context.obj = Configuration() if plain else configuration(settings)
    context.default_map = config.defaults(context.obj, group.commands)


app.command(epilog=compare.EPILOG)(compare.compare)
app.command(epilog=align.EPILOG)(align.align)
app.command(epilog=apply.EPILOG)(apply.apply)
app.command(epilog=concat.EPILOG)(concat.concat)
app.command(epilog=verify.EPILOG)(verify.verify)
app.command(epilog=check.EPILOG)(check.check)
app.command(epilog=config.EPILOG)(config.config)
app.command(epilog=show.EPILOG)(show.show)
app.command(epilog=schema.EPILOG)(schema.schema)
