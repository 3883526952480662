"""The command that repeats a comparison."""

from __future__ import annotations

import shlex

from embaudit.advice.context import Context
from embaudit.result import Policy


def repeat(context: Context, **changes: str | int) -> list[str]:
    """Return the compare command for the same inputs and options, fit for a shell.

    Parameters
    ----------
    changes : str or int
        Options of the policy to change, as ``require="align"``.

    Returns
    -------
    list of str
        One command; none for inputs that no command can name, as arrays in memory.
    """
    asked, options = context.request, context.options
    if asked is None:
        return []
    words = ["embaudit", "compare", context.a.uri, context.b.uri]
    given: dict[str, object] = {
        "on": asked.on,
        "ids_a": asked.ids_a,
        "ids_b": asked.ids_b,
        "by_row": asked.by_row,
        "column": asked.column,
        "drop_invalid": options.drop_invalid,
        "keep_duplicates": options.keep_duplicates,
        "metric": str(options.metric),
        "k": options.k,
        "seed": options.seed,
        **options.policy.model_dump(),
        **changes,
    }
    for name, value in given.items():
        if value is None or value is False or value == DEFAULTS.get(name):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return [shlex.join([*words, "--quiet"])]


DEFAULTS: dict[str, object] = {"metric": "cosine", "k": 10, "seed": 0, **Policy().model_dump()}
"""Values that need not be repeated."""
