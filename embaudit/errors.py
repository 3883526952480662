"""The one exception family: every expected failure is an ``EmbauditError``."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EmbauditError(Exception):
    """A failure the user can mend; its text is one line: where, what, how to mend it."""


class InputError(EmbauditError):
    """A file or array that cannot be audited as it is."""


class UsageError(EmbauditError):
    """An option or argument that is impossible or cannot apply."""


class OutputError(EmbauditError):
    """A result that could not be written."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the known word nearest to `word`, else ``""``."""
    folded = {name.lower(): name for name in known}
    nearest = get_close_matches(word.lower(), folded, n=1)
    return f" (did you mean {folded[nearest[0]]!r}?)" if nearest else ""
