"""Render what was found as docs/validation.md."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import scipy
import sklearn

import embaudit
from benchmarks.validation.judging import TOLERATED, Judged
from benchmarks.validation.repeated import (
    COVERAGE,
    LEVEL,
    MEASURES,
    Counts,
    Independent,
    Setting,
    Verdicts,
)
from benchmarks.validation.right import MARGIN, MIN_RECALL, conditions
from benchmarks.validation.rivals import RIVALS

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "validation.md"
VERDICTS = ("safe", "degraded", "align", "concatenate", "mispaired", "unrelated", "inconclusive")
SIZES = (
    (60, "60"),
    (120, "80 to 120"),
    (250, "150 to 250"),
    (600, "400 to 600"),
    (1000, "1,000"),
    (2000, "1,500 to 2,000"),
    (5000, "5,000"),
    (10**9, "20,000"),
)
MOST_WRONG = 0.02
MOST_AT_THRESHOLD = 0.025
FEWEST_COVERED = 0.93
MOST_REJECTED = 0.07


@dataclass(frozen=True)
class Findings:
    """All that was found.

    Attributes
    ----------
    judged : sequence of Judged
    coverage : list of (Setting, Counts)
    threshold : list of Verdicts
    type_one : list of (Independent, float)
    seconds : dict of str to float
        Wall-clock by part.
    workers : int
    """

    judged: Sequence[Judged]
    coverage: list[tuple[Setting, Counts]]
    threshold: list[Verdicts]
    type_one: list[tuple[Independent, float]]
    seconds: dict[str, float]
    workers: int


@dataclass(frozen=True)
class Promise:
    """A bound on an error rate, and what was measured."""

    text: str
    found: str
    kept: bool


def promises(findings: Findings) -> list[Promise]:
    """Hold every promise against the findings."""
    judged = findings.judged
    bad = sum(j.badly_safe for j in judged)
    wrong = sum(j.wrong for j in judged)
    kept = [
        Promise(
            "`safe` is never said where a true recall, either way or mixed, is more than "
            f"{TOLERATED} below `min_recall`, nor where more rows are mispaired than allowed",
            f"{bad} of {len(judged)} pairs",
            bad == 0,
        ),
        Promise(
            f"of all pairs at most {MOST_WRONG:.0%} get a wrong answer",
            f"{wrong} of {len(judged)} ({wrong / max(1, len(judged)):.1%})",
            wrong <= MOST_WRONG * len(judged),
        ),
    ]
    if findings.threshold:
        draws = sum(sum(v.said.values()) for v in findings.threshold)
        said = sum(v.said.get("safe", 0) for v in findings.threshold)
        kept.append(
            Promise(
                f"within {TOLERATED} below `min_recall`, `safe` is said at most "
                f"{MOST_AT_THRESHOLD:.1%} of the time",
                f"{said} of {draws} audits ({said / draws:.1%})",
                said <= MOST_AT_THRESHOLD * draws,
            )
        )
    if findings.coverage:
        rates = [
            held / counts.draws for _, counts in findings.coverage for held in counts.held.values()
        ]
        below = sum(rate < FEWEST_COVERED for rate in rates)
        kept.append(
            Promise(
                f"95% intervals hold the truth in at least {FEWEST_COVERED:.0%} of the draws",
                f"lowest {min(rates):.1%}; {below} of {len(rates)} settings below",
                below == 0,
            )
        )
    if findings.type_one:
        most = max(rate for _, rate in findings.type_one)
        kept.append(
            Promise(
                f"p ≤ {LEVEL} on at most {MOST_REJECTED:.0%} of independent data",
                f"highest {most:.1%}",
                most <= MOST_REJECTED,
            )
        )
    return kept


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(map(cell, line)) + " |" for line in lines] + [""]


def cell(value: object) -> str:
    """Return a value so that it does not end its cell."""
    return str(value).replace("|", "\\|")


def right_name(judged: Judged) -> str:
    """Return the right verdicts as one word, best first."""
    return " or ".join(name for name in VERDICTS if name in judged.right)


def confusion(judged: Sequence[Judged]) -> list[str]:
    """Return the table of right verdicts by verdicts said."""
    counts = Counter((right_name(j), j.verdict) for j in judged)
    names = sorted(
        {right for right, _ in counts}, key=lambda name: (name.count(" or "), _rank(name))
    )
    rows = [[name, *(counts.get((name, said), 0) or "·" for said in VERDICTS)] for name in names]
    return table(["right ↓ said →", *VERDICTS], rows)


def _rank(name: str) -> int:
    return VERDICTS.index(name.split(" or ")[0])


def errors(judged: Sequence[Judged]) -> list[str]:
    """Return the table of wrong answers."""
    wrong = [j for j in judged if j.wrong]
    if not wrong:
        return ["None.", ""]
    return table(["pair", "right", "said", "truth", "measured"], map(_error, wrong))


def _error(j: Judged) -> list[str]:
    said = j.verdict + (f" ({', '.join(j.candidates)})" if j.inconclusive else "")
    true = [f"{name} {value:.3f}" for name, value in conditions(j.truth)]
    true += [f"half-fitted map {max(j.truth.half.values()):.3f}", f"moved {j.truth.moved:.2f}"]
    measured = [f"{name} {value:.3f}" for name, value in j.measured.items()]
    return [j.case.name, right_name(j), said, ", ".join(true), ", ".join(measured)]


def by_size(judged: Sequence[Judged]) -> list[str]:
    """Return the table of what is left open, by number of rows."""
    groups: dict[str, list[Judged]] = {}
    for j in judged:
        label = next(label for most, label in SIZES if j.truth.distinct <= most)
        groups.setdefault(label, []).append(j)
    rows = [
        [
            label,
            len(groups[label]),
            f"{_share(groups[label], lambda j: j.inconclusive):.0%}",
            f"{_share(groups[label], lambda j: j.inconclusive and j.truly_safe):.0%}",
            f"{_share(groups[label], lambda j: j.wrong):.0%}",
        ]
        for _, label in SIZES
        if label in groups
    ]
    header = ["distinct rows", "pairs", "inconclusive", "of them truly safe", "wrong"]
    return table(header, rows)


def _share(judged: Sequence[Judged], asked: Callable[[Judged], bool]) -> float:
    return sum(map(asked, judged)) / max(1, len(judged))


def same_pairs(judged: Sequence[Judged]) -> list[str]:
    """Return the table of sizes by pair, for the pairs that come at every size."""
    named: dict[str, dict[int, str]] = {}
    for j in judged:
        said = j.verdict + ("?" if j.inconclusive and not j.wrong else " ✗" if j.wrong else "")
        if j.inconclusive:
            said = f"? {', '.join(j.candidates)}" if len(j.candidates) < 4 else "? any"
            said += " ✗" if j.wrong else ""
        named.setdefault(j.case.name.rsplit(", n ", 1)[0], {})[j.case.rows] = said
    several = {name: said for name, said in named.items() if len(said) >= 4}
    sizes = sorted({size for said in several.values() for size in said})
    rows = [[name, *(said.get(size, "") for size in sizes)] for name, said in several.items()]
    return table(["pair", *(f"n {size:,}" for size in sizes)], rows) if rows else []


def against_rivals(judged: Sequence[Judged]) -> list[str]:
    """Return the table of who lets which pairs through."""
    sure = [j for j in judged if j.right == {"safe"} or not j.truly_safe]
    safe, unsafe = ([j for j in sure if j.truly_safe is kind] for kind in (True, False))

    def row(name: str, passes: Callable[[Judged], bool]) -> list[object]:
        let_in, kept_out = sum(map(passes, unsafe)), sum(not passes(j) for j in safe)
        return [
            name,
            sum(map(passes, safe)),
            kept_out,
            let_in,
            len(unsafe) - let_in,
            f"{let_in / max(1, len(unsafe)):.0%}",
        ]

    def asks(name: str) -> Callable[[Judged], bool]:
        return lambda j: j.rivals[name]

    rows = [row("embaudit says `safe`", lambda j: j.verdict == "safe")]
    rows += [row(name, asks(name)) for name in RIVALS]
    header = ["who", "safe, passed", "safe, refused", "unsafe, passed", "unsafe, refused"]
    return table([*header, "share of unsafe passed"], rows)


def coverage(findings: Findings) -> list[str]:
    """Return the table of coverage by setting and measure."""
    rows = [
        [
            setting.name,
            setting.queries,
            f"{counts.true['recall.a_to_b.raw']:.3f}",
            *(f"{held / counts.draws:.3f}" for held in counts.held.values()),
        ]
        for setting, counts in findings.coverage
    ]
    names = [key.replace("partner.found", "partner").replace(".raw", "") for key in MEASURES]
    return table(["pair", "queries", "true raw recall", *(f"`{name}`" for name in names)], rows)


def threshold(findings: Findings) -> list[str]:
    """Return the table of verdicts just below the threshold."""
    rows = [
        [
            f"{v.setting.name}, n {v.setting.rows:,}",
            f"{v.setting.queries:,}",
            f"{v.direct:.4f}",
            sum(v.said.values()),
            *(v.said.get(name, 0) for name in ("safe", "inconclusive", "degraded", "align")),
        ]
        for v in findings.threshold
    ]
    header = ["pair", "most queries", "true recall", "audits"]
    return table([*header, "safe", "inconclusive", "degraded", "align"], rows)


def type_one(findings: Findings) -> list[str]:
    """Return the table of rejections of independent data."""
    rows = [
        [case.shape, case.rows, f"{case.dims[0]}, {case.dims[1]}", case.draws, f"{rate:.3f}"]
        for case, rate in findings.type_one
    ]
    return table(["shape", "n", "dimensions", "draws", f"share with p ≤ {LEVEL}"], rows)


def every_pair(judged: Sequence[Judged]) -> list[str]:
    """Return the table of all pairs."""
    rows = []
    for j in judged:
        said = j.verdict + (f" ({', '.join(j.candidates)})" if j.inconclusive else "")
        if j.inconclusive and len(j.candidates) > 3:
            said = "inconclusive (any of " + str(len(j.candidates)) + ")"
        values = [f"{value:.3f}" for _, value in conditions(j.truth)]
        if j.truth.dims[0] != j.truth.dims[1]:
            values[:3] = ["-"] * 3
        mark = "✗ " if j.wrong else ""
        rows.append([j.case.name, *values, f"{j.truth.moved:.2f}", right_name(j), mark + said])
    header = ["pair", "raw", "mixed", "partners", "best map", "moved", "right", "said"]
    return table(header, rows)


def machine(findings: Findings) -> str:
    """Return one line about where this was measured."""
    seconds = ", ".join(f"{name} {took:,.0f} s" for name, took in findings.seconds.items())
    return (
        f"embaudit {embaudit.__version__}, Python {platform.python_version()}, numpy "
        f"{numpy.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}; "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"{findings.workers} processes of one thread: {seconds}."
    )


def render(findings: Findings) -> str:
    """Return the whole document."""
    judged = findings.judged
    lines = [
        "# Validation",
        "",
        "How often the verdict is wrong. Written whole by `python -m benchmarks.validation`,",
        "no line by hand. " + machine(findings),
        "",
        "## Promises",
        "",
        *table(
            ["promise", "measured", "kept"],
            [[p.text, p.found, "yes" if p.kept else "**no**"] for p in promises(findings)],
        ),
        *_about_truth(),
        "## Verdicts",
        "",
        f"{len(judged)} pairs, k = 10, default policy. Where two verdicts are right the truth lies "
        "on a threshold.",
        "",
        *confusion(judged),
        "### Wrong answers",
        "",
        "Truth is corrected for chance; what the tool measured is plain.",
        "",
        *errors(judged),
        "## What `inconclusive` costs",
        "",
        *by_size(judged),
        "The same pairs at every size; `?` stands before what an inconclusive verdict leaves "
        "possible, ✗ behind a wrong answer.",
        "",
        *same_pairs(judged),
        "## What people ask today",
        "",
        "The same pairs, without those on the threshold of `safe`. Each answers only whether the "
        "vectors may be compared directly; where dimensions differ the answer of those that need "
        "equal ones is no.",
        "",
        *against_rivals(judged),
    ]
    if findings.threshold:
        lines += [
            "## Just below the threshold",
            "",
            "The strength of a change is bisected until the smallest true recall is just below "
            f"{MIN_RECALL}; the pair is then audited with many seeds.",
            "",
            *threshold(findings),
        ]
    if findings.coverage:
        lines += [
            "## Coverage of the intervals",
            "",
            f"{COVERAGE[0].rows} rows of digits against a changed copy, confidence 0.95: the share "
            "of seeds whose interval holds the brute-force value over all rows. That of a mixed "
            "index is the mean over random halves, of which an audit draws one.",
            "",
            *coverage(findings),
        ]
    if findings.type_one:
        lines += ["## The p-value on independent data", "", *type_one(findings)]
    lines += ["## Every pair", "", "Numbers are the truth, corrected for chance.", ""]
    lines += every_pair(judged)
    return "\n".join(lines).rstrip() + "\n"


def _about_truth() -> list[str]:
    return [
        "## Where the truth comes from",
        "",
        "Never from the rules under test. `benchmarks/validation/truth.py` imports nothing of the "
        "tool: all rows query all rows in float64, whole score matrices are sorted, and recalls "
        "follow from the definitions, tie-aware and corrected for the exact chance level. Mapped "
        "recall is the best of orthogonal maps with two scales and ridge maps with five "
        "penalties, fitted on half of the rows and on four fifths of them, judged on the others "
        "(beyond 6,000 rows: on half, with fewer penalties). Which rows are mispaired is known "
        "from construction. A mixed index is averaged over several halves.",
        "",
        "Right is: `mispaired` where more than 0.02 of the rows were moved; `unrelated` where all "
        "were and neighbourhoods agree no more than chance; else the first of `safe` (recalls "
        "0.90, 0.98 of the partners found), `degraded` (raw recall 0.70, no map gains more than "
        "0.02, mixing costs at most 0.5), `align` (a map reaches 0.70 in a direction), "
        f"`concatenate`. Within {MARGIN} of a threshold both answers count (partners 0.005, "
        "mixing 0.03), and for maps both that of the half and that of the four fifths. "
        "`inconclusive` is wrong where its candidates rule out every right verdict; what it costs "
        "otherwise is counted below.",
        "",
    ]
