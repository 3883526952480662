"""Amounts of memory as people write them."""

from __future__ import annotations

from decimal import Decimal

from embaudit.errors import UsageError

UNITS = {"": 1, "b": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
MEGABYTE = 1_000_000


def byte_count(option: str, written: int | str) -> int:
    """Return a number of bytes: 512MB, 1.5GiB, 800M, 2_000_000_000.

    Raises
    ------
    UsageError
        For what is no amount of at least one byte; names `option`.
    """
    text = str(written).strip().lower().replace("_", "").replace(",", "")
    number = text.rstrip("bikmgt")
    try:
        count = Decimal(number) * UNITS[text[len(number) :].strip()]
    except (ArithmeticError, KeyError):
        count = Decimal(0)
    if not (count.is_finite() and 1 <= count < 2**63):
        raise UsageError(f"{option} {written}: expected an amount of memory, as 512MB or 1.5GiB")
    return int(count)


def shown_bytes(count: int) -> str:
    """Return an amount of memory as `byte_count` reads it, in whole megabytes, rounded up."""
    return f"{-(-count // MEGABYTE)}MB"
