"""Progress on standard error for work that lasts: what to expect, then one bar for all of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Timer
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from rich import progress as rich_progress
from rich.text import Text

from embaudit_cli.interrupt import in_background
from embaudit_cli.streams import stderr

if TYPE_CHECKING:
    from embaudit.datatypes import Forecast, Progress

T = TypeVar("T")

DELAY_SECONDS = 1.0
"""Work that ends sooner shows no bar."""
LONG_SECONDS = 10.0
"""Work that is expected to last as long is announced."""
MINUTE = 60
HOUR = 3600


class Announcement:
    """Says up front how long the work will take where that is long, and nothing more."""

    def begin(self, forecast: Forecast) -> None:
        """Announce what lasts."""
        if forecast.seconds >= LONG_SECONDS:
            self._print(announced(forecast))

    def reach(self, done: float, seconds_left: float) -> None:
        """Ignore how far the work is."""

    def stage(self, name: str, total: int) -> None:
        """Ignore a new stage."""

    def advance(self, steps: int = 1) -> None:
        """Ignore progress."""

    def _print(self, line: str) -> None:
        stderr().print(line, soft_wrap=True)


class TerminalProgress(Announcement):
    """Shows how far all of the work is once it has lasted `DELAY_SECONDS`; gone when it ends.

    Work that forecasts nothing shows how far each of its stages is. Its methods may be called from
    any thread.
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
            _TimeLeft(),
            console=stderr(),
            transient=True,
        )
        self._task = self._bars.add_task("reading", total=None)
        self._delay = Timer(DELAY_SECONDS, self._bars.start)
        self._delay.daemon = True
        self._forecast = False

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

    def begin(self, forecast: Forecast) -> None:
        """Announce what lasts, and wait to be told how far all of it is."""
        super().begin(forecast)
        self._forecast = True
        self._bars.remove_task(self._task)
        self._task = self._bars.add_task("reading", total=None)

    def stage(self, name: str, total: int) -> None:
        """Name the current stage."""
        self._bars.update(self._task, description=f"{name:<13}")
        if not self._forecast:
            self._bars.update(self._task, total=total, completed=0)

    def advance(self, steps: int = 1) -> None:
        """Count steps of a stage where nothing tells how far all of the work is."""
        if not self._forecast:
            self._bars.update(self._task, advance=steps)

    def reach(self, done: float, seconds_left: float) -> None:
        """Show how far the work is."""
        ends = time.monotonic() + seconds_left
        self._bars.update(self._task, total=1.0, completed=done, ends=ends)

    def _print(self, line: str) -> None:
        self._bars.console.print(line, soft_wrap=True)


class _TimeLeft(rich_progress.ProgressColumn):
    """Counts down from what was last expected to be left."""

    def render(self, task: rich_progress.Task) -> Text:
        ends = task.fields.get("ends")
        if ends is None:
            return Text("")
        minutes, seconds = divmod(max(0, round(ends - time.monotonic())), MINUTE)
        hours, minutes = divmod(minutes, MINUTE)
        shown = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
        return Text(f"{shown} left", style="progress.remaining")


def announced(forecast: Forecast) -> str:
    """Return what is about to be compared, and about how long it takes."""
    first, second = forecast.dims
    return f"{forecast.rows:,} x {first} + {second}: about {_roughly(forecast.seconds)}"


def _roughly(seconds: float) -> str:
    """Return a duration no more exact than a forecast is."""
    if seconds < 1.5 * MINUTE:
        return f"{5 * round(seconds / 5)} s"
    if seconds < 1.5 * HOUR:
        return f"{round(seconds / MINUTE)} min"
    return f"{seconds / HOUR:.1f} h"


def with_progress(work: Callable[[Progress | None], T], *, quiet: bool, verbose: bool = False) -> T:
    """Run `work` in the background, showing its progress where someone can see it.

    Where nobody can, `verbose` still announces long work.
    """
    from embaudit.stats.allocation import return_large_arrays

    return_large_arrays()
    if not quiet and _is_visible():
        with TerminalProgress() as progress:
            return in_background(lambda: work(progress))
    announcement = Announcement() if verbose and not quiet else None
    return in_background(lambda: work(announcement))


def _is_visible() -> bool:
    """Tell whether standard error is a terminal that can move its cursor."""
    return sys.stderr is not None and sys.stderr.isatty() and not stderr().is_dumb_terminal
