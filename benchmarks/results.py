"""Results beside the document, and the table that is made of them.

`results.json` holds every case's last result; the table between the marks is rendered from it
whole, so that rows of cases that did not run stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
MARKS = {True: "yes", False: "**no**", None: ""}


@dataclass(frozen=True)
class Result:
    """One row, and what it was made by.

    Attributes
    ----------
    name, measures, target, value, detail : str
    met : bool or None
    stages : list of dict
        Fields of `benchmarks.cases.case.StageRow`.
    rates : list of float
        Operations a second of every probe around the runs.
    made_by : dict
        Command, date, machine and versions, each as text.
    """

    name: str
    measures: str
    target: str
    value: str
    met: bool | None
    detail: str
    stages: list[dict[str, Any]]
    rates: list[float]
    made_by: dict[str, str]


def stored(document: Path) -> dict[str, Result]:
    """Return the results beside a document, by case."""
    path = _store(document)
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: Result(**fields) for name, fields in found.items()}


def write(document: Path, results: dict[str, Result], order: Iterable[str]) -> None:
    """Put results beside a document, and all that are known into its table.

    Parameters
    ----------
    document : Path
        Markdown with both marks.
    results : dict
        Of the cases that ran.
    order : iterable of str
        Names of all cases; results of others are dropped.
    """
    known = stored(document) | results
    ordered = {name: known[name] for name in order if name in known}
    text = document.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    body = render(list(ordered.values()))
    fields = {name: asdict(result) for name, result in ordered.items()}
    _store(document).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    document.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def render(results: Sequence[Result]) -> str:
    """Return the table, what each value rests on, stages, and what it was made by."""
    if not results:
        return ""
    lines = ["| case | measures | found | target | met |", "|---|---|---|---|---|"]
    for each in results:
        cells = (f"`{each.name}`", each.measures, each.value, each.target, MARKS[each.met])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", *(f"- `{each.name}`: {_detail(each)}." for each in results)]
    for each in results:
        if each.stages:
            lines += ["", *_stages(each)]
    return "\n".join([*lines, "", *_made_by(results)])


def _detail(result: Result) -> str:
    if not result.rates:
        return result.detail
    low, high = min(result.rates) / 1e9, max(result.rates) / 1e9
    return f"{result.detail}; products at {low:.0f} to {high:.0f} GFLOP/s"


def _stages(result: Result) -> list[str]:
    lines = [f"Where the time of `{result.name}` goes, medians:", ""]
    lines += ["| stage | seconds | floor | ratio | the floor is |", "|---|---|---|---|---|"]
    for stage in result.stages:
        floor = stage["floor"]
        cells = [stage["stage"], f"{stage['seconds']:.2f}"]
        cells += ["", ""] if floor is None else [f"{floor:.2f}", f"{stage['seconds'] / floor:.2f}"]
        lines.append("| " + " | ".join([*cells, stage["bound"]]) + " |")
    return lines


def _made_by(results: Sequence[Result]) -> list[str]:
    """Name each command with its machine, and the cases that it ran."""
    groups: dict[str, list[str]] = {}
    for each in results:
        fields = dict(each.made_by)
        command = fields.pop("command")
        text = f"`{command}`: " + "; ".join(f"{key} {value}" for key, value in fields.items())
        groups.setdefault(text, []).append(f"`{each.name}`")
    return [f"Made by {text}. Cases: {', '.join(names)}." for text, names in groups.items()]


def _store(document: Path) -> Path:
    return document.with_name("results.json")
