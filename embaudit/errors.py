"""The one exception family: every expected failure is an ``EmbauditError``."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class EmbauditError(Exception):
    """A failure the user can mend; its text is one line: where, what, how to mend it."""


class InputError(EmbauditError):
    """A file or array that cannot be audited as it is."""


class UsageError(EmbauditError):
    """An option or argument that is impossible or cannot apply."""


class OutputError(EmbauditError):
    """A result that could not be written."""


def told(error: EmbauditError | MemoryError | OSError) -> str:
    """Return what an expected failure is, in words."""
    match error:
        case EmbauditError():
            return str(error)
        case MemoryError():
            return f"not enough memory: {str(error) or 'the system refused to give more'}"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}"


def first_fault(error: ValidationError) -> str:
    """Return what pydantic found first, and where."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the known word nearest to `word`, else ``""``."""
    folded = {name.lower(): name for name in known}
    nearest = get_close_matches(word.lower(), folded, n=1)
    return f" (did you mean {folded[nearest[0]]!r}?)" if nearest else ""
