"""Groups of rows by a column stored beside the vectors: its values, or ranges of its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embaudit.data.files import brief
from embaudit.data.keyed import KeyedSet
from embaudit.data.pair import Pair
from embaudit.datatypes import Mask, Rows, Vector
from embaudit.errors import InputError, UsageError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

MOST_VALUES = 20
"""Values that get a group of their own; the others share one."""
FREQUENT = 20
"""Rows that a value must fill for that where there are more values."""
RANGES = 5
"""Groups of numbers or times that take more values than that."""
COUNTERS = 4096
"""Values counted at the same time: one that fills more than 1/4096 of the rows is never missed."""
SHOWN_CHARACTERS = 60
SHOWN_COLUMNS = 12

GroupKind: TypeAlias = Literal["value", "range", "other", "null"]
Codes: TypeAlias = NDArray[np.int8]
Value: TypeAlias = bytes | bool
Show: TypeAlias = Callable[[float], str]
Blocks: TypeAlias = Callable[[], Iterator[tuple[Mask, Any]]]
"""Reads the column once more: (rows of the block that have a partner, values of the block)."""


@dataclass(frozen=True)
class GroupColumn:
    """The column rows are grouped by.

    Attributes
    ----------
    name : str
    side : "a" or "b"
        Whose column it is.
    source : KeyedSet
        That side as it is stored.
    """

    name: str
    side: Literal["a", "b"]
    source: KeyedSet


@dataclass(frozen=True)
class Groups:
    """The group of every row of a pair.

    Attributes
    ----------
    names : list of str
    kinds : list of str
        What each group holds: one ``value``, a ``range`` of numbers or times, every ``other``
        value, or ``null`` (no value; NaN is none).
    codes : int8 array, shape (rows,)
        Group of each matched row.
    """

    names: list[str]
    kinds: list[GroupKind]
    codes: Codes


def group_column(pair: Pair, name: str) -> GroupColumn:
    """Return the column `name` of A, else that of B.

    Raises
    ------
    UsageError
        When neither side has columns.
    InputError
        When neither has one of that name, or it is of a type that makes no groups.
    """
    tables: list[KeyedSet] = []
    sides: tuple[Literal["a", "b"], ...] = ("a", "b")
    for side in sides:
        source = pair.source(side)
        if not isinstance(source, KeyedSet):
            continue
        tables.append(source)
        columns = source.columns()
        if name in columns:
            _require_groupable(source.uri, name, columns[name])
            return GroupColumn(name, side, source)
    if not tables:
        raise UsageError(
            f"--slice-by {name}: {pair.a.uri} and {pair.b.uri} have no columns beside the vectors; "
            "store them as Parquet or Arrow with that column"
        )
    known = list(dict.fromkeys(column for table in tables for column in table.columns()))
    shown = ", ".join(brief(column, 40) for column in known[:SHOWN_COLUMNS])
    raise InputError(
        f"{tables[0].uri}: no column {name!r} to slice by{did_you_mean(name, known)}; "
        + (f"there are {shown}" if known else "it holds vectors only")
    )


def read_groups(pair: Pair, column: GroupColumn, sample: Rows) -> Groups:
    """Read a column twice, block by block, and hold two bytes a row at most.

    Text, binary and truth values make a group each where there are at most 20; else the 20 most
    frequent ones that fill at least 20 rows do, and the rest is one group. Rows without a value are
    a group of their own. Numbers and times make groups by value where they take at most 20, and are
    cut at the fifths of a sample elsewhere.

    Parameters
    ----------
    pair : Pair
    column : GroupColumn
    sample : int64 array, shape (m,)
        Rows of the pair whose values set the fifths; with every row they are exact.
    """
    source, matches = column.source, pair.matches
    stored: Rows | None = None
    if matches is not None:
        stored = matches.rows_a if column.side == "a" else matches.rows_b
    partnered = np.ones(source.rows, np.bool_)
    if stored is not None:
        partnered[:] = False
        partnered[stored] = True

    def blocks() -> Iterator[tuple[Mask, Any]]:
        for first, values in source.values(column.name):
            yield partnered[first : first + len(values)], values

    kind = _value_type(source.columns()[column.name])
    if _is_plain(kind):
        groups = _by_value(blocks)
    else:
        where = np.sort(pair.stored_rows(sample, column.side))
        groups = _by_number(blocks, kind, where)
    codes = groups.codes if stored is None else groups.codes[stored]
    return _without_empty(Groups(groups.names, groups.kinds, codes))


def _require_groupable(uri: str, name: str, kind: pa.DataType) -> None:
    value = _value_type(kind)
    if not (_is_plain(value) or _is_number(value) or _is_time(value)):
        raise InputError(
            f"{uri}: column {name!r} has type {brief(kind)}, which makes no groups; expected text, "
            "numbers, truth values, dates or times"
        )


def _value_type(kind: pa.DataType) -> pa.DataType:
    from pyarrow import types

    return kind.value_type if types.is_dictionary(kind) else kind


def _is_plain(kind: pa.DataType) -> bool:
    from pyarrow import types

    tests = (
        types.is_boolean,
        types.is_string,
        types.is_large_string,
        types.is_string_view,
        types.is_binary,
        types.is_large_binary,
        types.is_binary_view,
        types.is_fixed_size_binary,
    )
    return any(test(kind) for test in tests)


def _is_number(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_time(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_date(kind) or types.is_timestamp(kind))


# --- by value ----------------------------------------------------------------------------------


def _by_value(blocks: Blocks) -> Groups:
    """Count first, with a bounded number of counters; then code every row and count exactly."""
    summary: Counter[Value] = Counter()
    for wanted, block in blocks():
        indices, values = _encoded(block)
        counts = np.bincount(indices[wanted & (indices >= 0)], minlength=len(values)).tolist()
        summary.update(dict(zip(values, counts, strict=True)))
        if len(summary) > COUNTERS:
            summary = _largest(summary)
    candidates = sorted(summary, key=lambda value: (-summary[value], value))
    numbers = {value: number for number, value in enumerate(candidates)}
    missing, other = len(candidates), len(candidates) + 1
    coded, frequency = [], np.zeros(len(candidates) + 2, np.int64)
    for wanted, block in blocks():
        indices, values = _encoded(block)
        translated = np.array([*(numbers.get(value, other) for value in values), missing], np.int16)
        codes = translated[indices]
        frequency += np.bincount(codes[wanted], minlength=len(frequency))
        coded.append(codes)
    chosen = np.argsort(-frequency[:missing], kind="stable")[:MOST_VALUES]
    if len(candidates) > MOST_VALUES:
        chosen = chosen[frequency[chosen] >= FREQUENT]
    final = np.full(len(frequency), len(chosen), np.int8)
    final[chosen] = np.arange(len(chosen))
    final[missing] = len(chosen) + 1
    names = [_shown(candidates[number]) for number in chosen]
    kinds: list[GroupKind] = ["value"] * len(chosen)
    return Groups(
        [*names, "other values", "no value"],
        [*kinds, "other", "null"],
        np.concatenate([final[codes] for codes in coded]),
    )


def _largest(summary: Counter[Value]) -> Counter[Value]:
    """Keep `COUNTERS` counters, less what the next one holds (Misra and Gries 1982).

    Summaries of blocks merge so without losing a value above one part in `COUNTERS` of all rows
    (Agarwal et al. 2012).
    """
    ranked = summary.most_common(COUNTERS + 1)
    least = ranked[-1][1]
    return Counter({value: count - least for value, count in ranked if count > least})


def _encoded(block: Any) -> tuple[Rows, list[Value]]:  # noqa: ANN401 - pyarrow has no types
    """Return the number of each row's value, -1 for none, and the values."""
    from pyarrow import array, large_binary, types

    encoded = block if types.is_dictionary(block.type) else block.dictionary_encode()
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    used, places = np.unique(indices, return_inverse=True)
    values = encoded.dictionary.take(array(used[used >= 0]))
    if not types.is_boolean(values.type):
        # Stored text need not be UTF-8.
        values = values.cast(large_binary())
    # A dictionary may list a value twice, and hold a null.
    numbers: dict[Value | None, int] = {}
    place = np.array([numbers.setdefault(value, len(numbers)) for value in values.to_pylist()])
    if None in numbers:
        void = numbers.pop(None)
        place = np.where(place == void, -1, place - (place > void))
    place = np.concatenate([np.full(len(used) - len(place), -1), place]).astype(np.int64)
    return place[places], [value for value in numbers if value is not None]


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return brief(value.decode("utf-8", "backslashreplace"), SHOWN_CHARACTERS) or "''"


