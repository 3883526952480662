"""Refuse packed bits where bytes would be compared as numbers."""

from __future__ import annotations

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import Pair
from embaudit.datatypes import Metric, Rows
from embaudit.errors import InputError
from embaudit.measures.packed_bits import BYTES, Packing, packed_signs


def refuse_packed_bits(pair: Pair, rows: Rows, metric: Metric) -> None:
    """Compare the bits of byte-valued sides with the signs of the other side.

    Only proof refuses, since a refusal cannot be overridden: bytes that merely look packed are a
    finding.

    Parameters
    ----------
    pair : Pair
    rows : int64 array
        A seeded sample of usable rows.
    metric : Metric

    Raises
    ------
    InputError
        Names the side and the line of Python that unpacks it.
    """
    if not {pair.a.dtype.name, pair.b.dtype.name} & BYTES:
        return
    a, b = pair.a.take(rows), pair.b.take(rows)
    for side, stored, name, values in ((pair.b, b, "b", a), (pair.a, a, "a", b)):
        packing = packed_signs(stored, values)
        if packing is not None:
            raise _refusal(side, name, metric, packing)


def _refusal(side: EmbeddingSet, name: str, metric: Metric, packing: Packing) -> InputError:
    codes = f"{name}.view(np.uint8)" if side.dtype.name == "int8" else name
    if packing.offset:
        codes = f"({codes} ^ 128)"
    count = "" if packing.order == "big" else ", bitorder='little'"
    return InputError(
        f"{side.uri}: bytes that hold eight packed sign bits each ({100 * packing.agreement:.0f}% "
        f"are the signs of the other side), which {metric} would compare as numbers; unpack them: "
        f"2.0 * np.unpackbits({codes}, axis=1{count}) - 1"
    )
