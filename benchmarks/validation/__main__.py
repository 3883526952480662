"""Measure how often the verdict is wrong and write docs/validation.md.

``python -m benchmarks.validation`` runs everything: on two idle processors in under 30 minutes.
``--only SUBSTR`` judges the pairs whose name holds SUBSTR and prints them; ``--reduced`` a few
small pairs; neither writes. Exit 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.validation.cases import CASES, REDUCED, Case
from benchmarks.validation.document import DOCUMENT, Findings, promises, render, right_name
from benchmarks.validation.judging import Judged, judge
from benchmarks.validation.repeated import (
    COVERAGE,
    INDEPENDENT,
    THRESHOLD,
    Counts,
    Setting,
    at_threshold,
    batches,
    coverage,
    type_one,
)
from benchmarks.validation.workers import each, processors


def judged_pairs(cases: tuple[Case, ...], workers: int) -> list[Judged]:
    """Judge pairs and say so, one line each."""
    done = []
    for judged in each(judge, cases, workers):
        mark = "WRONG" if judged.wrong else "open " if judged.inconclusive else "right"
        candidates = f" ({', '.join(judged.candidates)})" if judged.inconclusive else ""
        print(f"{mark} {judged.case.name}: {judged.verdict}{candidates}", end="", flush=True)
        print(f"; right is {right_name(judged)}" if judged.wrong else "", flush=True)
        done.append(judged)
    return done


def covered(workers: int) -> list[tuple[Setting, Counts]]:
    """Count coverage in every setting."""
    counts: dict[Setting, Counts] = {}
    jobs = list(batches(COVERAGE))
    for batch, part in zip(jobs, each(coverage, jobs, workers), strict=True):
        held = counts.get(batch.setting)
        counts[batch.setting] = part if held is None else held.plus(part)
    return list(counts.items())


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validation", description=__doc__)
    parser.add_argument("--only", default="", metavar="SUBSTR", help="judge these pairs alone")
    parser.add_argument("--reduced", action="store_true", help="judge a few small pairs alone")
    parser.add_argument("--workers", type=int, default=processors(), help="processes to use")
    arguments = parser.parse_args()
    cases = tuple(case for case in (REDUCED if arguments.reduced else CASES))
    cases = tuple(case for case in cases if arguments.only in case.name)
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - started
        print(f"{name}: {seconds[name]:.0f} s", flush=True)

    workers = arguments.workers
    with timed("pairs"):
        judged = judged_pairs(cases, workers)
    findings = Findings(judged, [], [], [], seconds, workers)
    if not arguments.only and not arguments.reduced:
        with timed("threshold"):
            findings.threshold.extend(each(at_threshold, THRESHOLD, workers))
        with timed("coverage"):
            findings.coverage.extend(covered(workers))
        with timed("p-values"):
            rates = each(type_one, INDEPENDENT, workers)
            findings.type_one.extend(zip(INDEPENDENT, rates, strict=True))
        DOCUMENT.write_text(render(findings), encoding="utf-8")
    kept = promises(findings)
    for promise in kept:
        print("kept  " if promise.kept else "BROKEN", promise.text, "|", promise.found)
    return 0 if all(promise.kept for promise in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
