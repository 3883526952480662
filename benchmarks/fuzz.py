"""Read mutants of small valid files: none may crash, hang, take a GiB or pass for another matrix.

``python -m benchmarks.fuzz`` reads 100,000 mutants of every format and kind of file, a share of
each, in processes that are watched. ``--only TEXT`` keeps the kinds whose name contains the text,
``--write`` puts the counts into docs/reliability.md. What fails is kept outside of the repository,
with the line that makes it again. Exit 1 when anything failed. Linux only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks import reliability
from benchmarks.hostile.reading import Outcome
from benchmarks.hostile.subjects import Subject, subjects
from benchmarks.hostile.watching import (
    HANG_SECONDS,
    PREFIX,
    Failure,
    Job,
    Tally,
    Watched,
    mutant,
)
from benchmarks.validation.workers import processors

MUTANTS = 100_000
BATCH = 200
"""Mutants asked for at once."""
KINDS = ("crash", "hang", "memory", "other")


class Campaign:
    """All mutants of a run, shared among processes.

    Parameters
    ----------
    chosen : tuple of Subject
    mutants : int
        At least so many altogether.
    seed : int
    folder : pathlib.Path
        Where what fails is kept.
    """

    def __init__(self, chosen: tuple[Subject, ...], mutants: int, seed: int, folder: Path) -> None:
        self.chosen, self.seed, self.folder = chosen, seed, folder
        self.tallies = [Tally() for _ in chosen]
        self.failures: list[Failure] = []
        self._others = tuple(subject.data for subject in chosen)
        each = -(-mutants // len(chosen))
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        for start in range(0, each, BATCH):
            for number in range(len(chosen)):
                self._jobs.put(Job(number, start, min(start + BATCH, each)))

    def run(self, workers: int) -> None:
        """Read all mutants."""
        for _ in range(workers):
            self._jobs.put(None)
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(self._work) for _ in range(workers)]:
                done.result()

    def _work(self) -> None:
        watched = Watched(self.chosen, self.seed)
        try:
            while (job := self._jobs.get()) is not None:
                tally = Tally()
                watched.run(job, tally, self._failed)
                self._merge(self.tallies[job.subject], tally)
        finally:
            watched.close()

    @staticmethod
    def _merge(whole: Tally, part: Tally) -> None:
        whole.mutants += part.mutants
        whole.outcomes.update(part.outcomes)
        whole.compared += part.compared
        whole.verdicts += part.verdicts
        whole.slowest = max(whole.slowest, part.slowest)
        whole.peak = max(whole.peak, part.peak)
        whole.denied += part.denied

    def _failed(self, failure: Failure) -> None:
        """Keep a mutant that failed, and say so."""
        self.failures.append(failure)
        number = next(n for n, one in enumerate(self.chosen) if one.name == failure.subject)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = "".join(c if c.isalnum() else "-" for c in failure.subject)
        path = self.folder / f"{name}-{self.seed}-{failure.index}-{self.chosen[number].file}"
        path.write_bytes(mutant(self.chosen, number, self.seed, failure.index, self._others))
        last = failure.detail.strip().splitlines()[-1]
        print(f"FAILED {failure.kind}: {path}: {last}", flush=True)
        path.with_name(f"{path.name}.txt").write_text(f"{failure}\n{failure.detail}\n")


def counts(campaign: Campaign) -> dict[str, Any]:
    """Return what came of a run as a JSON value."""
    failed = {kind: sum(one.kind == kind for one in campaign.failures) for kind in KINDS}
    return {
        "seed": campaign.seed,
        "mutants": sum(tally.mutants for tally in campaign.tallies),
        "failed": failed,
        "kinds": {
            subject.name: {**vars(tally), "outcomes": dict(sorted(tally.outcomes.items()))}
            for subject, tally in zip(campaign.chosen, campaign.tallies, strict=True)
        },
    }


def render(found: dict[str, Any]) -> str:
    """Return the counts as Markdown."""
    heads = ["file", "mutants", "refused", "unchanged", "other values", "other shape"]
    heads += ["compared", "verdicts", "slowest, s", "largest growth, MiB"]
    kinds: dict[str, dict[str, Any]] = found["kinds"]
    rows = [_row(name, tally) for name, tally in kinds.items()]
    counted = ("compared", "verdicts", "denied")
    total: dict[str, Any] = {
        "mutants": found["mutants"],
        "outcomes": {
            outcome: sum(tally["outcomes"].get(outcome, 0) for tally in kinds.values())
            for outcome in Outcome
        },
        **{name: sum(tally[name] for tally in kinds.values()) for name in counted},
        **{name: max(tally[name] for tally in kinds.values()) for name in ("slowest", "peak")},
    }
    rows.append(_row("**all**", total))
    failed = found["failed"]
    said = (
        f"{found['mutants']:,} mutants, seed {found['seed']}: {failed['crash']} crashes, "
        f"{failed['hang']} hangs over {HANG_SECONDS:g} s, {failed['memory']} that took more than "
        f"1 GiB, {failed['other']} other failures. {total['denied']} were denied address space "
        "beyond 1 GiB by a limit and read again without it."
    )
    return f"{said}\n\n{reliability.table(heads, rows)}"


def _row(name: str, tally: dict[str, Any]) -> list[str]:
    outcomes = tally["outcomes"]
    shown = (Outcome.REFUSED, Outcome.UNCHANGED, Outcome.OTHER_VALUES, Outcome.OTHER_SHAPE)
    return [
        name,
        f"{tally['mutants']:,}",
        *(f"{outcomes.get(outcome, 0):,}" for outcome in shown),
        f"{tally['compared']:,}",
        f"{tally['verdicts']:,}",
        f"{tally['slowest']:.1f}",
        f"{tally['peak'] / 2**20:.0f}",
    ]


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--mutants", type=int, default=MUTANTS, help="altogether, at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="TEXT", help="only kinds named so")
    parser.add_argument("--workers", type=int, default=processors(), help="processes to use")
    parser.add_argument("--failures", type=Path, help="where to keep what fails")
    parser.add_argument("--write", action="store_true", help="put the counts into the document")
    arguments = parser.parse_args()
    if arguments.write and (arguments.only or arguments.mutants < MUTANTS):
        parser.error(f"the document has counts of all kinds and of at least {MUTANTS:,} mutants")
    chosen = tuple(one for one in subjects() if arguments.only.lower() in one.name.lower())
    folder = arguments.failures or Path(tempfile.gettempdir()) / f"{PREFIX}failures"
    campaign = Campaign(chosen, arguments.mutants, arguments.seed, folder)
    started = time.perf_counter()
    campaign.run(arguments.workers)
    found = counts(campaign)
    body = render(found)
    print(f"{body}\n\n{time.perf_counter() - started:.0f} s", flush=True)
    if arguments.write:
        reliability.keep("fuzz", found, body)
    return 1 if campaign.failures else 0


if __name__ == "__main__":
    sys.exit(main())
