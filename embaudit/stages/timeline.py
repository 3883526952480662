"""How far the whole audit is: stages as they come, weighted by how long they should take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from embaudit.data.pair import Pair
from embaudit.datatypes import Forecast, Progress, WholeProgress
from embaudit.stages.estimate import Machine, Part, Workload
from embaudit.stages.options import Options

NEIGHBOURS = "neighbours"
ALMOST = 0.99
"""Share of the work that is reported as done at most, until it is."""
PRIOR = 0.1
"""Share of the forecast that counts as having taken as long as expected, so that the first steps do
not decide the pace."""


class Timeline:
    """A listener between the stages and one that wants to know about the whole.

    Stages come in the order of `parts`; those that are skipped count as done, those that were not
    foreseen make the rest longer. What is done never becomes less: a longer rest fills the room
    that is left.

    Parameters
    ----------
    listener : WholeProgress
    parts : sequence of Part
        Stages to come, with the seconds each should take.
    search : callable
        What a search of so many further queries adds.
    unforeseen : float
        Seconds of a search that nobody announced.
    clock : callable
        Seconds since some moment.
    """

    def __init__(
        self,
        listener: WholeProgress,
        parts: Sequence[Part],
        search: Callable[[int], list[Part]],
        unforeseen: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.listener = listener
        self.parts = parts
        self.search = search
        self.unforeseen = unforeseen
        self.clock = clock
        self._done = self._passed = 0.0
        self._steps, self._total = 0, 1
        self._pending = list(parts)
        self._current = Part("", 0.0)
        self._left = self._expected = sum(part.seconds for part in parts)
        self._started = clock()

    def stage(self, name: str, total: int) -> None:
        """Begin a stage, the one before it being over."""
        self._passed += self._current.seconds
        self._current = self._next(name)
        self._steps, self._total = 0, max(1, total)
        self.listener.stage(name, total)
        self._report()

    def advance(self, steps: int = 1) -> None:
        """Count steps of the current stage as done."""
        self._steps = min(self._steps + steps, self._total)
        self.listener.advance(steps)
        self._report()

    def expect(self, queries: int) -> None:
        """Make room for the search of further queries, which comes next."""
        self._pending[:0] = self.search(queries)
        self._left = self._rest()

    def finish(self) -> None:
        """Say that all is done."""
        self.listener.reach(1.0, 0.0)

    def _next(self, name: str) -> Part:
        """Return the part that a stage is, dropping those before it."""
        for position, part in enumerate(self._pending):
            if part.stage == name:
                del self._pending[: position + 1]
                return part
        part = Part(name, self.unforeseen if name == NEIGHBOURS else 0.0)
        self._left += part.seconds
        return part

    def _rest(self) -> float:
        """Return the expected seconds that are left."""
        here = self._current.seconds * (1.0 - self._steps / self._total)
        return here + sum(part.seconds for part in self._pending)

    def _report(self) -> None:
        left = self._rest()
        if left < self._left:
            self._done = 1.0 - (1.0 - self._done) * left / self._left
        self._left = left
        passed = self._passed + self._current.seconds * self._steps / self._total
        prior = PRIOR * self._expected
        pace = (self.clock() - self._started + prior) / (passed + prior) if prior else 1.0
        self.listener.reach(min(self._done, ALMOST), left * pace)


def follow(
    options: Options, pairs: Sequence[Pair], queries: Sequence[int], shares: Sequence[int]
) -> Progress:
    """Return the listener that the stages are to tell; forecasts where the user's one listens.

    Parameters
    ----------
    options : Options
    pairs : sequence of Pair
        That will be audited, one after the other; the last is what the user asked about.
    queries : sequence of int
        How many queries the first searches of the last pair ask.
    shares : sequence of int
        Indexes that are searched besides hold one row of this many.
    """
    listener = options.progress
    if not isinstance(listener, WholeProgress):
        return listener
    machine = Machine.measured(options.workers)
    *others, last = [Workload.of(pair, options) for pair in pairs]
    parts = [part for load in others for part in load.parts(machine, queries[:1], shares)]
    parts += last.parts(machine, queries, shares)
    listener.begin(Forecast(last.rows, last.dims, sum(part.seconds for part in parts)))
    return Timeline(
        listener,
        parts,
        search=lambda count: last.search(machine, count),
        unforeseen=last.again(machine),
    )


def foresee(progress: Progress, queries: int) -> None:
    """Tell a timeline, where there is one, that further queries are asked."""
    if isinstance(progress, Timeline):
        progress.expect(queries)


def finish(progress: Progress) -> None:
    """Tell a timeline, where there is one, that all is done."""
    if isinstance(progress, Timeline):
        progress.finish()
