"""Measures of retrieval: their ids, and their values query by query."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from embaudit.datatypes import DIRECTIONS, Mask, Rows, Vector

OVERLAP = "neighbors.overlap"
RAW, ORTHOGONAL, LINEAR = "raw", "orthogonal", "linear"
MAPS = (ORTHOGONAL, LINEAR)


def recall_id(direction: str, kind: str) -> str:
    """Return the measure id of a recall."""
    return f"recall.{direction}.{kind}"


def mixed_id(side: str) -> str:
    """Return the measure id of a mixed-index recall; `side` is the side of the queries."""
    return f"mixed_index.{side}.raw"


def partner_id(direction: str) -> str:
    """Return the measure id of the share of partners found."""
    return f"partner.found.{direction}.raw"


@dataclass(frozen=True)
class QueryResults:
    """Per-query values of a sample of rows.

    Attributes
    ----------
    rows : int64 array, shape (m,)
        The queries.
    values : dict of measure id to float64 array, shape (m,)
        In [0, 1].
    chance : dict of measure id to float64 array, shape (m,)
        The value a query gets when it is handed other queries' rows; for recalls only.
    at : dict of k to QueryResults
        The recalls of the same queries at other numbers of neighbours.
    """

    rows: Rows
    values: dict[str, Vector]
    chance: dict[str, Vector]
    at: dict[int, QueryResults] = field(default_factory=dict)

    def extended(self, other: QueryResults) -> QueryResults:
        """Return the results of both samples."""
        return QueryResults(
            np.concatenate([self.rows, other.rows]),
            {key: np.concatenate([self.values[key], other.values[key]]) for key in self.values},
            {key: np.concatenate([self.chance[key], other.chance[key]]) for key in self.chance},
            {k: results.extended(other.at[k]) for k, results in self.at.items()},
        )

    def replaced(self, chosen: Mask, better: QueryResults) -> QueryResults:
        """Return these results with those of the `chosen` queries taken from `better`."""

        def merged(mine: dict[str, Vector], theirs: dict[str, Vector]) -> dict[str, Vector]:
            vectors = {key: values.copy() for key, values in mine.items()}
            for key, values in vectors.items():
                values[chosen] = theirs[key]
            return vectors

        return QueryResults(
            self.rows,
            merged(self.values, better.values),
            merged(self.chance, better.chance),
            {k: results.replaced(chosen, better.at[k]) for k, results in self.at.items()},
        )

    def without(self, key: str) -> QueryResults:
        """Return the results without one measure."""
        return QueryResults(
            self.rows,
            {name: values for name, values in self.values.items() if name != key},
            {name: values for name, values in self.chance.items() if name != key},
            {k: results.without(key) for k, results in self.at.items()},
        )

    def subset(self, chosen: Mask) -> QueryResults:
        """Return the results of some of the queries."""
        return QueryResults(
            self.rows[chosen],
            {key: values[chosen] for key, values in self.values.items()},
            {key: values[chosen] for key, values in self.chance.items()},
            {k: results.subset(chosen) for k, results in self.at.items()},
        )


def depending_on_k(same_dim: bool) -> dict[str, str | None]:
    """Return `applicable` without the measures that are the same at every k."""
    partners = {partner_id(direction) for direction in DIRECTIONS}
    return {key: why for key, why in applicable(same_dim).items() if key not in partners}


def applicable(same_dim: bool) -> dict[str, str | None]:
    """Return every measure id of this family with the reason why it does not apply, or None."""
    reason = None if same_dim else "the dimensions differ"
    ids: dict[str, str | None] = {OVERLAP: None}
    for direction in DIRECTIONS:
        ids[recall_id(direction, RAW)] = reason
        for kind in MAPS:
            ids[recall_id(direction, kind)] = None
    for side in ("a", "b"):
        ids[mixed_id(side)] = reason
    for direction in DIRECTIONS:
        ids[partner_id(direction)] = reason
    return ids
