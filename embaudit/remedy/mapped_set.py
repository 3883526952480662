"""A set seen through maps: its rows in another space, mapped as they are read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from embaudit.data.buffers import BufferRing
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.datatypes import Rows, Span, Stored
from embaudit.errors import InputError
from embaudit.maps.fitted import FittedMap, RowMapper
from embaudit.streaming.fold_moments import FoldPlan


class MappedSet(EmbeddingSet):
    """Rows of a set, each mapped by a map that has not seen its fold.

    Rows that hold NaN or inf stay so; others that are mapped to them are refused.

    Parameters
    ----------
    source : EmbeddingSet
    maps : sequence of FittedMap
        One for each fold of `plan`, or a single one for all rows.
    plan : FoldPlan, optional
    """

    def __init__(
        self, source: EmbeddingSet, maps: Sequence[FittedMap], plan: FoldPlan | None = None
    ) -> None:
        self.uri, self.rows = source.uri, source.rows
        self.dim = maps[0].dims[1]
        self.dtype = np.dtype(np.float32)
        self._source = source
        self._maps = maps
        self._plan = plan

    @property
    def held_bytes(self) -> int:
        """Bytes that the source holds."""
        return self._source.held_bytes

    def blocks(self, spans: Sequence[Span], slots: int = 1) -> Iterator[Stored]:
        """Yield the mapped rows of each span from `slots` reused buffers."""
        ring = BufferRing(spans, slots, self.dim, self.dtype)
        mappers = self._mappers()
        for (start, stop), stored in zip(spans, self._source.blocks(spans), strict=True):
            out = ring.take(len(stored))
            self._map(mappers, np.arange(start, stop), stored, out)
            yield out

    def gather(self, rows: Rows) -> Iterator[tuple[slice, Stored]]:
        """Yield mapped rows by blocks."""
        mappers = self._mappers()
        for positions, stored in self._source.gather(rows):
            out = np.empty((len(stored), self.dim), np.float32)
            self._map(mappers, rows[positions], stored, out)
            yield positions, out

    def _mappers(self) -> list[RowMapper]:
        # One for each reader: they hold buffers.
        return [RowMapper(fitted, self._source.dtype) for fitted in self._maps]

    def _map(
        self, mappers: list[RowMapper], rows: Rows, stored: Stored, out: NDArray[np.float32]
    ) -> None:
        if self._plan is None:
            self._map_by(mappers[0], rows, stored, out)
            return
        # Folds are chunks of neighbouring rows: a few runs a block.
        folds = self._plan.fold_of(rows)
        edges = [0, *(np.flatnonzero(np.diff(folds)) + 1).tolist(), len(rows)]
        for start, stop in itertools.pairwise(edges):
            if start < stop:
                run = slice(start, stop)
                self._map_by(mappers[folds[start]], rows[run], stored[run], out[run])

    def _map_by(
        self, mapper: RowMapper, rows: Rows, stored: Stored, out: NDArray[np.float32]
    ) -> None:
        bad = mapper.map(stored, out)
        if bad.any():
            bad[bad] = np.isfinite(stored[bad]).all(axis=1)
        if bad.any():
            raise InputError(
                f"{self.uri}: row {rows[np.argmax(bad)]} is mapped beyond what float32 holds; "
                "rescale the vectors, or fit the map again"
            )
