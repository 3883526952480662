"""Two sets whose rows correspond."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.datatypes import Span, Stored


@dataclass(frozen=True)
class Pair:
    """Matched sets: row i of `a` and row i of `b` describe one item.

    Attributes
    ----------
    a, b : EmbeddingSet
        Sets of equal row count.
    """

    a: EmbeddingSet
    b: EmbeddingSet

    @property
    def rows(self) -> int:
        """Number of matched rows."""
        return self.a.rows

    def blocks(self, spans: Sequence[Span], slots: int) -> Iterator[tuple[Span, Stored, Stored]]:
        """Yield each span with the rows of both sides; valid until `slots` more are drawn."""
        yield from zip(spans, self.a.blocks(spans, slots), self.b.blocks(spans, slots), strict=True)


def even_spans(rows: int, step: int) -> list[Span]:
    """Cut ``range(rows)`` into consecutive spans of at most `step` rows."""
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]
