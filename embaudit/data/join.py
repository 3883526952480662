"""Bringing rows of two sets together: by position, or by the ids they share."""

from __future__ import annotations

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.id_files import IdSource, read_ids
from embaudit.data.ids import Ids, match
from embaudit.data.keyed import KeyedSet
from embaudit.data.order import check_row_order, row_count_error
from embaudit.data.pair import Pair
from embaudit.data.reordered import reordered
from embaudit.errors import UsageError


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
    return Pair(reordered(a, matches.rows_a), reordered(b, matches.rows_b), matches, keys_a)


def _ids_of(source: EmbeddingSet, on: str | None, ids: IdSource | None, option: str) -> Ids:
    if ids is not None:
        return read_ids(ids, source.rows, source.uri)
    if on is None:
        raise UsageError(f"{source.uri} has no ids; name them with {option} or --on")
    if not isinstance(source, KeyedSet):
        raise UsageError(f"--on {on}: {source.uri} has no columns; pass its ids with {option}")
    return source.ids(on)
