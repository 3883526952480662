"""Compare every pair whose verdict is known and write the table of docs/verdicts.md.

``python -m benchmarks.verdicts`` uses sample_data; ``--data FOLDER`` another folder with the same
file names, ``--write`` replaces the table in the document.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import embaudit
from benchmarks.pairs import CASES, SAMPLE_DATA, Case, Sets, load

DOCUMENT = Path(__file__).parent.parent / "docs" / "verdicts.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
COLUMNS = (
    ("cka.linear", "CKA"),
    ("neighbors.overlap", "own overlap"),
    ("recall.a_to_b.raw", "raw A→B"),
    ("recall.b_to_a.raw", "raw B→A"),
    ("mixed_index.a.raw", "mixed A"),
    ("mixed_index.b.raw", "mixed B"),
    ("recall.a_to_b.orthogonal", "orth. A→B"),
    ("recall.a_to_b.linear", "lin. A→B"),
    ("recall.b_to_a.linear", "lin. B→A"),
)


def run(case: Case, sets: Sets) -> embaudit.Audit:
    """Compare one pair."""
    a, b = case.build(sets)
    return embaudit.compare(a, b, **case.options)


def row(case: Case, audit: embaudit.Audit) -> str:
    """Return the Markdown row of a pair."""
    metric = f" ({case.options['metric']})" if "metric" in case.options else ""
    verdict = str(audit.verdict)
    if len(audit.candidates) > 1:
        verdict += f" ({', '.join(audit.candidates)})" if len(audit.candidates) < 4 else " (any)"
    elif audit.recommendation.map:
        ways = {"a_to_b": "A→B", "b_to_a": "B→A", "both": "both ways"}
        way = ways[audit.recommendation.direction or "both"]
        verdict += f" ({audit.recommendation.map}, {audit.recommendation.grade}, {way})"
    cells = [case.name + metric, verdict]
    for key, _ in COLUMNS:
        value = audit.measures[key].value
        cells.append("-" if value is None else f"{value:.3f}")
    fraction = audit.pairing.mispaired_fraction.value
    cells.append("-" if fraction is None else f"{fraction:.2f}")
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Run all cases; exit 1 when a verdict is not among the right ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SAMPLE_DATA)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    sets = load(arguments.data)
    header = ["pair", "verdict", *(title for _, title in COLUMNS), "mispaired"]
    lines: list[str] = []
    wrong = 0
    group = None
    for case in CASES:
        if arguments.only not in case.name:
            continue
        audit = run(case, sets)
        if case.group != group:
            group = case.group
            lines += ["", f"**{group.capitalize()}**", "", "| " + " | ".join(header) + " |"]
            lines.append("|" + "---|" * len(header))
        lines.append(row(case, audit))
        right = audit.verdict in case.expected
        wrong += not right
        mark = "ok   " if right else "WRONG"
        print(mark, lines[-1], f"{audit.timing['total']:.1f}s", flush=True)
        if not right:
            print("      expected", case.expected, "|", audit.summary, flush=True)
    if arguments.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        table = "\n".join(lines).strip()
        DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
