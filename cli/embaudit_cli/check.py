"""The command ``embaudit check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from embaudit.errors import UsageError, did_you_mean
from embaudit_cli import options

if TYPE_CHECKING:
    from embaudit.checking import Checked
    from embaudit.configuration import Configuration

EPILOG = """[bold]Examples[/bold]
  embaudit check
  embaudit check search images --output junit=embaudit.xml --output html=embaudit.html
  embaudit --config ci/embaudit.toml check --quiet

[bold]Exit status[/bold]
  The worst of the pairs: 2 where one cannot be compared, else 1, else 3, else 0.
"""


def check(
    context: typer.Context,
    names: options.PairNames = None,
    json: options.Json = False,
    output: options.Output = None,
    exit_zero: options.ExitZero = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare the pairs that embaudit.toml or pyproject.toml names, and print one table."""
    settings: Configuration = context.obj
    chosen = _chosen(settings, names or [])
    from embaudit.checking import check_pair, worst
    from embaudit.configuration import PATHS
    from embaudit.report.formats import MOST_LAYOUTS
    from embaudit.report.outputs import parse_outputs, write_checks
    from embaudit_cli.progress import with_progress
    from embaudit_cli.shown import show_checks

    read = [
        one.value for name in chosen for key, one in settings.of_pair(name).items() if key in PATHS
    ]
    outputs = parse_outputs([*(output or []), *(["json=-"] if json else [])], inputs=read)
    outputs.refuse_rows()

    def compared(place: int, name: str) -> Checked:
        layouts = outputs.want_layouts and place < MOST_LAYOUTS
        return with_progress(
            lambda progress: check_pair(name, settings.of_pair(name), progress, layouts=layouts),
            quiet=quiet,
        )

    checked = [compared(place, name) for place, name in enumerate(chosen)]
    show_checks(checked, outputs, quiet=quiet)
    write_checks(checked, outputs.files)
    status = worst(checked)
    raise typer.Exit(0 if exit_zero and status != 2 else status)


def _chosen(settings: Configuration, names: list[str]) -> list[str]:
    if not settings.pairs:
        where = settings.path or "embaudit.toml and pyproject.toml"
        raise UsageError(f"{where}: names no pairs; add [pairs.NAME] with a and b, or use compare")
    for name in names:
        if name not in settings.pairs:
            near = did_you_mean(name, settings.pairs)
            raise UsageError(f"{name}: no pair of that name in {settings.path}{near}")
    return names or list(settings.pairs)
