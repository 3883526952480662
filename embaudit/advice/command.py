"""The command that repeats a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from embaudit.advice.context import Context, Request
from embaudit.result import Policy
from embaudit.stages.options import Options

MAP, MAPPED, JOINED = "map.safetensors", "mapped.npy", "joined.npy"
"""What the commands write."""
EVIDENCE_ONLY = ("queries_a", "queries_b")
"""Inputs of an audit that a map is not fitted on."""


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
    words += _options({**inputs(context.request, options), **_worth_saying(searched)})
    return [shlex.join([*words, "--quiet"])]


def align(context: Context, direction: str, method: str) -> list[str]:
    """Return the commands that fit a map, and carry its source's vectors over; fit for a shell.

    Returns
    -------
    list of str
        None for inputs that no command can name, as arrays in memory.
    """
    if context.request is None:
        return []
    given = inputs(context.request, context.options)
    fitted_with = {name: value for name, value in given.items() if name not in EVIDENCE_ONLY}
    policy = _worth_saying({"k": str(context.options.k), **_gate(context.options.policy)})
    fit = ["embaudit", "align", context.a.uri, context.b.uri, "--method", method]
    fit += _options({"direction": direction} if direction != "a_to_b" else {})
    fit += [*_options({**fitted_with, **policy}), "-o", MAP]
    source = context.a.uri if direction[0] == "a" else context.b.uri
    carry = ["embaudit", "apply", MAP, source]
    carry += _options(_worth_saying({"column": context.request.column}))
    return [shlex.join(fit), shlex.join([*carry, "-o", MAPPED])]


def concat(context: Context) -> list[str]:
    """Return the command that writes both sides' vectors as one; none for arrays in memory."""
    if context.request is None:
        return []
    given = inputs(context.request, context.options)
    shared = ("on", "by_row", "column", "drop_invalid", "metric", "seed")
    words = ["embaudit", "concat", context.a.uri, context.b.uri]
    words += _options({name: given[name] for name in shared if name in given})
    for name in ("ids_a", "ids_b"):
        if name in given:
            words += ["--ids", str(given[name])]
    return [shlex.join([*words, "-o", JOINED])]


def _gate(policy: Policy) -> dict[str, object]:
    """Return what of a policy decides whether a map helps."""
    return {name: getattr(policy, name) for name in ("min_aligned_recall", "confidence")}


def _options(given: Mapping[str, object]) -> list[str]:
    """Return options as words of a command; a switch has no value."""
    words = []
    for name, value in given.items():
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return words


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
