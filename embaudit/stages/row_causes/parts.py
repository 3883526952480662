"""Parts of the rows that no map of the others recovers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import DIRECTIONS, Mask, Rows, Verdict
from embaudit.measures.borders import Borders
from embaudit.measures.cka import independence_p_value
from embaudit.measures.lags import shifted_cka, standing_out
from embaudit.measures.neighbors import RAW, recall_id
from embaudit.measures.order import MOST_LAG
from embaudit.measures.partition import CROSS_SHARE, lost_parts, split_by_geometry
from embaudit.stages.row_causes.look import FEWEST_PROBED, PROBED, Look

NOTABLE_SHARE = 0.02
"""Of the queries, the share that must be lost."""
LOST_RECALL = 0.1
GOOD_RECALL = 0.8
MOST_CHANCE = 0.3
"""Recall of random rows up to which finding all or nothing means anything; of vectors with two
values, half find all and half nothing."""
LOST_RANK = 0.25
"""Partner rank beyond which a row is lost: three of four random rows are."""
FAR_RANK = 0.05
"""Or beyond which it is where its recall says so too."""
MINORITY = 0.4
"""Share of all rows up to which those that are lost are the foreign ones."""
MOST_LOST = 0.5
REFERENCES = 512
PAIRED = 1e-6
"""Chance of independence below which the rows of a part are partners of each other."""


@dataclass(frozen=True)
class Part:
    """Contiguous rows that behave differently from the others.

    Attributes
    ----------
    first, last : int
        Matched rows, inclusive.
    inside : float or None
        Debiased CKA of the part's own rows; None where there are too few.
    paired : bool or None
        Whether the part's rows are partners of each other in spaces of their own.
    lag : int or None
        By which the part's rows lag, where they are not partners.
    """

    first: int
    last: int
    inside: float | None
    paired: bool | None
    lag: int | None = None


@dataclass(frozen=True)
class Parts:
    """Rows that no map of the others recovers.

    Attributes
    ----------
    share : float
        Of the rows looked at, those that are lost, or lie in the part.
    by : str
        ``"recall"``, ``"ranks"``, or ``"geometry"`` of a sample.
    parts : list of Part
        Ascending; empty where the lost rows are spread over the file.
    outside : float or None
        Debiased CKA of rows outside the parts.
    known : bool
        Whether it is known that the parts are foreign and not the others: few rows are lost where
        the stored vectors of all others find their partners.
    lost : float or None
        Debiased CKA of the lost rows where they are spread over the file.
    lost_paired : bool or None
        Whether those are partners of each other in spaces of their own.
    """

    share: float
    by: str
    parts: list[Part]
    outside: float | None
    known: bool
    lost: float | None = None
    lost_paired: bool | None = None


def find_parts(look: Look) -> Parts | None:
    """Return the contiguous rows, or the share of rows, that behave differently."""
    if look.verdict in (Verdict.SAFE, Verdict.UNRELATED):
        return None
    return _parts_by_recall(look) or _parts_by_ranks(look) or _parts_by_geometry(look)


def _parts_by_recall(look: Look) -> Parts | None:
    results = look.retrieval.results
    if results is None or recall_id("a_to_b", RAW) not in results.values:
        return None
    recall = np.minimum(*(results.values[recall_id(d, RAW)] for d in DIRECTIONS))
    chance = max(float(results.chance[recall_id(d, RAW)].mean()) for d in DIRECTIONS)
    if float(np.median(recall)) < GOOD_RECALL or chance > MOST_CHANCE:
        return None
    # Of few neighbours noise alone takes all: a lost row is far from its partner too.
    lost = (recall <= LOST_RECALL) & np.isin(results.rows, _far_from_partner(look))
    if lost.mean() < NOTABLE_SHARE:
        return None
    # Ranks exist for more rows than recalls do, and find the same parts more exactly.
    return _parts_by_ranks(look) or _among(look, results.rows, lost, "recall", stored=True)


def _far_from_partner(look: Look) -> Rows:
    mispairing = look.retrieval.mispairing
    if mispairing is None:
        return np.empty(0, np.int64)
    return mispairing.rows[mispairing.ranks > FAR_RANK]


def _parts_by_ranks(look: Look) -> Parts | None:
    mispairing = look.retrieval.mispairing
    if mispairing is None or mispairing.fraction.value > MOST_LOST:
        return None
    lost = mispairing.ranks > LOST_RANK
    found = _among(look, mispairing.rows, lost, "ranks", stored=mispairing.by_raw)
    return found if found is not None and found.parts else None


def _among(look: Look, rows: Rows, lost: Mask, by: str, stored: bool) -> Parts | None:
    """Return the parts that lost rows make up, or that they are spread over the file.

    `stored` says that the vectors show it as they are, without a map.
    """
    order = np.argsort(rows)
    rows, lost = rows[order], lost[order]
    spans = lost_parts(lost)
    inside = np.zeros(len(rows), np.bool_)
    for start, stop in spans:
        inside[start:stop] = True
    found = [_borders(look, rows, inside, start, stop) for start, stop in spans]
    borders = [ends for ends in found if ends is not None]
    if spans and not borders:
        return None
    parts = [_part(look, *ends) for ends in borders]
    share = float(lost.mean())
    if parts:
        extent = sum(last - first + 1 for first, last in borders) / look.population.pair.rows
        known = stored and extent <= MINORITY
        return Parts(share, by, parts, _outside(look, borders), known)
    among_lost, among_others = look.cka(rows[lost]), look.cka(rows[~lost])
    return Parts(
        share,
        by,
        [],
        None if among_others is None else among_others[0],
        stored and share <= MINORITY,
        None if among_lost is None else among_lost[0],
        None if among_lost is None else independence_p_value(*among_lost) < PAIRED,
    )


def _parts_by_geometry(look: Look) -> Parts | None:
    rows = np.sort(look.sample.rows)
    if len(rows) == 0:
        return None
    split = split_by_geometry(look.take_a(rows), look.take_b(rows), look.population.options.seed)
    if split is None:
        return None
    inside = np.zeros(len(rows), np.bool_)
    inside[split.start : split.stop] = True
    borders = _borders(look, rows, inside, split.start, split.stop)
    if borders is None:
        return None
    first, last = borders
    end = look.population.pair.rows - 1
    part = [(first, last)]
    rest = [ends for ends in ((0, first - 1), (last + 1, end)) if ends[0] <= ends[1]]
    larger = last - first + 1 > look.population.pair.rows / 2 and len(rest) == 1
    if larger or split.within_rest < CROSS_SHARE * split.within_part:
        # The file is the larger part, or the one whose rows correspond.
        part, rest = rest, part
    share = sum(high - low + 1 for low, high in part) / look.population.pair.rows
    parts = [_part(look, *ends) for ends in part]
    return Parts(share, "geometry", parts, _outside(look, part), known=False)


def _borders(look: Look, rows: Rows, inside: Mask, start: int, stop: int) -> tuple[int, int] | None:
    """Return the first and the last row of a part, each decided by its own inner products.

    None where rows of the part agree with the others as those do among themselves.
    """
    generator = np.random.default_rng([look.population.options.seed, 8])
    part, others = rows[start:stop], rows[~inside]
    if len(part) < 4 or len(others) < FEWEST_PROBED:
        return None
    borders = Borders(
        generator.permutation(others)[:REFERENCES],
        generator.permutation(part)[:REFERENCES],
        look.take_a,
        look.take_b,
    )
    if not borders.differ:
        return None
    reach = max(4, len(part) // 4)
    low = int(rows[start - reach]) if start > reach else 0
    high = look.population.pair.rows
    high = int(rows[stop + reach]) if stop + reach < len(rows) else high
    middle = int(part[len(part) // 2])
    first, behind = borders.begins(low, middle), borders.ends(middle, high)
    return (first, behind - 1) if first < behind else None


def _part(look: Look, first: int, last: int) -> Part:
    inside = look.cka(np.arange(first, last + 1))
    if inside is None:
        return Part(first, last, None, None)
    value, count = inside
    paired = independence_p_value(value, count) < PAIRED
    return Part(first, last, value, paired, None if paired else _lag(look, first, last))


def _lag(look: Look, first: int, last: int) -> int | None:
    """Return by how many rows a part lags within itself, where it does; None of a sample."""
    if look.population.pair.sampled_of is not None:
        return None
    rows = min(last - first + 1, 2 * PROBED)
    most = min(MOST_LAG, rows // 6)
    a = look.rows_a(first + most, first + rows - most)
    position = standing_out(shifted_cka(a, look.rows_b(first, first + rows)), len(a))
    return None if position is None else position - most


def _outside(look: Look, borders: list[tuple[int, int]]) -> float | None:
    kept = look.population.kept.copy()
    for first, last in borders:
        kept[first : last + 1] = False
    found = look.cka(np.flatnonzero(kept))
    return None if found is None else found[0]
