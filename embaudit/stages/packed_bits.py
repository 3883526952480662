"""Refuse packed bits where bytes would be compared as numbers."""

from __future__ import annotations

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import Pair
from embaudit.datatypes import Metric, Rows
from embaudit.errors import InputError
from embaudit.measures.packed_bits import BYTES, Packing, looks_packed, packed_signs

SAMPLE_ROWS = 1000
OF_NUMBERS = {Metric.COSINE, Metric.DOT, Metric.EUCLIDEAN}


def refuse_packed_bits(pair: Pair, order: Rows, metric: Metric) -> None:
    """Look at a sample of byte-valued sides.

    Refused are bytes whose bits are the signs of the other side, and two sides that both look
    packed. One side that merely looks packed is a finding.

    Parameters
    ----------
    pair : Pair
    order : int64 array
        Usable rows in seeded order.
    metric : Metric

    Raises
    ------
    InputError
        Names the side and the line of Python that unpacks it.
    """
    if metric not in OF_NUMBERS or not {pair.a.dtype.name, pair.b.dtype.name} & BYTES:
        return
    rows = order[:SAMPLE_ROWS]
    a, b = pair.a.take(rows), pair.b.take(rows)
    for side, stored, name, values in ((pair.b, b, "b", a), (pair.a, a, "a", b)):
        packing = packed_signs(stored, values)
        if packing is not None:
            raise _refusal(side, name, metric, packing)
    if pair.a.dim == pair.b.dim and looks_packed(a) and looks_packed(b):
        line = "2.0 * np.unpackbits(x.view(np.uint8), axis=1) - 1"
        raise InputError(
            f"{pair.a.uri}, {pair.b.uri}: bytes that hold eight packed bits each, which {metric} "
            f"would compare as numbers; unpack both sides: {line}"
        )


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
