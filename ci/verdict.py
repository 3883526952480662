"""Print the verdict of an audit's JSON, of several the worst: for ``action.sh``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

WORST_LAST = (
    "safe",
    "degraded",
    "align",
    "concatenate",
    "inconclusive",
    "mispaired",
    "unrelated",
    "error",
)
"""What is undecided is worse than any verdict that can be required, what is refuted worse still."""


def worst(document: dict[str, Any]) -> str:
    """Return the verdict of one audit, or the worst of all pairs; ``error`` for one without."""
    audits = document["pairs"].values() if "pairs" in document else [document]
    verdicts: list[str] = [audit.get("verdict", "error") for audit in audits]
    return max(verdicts, key=WORST_LAST.index)


if __name__ == "__main__":
    found = worst(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    sys.stdout.write(f"{found}\n")
