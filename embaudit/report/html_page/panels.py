"""Both spaces as planes, side by side, and what the script needs to link them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embaudit.report.plain import count, percent, printable

if TYPE_CHECKING:
    from embaudit.figures import Layouts, Point
    from embaudit.result import Audit

CENTRE, REACH = 50.0, 46.0
"""Of a plane of 100 by 100."""
SHADES = 5
"""Of the share of neighbours that both spaces agree on."""
NAME_CHARACTERS = 80


@dataclass(frozen=True)
class Panel:
    """One space.

    Attributes
    ----------
    side : "a" or "b"
    name : str
    dots : list of (x, y, shade)
        On a plane of 100 by 100.
    axes : str
        What the plane of principal components holds.
    """

    side: str
    name: str
    dots: list[tuple[str, str, int]]
    axes: str


@dataclass(frozen=True)
class Panels:
    """Both spaces.

    Attributes
    ----------
    sides : list of Panel
    summary : str
        What the planes show, in words.
    names : list of str
        Of the drawn rows.
    has_tsne : bool
    data : str
        JSON for the script, without any character that HTML would read.
    """

    sides: list[Panel]
    summary: str
    names: list[str]
    has_tsne: bool
    data: str


def panels(audit: Audit, layouts: Layouts) -> Panels:
    """Return what the template draws and the script links."""
    shared = [
        len(set(near_a) & set(near_b))
        for near_a, near_b in zip(layouts.neighbors_a, layouts.neighbors_b, strict=True)
    ]
    shades = [min(SHADES - 1, number * SHADES // max(1, layouts.k)) for number in shared]
    names = _names(layouts)
    pca = [_placed(points) for points in (layouts.pca.a, layouts.pca.b)]
    explained = layouts.pca.explained or (0.0, 0.0)
    sides = [
        Panel(
            side,
            info.uri,
            [(f"{x:g}", f"{y:g}", shade) for (x, y), shade in zip(places, shades, strict=True)],
            f"the plane holds {percent(held)} of the variance",
        )
        for side, info, places, held in zip("ab", (audit.a, audit.b), pca, explained, strict=True)
    ]
    tsne = layouts.tsne
    data = {
        "k": layouts.k,
        "names": names,
        "shared": shared,
        "near": {"a": layouts.neighbors_a, "b": layouts.neighbors_b},
        "at": {
            "pca": dict(zip("ab", pca, strict=True)),
            **({} if tsne is None else {"tsne": {"a": _placed(tsne.a), "b": _placed(tsne.b)}}),
        },
    }
    mean = sum(shared) / max(1, len(shared))
    chance = layouts.k**2 / max(1, layouts.n - 1)
    part = layouts.n < audit.pairing.distinct_rows
    drawn = f"{count(layouts.n, 'row')} drawn at random" if part else f"All {layouts.n:,} rows"
    return Panels(
        sides=sides,
        summary=f"{drawn}; among them {mean:.1f} of the {layouts.k} nearest in A are, on average, "
        f"among the {layouts.k} nearest in B, by chance {chance:.1f}.",
        names=names,
        has_tsne=tsne is not None,
        data=_as_data(data),
    )


def _names(layouts: Layouts) -> list[str]:
    if layouts.ids is None:
        same = layouts.rows_a == layouts.rows_b
        pairs = zip(layouts.rows_a, layouts.rows_b, strict=True)
        return [f"row {a}" if same else f"row {a} of A, {b} of B" for a, b in pairs]
    return [_short(printable(str(one))) for one in layouts.ids]


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 3]}..."


def _placed(points: Sequence[Point]) -> list[Point]:
    return [(round(CENTRE + REACH * x, 2), round(CENTRE - REACH * y, 2)) for x, y in points]


def _as_data(value: object) -> str:
    """Return JSON in which no script element can end and no other begin."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
