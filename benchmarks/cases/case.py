"""What a case is, what it returns, and what it may use."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from benchmarks.generated import Structure, write_pair
from benchmarks.machine import SHAPES, SMALL_SHAPES, gemm_rate
from benchmarks.runs import Run, RunError, compare, warm

PEERS = {"faiss": "faiss-cpu", "sklearn": "scikit-learn", "scipy": "scipy"}


@dataclass(frozen=True)
class Size:
    """Rows and dimensions of a case; the larger ones where it has several."""

    rows: int
    dim: int

    def __str__(self) -> str:
        return f"{self.rows:,} x {self.dim:,}"


@dataclass(frozen=True)
class StageRow:
    """Median seconds of one stage, and the least that it could take."""

    stage: str
    seconds: float
    floor: float | None
    bound: str


@dataclass(frozen=True)
class Outcome:
    """What a case found.

    Attributes
    ----------
    value : str
        What is held against the target.
    met : bool or None
        None where there is nothing to meet.
    detail : str
        What is needed to read the value.
    stages : tuple of StageRow
    """

    value: str
    met: bool | None
    detail: str
    stages: tuple[StageRow, ...] = ()


@dataclass(frozen=True)
class Timed:
    """A run and the rate at which the machine multiplied right before and after it."""

    run: Run
    rate: float


@dataclass
class Bench:
    """What cases share: where data go, how often to repeat, and what was probed.

    Attributes
    ----------
    folder : Path
    repeats : int
        Runs behind every median.
    threads : int
        Processors that this process, hence the command, may use.
    small : bool
        Probe with small products, for tiny sizes.
    keep : bool
        Leave generated files for the next run.
    rates : list of float
        Every probe of this case, operations a second.
    """

    folder: Path
    repeats: int
    threads: int
    small: bool = False
    keep: bool = False
    rates: list[float] = field(default_factory=list)

    @contextmanager
    def pair(
        self, structure: Structure, size: Size, dtype: str = "float32"
    ) -> Iterator[tuple[Path, Path]]:
        """Hand out a pair of files, written if need be and in the page cache."""
        stem = f"{structure.name}_{size.rows}x{size.dim}_{dtype}"
        a, b = (self.folder / f"{stem}_{side}.npy" for side in "ab")
        try:
            if not (a.exists() and b.exists()):
                write_pair(structure, size.rows, size.dim, (a, b), dtype)
            warm(a, b)
            yield a, b
        finally:
            for path in () if self.keep else (a, b):
                path.unlink(missing_ok=True)

    def probe(self) -> float:
        """Measure the rate of float32 products now."""
        rate = gemm_rate(self.threads, SMALL_SHAPES if self.small else SHAPES)
        self.rates.append(rate)
        return rate

    def timed(
        self, *arguments: str | Path, between: Callable[[Run], None] | None = None
    ) -> list[Timed]:
        """Run ``embaudit compare`` repeatedly, a probe on either side of each run.

        `between` is called after each run, before the next probe: a peer that takes turns.
        """
        timed = []
        for _ in range(self.repeats):
            before = self.probe()
            run = compare(*arguments)
            timed.append(Timed(run, (before + self.probe()) / 2.0))
            if between is not None:
                between(run)
        return timed


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes
    ----------
    name, measures, target : str
    size : Size
    reduced : Size
        For a look at whether it runs, within seconds.
    disk : callable
        Bytes of files that lie there at once, from the size.
    minutes : float
        About how long it takes at `size` on two cores.
    run : callable
    needs : tuple of str
        Modules of peers.
    """

    name: str
    measures: str
    target: str
    size: Size
    reduced: Size
    disk: Callable[[Size], int]
    minutes: float
    run: Callable[[Bench, Size], Outcome]
    needs: tuple[str, ...] = ()

    def measure(self, bench: Bench, size: Size) -> Outcome:
        """Run the case.

        Raises
        ------
        RunError
            Where a peer is missing, the disk is too small, or a process fails.
        """
        missing = [PEERS[module] for module in self.needs if find_spec(module) is None]
        if missing:
            raise RunError(f"needs {', '.join(missing)}: pip install 'embaudit[bench]'")
        check_space(bench.folder, self.disk(size))
        return self.run(bench, size)


def check_space(folder: Path, needed: int) -> None:
    """Refuse to start what does not fit the disk; files kept from an earlier run count as free.

    Raises
    ------
    RunError
        Says what is needed and what there is.
    """
    free = shutil.disk_usage(folder).free + sum(
        path.stat().st_size for path in folder.glob("*_?.npy")
    )
    if needed > free:
        raise RunError(
            f"needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; pass --folder FOLDER"
        )


def spread(values: list[float], form: str = ".2f") -> str:
    """Return a median with the range around it."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):{form}} ({low:{form}} to {high:{form}})"


def mebibytes(size: float) -> str:
    """Return a size in MiB."""
    return f"{size / 2**20:.0f} MiB"