# --- by number ---------------------------------------------------------------------------------


def _by_number(blocks: Blocks, kind: pa.DataType, sample: Rows) -> Groups:
    """Group by value where there are few, else by the fifths of the sampled rows' values.

    Parameters
    ----------
    sample : int64 array, shape (m,)
        Stored rows, ascending.
    """
    distinct: Vector | None = np.empty(0)
    sampled, first = [], 0
    for wanted, block in blocks():
        numbers = _numbers(block, kind)
        low, high = np.searchsorted(sample, (first, first + len(numbers)))
        sampled.append(numbers[sample[low:high] - first])
        if distinct is not None:
            distinct = np.unique(np.concatenate([distinct, numbers[wanted]]))
            distinct = distinct[~np.isnan(distinct)]
            distinct = distinct if len(distinct) <= MOST_VALUES else None
        first += len(numbers)
    if distinct is None:
        values = np.concatenate(sampled)
        values = values[~np.isnan(values)]
        shares = np.arange(1, RANGES) / RANGES
        edges = np.unique(np.quantile(values, shares, method="lower")) if len(values) else values
    else:
        edges = distinct[:-1]
    return _between(blocks, kind, edges, "range" if distinct is None else "value")


def _between(blocks: Blocks, kind: pa.DataType, edges: Vector, group: GroupKind) -> Groups:
    """Cut at `edges`, each the largest value of its group; name groups by what they hold."""
    count = len(edges) + 1
    lowest, highest = np.full(count, np.inf), np.full(count, -np.inf)
    coded = []
    for wanted, block in blocks():
        numbers = _numbers(block, kind)
        codes = np.searchsorted(edges, numbers).astype(np.int8)
        codes[np.isnan(numbers)] = count
        coded.append(codes)
        counted = wanted & (codes < count)
        np.minimum.at(lowest, codes[counted], numbers[counted])
        np.maximum.at(highest, codes[counted], numbers[counted])
    show = _shows(kind)
    names = [
        show(low) if low == high else f"{show(low)} to {show(high)}" if low < high else ""
        for low, high in zip(lowest, highest, strict=True)
    ]
    return Groups([*names, "no value"], [*[group] * count, "null"], np.concatenate(coded))


