"""Bringing the rows of several sets together: by position, or by the ids that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np

from embaudit.data.decoded import decoded_once
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.id_files import IdSource
from embaudit.data.ids import Matches, match
from embaudit.data.join import ids_of, pair_by_row
from embaudit.data.reordered import reordered
from embaudit.datatypes import Mask, Rows
from embaudit.errors import InputError, UsageError


@dataclass(frozen=True)
class Joined:
    """Sets whose row i describes one item.

    Attributes
    ----------
    sets : list of EmbeddingSet
        Of equal row count, in the order of the first set's rows.
    stored : list of EmbeddingSet
        As they were.
    rows : int64 array, shape (m,), or None
        Where the rows stand in the first set, ascending; None where all are in place.
    by : "row" or "id"
    places : list of int64 array, shape (m,), or None
        Where the rows stand in each set; None where all are in place.
    """

    sets: list[EmbeddingSet]
    stored: list[EmbeddingSet]
    rows: Rows | None
    by: Literal["row", "id"]
    places: list[Rows] | None = None

    def stored_rows(self, place: int, rows: Rows) -> Rows:
        """Return where joined rows, shape (m,), are stored in a set."""
        return rows if self.places is None else self.places[place][rows]

    def only(self, kept: Mask) -> Joined:
        """Return the rows that are marked, shape (m,)."""
        rows = np.flatnonzero(kept)
        return Joined(
            [decoded_once(reordered(one, rows)) for one in self.sets],
            self.stored,
            rows if self.rows is None else self.rows[rows],
            self.by,
            [self.stored_rows(place, rows) for place in range(len(self.sets))],
        )


def join_sets(
    stored: Sequence[EmbeddingSet],
    *,
    on: str | None = None,
    ids: Sequence[IdSource] | None = None,
    by_row: bool = False,
) -> Joined:
    """Bring the rows of at least two sets together, by position unless ids say otherwise.

    Rows keep the order of the first set; those that a set lacks are left out of all.

    Parameters
    ----------
    on : str, optional
        Column of the ids, in every set.
    ids : sequence of id sources, optional
        The ids of each set, one a row.
    by_row : bool
        Pair by position even where columns of ids say that the order differs.

    Raises
    ------
    InputError
        When row counts differ, ids repeat or do not meet.
    UsageError
        For options that contradict each other.
    """
    first, *others = stored
    if on is None and ids is None:
        for other in others:
            if other.rows != first.rows:
                raise InputError(
                    f"row counts differ: {first.uri} has {first.rows:,}, {other.uri} has "
                    f"{other.rows:,}; join them by ids: --on NAME, or --ids FILE for each set"
                )
            pair_by_row(first, other, check_order=not by_row)
        return Joined([decoded_once(one) for one in stored], list(stored), None, "row")
    if by_row:
        raise UsageError("--by-row contradicts --on and --ids; leave one out")
    if ids is not None and len(ids) != len(stored):
        raise UsageError(f"--ids: {len(ids)} files for {len(stored)} sets; pass one for each")
    keys = [
        ids_of(one, on, None if ids is None else ids[place], "--ids")
        for place, one in enumerate(stored)
    ]
    matches = [match(keys[0], key) for key in keys[1:]]
    common = reduce(np.intersect1d, [found.rows_a for found in matches])
    if len(common) == 0:
        raise InputError(f"{first.uri}: no id is in all of the {len(stored)} sets")
    places = [common, *(_partners(found, common) for found in matches)]
    sets = [decoded_once(reordered(one, rows)) for one, rows in zip(stored, places, strict=True)]
    in_place = len(common) == first.rows
    return Joined(sets, list(stored), None if in_place else common, "id", places)


def _partners(matches: Matches, rows: Rows) -> Rows:
    """Return where the partners of some of the first set's rows stand."""
    return matches.rows_b[np.searchsorted(matches.rows_a, rows)]
