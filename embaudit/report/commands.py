"""Commands that a report prints, to be run as they stand."""

from __future__ import annotations

import shlex


def apply_command(fitted: str, source: str, output: str, column: str | None = None) -> str:
    """Return the command that carries a file over by a map.

    Parameters
    ----------
    fitted, source, output : str
        Paths as typed.
    column : str, optional
        Of the vectors, where it was named.
    """
    # A name that begins with a dash would be taken for an option.
    paths = [f"./{path}" if path.startswith("-") else path for path in (fitted, source, output)]
    words = ["embaudit", "apply", *paths[:2]]
    if column is not None:
        words += ["--column", column]
    return shlex.join([*words, "-o", paths[2]])
