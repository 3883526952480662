"""Write docs/cli.md: every command with its options, from the app itself.

``python docs/make_cli.py``
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from embaudit_cli.app import app

DOCUMENT = Path(__file__).parent / "cli.md"
INTRODUCTION = """\
# Commands

Written by `python docs/make_cli.py` from the app; `embaudit COMMAND --help` prints the same. Exit
status 70 is a fault of embaudit itself.
"""


def render() -> str:
    """Return the document."""
    group: Any = typer.main.get_command(app)
    commands = group.commands.items()
    everywhere = "\n".join(["Before the command:", "", *_table(group.params)])
    sections = [INTRODUCTION, everywhere, *(_command(*named) for named in commands)]
    return "\n".join(sections)


def _command(name: str, command: Any) -> str:  # noqa: ANN401
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = " ".join(["embaudit", name, "[OPTIONS]", *(one.metavar for one in arguments)])
    lines = [f"## {name}", "", command.help.strip(), "", f"    {usage}", ""]
    lines += _table(arguments)
    for panel, own in itertools.groupby(
        sorted(options, key=lambda one: one.rich_help_panel or ""),
        key=lambda one: one.rich_help_panel or "Other",
    ):
        lines += [f"### {name}: {panel.lower()}", "", *_table(list(own))]
    lines += _epilog(command.epilog)
    return "\n".join(lines)


def _table(parameters: list[Any]) -> Iterator[str]:
    yield "| | | default |"
    yield "|---|---|---|"
    for one in parameters:
        names = ", ".join(f"`{_spelled(one, name)}`" for name in one.opts)
        yield f"| {names} | {_cell(one.help)} | {_default(one)} |"
    yield ""


def _spelled(one: Any, name: str) -> str:  # noqa: ANN401
    if one.param_type_name == "argument":
        return str(one.metavar)
    return name if one.is_flag or not one.metavar else f"{name} {one.metavar}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*")


def _default(one: Any) -> str:  # noqa: ANN401
    if one.required:
        return "required"
    if one.default is None or isinstance(one.default, bool):
        return ""
    return f"`{one.default}`"


def _epilog(text: str) -> list[str]:
    """Return the examples and exit statuses as blocks of code under their titles."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        title = re.fullmatch(r"\[bold\](.+)\[/bold\]", line)
        if title:
            lines += [f"{title[1]}:", ""]
        else:
            lines.append(f"  {line}" if line else "")
    return [*lines, ""]


if __name__ == "__main__":
    DOCUMENT.write_text(render(), encoding="utf-8", newline="\n")
