"""Mutants that are guided by coverage: ``python -m benchmarks.fuzz_atheris NPY --seconds 60``.

One kind of file at a time, by its name (``--list``); what it is read by, and what counts as a
failure, is that of `benchmarks.fuzz`. It needs atheris, which ends the process when the time is
over or at the first failure, and then says where the input is. ``--all`` and several names run
each kind in a process of its own, ``--seconds`` each; ``--write`` puts the counts into
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import reliability

# What is to be instrumented may not be imported before.

MOST_BYTES = 1 << 14
"""Of an input: the originals have at most ten thousand."""
SLOWEST_SECONDS = 10
MOST_MEGABYTES = 3072
EXECUTIONS = re.compile(r"Done (\d+) runs? in (\d+) second")


def atheris() -> ModuleType:
    """Import atheris.

    Raises
    ------
    SystemExit
        When it is missing, with the line that installs it.
    """
    try:
        return importlib.import_module("atheris")
    except ImportError:
        raise SystemExit("needs atheris: pip install atheris") from None


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Run one target until the time is over; the process ends here."""
    guided = atheris()
    with guided.instrument_imports(include=["embaudit"]):
        reading = importlib.import_module("benchmarks.hostile.reading")
        subject = known()[name]
    corpus, kept = folder / "corpus", Path(tempfile.gettempdir()) / "embaudit-atheris-failures"
    corpus.mkdir()
    kept.mkdir(exist_ok=True)
    (corpus / "valid").write_bytes(subject.data)
    path = importlib.import_module("benchmarks.hostile.watching").place(subject, folder)

    def target(data: bytes) -> None:
        if not data:
            return
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        found = reading.read(subject, path)
        if found.outcome is reading.Outcome.FAILED:
            raise RuntimeError(found.detail)

    options = [
        *(f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", f"-timeout={SLOWEST_SECONDS}"),
        *(f"-rss_limit_mb={MOST_MEGABYTES}", f"-artifact_prefix={kept}/", "-seed=1"),
    ]
    guided.Setup([sys.argv[0], *options, str(corpus)], target)
    guided.Fuzz()


def known() -> dict[str, Any]:
    """Return every kind of file by its name."""
    module = importlib.import_module("benchmarks.hostile.subjects")
    return {subject.name: subject for subject in module.subjects()}


def run_each(names: Iterable[str], seconds: int) -> dict[str, Any]:
    """Run every target in a process of its own and return its executions, or how it failed."""
    counts: dict[str, Any] = {}
    for name in names:
        line = [sys.executable, "-m", "benchmarks.fuzz_atheris", name]
        done = subprocess.run(
            [*line, "--seconds", str(seconds)], capture_output=True, text=True, check=False
        )
        found = EXECUTIONS.search(done.stderr)
        executions = int(found.group(1)) if found else 0
        failed = "" if found and done.returncode == 0 else done.stderr[-2000:]
        counts[name] = {"executions": executions, "failed": failed}
        print(f"{name}: {executions:,} executions {failed}", flush=True)
    return counts


def render(counts: dict[str, Any], seconds: int) -> str:
    """Return the counts as Markdown."""
    rows = [
        [name, f"{found['executions']:,}", "yes" if found["failed"] else "no"]
        for name, found in counts.items()
    ]
    total = sum(found["executions"] for found in counts.values())
    failed = sum(bool(found["failed"]) for found in counts.values())
    said = f"{total:,} executions, {seconds} s a kind of file: {failed} kinds with a failure."
    return f"{said}\n\n{reliability.table(['file', 'executions', 'failure'], rows)}"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_atheris", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("names", nargs="*", default=[], metavar="KIND", help="of file")
    what.add_argument("--list", action="store_true", help="name the kinds")
    what.add_argument("--all", action="store_true", help="every kind, one after the other")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--write", action="store_true", help="of several kinds: into the document")
    arguments = parser.parse_args()
    if arguments.list:
        print(*known(), sep="\n")
        return 0
    if arguments.all or len(arguments.names) > 1:
        atheris()
        counts = run_each(arguments.names or known(), arguments.seconds)
        body = render(counts, arguments.seconds)
        print(body)
        if arguments.write:
            found = {"seconds": arguments.seconds, "kinds": counts}
            reliability.keep("atheris", found, body)
        return 1 if any(found["failed"] for found in counts.values()) else 0
    with tempfile.TemporaryDirectory(prefix="embaudit-atheris-") as folder:
        try:
            fuzz(arguments.names[0], arguments.seconds, Path(folder))
        except KeyError:
            parser.error(f"no such kind: {arguments.names[0]}; see --list")
    return 0


if __name__ == "__main__":
    sys.exit(main())
