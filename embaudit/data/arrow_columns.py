"""Which columns of a schema hold vectors, which may hold keys, and what is in them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from embaudit.data.files import argument, brief
from embaudit.data.ids import KeyHashes, KeyKind, check_texts, hash_integers, hash_texts
from embaudit.datatypes import Mask
from embaudit.errors import InputError, did_you_mean

NUMBERS: dict[pa.DataType, np.dtype[np.generic]] = {
    pa.float16(): np.dtype(np.float16),
    pa.float32(): np.dtype(np.float32),
    pa.float64(): np.dtype(np.float64),
    pa.int8(): np.dtype(np.int8),
    pa.uint8(): np.dtype(np.uint8),
}
EXPECTED = "list, large_list or fixed_size_list of float16, float32, float64, int8 or uint8"
SHOWN_COLUMNS = 12
"""Columns named in a message before it says how many more there are."""


def choose_vectors(schema: pa.Schema, column: str | None, uri: str) -> pa.Field:
    """Return the field of the vectors: `column`, else the only one that holds vectors.

    Raises
    ------
    InputError
        When `column` is missing, stored twice or holds no vectors; or when none is named and
        the file has no vector column, or several.
    """
    names = list(schema.names)
    if column is None:
        candidates = [field for field in schema if is_vectors(field.type)]
        if not candidates:
            raise InputError(
                f"{uri}: no vector column among {_listed(schema)}; "
                f"store the vectors as list<float32> ({EXPECTED})"
            )
        if len(candidates) > 1:
            raise InputError(
                f"{uri}: {len(candidates)} vector columns, {_listed(candidates)}; "
                f"name one with --column {argument(candidates[0].name)} or PATH::COLUMN"
            )
        column = candidates[0].name
    if column not in names:
        raise InputError(
            f"{uri}: no column {column!r}{did_you_mean(column, names)} among {_listed(schema)}"
        )
    if names.count(column) > 1:
        raise InputError(f"{uri}: {names.count(column)} columns named {column!r}; rename them")
    field = schema.field(column)
    if not is_vectors(field.type):
        raise InputError(
            f"{uri}: column {column!r} has type {brief(field.type)}, expected {EXPECTED}; "
            "store the vectors as list<float32>"
        )
    return field


def is_vectors(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds one vector of numbers a row."""
    types = pa.types
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return is_list and kind.value_type in NUMBERS


def id_kind(schema: pa.Schema, column: str, uri: str) -> KeyKind:
    """Return the kind of the ids in a column.

    Raises
    ------
    InputError
        When the column is missing, stored twice or of a type that suits no id.
    """
    kinds = key_kinds(schema)
    if column in kinds:
        return kinds[column]
    if column not in schema.names:
        raise InputError(
            f"{uri}: no column {column!r}{did_you_mean(column, kinds)} among {_listed(schema)}"
        )
    if list(schema.names).count(column) > 1:
        raise InputError(f"{uri}: several columns named {column!r}; rename them")
    raise InputError(
        f"{uri}: column {column!r} has type {brief(schema.field(column).type)}, which suits no "
        "id; expected integers or text"
    )


def misfits(lists: pa.Array, dim: int) -> Mask:
    """Mark the rows whose list has another length than `dim`."""
    if pa.types.is_fixed_size_list(lists.type):
        return np.zeros(len(lists), np.bool_)
    marked: Mask = np.diff(lists.offsets.to_numpy()) != dim
    return marked


def first_null(array: pa.Array) -> int:
    """Return the position of the first null; there is one."""
    return int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))


def key_kinds(schema: pa.Schema) -> dict[str, KeyKind]:
    """Return the columns whose type suits a key; a name that occurs twice is left out."""
    names = list(schema.names)
    kinds = {field.name: _key_kind(field.type) for field in schema}
    return {name: kind for name, kind in kinds.items() if kind and names.count(name) == 1}


def hash_keys(keys: pa.Array, kind: KeyKind) -> KeyHashes:
    """Return 8 bytes a key; `keys` holds no null."""
    if kind is KeyKind.INTEGER:
        return hash_integers(keys.to_numpy())
    return hash_texts(_as_bytes(keys).to_numpy(zero_copy_only=False), len(keys))


def check_keys(keys: pa.Array, kind: KeyKind) -> KeyHashes | None:
    """Return a second hash a key, None for integers; `keys` holds no null."""
    if kind is KeyKind.INTEGER:
        return None
    return check_texts(_as_bytes(keys).to_numpy(zero_copy_only=False), len(keys))


def key_value(keys: pa.Array, kind: KeyKind, position: int) -> int | str | bytes:
    """Return one key as a Python value, for a message."""
    if kind is KeyKind.INTEGER:
        return int(keys[position].as_py())
    value = bytes(_as_bytes(keys.slice(position, 1))[0].as_py())
    return value.decode("utf-8", "backslashreplace") if kind is KeyKind.TEXT else value


def _as_bytes(keys: pa.Array) -> pa.Array:
    """Return text or binary keys of any layout as bytes: stored text need not be UTF-8."""
    return keys.cast(pa.large_binary())


def _key_kind(kind: pa.DataType) -> KeyKind | None:
    types = pa.types
    if types.is_integer(kind):
        return KeyKind.INTEGER
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return KeyKind.TEXT
    is_bytes = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    if any(test(kind) for test in (*is_bytes, types.is_binary_view)):
        return KeyKind.BINARY
    return None


def _listed(fields: Iterable[pa.Field]) -> str:
    """Name columns and their types, the first `SHOWN_COLUMNS` of them."""
    named = [f"{brief(repr(field.name), 40)} {brief(field.type, 40)}" for field in fields]
    more = len(named) - SHOWN_COLUMNS
    return ", ".join(named[:SHOWN_COLUMNS]) + (f" and {more} more" if more > 0 else "")
