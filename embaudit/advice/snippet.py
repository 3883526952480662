"""Remedies that have no command: a few lines of Python that run as printed."""

from __future__ import annotations

from embaudit.advice.command import inputs
from embaudit.advice.context import Context

JOINED = "joined.npy"
KEPT = (
    "kept = np.all([np.isfinite(part).all(axis=1) for part in parts], axis=0)",
    "parts = [part[kept] for part in parts]",
)
"""Leaves out what an audit with --drop-invalid leaves out."""
EVIDENCE_ONLY = ("queries_a", "queries_b")
"""Inputs of an audit that a map is not fitted on."""


def fitting(context: Context, direction: str, method: str) -> list[str]:
    """Return the lines that fit a map and carry vectors over; none for inputs without a name."""
    if context.request is None:
        return []
    source, target = direction[0], direction[-1]
    given = inputs(context.request, context.options)
    pairing = {name: value for name, value in given.items() if name not in EVIDENCE_ONLY}
    return [
        "import embaudit",
        f"to_{target} = embaudit.fit_map(",
        f"    {context.a.uri!r},",
        f"    {context.b.uri!r},",
        f"    direction={direction!r},",
        f"    method={method!r},",
        *(f"    {name}={value!r}," for name, value in pairing.items()),
        ")",
        f"queries = {_opened(context, source)}.take(range(10))  # any vectors of {source.upper()}",
        f"mapped = to_{target}.transform(queries)  # search {target.upper()} with them",
    ]


def concatenation(context: Context) -> list[str]:
    """Return the lines that write both sides' vectors as one; none for inputs without a name."""
    if context.request is None:
        return []
    pairing = ("on", "ids_a", "ids_b", "by_row", "column")
    given = inputs(context.request, context.options)
    named = "".join(f", {name}={given[name]!r}" for name in pairing if name in given)
    return [
        "import embaudit, numpy as np",
        f"pair = embaudit.open_pair({context.a.uri!r}, {context.b.uri!r}{named})",
        "parts = [side.take(range(pair.rows)).astype('float32') for side in (pair.a, pair.b)]",
        *(KEPT if context.options.drop_invalid else ()),
        "norms = [np.linalg.norm(part, axis=1, keepdims=True) for part in parts]",
        f"np.save({JOINED!r}, np.hstack([p / np.maximum(n, 1e-9) for p, n in zip(parts, norms)]))",
    ]


def _opened(context: Context, side: str) -> str:
    assert context.request is not None, "asked before"
    uri = context.a.uri if side == "a" else context.b.uri
    column = context.request.column
    return f"embaudit.open_set({uri!r}{'' if column is None else f', column={column!r}'})"