def _numbers(block: Any, kind: pa.DataType) -> Vector:  # noqa: ANN401 - pyarrow has no types
    """Return numbers, or seconds since 1970, as float64; NaN where there is none."""
    import pyarrow as pa

    if pa.types.is_dictionary(block.type):
        block = block.cast(block.type.value_type)
    if _is_time(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        block = block.cast(pa.timestamp("s", zone), safe=False).cast(pa.int64())
    numbers: Vector = block.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _shows(kind: pa.DataType) -> Show:
    from pyarrow import types

    if _is_time(kind):
        return _time
    return _whole if types.is_integer(kind) else _short


def _time(value: float) -> str:
    return str(np.datetime64(int(value), "s")).removesuffix("T00:00:00")


def _whole(value: float) -> str:
    return str(int(value))


def _short(value: float) -> str:
    return f"{value:.6g}"


def _without_empty(groups: Groups) -> Groups:
    """Drop the groups that hold no row."""
    held = np.bincount(groups.codes, minlength=len(groups.names)) > 0
    numbers = np.cumsum(held) - 1
    kept = np.flatnonzero(held).tolist()
    return Groups(
        [groups.names[number] for number in kept],
        [groups.kinds[number] for number in kept],
        numbers.astype(np.int8)[groups.codes],
    )
