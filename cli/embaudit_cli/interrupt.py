"""Ending at once on Ctrl-C or SIGTERM, also while a thread computes in C."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from types import FrameType
from typing import NoReturn, TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.1
"""Windows does not wake a waiting main thread for Ctrl-C, so it looks up this often."""


class Stopped(BaseException):
    """A signal asked the process to end; raised in the main thread.

    Not a KeyboardInterrupt, which Typer would turn into a status of its own choice.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.status = 128 + signum


def raise_on_signals() -> None:
    """Make SIGINT and SIGTERM raise `Stopped`, unless the parent asked to ignore them."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _stop)


def _stop(signum: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(signum)


def end_at_once(stopped: Stopped) -> NoReturn:
    """Say so and end the process without waiting for its threads."""
    # Where it has not been imported nothing has been written.
    if destinations := sys.modules.get("embaudit.destinations"):
        destinations.discard_unfinished()
    with suppress(OSError, ValueError):  # stderr may be closed
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
    os._exit(stopped.status)


def in_background(work: Callable[[], T]) -> T:
    """Run `work` in a daemon thread, so that the main thread stays free to take signals.

    Returns
    -------
    T
        What `work` returns.

    Raises
    ------
    BaseException
        Whatever `work` raises.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    thread = Thread(target=run, name="embaudit-work", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(POLL_SECONDS)
    return outcome.result()
