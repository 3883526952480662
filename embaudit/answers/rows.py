"""Which rows fare worst: every measured row with its own numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.answers.judged import judged
from embaudit.data.pair import Pair
from embaudit.datatypes import DIRECTIONS, Rows, Vector
from embaudit.measures.neighbors import OVERLAP, RAW, QueryResults, recall_id
from embaudit.measures.pairing import SUSPECT
from embaudit.result import WorstRow
from embaudit.row_table import NUMBERS, RowTable
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage

LISTED = 10


@dataclass(frozen=True)
class MeasuredRows:
    """Rows that were ranked or searched, worst first.

    Attributes
    ----------
    rows : int64 array, shape (m,)
        Rows of the pair.
    numbers : dict of str to float64 array, shape (m,)
        As in `RowTable`.
    notes : dict of str to str
    """

    rows: Rows
    numbers: dict[str, Vector]
    notes: dict[str, str]


def measure_rows(population: Population, retrieval: RetrievalStage) -> MeasuredRows:
    """Collect what the stages measured of single rows; nothing is read or searched again.

    The rows are the first of the sampling order: all that were queries, and the rows ranked
    beside them, 4,096 or as many as there are. First come rows that rank their partner in the
    worse half, then those that keep the fewest neighbours by the recalls the verdict rests on.
    """
    results, mispairing = retrieval.results, retrieval.mispairing
    if results is None or mispairing is None or retrieval.ranks is None:
        nothing = {name: np.empty(0) for name in NUMBERS}
        return MeasuredRows(np.empty(0, np.int64), nothing, {})
    policy = population.options.policy
    kinds = judged(retrieval, policy.min_recall, policy.min_aligned_recall)
    scores = retrieval.ranks.scores
    count = len(scores.rows)
    unknown = np.full(count, np.nan)
    mapped = kinds.better_map
    numbers = {
        "partner_rank": scores.ranks[mispairing.view],
        "cosine_raw": scores.cosines.get(("a_to_b", RAW), unknown),
        "cosine_mapped": scores.cosines["a_to_b", mapped["a_to_b"]],
        "neighbors_shared": _first(results, OVERLAP, count),
    }
    for direction in DIRECTIONS:
        numbers[f"recall_{direction}_raw"] = _first(results, recall_id(direction, RAW), count)
        key = recall_id(direction, mapped[direction])
        numbers[f"recall_{direction}_mapped"] = _first(results, key, count)
    kept = np.mean([_first(results, key, count) for key in kinds.ids], axis=0)
    order = _worst_first(scores.rows, numbers, kept)
    notes = {
        "partner_rank": " ".join(mispairing.view),
        "map_a_to_b": mapped["a_to_b"],
        "map_b_to_a": mapped["b_to_a"],
        "k": str(population.options.k),
    }
    return MeasuredRows(scores.rows[order], {name: numbers[name][order] for name in NUMBERS}, notes)


def worst_rows(pair: Pair, measured: MeasuredRows) -> list[WorstRow]:
    """Return the first `LISTED` rows with their ids."""
    table = row_table(pair, measured, LISTED)
    return [
        WorstRow.model_validate(
            {
                "row_a": int(table.row_a[place]),
                "row_b": int(table.row_b[place]),
                "id": None if table.ids is None else table.ids[place],
                **{
                    name: None if np.isnan(values[place]) else float(values[place])
                    for name, values in table.numbers.items()
                },
            }
        )
        for place in range(len(table))
    ]


def row_table(pair: Pair, measured: MeasuredRows, count: int | None = None) -> RowTable:
    """Return the first `count` measured rows, default all, with their ids and positions."""
    rows = measured.rows[:count]
    row_a, row_b = pair.stored_rows(rows, "a"), pair.stored_rows(rows, "b")
    return RowTable(
        row_a,
        row_b,
        named_rows(pair, row_a),
        {name: values[:count] for name, values in measured.numbers.items()},
        measured.notes,
    )


def named_rows(pair: Pair, row_a: Rows) -> list[int] | list[str] | None:
    """Return the ids of rows of A, shape (m,), that were joined by id; None where none were."""
    if pair.ids is None:
        return None
    found = pair.ids.values(row_a)
    whole = [value for value in found if isinstance(value, int)]
    return whole if len(whole) == len(found) else [_text(value) for value in found]


def _first(results: QueryResults, key: str, count: int) -> Vector:
    """Return the values of a measure for `count` rows, NaN for those that were no queries."""
    values = np.full(count, np.nan)
    if key in results.values:
        known = results.values[key][:count]
        values[: len(known)] = known
    return values


def _worst_first(rows: Rows, numbers: dict[str, Vector], kept: Vector) -> Rows:
    """Return the order of rows; what was not measured comes after what was."""
    rank = numbers["partner_rank"]
    suspect = rank > SUSPECT
    cosine = numbers["cosine_raw"]
    cosine = numbers["cosine_mapped"] if np.isnan(cosine).all() else cosine
    keys = (
        ~suspect,
        np.where(suspect, -rank, 0.0),
        np.nan_to_num(kept, nan=2.0),
        np.nan_to_num(numbers["neighbors_shared"], nan=2.0),
        cosine,
        rows,
    )
    return np.lexsort(keys[::-1])


def _text(value: int | str | bytes) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
