"""Standard output and standard error: encodings, closed pipes, full disks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from embaudit.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console


def stderr() -> Console:
    """Return a console on standard error, for notes, progress and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def stdout() -> Console:
    """Return a console on standard output that takes text as it is: no markup, no emoji codes."""
    from rich.console import Console

    class PipeConsole(Console):
        """A console that leaves a closed pipe to `standard_output`, where rich would exit."""

        def on_broken_pipe(self) -> None:
            raise

    return PipeConsole(highlight=False, markup=False, emoji=False)


def write_document(text: str) -> None:
    """Write a document to standard output in UTF-8, whatever the terminal's encoding."""
    sys.stdout.flush()
    # A file name that is not UTF-8 reaches Python as lone surrogates; escaped as \udcXX they
    # are valid JSON.
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")


@contextmanager
def standard_output() -> Iterator[None]:
    """Guard writes to standard output.

    A reader that has gone (``| head``) is no failure: the exit status stays the gate's answer.

    Raises
    ------
    OutputError
        When standard output is closed or its disk is full.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed; redirect it or use --output FORMAT=PATH")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_rest()
    except OSError as error:
        _discard_rest()
        raise OutputError(f"standard output: {error.strerror or error}") from error


def _discard_rest() -> None:
    """Point standard output at nothing, so that the flush at exit cannot fail again."""
    with suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
