"""How a finding is made, and words that several of them share."""

from __future__ import annotations

from typing import Literal

from embaudit.result import Finding


def finding(
    severity: Literal["error", "warning", "info"], identifier: str, message: str, **data: object
) -> Finding:
    """Return a finding; `data` are further keys of its JSON object."""
    return Finding.model_validate(
        {"id": identifier, "severity": severity, "message": message, **data}
    )


def counted_rows(count: int) -> str:
    """Return ``"1 row"``, or the count and ``"rows"``."""
    return "1 row" if count == 1 else f"{count:,} rows"
