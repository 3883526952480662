"""Real queries, encoded by both models."""

from __future__ import annotations

import numpy as np

from embaudit.data.join import pair_by_row
from embaudit.data.pair import Pair
from embaudit.data.sources import Source, open_set
from embaudit.datatypes import Metric, Rows, Stored
from embaudit.errors import InputError, UsageError


def open_queries(a: Source | None, b: Source | None, pair: Pair) -> Pair | None:
    """Open the queries of both models; row i of both is one query.

    Raises
    ------
    UsageError
        When one of the two is missing.
    InputError
        When row counts differ, or a dimension is not that of its side of `pair`.
    """
    if a is None and b is None:
        return None
    if a is None or b is None:
        raise UsageError("--queries-a and --queries-b belong together; give both")
    queries = pair_by_row(open_set(a), open_set(b), check_order=True)
    for given, side, option in (
        (queries.a, pair.a, "--queries-a"),
        (queries.b, pair.b, "--queries-b"),
    ):
        if given.dim != side.dim:
            raise InputError(
                f"{given.uri}: dimension {given.dim}; {option} takes vectors of dimension "
                f"{side.dim}, encoded by the model of {side.uri}"
            )
    return queries


def take_queries(queries: Pair, rows: Rows, metric: Metric) -> tuple[Stored, Stored]:
    """Return the vectors of some queries.

    Raises
    ------
    InputError
        For a query with NaN or inf, or without direction under cosine; names the first.
    """
    taken = queries.a.take(rows), queries.b.take(rows)
    for stored, source in zip(taken, (queries.a, queries.b), strict=True):
        finite = np.isfinite(stored).all(axis=1)
        wrong, what = ~finite, "hold NaN or inf"
        if finite.all() and metric is Metric.COSINE:
            wrong, what = ~stored.any(axis=1), "are all zero, without a direction under cosine"
        if wrong.any():
            raise InputError(
                f"{source.uri}: {int(wrong.sum()):,} of {len(rows):,} queries {what}, first at row "
                f"{int(rows[wrong].min())}; leave them out of both files"
            )
    return taken
