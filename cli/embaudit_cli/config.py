"""Settings from a file as defaults of the commands, and the command ``embaudit config``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from embaudit.configuration import Configuration, Setting

EPILOG = """[bold]Examples[/bold]
  embaudit config
  embaudit --config ci/embaudit.toml config

[bold]Exit status[/bold]
  0    it is printed
  2    a file of settings that means nothing
"""


OUTPUT_OF = ("compare", "check")
"""Commands that take outputs from the settings; that of others goes elsewhere, or is asked for."""


def defaults(settings: Configuration, commands: dict[str, Any]) -> dict[str, dict[str, object]]:
    """Return the default of every option that is set, by command; the command line wins.

    Parameters
    ----------
    settings : Configuration
    commands : dict of str to command
    """
    return {
        name: {
            parameter.name: _typed(settings.settings[parameter.name], parameter)
            for parameter in command.params
            if parameter.name in settings.settings
            and (parameter.name != "output" or name in OUTPUT_OF)
        }
        for name, command in commands.items()
    }


def _typed(setting: Setting, parameter: Any) -> object:  # noqa: ANN401
    """Return a value as it would be typed."""
    if parameter.multiple:
        return setting.value
    if isinstance(setting.value, list):
        # Options that take several have text as their default.
        several = isinstance(parameter.default, str)
        return ",".join(map(str, setting.value)) if several else str(setting.value[0])
    return setting.value if isinstance(setting.value, bool) else str(setting.value)


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def config(context: typer.Context) -> None:
    """Print the settings that are in force, and where each comes from."""
    from embaudit.configuration import SETTINGS
    from embaudit.report.plain import encodable, printable
    from embaudit_cli import streams

    settings: Configuration = context.obj
    group: Any = context.parent.command if context.parent else None
    options = {one.name: one for one in group.commands["compare"].params}
    rows = []
    for name in SETTINGS:
        found = settings.settings.get(name)
        value = options[name].default if found is None else found.value
        rows.append((name, value, "default" if found is None else found.place))
    for pair, own in settings.pairs.items():
        rows += [(f"pairs.{pair}.{name}", one.value, one.place) for name, one in own.items()]
    widths = [max(len(str(row[column])) for row in rows) for column in (0, 1)]
    with streams.standard_output():
        console = streams.stdout()
        for name, value, place in rows:
            shown = "" if value is None else _shown(value)
            line = f"{name:<{widths[0]}}  {shown:<{widths[1]}}  {place}"
            console.print(encodable(printable(line), console.encoding), soft_wrap=True)
    raise typer.Exit(0)
