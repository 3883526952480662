"""What a map file records of how it was measured, for `verify` to hold later pairs against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from embaudit.alignment import Alignment, IndexPoint, MappedSource
from embaudit.data.embedding_set import ArraySet
from embaudit.data.pair import Pair
from embaudit.datatypes import SilentProgress
from embaudit.errors import InputError
from embaudit.joint_space import JointAlignment
from embaudit.maps.fitted import FittedMap
from embaudit.maps.map_file import Held, MapNotes, MapSource, Measured
from embaudit.remedy.joint_figures import figures, name_of
from embaudit.remedy.mapped_search import OneWay
from embaudit.remedy.mapped_set import MappedSet
from embaudit.result import Estimate
from embaudit.stages.population import populate
from embaudit.streaming.fold_moments import FoldPlan

QUERIES = 2048
INDEX_SIZES = (16384, 4096, 1024, 256, 64)
"""Rows of smaller indexes: fewer rows are easier to tell apart, and `verify` may be given few."""


def smaller_indexes(way: OneWay, maps: Sequence[FittedMap], plan: FoldPlan) -> list[IndexPoint]:
    """Return the recall of mapped vectors in indexes of fewer rows, for pairs to come."""
    population = way.population
    options = replace(population.options, progress=SilentProgress())
    source, target = way.turned((population.pair.a, population.pair.b))
    mapped = MappedSet(source, maps, plan)
    points = []
    for size in index_sizes(population.n, 4 * options.k + 2):
        rows = np.sort(population.order[:size])
        # Rows that are all one vector have no neighbours to find.
        with suppress(InputError):
            pair = Pair(ArraySet(mapped.take(rows)), ArraySet(target.take(rows)))
            alone = OneWay(populate(pair, options), "a_to_b", endless=True)
            found = alone.stored().run(alone.population.order[:QUERIES], options.progress)
            recall = alone.estimate(found)
            assert recall is not None, "mapped rows have the target's dimension"
            points.append(IndexPoint(rows=size, recall=recall))
    return points


def index_sizes(rows: int, fewest: int) -> list[int]:
    """Return the sizes of smaller indexes that a map is measured in, the largest first."""
    return [size for size in INDEX_SIZES if fewest <= size <= rows // 2]


def held(measured: Mapping[str, Estimate]) -> dict[str, Held]:
    """Return figures as a map file holds them."""
    return {
        name: Held(value=found.value, ci=found.ci)
        for name, found in measured.items()
        if found.value is not None
    }


def notes_of(alignment: Alignment) -> MapNotes:
    """Return what a map file says of the rows and figures behind a map."""
    chosen = next(one for one in alignment.methods if one.chosen)
    measured = {
        "recall": alignment.after.recall,
        "mixed_index": alignment.after.mixed_index,
        "partner_found": alignment.after.partner_found,
    }
    held_out = held({name: found for name, found in measured.items() if found is not None})
    smaller = [
        Measured(rows=point.rows, held_out=held({"recall": point.recall}))
        for point in alignment.smaller_indexes
    ]
    return MapNotes(
        inputs=_noted([alignment.a, alignment.b]),
        k=alignment.k,
        penalty=chosen.penalty,
        held_out=held_out,
        by_rows=[Measured(rows=alignment.pairs, held_out=held_out), *smaller],
    )


def joint_notes(found: JointAlignment) -> MapNotes:
    """Return what a head's file says of the rows and figures behind it."""
    chosen = found.figures[-1]
    by_rows = [
        Measured(
            rows=rows,
            held_out=held({name_of(*key): one for key, one in figures(retrieved).items()}),
        )
        for rows, retrieved in [
            (found.pairs, chosen.retrieval),
            *((point.rows, point.retrieval) for point in found.smaller_indexes),
        ]
    ]
    return MapNotes(
        inputs=_noted([found.a, found.b]),
        k=found.k,
        penalty=chosen.penalty,
        held_out=by_rows[0].held_out,
        by_rows=by_rows,
    )


def _noted(sides: Sequence[MappedSource]) -> list[MapSource]:
    """Return what a map's file says of the sides it was fitted on."""
    return [
        MapSource(uri=one.uri, rows=one.rows, dim=one.dim, sha256=one.sha256 or "") for one in sides
    ]
