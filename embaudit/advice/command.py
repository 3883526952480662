"""The command that repeats a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from embaudit.advice.context import Context, Request
from embaudit.result import Policy
from embaudit.stages.options import Options


def repeat(context: Context, **changes: str | int | None) -> list[str]:
    """Return the compare command that reaches the same verdict, fit for a shell.

    Questions besides the verdict are not asked again.

    Parameters
    ----------
    changes : str, int or None
        Options to change, as ``require="align"``; None leaves one out.

    Returns
    -------
    list of str
        One command; none for inputs that no command can name, as arrays in memory.
    """
    if context.request is None:
        return []
    words = ["embaudit", "compare", context.a.uri, context.b.uri]
    options = context.options
    searched = {
        "k": ",".join(map(str, options.ks)),
        "sample": None if context.pair.sampled_of is None else options.sample,
        **options.policy.model_dump(),
        **changes,
    }
    for name, value in {**inputs(context.request, options), **_worth_saying(searched)}.items():
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return [shlex.join([*words, "--quiet"])]


def inputs(request: Request, options: Options) -> dict[str, object]:
    """Return how rows were paired and prepared, by keyword of `embaudit.compare`."""
    return _worth_saying(
        {
            "on": request.on,
            "ids_a": request.ids_a,
            "ids_b": request.ids_b,
            "by_row": request.by_row,
            "column": request.column,
            "queries_a": request.queries_a,
            "queries_b": request.queries_b,
            "drop_invalid": options.drop_invalid,
            "keep_duplicates": options.keep_duplicates,
            "metric": str(options.metric),
            "seed": options.seed,
        }
    )


def _worth_saying(given: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in given.items()
        if value is not None and value is not False and value != DEFAULTS.get(name)
    }


DEFAULTS: dict[str, object] = {"metric": "cosine", "k": "10", "seed": 0, **Policy().model_dump()}
"""Values that need not be repeated."""
