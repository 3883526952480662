"""Processes that read mutants, watched: a crash, a hang or a large allocation is a finding."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

from benchmarks.hostile.reading import Outcome, Read, read
from benchmarks.hostile.subjects import Kind, Subject

HANG_SECONDS = 10.0
MOST_BYTES = 1 << 30
"""That a process may take on top of what it holds when it has read every valid file."""
START_SECONDS = 120.0
COMPARED_EVERY = 16
"""Of the mutants; those that are read in another shape are compared as well."""
STATUS = Path("/proc/self/status")
PREFIX = "embaudit-fuzz-"
ENVIRONMENT = {
    # One thread a process: more would only wait for each other, and each has a stack.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Arrow's own allocator reserves address space that nobody asked for.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
}


@dataclass(frozen=True)
class Job:
    """Mutants of one subject by their numbers, first to last."""

    subject: int
    start: int
    stop: int


@dataclass(frozen=True)
class Failure:
    """A mutant that did what none may do.

    Attributes
    ----------
    subject : str
    index : int
    kind : "crash", "hang", "memory" or "other"
    detail : str
    """

    subject: str
    index: int
    kind: str
    detail: str


@dataclass
class Tally:
    """What came of the mutants of one subject."""

    mutants: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    verdicts: int = 0
    slowest: float = 0.0
    peak: int = 0
    denied: int = 0

    def add(self, found: Read, seconds: float) -> None:
        """Count one mutant."""
        self.mutants += 1
        self.outcomes[found.outcome] += 1
        self.compared += found.compared
        self.verdicts += found.verdict
        self.slowest = max(self.slowest, seconds)


def mutant(
    subjects: Sequence[Subject], number: int, seed: int, index: int, others: tuple[bytes, ...]
) -> bytes:
    """Return a mutant; the same bytes each time on one machine."""
    subject = subjects[number]
    return subject.mutant(Random(f"{seed} {subject.name} {index}"), others)


def place(subject: Subject, folder: Path) -> Path:
    """Return where a mutant goes, beside a whole part where it is one of several."""
    if subject.kind is Kind.PART:
        (folder / "part-0.parquet").write_bytes(subject.data)
    return folder / subject.file


def status(name: str) -> int:
    """Return a size out of the process's own status, in bytes."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024


def _read_jobs(
    connection: Connection, subjects: Sequence[Subject], seed: int, parent: str, limited: bool
) -> None:
    """Read mutants as they are asked for and send what came of each; in a process of its own."""
    others = tuple(subject.data for subject in subjects)
    folders = []
    for number, subject in enumerate(subjects):
        folder = Path(parent) / str(number)
        folder.mkdir()
        folders.append(place(subject, folder))
        folders[-1].write_bytes(subject.data)
        found = read(subject, folders[-1], compare=True)
        if found.outcome is not Outcome.UNCHANGED:
            raise RuntimeError(f"{subject.name}: {found}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limited:
        resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + MOST_BYTES,) * 2)
    connection.send("ready")
    while True:
        job: Job | None = connection.recv()
        if job is None:
            return
        subject, path = subjects[job.subject], folders[job.subject]
        before = _reset_peak()
        for index in range(job.start, job.stop):
            # A new file: HDF5 takes one of the same number for a file that is open still.
            path.unlink()
            path.write_bytes(mutant(subjects, job.subject, seed, index, others))
            started = time.perf_counter()
            found = read(subject, path, compare=index % COMPARED_EVERY == 0, limited=limited)
            connection.send((found, time.perf_counter() - started))
        connection.send(max(0, status("VmHWM") - before))


def _reset_peak() -> int:
    """Make the kernel forget the largest resident size so far; return that of now."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


class Watched:
    """A process that reads mutants, started again when it has died or hung.

    Parameters
    ----------
    subjects : sequence of Subject
    seed : int
    limited : bool
        It is given no more than `MOST_BYTES` of address space. What it is denied is read again in
        a process without that limit: memory may be asked for that is never used.
    """

    def __init__(self, subjects: Sequence[Subject], seed: int, *, limited: bool = True) -> None:
        self._subjects, self._seed, self._limited = subjects, seed, limited
        self._unlimited = Watched(subjects, seed, limited=False) if limited else None
        self._process: BaseProcess | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def run(
        self,
        job: Job,
        tally: Tally,
        failed: Callable[[Failure], None],
        within: float = HANG_SECONDS,
    ) -> None:
        """Read the mutants of a job, each `within` so many seconds."""
        index = job.start
        while index < job.stop:
            self._start()
            self._connection.send(Job(job.subject, index, job.stop))
            while index < job.stop:
                fault = self._fault(within)
                if fault is None:
                    found, seconds = self._received
                    if found.outcome is Outcome.DENIED and self._unlimited is not None:
                        tally.denied += 1
                        again = Job(job.subject, index, index + 1)
                        self._unlimited.run(again, tally, failed, within)
                        index += 1
                        continue
                    if found.outcome is Outcome.FAILED:
                        failed(Failure(self._name(job), index, "other", found.detail))
                else:
                    found, seconds = Read(Outcome.FAILED, fault[1]), 0.0
                    failed(Failure(self._name(job), index, *fault))
                tally.add(found, seconds)
                index += 1
                if fault is not None:
                    break
            else:
                peak: int = self._connection.recv()
                tally.peak = max(tally.peak, peak)
                if peak > MOST_BYTES:
                    detail = f"{peak:,} bytes more in memory"
                    failed(Failure(self._name(job), job.start, "memory", detail))

    def close(self) -> None:
        """End the process."""
        if self._unlimited is not None:
            self._unlimited.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _name(self, job: Job) -> str:
        return self._subjects[job.subject].name

    def _start(self) -> None:
        if self._process is not None:
            return
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX)
        arguments = (theirs, self._subjects, self._seed, self._folder.name, self._limited)
        self._process = context.Process(target=_read_jobs, args=arguments, daemon=True)
        before = dict(os.environ)
        os.environ.update(ENVIRONMENT)
        try:
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()
        if not self._connection.poll(START_SECONDS):
            raise RuntimeError("a process that reads mutants does not start")
        self._connection.recv()

    def _fault(self, within: float) -> tuple[str, str] | None:
        """Wait for the next result; return what became of the process if there is none."""
        assert self._process is not None
        try:
            if self._connection.poll(within):
                self._received: tuple[Read, float] = self._connection.recv()
                return None
            fault = "hang", f"no answer within {within:g} s"
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode or 0
            name = signal.Signals(-code).name if code < 0 else f"exit {code}"
            fault = "crash", f"the process ended: {name}"
        self.close()
        return fault
