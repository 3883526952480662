"""Bringing rows of two sets together: by position, or by the ids they share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from embaudit.data.decoded import decoded_once
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.id_files import IdSource, read_ids
from embaudit.data.ids import Ids, Matches, match
from embaudit.data.keyed import KeyedSet
from embaudit.data.order import check_row_order, row_count_error
from embaudit.data.pair import Pair
from embaudit.data.reordered import reordered, sampled
from embaudit.data.sources import Source, open_set
from embaudit.datatypes import Rows
from embaudit.errors import UsageError


def open_pair(
    a: Source,
    b: Source,
    *,
    on: str | None = None,
    ids_a: IdSource | None = None,
    ids_b: IdSource | None = None,
    by_row: bool = False,
    column: str | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> Pair:
    """Open two sources and bring their rows together, by position unless ids say otherwise.

    Parameters are those of `embaudit.compare`; `sample` is a number.

    Raises
    ------
    InputError
        When a source cannot be read or rows do not correspond.
    UsageError
        For options that contradict each other.
    """
    set_a, set_b = open_set(a, column=column), open_set(b, column=column)
    if on is None and ids_a is None and ids_b is None:
        pair = pair_by_row(set_a, set_b, check_order=not by_row, sample=sample, seed=seed)
    elif by_row:
        raise UsageError("--by-row contradicts --on, --ids-a and --ids-b; leave one out")
    else:
        pair = pair_by_id(set_a, set_b, on=on, ids_a=ids_a, ids_b=ids_b, sample=sample, seed=seed)
    return _decoded_once(pair)


def _decoded_once(pair: Pair) -> Pair:
    """Return the pair with sets that no later pass decodes again; a sample is read as it is."""
    sides = pair.a, pair.b
    if pair.sampled_of is not None or not any(side.decodes for side in sides):
        return pair
    return replace(
        pair, a=decoded_once(pair.a), b=decoded_once(pair.b), stored=pair.stored or sides
    )


def pair_by_row(
    a: EmbeddingSet,
    b: EmbeddingSet,
    *,
    check_order: bool,
    sample: int | None = None,
    seed: int = 0,
) -> Pair:
    """Pair row i with row i.

    Parameters
    ----------
    check_order : bool
        Refuse Parquet files whose shared ids say that their rows are in another order.
    sample : int, optional
        Rows to draw, where there are more.
    seed : int

    Raises
    ------
    InputError
        When row counts differ, or the order does.
    """
    if a.rows != b.rows:
        raise row_count_error(a, b)
    if check_order:
        check_row_order(a, b)
    drawn = _drawn(a.rows, sample, seed)
    if drawn is None:
        return Pair(a, b)
    return Pair(
        sampled(a, drawn),
        sampled(b, drawn),
        Matches(drawn, drawn, 0, 0),
        stored=(a, b),
        sampled_of=a.rows,
    )


def pair_by_id(
    a: EmbeddingSet,
    b: EmbeddingSet,
    *,
    on: str | None = None,
    ids_a: IdSource | None = None,
    ids_b: IdSource | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> Pair:
    """Pair the rows that share an id, in any order; rows without partner are left out.

    Rows keep the order of `a`; where that of `b` differs, `b` is copied once to a temporary file,
    never into memory.

    Parameters
    ----------
    on : str, optional
        Column of the ids, of every side without ids of its own.
    ids_a, ids_b : path, or sequence of str or int, optional
        One id for each row.
    sample : int, optional
        Rows to draw of those that met, where there are more.
    seed : int

    Raises
    ------
    UsageError
        When a side has neither.
    InputError
        For ids that are missing, null, repeated, of different types or without a common one.
    """
    keys_a = ids_of(a, on, ids_a, "--ids-a")
    keys_b = ids_of(b, on, ids_b, "--ids-b")
    matches = match(keys_a, keys_b)
    names = keys_a.names
    # The hashes have served, and a copied set needs the memory.
    del keys_a, keys_b
    matched = len(matches.rows_a)
    drawn = _drawn(matched, sample, seed)
    brought = reordered
    if drawn is not None:
        matches = replace(matches, rows_a=matches.rows_a[drawn], rows_b=matches.rows_b[drawn])
        brought = sampled
    return Pair(
        brought(a, matches.rows_a),
        brought(b, matches.rows_b),
        matches,
        names,
        stored=(a, b),
        by="id",
        sampled_of=None if drawn is None else matched,
    )


def _drawn(rows: int, sample: int | None, seed: int) -> Rows | None:
    """Return the ascending positions of a uniform sample; None where every row is taken."""
    if sample is None or sample >= rows:
        return None
    if sample < 1:
        raise UsageError(f"sample={sample}: expected at least 1 row")
    generator = np.random.default_rng([seed, 9])
    return np.sort(generator.choice(rows, sample, replace=False, shuffle=False))


def ids_of(source: EmbeddingSet, on: str | None, ids: IdSource | None, option: str) -> Ids:
    """Return the ids of a set: those that are given, else those in a column of it.

    Raises
    ------
    UsageError
        When there are neither; `option` is what would give them.
    InputError
        For ids that are missing, null or of a type that suits none.
    """
    if ids is not None:
        return read_ids(ids, source.rows, source.uri)
    if on is None:
        raise UsageError(f"{source.uri} has no ids; name them with {option} or --on")
    if not isinstance(source, KeyedSet):
        raise UsageError(f"--on {on}: {source.uri} has no columns; pass its ids with {option}")
    return source.ids(on)
