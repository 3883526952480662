"""The one place where a failure becomes one line on stderr and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from embaudit.errors import EmbauditError, told
from embaudit.report.plain import printable
from embaudit_cli.streams import stderr

USAGE_STATUS = 2
"""Usage, unreadable or invalid input, a result that could not be written."""

INTERNAL_STATUS = 70
"""EX_SOFTWARE of sysexits.h: far from the gate's 0, 1 and 3."""

DEBUG_VARIABLE = "EMBAUDIT_DEBUG"


class OneLineErrors(TyperGroup):
    """A command group whose every failure prints one line."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ANN401
        """Run the command line and exit with its status."""
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except typer.TyperException as error:
            status = _fail_usage(error)
        sys.exit(status or 0)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the chosen command; its failures end here, before Typer gives some its own status."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.TyperException):
            raise
        except Exception as error:
            if os.environ.get(DEBUG_VARIABLE):
                traceback.print_exc()
            raise typer.Exit(_report(error)) from error


def _report(error: Exception) -> int:
    """Print the line for `error` and return its exit status."""
    match error:
        case EmbauditError() | MemoryError() | OSError():
            return _fail(told(error))
        case _:
            return _fail_internally(error)


def _fail(message: str) -> int:
    _print("error:", message)
    return USAGE_STATUS


def _fail_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    hint = f" (see '{context.command_path} --help')" if context is not None else ""
    if message := error.format_message().rstrip(". \n"):  # empty when the help was printed
        _fail(f"{message}{hint}")
    return USAGE_STATUS


def _fail_internally(error: Exception) -> int:
    advice = f"re-run with {DEBUG_VARIABLE}=1 for the traceback"
    _print("internal error:", f"{type(error).__name__}: {error} ({advice})")
    return INTERNAL_STATUS


def _print(label: str, message: str) -> None:
    from rich.text import Text

    line = printable(" ".join(message.split()))
    stderr().print(Text.assemble((label, "bold red"), " ", line), soft_wrap=True)
