"""A progress bar on standard error for work that lasts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Timer
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from rich import progress as rich_progress

from embaudit_cli.interrupt import in_background
from embaudit_cli.streams import stderr

if TYPE_CHECKING:
    from embaudit.datatypes import Progress

T = TypeVar("T")

DELAY_SECONDS = 1.0
"""Work that ends sooner shows no bar."""


class TerminalProgress:
    """Shows the current stage once the work has lasted `DELAY_SECONDS`; gone when it ends.

    ``stage`` and ``advance`` may be called from any thread.
    """

    def __init__(self) -> None:
        self._bars = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(
                style="bright_black",
                complete_style="cyan",
                finished_style="cyan",
                pulse_style="cyan",
            ),
            rich_progress.TaskProgressColumn(style="default"),
            rich_progress.TimeRemainingColumn(compact=True),
            console=stderr(),
            transient=True,
        )
        self._task = self._bars.add_task("reading", total=None)
        self._delay = Timer(DELAY_SECONDS, self._bars.start)
        self._delay.daemon = True

    def __enter__(self) -> TerminalProgress:
        self._delay.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._delay.cancel()
        self._delay.join()  # a bar that is just appearing must be there to be removed
        self._bars.stop()

    def stage(self, name: str, total: int) -> None:
        """Begin stage `name` of `total` steps."""
        measurable = total if total > 1 else None  # a single step is either begun or over
        self._bars.reset(self._task, description=name, total=measurable)

    def advance(self, steps: int = 1) -> None:
        """Count `steps` of the current stage as done."""
        self._bars.advance(self._task, steps)


def with_progress(work: Callable[[Progress | None], T], *, quiet: bool) -> T:
    """Run `work` in the background, showing its progress where someone can see it."""
    if quiet or not _is_visible():
        return in_background(lambda: work(None))
    with TerminalProgress() as progress:
        return in_background(lambda: work(progress))


def _is_visible() -> bool:
    """Tell whether standard error is a terminal that can move its cursor."""
    return sys.stderr is not None and sys.stderr.isatty() and not stderr().is_dumb_terminal
