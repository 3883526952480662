"""Two sets whose rows correspond."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.ids import IdNames, Matches
from embaudit.datatypes import Rows, Span, Stored


@dataclass(frozen=True)
class Pair:
    """Matched sets: row i of `a` and row i of `b` describe one item.

    Attributes
    ----------
    a, b : EmbeddingSet
        Sets of equal row count.
    matches : Matches or None
        Where the rows stood before they were joined by id or drawn; None where all are in place.
    ids : IdNames or None
        The ids of the first set as it was.
    stored : (EmbeddingSet, EmbeddingSet) or None
        The sets as they were, where `a` and `b` are others: joined, drawn from or decoded.
    by : "row" or "id"
        What rows were paired by.
    sampled_of : int or None
        Number of matched rows that these were drawn from; None where they are all there are.
    """

    a: EmbeddingSet
    b: EmbeddingSet
    matches: Matches | None = None
    ids: IdNames | None = None
    stored: tuple[EmbeddingSet, EmbeddingSet] | None = None
    by: Literal["row", "id"] = "row"
    sampled_of: int | None = None

    @property
    def rows(self) -> int:
        """Number of matched rows, or of those drawn from them."""
        return self.a.rows

    @property
    def only_in(self) -> tuple[int, int]:
        """Rows of each side without a partner."""
        return (0, 0) if self.matches is None else (self.matches.only_in_a, self.matches.only_in_b)

    @property
    def matched_fraction(self) -> float:
        """Share of the smaller side's rows that have a partner."""
        matched = self.sampled_of or self.rows
        return matched / (matched + min(self.only_in))

    def stored_row(self, row: int, side: Literal["a", "b"] = "a") -> int:
        """Return where a matched row is stored in a side."""
        if self.matches is None:
            return int(row)
        return int((self.matches.rows_a if side == "a" else self.matches.rows_b)[row])

    def stored_rows(self, rows: Rows, side: Literal["a", "b"] = "a") -> Rows:
        """Return where matched rows, shape (m,), are stored in a side."""
        if self.matches is None:
            return rows
        return (self.matches.rows_a if side == "a" else self.matches.rows_b)[rows]

    def source(self, side: Literal["a", "b"]) -> EmbeddingSet:
        """Return a side as it is stored, all of its rows included."""
        a, b = self.stored or (self.a, self.b)
        return a if side == "a" else b

    def name(self, row: int) -> str:
        """Return what a person finds a matched row by: its id, else its position."""
        stored = self.stored_row(row)
        return str(stored) if self.ids is None else self.ids.shown(stored)

    def blocks(self, spans: Sequence[Span], slots: int) -> Iterator[tuple[Span, Stored, Stored]]:
        """Yield each span with the rows of both sides; valid until `slots` more are drawn."""
        yield from zip(spans, self.a.blocks(spans, slots), self.b.blocks(spans, slots), strict=True)


def even_spans(rows: int, step: int) -> list[Span]:
    """Cut ``range(rows)`` into consecutive spans of at most `step` rows."""
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]
