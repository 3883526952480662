"""Change an input while a command reads it: it is refused, or the answer is that of one version.

``python -m benchmarks.changed`` runs `compare`, `align`, `apply`, `concat` and `verify` 200 times
and changes one of their inputs at a random moment: cut short, overwritten in place piece by piece
with another version, or replaced by it. Allowed is exit 2 with one line and no output, or the very
answer that one of both whole versions gives. ``--write`` puts the counts into docs/reliability.md.
Exit 1 for anything else. POSIX only.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import reliability
from benchmarks.hostile.commands import (
    EMBAUDIT,
    LONGEST_SECONDS,
    OUT,
    require_success,
    run,
    start,
    without_timing,
)

TIMES = 200
CHANGES = ("cut short", "overwritten in place", "replaced")
FORMATS = ("npy", "parquet", "arrow", "h5")
PIECE = 1 << 16
"""Bytes written at once where a file is overwritten in place."""
IMPORTING = 0.3
"""Share of a run before which nothing is read: Python and its modules are loaded."""


@dataclass(frozen=True)
class Reading:
    """A command that reads ``a.SUFFIX``, and what it writes, if anything.

    Attributes
    ----------
    name : str
    arguments : tuple of str
        ``{}`` stands for the suffix.
    output : str or None
        In the folder `OUT`; what is printed counts besides.
    """

    name: str
    arguments: tuple[str, ...]
    output: str | None = None

    def line(self, suffix: str) -> list[str]:
        """Return the command line."""
        return [*EMBAUDIT, *(word.format(suffix) for word in self.arguments)]


PAIR = ("a.{}", "b.npy")
READINGS = (
    Reading("compare", ("compare", *PAIR, "--json", "--exit-zero")),
    Reading(
        "align",
        ("align", *PAIR, "-o", f"{OUT}/m.safetensors", "--force", "--json"),
        "m.safetensors",
    ),
    Reading("apply", ("apply", "map.safetensors", "a.{}", "-o", f"{OUT}/mapped.npy"), "mapped.npy"),
    Reading("concat", ("concat", *PAIR, "-o", f"{OUT}/joined.npy", "--json"), "joined.npy"),
    Reading("verify", ("verify", "map.safetensors", *PAIR, "--json")),
)


@dataclass(frozen=True)
class Answer:
    """What a run came to: its exit status, what it printed and what it wrote."""

    status: int
    printed: bytes
    written: bytes | None


@dataclass
class Tally:
    """What came of the changes during one command."""

    changes: int = 0
    refused: int = 0
    first: int = 0
    second: int = 0
    faults: list[str] = field(default_factory=list)


def store(path: Path, rows: Any) -> None:  # noqa: ANN401
    """Write a matrix in the format of its suffix."""
    if path.suffix == ".npy":
        np.save(path, rows)
        return
    if path.suffix == ".h5":
        with importlib.import_module("h5py").File(path, "w") as file:
            file.create_dataset("embedding", data=rows, chunks=(1024, rows.shape[1]))
        return
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])
    table = pa.table({"embedding": vectors})
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=4096)
        return
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=4096)


def prepare(folder: Path, rows: int, dim: int = 32) -> None:
    """Write both versions of A in every format, B, and a map."""
    rng = np.random.default_rng(0)
    first = rng.standard_normal((rows, dim)).astype(np.float32)
    turned = first @ np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    np.save(folder / "b.npy", turned.astype(np.float32))
    second = first + 0.2 * rng.standard_normal(first.shape).astype(np.float32)
    for version, array in (("first", first), ("second", second)):
        (folder / version).mkdir()
        for suffix in FORMATS:
            store(folder / version / f"a.{suffix}", array)
    shutil.copy(folder / "first" / "a.npy", folder / "a.npy")
    (folder / OUT).mkdir()
    line = [*EMBAUDIT, "align", "a.npy", "b.npy", "-o", "map.safetensors"]
    require_success(run(line, folder))


def place(folder: Path, version: str, suffix: str) -> Path:
    """Put a version of A in place, last changed a while ago, and clear the outputs."""
    path = folder / f"a.{suffix}"
    shutil.copy(folder / version / path.name, path)
    past = time.time_ns() - 10**12 * (2 if version == "second" else 1)
    os.utime(path, ns=(past, past))
    for output in (folder / OUT).iterdir():
        output.unlink()
    return path


def answer(reading: Reading, folder: Path, status: int, stdout: bytes) -> Answer:
    """Return what a run came to."""
    path = folder / OUT / (reading.output or "")
    written = path.read_bytes() if reading.output and path.exists() else None
    printed = without_timing(".json", stdout) if stdout.startswith(b"{") else stdout
    return Answer(status, printed, written)


def change(path: Path, how: str, other: Path, rng: Random) -> None:
    """Change a file."""
    if how == "cut short":
        os.truncate(path, rng.randrange(path.stat().st_size))
    elif how == "replaced":
        beside = path.with_name("beside")
        shutil.copyfile(other, beside)
        os.replace(beside, path)
    else:
        data = other.read_bytes()
        with path.open("r+b") as stream:
            for begin in range(0, len(data), PIECE):
                stream.write(data[begin : begin + PIECE])
                stream.flush()
                time.sleep(rng.uniform(0.0, 0.002))
            stream.truncate()


def disturb(
    reading: Reading, folder: Path, suffix: str, how: str, known: dict[str, Answer], moment: float
) -> Tally:
    """Run a command, change its input `moment` seconds later, and judge what came of it."""
    path = place(folder, "first", suffix)
    process = start(reading.line(suffix), folder)
    time.sleep(moment)
    change(path, how, folder / "second" / path.name, Random(f"{moment}"))
    stdout, stderr = process.communicate(timeout=LONGEST_SECONDS)
    found = answer(reading, folder, process.returncode, stdout)
    tally = Tally(changes=1)
    left = sorted(os.listdir(folder / OUT))
    if found.status == 2:
        tally.refused = 1
        said = stderr.decode("utf-8", "replace")
        one_line = said.startswith("error: ") and said.count("\n") == 1 and said.endswith("\n")
        if not one_line or "Traceback" in said or stdout or left:
            tally.faults.append(f"{reading.name}, {suffix}, {how}: {said!r}, left {left}")
    elif found == known["first"]:
        tally.first = 1
    elif found == known["second"] and how != "cut short":
        tally.second = 1
    else:
        tally.faults.append(f"{reading.name}, {suffix}, {how}: exit {found.status}, {stderr!r}")
    return tally


def campaign(
    times: int,
    seed: int,
    workers: int,
    readings: Sequence[Reading] = READINGS,
    suffixes: Sequence[str] = FORMATS,
    rows: int = 6_000,
) -> dict[str, Tally]:
    """Change inputs in turn, `times` altogether, and return what came of it by command."""

    def work(number: int, reading: Reading) -> Tally:
        rng = Random(f"{seed} {reading.name}")
        whole = Tally()
        with tempfile.TemporaryDirectory(prefix="embaudit-changed-") as name:
            folder = Path(name)
            prepare(folder, rows)
            known: dict[str, dict[str, Answer]] = {}
            seconds: dict[str, float] = {}
            for turn in range(-(-(times - number) // len(readings))):
                suffix = suffixes[turn % len(suffixes)]
                how = CHANGES[turn // len(suffixes) % len(CHANGES)]
                if suffix not in known:
                    known[suffix] = {}
                    for version in ("second", "first"):
                        place(folder, version, suffix)
                        begun = time.perf_counter()
                        done = run(reading.line(suffix), folder)
                        # The shorter of both runs: other processes only make them longer.
                        spent = time.perf_counter() - begun
                        seconds[suffix] = min(spent, seconds.get(suffix, spent))
                        require_success(done)
                        known[suffix][version] = answer(
                            reading, folder, done.returncode, done.stdout
                        )
                moment = rng.uniform(IMPORTING, 1.0) * seconds[suffix]
                tally = disturb(reading, folder, suffix, how, known[suffix], moment)
                for field_name, value in vars(tally).items():
                    setattr(whole, field_name, getattr(whole, field_name) + value)
        print(f"{reading.name}: {whole}", flush=True)
        return whole

    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(work, range(len(readings)), readings))
    return {reading.name: tally for reading, tally in zip(readings, found, strict=True)}


CAMPAIGN = reliability.Campaign(
    "changed",
    __doc__,
    TIMES,
    "changes",
    "that ended in anything else",
    {
        "changes": "changes",
        "refused": "refused",
        "first": "answer of the first version",
        "second": "answer of the second",
    },
    "anything else",
    campaign,
)

if __name__ == "__main__":
    sys.exit(CAMPAIGN.main())
