"""Bringing rows of two sets together: by position, or by the ids they share."""

from __future__ import annotations

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.id_files import IdSource, read_ids
from embaudit.data.ids import Ids, match
from embaudit.data.keyed import KeyedSet
from embaudit.data.order import check_row_order, row_count_error
from embaudit.data.pair import Pair
from embaudit.data.reordered import reordered
from embaudit.data.sources import Source, open_set
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
) -> Pair:
    """Open two sources and bring their rows together, by position unless ids say otherwise.

    Parameters are those of `embaudit.compare`.

    Raises
    ------
    InputError
        When a source cannot be read or rows do not correspond.
    UsageError
        For options that contradict each other.
    """
    set_a, set_b = open_set(a, column=column), open_set(b, column=column)
    if on is None and ids_a is None and ids_b is None:
        return pair_by_row(set_a, set_b, check_order=not by_row)
    if by_row:
        raise UsageError("--by-row contradicts --on, --ids-a and --ids-b; leave one out")
    return pair_by_id(set_a, set_b, on=on, ids_a=ids_a, ids_b=ids_b)


def pair_by_row(a: EmbeddingSet, b: EmbeddingSet, *, check_order: bool) -> Pair:
    """Pair row i with row i.

    Parameters
    ----------
    check_order : bool
        Refuse Parquet files whose shared ids say that their rows are in another order.

    Raises
    ------
    InputError
        When row counts differ, or the order does.
    """
    if a.rows != b.rows:
        raise row_count_error(a, b)
    if check_order:
        check_row_order(a, b)
    return Pair(a, b)


def pair_by_id(
    a: EmbeddingSet,
    b: EmbeddingSet,
    *,
    on: str | None = None,
    ids_a: IdSource | None = None,
    ids_b: IdSource | None = None,
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

    Raises
    ------
    UsageError
        When a side has neither.
    InputError
        For ids that are missing, null, repeated, of different types or without a common one.
    """
    keys_a = _ids_of(a, on, ids_a, "--ids-a")
    keys_b = _ids_of(b, on, ids_b, "--ids-b")
    matches = match(keys_a, keys_b)
    names = keys_a.names
    # The hashes have served, and a copied set needs the memory.
    del keys_a, keys_b
    return Pair(
        reordered(a, matches.rows_a), reordered(b, matches.rows_b), matches, names, stored=(a, b)
    )


def _ids_of(source: EmbeddingSet, on: str | None, ids: IdSource | None, option: str) -> Ids:
    if ids is not None:
        return read_ids(ids, source.rows, source.uri)
    if on is None:
        raise UsageError(f"{source.uri} has no ids; name them with {option} or --on")
    if not isinstance(source, KeyedSet):
        raise UsageError(f"--on {on}: {source.uri} has no columns; pass its ids with {option}")
    return source.ids(on)
