"""Whether the rows of B are in another order: by bytes, by blocks, or by single rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from embaudit.datatypes import Matrix, Rows, Verdict
from embaudit.measures.elsewhere import matched_by_chance, partners_elsewhere
from embaudit.measures.lags import LagScan
from embaudit.measures.neighbors import RAW
from embaudit.measures.order import Order, order_of, places_by_bytes
from embaudit.measures.pairing import Mispairing
from embaudit.stages.row_causes.look import Look
from embaudit.stats.intervals import clopper_pearson

DOUBTFUL = {Verdict.CONCATENATE, Verdict.MISPAIRED, Verdict.UNRELATED, Verdict.INCONCLUSIVE}
"""Verdicts under which rows may be out of order."""
MISPLACED = {Verdict.MISPAIRED, Verdict.UNRELATED}
SEARCHED = 256
FEWEST_PLACES = 8
NOTABLE_SHARE = 0.02
"""Of all rows, the share that must stand elsewhere by their bytes."""
SURE_SHARE = 0.25
"""Of rows that were searched for, the share that must be found elsewhere, beyond chance."""
ALPHA = 1e-4
"""Chance by which either share, of rows found elsewhere and by chance, may be misjudged."""
IN_PLACE = 0.01


def find_order(look: Look) -> Order | None:
    """Return how the rows of B are ordered, where they are not in A's order."""
    if look.verdict not in DOUBTFUL:
        return None
    return _order_by_bytes(look) or _order_by_blocks(look) or _order_by_search(look)


def _order_by_bytes(look: Look) -> Order | None:
    pair = look.population.pair
    if (pair.a.dim, pair.a.dtype) != (pair.b.dim, pair.b.dtype):
        return None
    rows, found = places_by_bytes(*look.hashes)
    moved = int(np.count_nonzero(rows != found))
    if moved < max(FEWEST_PLACES, NOTABLE_SHARE * pair.rows):
        return None
    return order_of(rows, found, "bytes")


def _order_by_blocks(look: Look) -> Order | None:
    lags = LagScan(look.population.pair.rows, look.rows_a, look.rows_b).run()
    if lags is None:
        return None
    moved = sum(block.last - block.first + 1 for block in lags.blocks if block.lag)
    return Order(
        "lag",
        "geometry",
        look.population.pair.rows,
        moved,
        lags.blocks,
        [],
        lags.strength,
    )


def _order_by_search(look: Look) -> Order | None:
    mispairing = look.retrieval.mispairing
    if mispairing is None or look.verdict not in MISPLACED:
        return None
    kinds = [RAW] if look.population.same_dim else []
    if look.verdict is Verdict.UNRELATED:
        rows = look.population.order[:SEARCHED]
    else:
        rows = mispairing.likely_mispaired[:SEARCHED]
        kinds += [mispairing.view[1]] if mispairing.view[1] != RAW else []
    if len(rows) < FEWEST_PLACES:
        return None
    orders = (_order_through(look, kind, np.sort(rows), mispairing) for kind in kinds)
    return next((order for order in orders if order is not None), None)


def _order_through(look: Look, kind: str, rows: Rows, mispairing: Mispairing) -> Order | None:
    """Return the order that single rows show when searched for as stored or mapped."""
    search, maps = look.retrieval.search, look.linear.maps
    if search is None or maps is None:
        return None

    def carry(direction: str, some: Rows, vectors: Matrix) -> Matrix:
        return vectors if kind == RAW else maps.transform(direction, kind, some, vectors)

    found, sure = partners_elsewhere(
        {"a": search.a, "b": search.b},
        carry,
        rows,
        look.population.options.workers,
        look.population.options.progress,
    )
    moved = sure & (found != rows)
    if moved.sum() < FEWEST_PLACES or not _beyond_chance(look, int(moved.sum()), len(rows)):
        return None
    alone = order_of(rows[sure], found[sure], "search")
    alone = alone and replace(alone, looked=len(rows))
    if look.verdict is Verdict.UNRELATED:
        return alone
    # Rows that rank well stand in place: among them blocks show where they begin and end.
    well = mispairing.rows[mispairing.ranks <= IN_PLACE]
    known, places = np.append(rows[moved], well), np.append(found[moved], well)
    by_row = np.argsort(known, kind="stable")
    together = order_of(known[by_row], places[by_row], "search")
    return together if together is not None and together.blocks else alone


def _beyond_chance(look: Look, moved: int, searched: int) -> bool:
    """Return whether more rows are found elsewhere than strangers would be."""
    if moved < SURE_SHARE * searched:
        return False
    search, options = look.retrieval.search, look.population.options
    assert search is not None, "rows were searched for"
    rows = np.sort(look.population.order[:SEARCHED])
    by_chance = max(
        matched_by_chance(corpus, rows, options.workers, options.progress)
        for corpus in (search.a, search.b)
    )
    found = clopper_pearson(moved, searched, ALPHA)
    chance = clopper_pearson(by_chance, len(rows), ALPHA)
    return found.low > chance.high and found.value >= chance.value + SURE_SHARE
