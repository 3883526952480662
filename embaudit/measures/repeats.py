"""Vectors that repeat on one side only, while their partners differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Mask, Matrix, Rows
from embaudit.stats.hashing import Hashes

FEWEST = 3
NOTABLE_SHARE = 0.005
LOOKED_AT = 256
EXAMPLES = 5
APART = 0.01
"""Squared distance of two vectors, relative to that of random ones, above which they differ by
more than rounding."""


@dataclass(frozen=True)
class Repeats:
    """Rows of one side that repeat another row's vector although their partners differ.

    Attributes
    ----------
    side : str
        ``"a"`` or ``"b"``: the side that repeats.
    rows : int
        How many, the first of each group apart.
    share : float
        Of all matched rows.
    vectors : int
        Distinct vectors that they repeat.
    largest : int
        Rows that hold the most frequent of them.
    examples : list of int
        Some rows that hold it.
    """

    side: str
    rows: int
    share: float
    vectors: int
    largest: int
    examples: list[int]


def fewest_repeats(rows: int) -> float:
    """Return how many repeating rows of so many are told about."""
    return max(FEWEST, NOTABLE_SHARE * rows)


def one_sided_repeats(
    side: str,
    hashes: Hashes,
    partners: Hashes,
    usable: Mask,
    take_partners: Callable[[Rows], Matrix],
) -> Repeats | None:
    """Return the rows of a side that repeat an earlier one while their partners differ.

    Parameters
    ----------
    side : str
    hashes, partners : uint64 arrays, shape (n,)
        Of the rows of this side and of the other.
    usable : bool array, shape (n,)
        Rows with a vector on both sides.
    take_partners : callable
        Vectors of the other side: partners that differ by rounding alone do not count.

    Returns
    -------
    Repeats or None
        None below 0.5% of the rows.
    """
    rows = np.flatnonzero(usable)
    order = rows[np.argsort(hashes[rows], kind="stable")]
    starts = np.append(True, hashes[order[1:]] != hashes[order[:-1]])[: len(order)]
    group = np.cumsum(starts) - 1
    first = order[starts][group]
    differ = ~starts & (partners[order] != partners[first])
    fewest = fewest_repeats(len(hashes))
    if differ.sum() < fewest:
        return None
    candidates = np.flatnonzero(differ)
    looked = candidates[np.linspace(0, len(candidates) - 1, LOOKED_AT).astype(np.int64)]
    spread = rows[np.linspace(0, len(rows) - 1, LOOKED_AT).astype(np.int64)]
    others = take_partners(np.unique(spread))
    typical = 2.0 * float(np.square(others - others.mean(axis=0)).sum(axis=1).mean())
    gaps = np.square(take_partners(order[looked]) - take_partners(first[looked])).sum(axis=1)
    apart = float((gaps > APART * typical).mean())
    count = round(apart * len(candidates))
    if count < fewest:
        return None
    sizes = np.bincount(group[candidates])
    members = order[group == sizes.argmax()]
    return Repeats(
        side=side,
        rows=count,
        share=count / len(hashes),
        vectors=int(np.count_nonzero(sizes)),
        largest=len(members),
        examples=[int(row) for row in members[:EXAMPLES]],
    )
