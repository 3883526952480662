"""Counts beside the document on reliability, and its tables, which are made of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.validation.workers import processors

DOCUMENT = Path(__file__).parent.parent / "docs" / "reliability.md"
STORE = Path(__file__).parent / "reliability.json"


def stored() -> dict[str, Any]:
    """Return the counts of every part, by name."""
    found: dict[str, Any] = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
    return found


def keep(name: str, counts: Any, body: str) -> None:  # noqa: ANN401
    """Put the counts of one part beside the document, and its table between its marks.

    Parameters
    ----------
    name : str
        The marks are ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``.
    counts : JSON value
    body : str
        Markdown.
    """
    known = {**stored(), name: counts}
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(between(text, name, body), encoding="utf-8")
    STORE.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")


def between(text: str, name: str, body: str) -> str:
    """Return a document with `body` between the marks of `name`."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    return f"{before}{begin}\n{body}\n{end}{after}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table, its first column to the left."""
    align = "|---|" + "---:|" * (len(heads) - 1)
    lines = ["| " + " | ".join(heads) + " |", align]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


@dataclass(frozen=True)
class Campaign:
    """Something that is done to every command so many times.

    Attributes
    ----------
    name : str
        Of its module, its counts and its marks.
    about : str or None
        What ``--help`` says.
    times : int
        That the document has, at least.
    unit, fault : str
        What is done, and what is counted as a failure.
    columns : dict of str to str
        Field of a tally -> its title; the first counts what was done.
    faults_title : str
    run : callable
        Takes times, seed and workers; returns a tally for each command.
    """

    name: str
    about: str | None
    times: int
    unit: str
    fault: str
    columns: dict[str, str]
    faults_title: str
    run: Callable[[int, int, int], dict[str, Any]]

    def main(self) -> int:
        """Do what the command line asks for; return the exit status."""
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self.name}", description=self.about
        )
        parser.add_argument("--times", type=int, default=self.times, help="of all commands")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--workers", type=int, default=processors(), help="commands at once")
        parser.add_argument("--write", action="store_true", help="put the counts into the document")
        arguments = parser.parse_args()
        if arguments.write and arguments.times < self.times:
            parser.error(f"the document has counts of at least {self.times} {self.unit}")
        tallies = self.run(arguments.times, arguments.seed, arguments.workers)
        found = {name: vars(tally) for name, tally in tallies.items()}
        body = self.render(found, arguments.seed)
        print(f"\n{body}")
        faults = [fault for tally in tallies.values() for fault in tally.faults]
        print(*faults, sep="\n")
        if arguments.write:
            keep(self.name, {"seed": arguments.seed, "commands": found}, body)
        return 1 if faults else 0

    def render(self, found: dict[str, dict[str, Any]], seed: int) -> str:
        """Return the counts as Markdown."""
        rows = [
            [f"`{name}`", *(f"{tally[key]}" for key in self.columns), f"{len(tally['faults'])}"]
            for name, tally in found.items()
        ]
        total = {key: sum(tally[key] for tally in found.values()) for key in self.columns}
        faults = sum(len(tally["faults"]) for tally in found.values())
        rows.append(["**all**", *(f"{total[key]}" for key in self.columns), f"{faults}"])
        done = total[next(iter(self.columns))]
        said = f"{done} {self.unit}, seed {seed}: {faults} {self.fault}."
        return f"{said}\n\n{table(['command', *self.columns.values(), self.faults_title], rows)}"
