"""Numbers and untrusted text as a person reads them."""

from __future__ import annotations

CLOSE_TO_ZERO = 0.001
"""Smaller p-values carry no more meaning than this bound."""


def printable(text: str) -> str:
    r"""Return `text` with control characters escaped (``\x1b``).

    Names of files and columns come from outside: they must neither move a terminal's cursor nor
    break a line in two.
    """
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def encodable(text: str, encoding: str) -> str:
    """Return `text` with what `encoding` cannot carry escaped."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def share(value: float) -> str:
    """Return a value between 0 and 1, or near, to three decimals, without a minus before zero."""
    return f"{value:.3f}".replace("-0.000", "0.000")


def precise(value: float) -> str:
    """Return a value to four decimals, for tables that are read to the last digit."""
    return f"{value:.4f}".replace("-0.0000", "0.0000")


def percent(value: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{100 * value:.1f}%"


def level(confidence: float) -> str:
    """Return a confidence as it is spoken of: ``95%``, ``99.9%``."""
    return f"{100 * confidence:g}%"


def count(number: int, noun: str) -> str:
    """Return ``1 row``, ``5,873 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def probability(p_value: float) -> str:
    """Return ``p < 0.001`` or ``p = 0.034``."""
    return f"p < {CLOSE_TO_ZERO}" if p_value < CLOSE_TO_ZERO else f"p = {p_value:.3f}"
