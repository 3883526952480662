"""Counts beside the document on reliability, and its tables, which are made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
