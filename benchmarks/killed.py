"""Kill every command that writes, at random moments: each output is old, new or absent, and whole.

``python -m benchmarks.killed`` kills 200 times (SIGKILL to the process and all it has started). A
third of the moments are drawn from the whole run, a third from the time in which files are written,
and a third follow the first output that takes its place, where some may be old and some new. Every
other run finds an earlier version of its outputs. ``--write`` puts the counts into
docs/reliability.md. Exit 1 when an output was neither. POSIX only.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import reliability
from benchmarks.hostile.commands import (
    COMMANDS,
    EMBAUDIT,
    HEADS,
    LONGEST_SECONDS,
    OUT,
    TEMPORARY,
    Command,
    content,
    load,
    prepare,
    require_success,
    run,
    start,
)
from embaudit.data.sources import open_set

TIMES = 200
MOMENTS = ("any", "writing", "placing")
"""From the whole run; from the first temporary file on; as the first output takes its place."""
PLACING_SECONDS = 0.002
"""After the first output took its place, at most."""
EARLIER = b"an earlier version\n"


@dataclass(frozen=True)
class Undisturbed:
    """What a command writes when it is left alone, and when.

    Attributes
    ----------
    outputs : dict of str to bytes
        Without timing.
    earlier : dict of str to bytes
        The files that are in place in every other run.
    seconds : float
        Of the whole run.
    writing : float
        From the first temporary file until the last is gone.
    """

    outputs: dict[str, bytes]
    earlier: dict[str, bytes]
    seconds: float
    writing: float


@dataclass
class Tally:
    """What was found after the kills of one command."""

    kills: int = 0
    finished: int = 0
    old: int = 0
    new: int = 0
    mixed: int = 0
    leftovers: int = 0
    faults: list[str] = field(default_factory=list)


def undisturbed(command: Command, folder: Path) -> Undisturbed:
    """Run a command without a kill, in a prepared folder."""
    out = folder / OUT
    earlier = dict.fromkeys(command.outputs, EARLIER)
    if command.earlier:
        require_success(run([*EMBAUDIT, *command.earlier], folder))
        earlier = {name: (out / name).read_bytes() for name in command.outputs}
    _clear(out)
    process = start(command.line, folder)
    begun = time.perf_counter()
    first = placed = begun
    while process.poll() is None:
        names = os.listdir(out)
        if not names:
            first = time.perf_counter()
        if placed < first or any(TEMPORARY.fullmatch(name) for name in names):
            placed = time.perf_counter()
    ended = time.perf_counter()
    process.communicate()
    outputs = {name: content(out / name) for name in command.outputs}
    _clear(out)
    return Undisturbed(outputs, earlier, ended - begun, placed - first)


def kill(
    command: Command, known: Undisturbed, folder: Path, moment: str, earlier: bool, rng: Random
) -> Tally:
    """Kill a command once and look at what it left.

    Parameters
    ----------
    command : Command
    known : Undisturbed
    folder : pathlib.Path
        Prepared; its outputs are removed.
    moment : str
        One of `MOMENTS`.
    earlier : bool
        Whether earlier versions are in place.
    rng : random.Random
    """
    out = folder / OUT
    _clear(out)
    for name, data in known.earlier.items():
        if earlier:
            (out / name).write_bytes(data)
    process = start(command.line, folder)
    _wait(process, command, known, out, moment, rng)
    finished = process.poll() is not None
    if not finished:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    tally = Tally(kills=1, finished=int(finished))
    _judge(command, known, folder, earlier, tally)
    return tally


def _wait(
    process: Any,  # noqa: ANN401
    command: Command,
    known: Undisturbed,
    out: Path,
    moment: str,
    rng: Random,
) -> None:
    """Return when the process is to be killed, or has ended."""
    if moment == "any":
        deadline = time.perf_counter() + rng.uniform(0.0, known.seconds)
    else:
        stamps = _stamps(out, command)
        give_up = time.perf_counter() + LONGEST_SECONDS
        while process.poll() is None and time.perf_counter() < give_up:
            if moment == "writing" and any(TEMPORARY.fullmatch(name) for name in os.listdir(out)):
                break
            if moment == "placing" and _stamps(out, command) != stamps:
                break
        longest = known.writing if moment == "writing" else PLACING_SECONDS
        deadline = time.perf_counter() + rng.uniform(0.0, longest)
    while process.poll() is None and time.perf_counter() < deadline:
        # Sleeping is too coarse for moments of a millisecond.
        if deadline - time.perf_counter() > 0.01:
            time.sleep(0.005)


def _stamps(out: Path, command: Command) -> list[int | None]:
    """Return which file every output is."""
    found: list[int | None] = []
    for name in command.outputs:
        try:
            found.append(os.stat(out / name).st_ino)
        except OSError:
            found.append(None)
    return found


def _judge(command: Command, known: Undisturbed, folder: Path, earlier: bool, tally: Tally) -> None:
    """Count which outputs are old and new; what is neither is a fault."""
    out = folder / OUT
    names = set(os.listdir(out))
    leftovers = {name for name in names if TEMPORARY.fullmatch(name)}
    tally.leftovers = len(leftovers)
    for name in names - leftovers - set(command.outputs):
        tally.faults.append(f"{command.name}: an unknown file {name}")
    states = []
    for name in command.outputs:
        path = out / name
        if not path.exists():
            states.append("neither" if earlier else "old")
        elif earlier and path.read_bytes() == known.earlier[name]:
            states.append("old")
        else:
            states.append("new" if _is_whole(path, known.outputs[name]) else "neither")
        if states[-1] == "neither":
            tally.faults.append(f"{command.name}: {name} is neither old nor new")
    tally.old = int(set(states) == {"old"})
    tally.new = int(set(states) == {"new"})
    tally.mixed = int(set(states) == {"old", "new"})
    if tally.mixed and command.outputs == HEADS:
        _require_noticed(folder, tally)
    if leftovers:
        _require_passed_over(folder, leftovers, tally)


def _is_whole(path: Path, expected: bytes) -> bool:
    try:
        load(path)
        return content(path) == expected
    except Exception:
        return False


def _require_noticed(folder: Path, tally: Tally) -> None:
    """Demand that one old head and one new, or one alone, are not taken for a pair."""
    for head in HEADS:
        if (folder / OUT / head).exists():
            done = run([*EMBAUDIT, "verify", f"{OUT}/{head}", "a.npy", "b.npy"], folder)
            if done.returncode != 2 or b"Traceback" in done.stderr:
                tally.faults.append(f"two heads of different spaces: exit {done.returncode}")


def _require_passed_over(folder: Path, leftovers: set[str], tally: Tally) -> None:
    """Demand that temporary files are not read as parts of a set."""
    parts = folder / "parts"
    parts.mkdir()
    shutil.copy(folder / "a.parquet", parts / "part-0.parquet")
    for name in leftovers:
        shutil.copy(folder / OUT / name, parts / name)
    try:
        whole = open_set(folder / "a.parquet").rows
        for source in (parts, parts / "*"):
            if open_set(source).rows != whole:
                tally.faults.append(f"{source.name}: a temporary file is read as a part")
    finally:
        shutil.rmtree(parts)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def merged(tallies: Sequence[Tally]) -> Tally:
    """Return the sum of several."""
    whole = Tally()
    for tally in tallies:
        for name, value in vars(tally).items():
            setattr(whole, name, getattr(whole, name) + value)
    return whole


def campaign(
    times: int, seed: int, workers: int, commands: Sequence[Command] = COMMANDS, rows: int = 3000
) -> dict[str, Tally]:
    """Kill commands in turn, `times` altogether, and return what was found by command.

    Every command is run undisturbed once more afterwards, among the temporary files of the kills.
    """
    turns: dict[str, list[tuple[int, str, bool]]] = {command.name: [] for command in commands}
    for number in range(times):
        command = commands[number % len(commands)]
        turn = number // len(commands)
        moment = MOMENTS[turn % len(MOMENTS)]
        turns[command.name].append((number, moment, turn // len(MOMENTS) % 2 == 1))

    def work(command: Command) -> Tally:
        with tempfile.TemporaryDirectory(prefix="embaudit-killed-") as name:
            folder = Path(name)
            prepare(folder, rows)
            known = undisturbed(command, folder)
            tallies = []
            for number, moment, earlier in turns[command.name]:
                rng = Random(f"{seed} {number}")
                tallies.append(kill(command, known, folder, moment, earlier, rng))
            found = merged(tallies)
            require_success(run(command.line, folder))
            for output, expected in known.outputs.items():
                if not _is_whole(folder / OUT / output, expected):
                    found.faults.append(f"{command.name}: run again, {output} is another")
            print(f"{command.name}: {found}", flush=True)
            return found

    asked = [command for command in commands if turns[command.name]]
    with ThreadPoolExecutor(workers) as pool:
        return dict(zip((one.name for one in asked), pool.map(work, asked), strict=True))


CAMPAIGN = reliability.Campaign(
    "killed",
    __doc__,
    TIMES,
    "kills",
    "outputs that were not whole",
    {
        "kills": "kills",
        "finished": "already ended",
        "old": "all old",
        "new": "all new",
        "mixed": "some of each",
        "leftovers": "temporary files left",
    },
    "neither old nor new",
    campaign,
)

if __name__ == "__main__":
    sys.exit(CAMPAIGN.main())
