"""Carrying a whole file over by a map: `embaudit apply`."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embaudit.data.buffers import BufferRing
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.keyed import KeyedSet
from embaudit.data.pair import even_spans
from embaudit.data.sources import Source, open_set
from embaudit.data.vector_files import VectorFile, check_vector_file, new_vector_file
from embaudit.datatypes import Mask, Metric, Progress, SilentProgress, Span, Stored
from embaudit.destinations import check_new, refuse_inputs
from embaudit.errors import InputError
from embaudit.maps.fitted import FittedMap, RowMapper, zero_rows
from embaudit.maps.map_file import load_map
from embaudit.stages.options import Options
from embaudit.stats.parallel import ordered_map, single_threaded_blas

BLOCK_BYTES = 8 << 20
NORMS_APART = 4.0
"""Norms this far outside those the map was fitted on are of vectors stored in another way."""
SMALLEST_HALF = 2.0**-10
"""Entries of a row below this have fewer digits in half precision than larger ones."""
LOOKED_AT = 64
"""Rows of a block whose norms are looked at."""


@dataclass(frozen=True)
class Applied:
    """What was written.

    Attributes
    ----------
    path : pathlib.Path
    rows, dim : int
    dtype : str
    zero_rows : int
        Rows without a direction, which stay zero; under cosine only.
    columns : list of str
        Columns of the source that went along.
    dropped : list of str
        Columns of the source that did not: the format has no room for any, or they have no one name
        and type.
    """

    path: Path
    rows: int
    dim: int
    dtype: str
    zero_rows: int
    columns: list[str]
    dropped: list[str]


def apply_map(
    fitted: FittedMap | str | os.PathLike[str],
    source: Source,
    output: str | os.PathLike[str],
    *,
    column: str | None = None,
    dtype: str = "float32",
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Applied:
    """Map every row of a set and write the result, in constant memory.

    Parameters
    ----------
    fitted : FittedMap or path
        A map, or the file that `embaudit.align` or `save_map` wrote.
    source : path, array or EmbeddingSet
        Vectors of the map's source model.
    output : path
        ``.npy``, or ``.parquet`` with the other columns of a Parquet or Arrow source. It appears
        when all rows are written.
    column : str, optional
        Vector column of a source that has several.
    dtype : "float32" or "float16"
    overwrite : bool
        Replace `output` where it exists.
    threads : int, optional
    progress : Progress, optional

    Raises
    ------
    InputError
        For a damaged map, another dimension than the map's, rows of other norms than the map was
        fitted on where norms count, NaN or inf in a row or in what it is mapped to.
    UsageError
        For an output that exists, is an input or has an unknown suffix.
    OutputError
        When the output cannot be written, as on a full disk; nothing is left of it.
    """
    given = os.fsdecode(output)
    check_vector_file(given, Path(given), dtype)
    inputs = [os.fsdecode(one) for one in (fitted, source) if isinstance(one, str | os.PathLike)]
    path = check_new(given, Path(given), inputs, overwrite=overwrite)
    if not isinstance(fitted, FittedMap):
        fitted = load_map(fitted)
    rows = open_set(source, column=column)
    refuse_inputs(given, path, rows.files())
    check_source(fitted, rows)
    workers = Options.checked(threads=threads).workers
    with (
        single_threaded_blas(),
        new_vector_file(path, rows.rows, fitted.dims[1], dtype, rows) as file,
    ):
        zeros = _write_mapped(
            fitted, rows, file, np.dtype(dtype), workers, progress or SilentProgress()
        )
    whole, torn = columns_beside(rows)
    kept = path.suffix.lower() == ".parquet"
    return Applied(
        path=path,
        rows=rows.rows,
        dim=fitted.dims[1],
        dtype=dtype,
        zero_rows=zeros,
        columns=whole if kept else [],
        dropped=torn if kept else [*whole, *torn],
    )


def check_source(fitted: FittedMap, source: EmbeddingSet) -> None:
    """Refuse a set of another dimension than the map takes.

    Raises
    ------
    InputError
    """
    p, _ = fitted.dims
    if source.dim != p:
        raise InputError(
            f"{source.uri}: dimension {source.dim}; the map takes {p}: is this "
            f"{fitted.direction[0].upper()}'s model?"
        )


def _write_mapped(
    fitted: FittedMap,
    source: EmbeddingSet,
    file: VectorFile,
    dtype: np.dtype[Any],
    workers: int,
    progress: Progress,
) -> int:
    """Write the mapped rows of a set; return how many of them are zero.

    Raises
    ------
    InputError
        For rows that cannot be mapped, or whose image `dtype` cannot hold.
    """
    width = max(4 * fitted.dims[1], source.dim * source.dtype.itemsize)
    spans = even_spans(source.rows, max(1, BLOCK_BYTES // width))
    ring = BufferRing(spans, workers + 2, fitted.dims[1], dtype)
    own = threading.local()

    def work(item: tuple[Span, Stored, NDArray[Any]]) -> tuple[NDArray[Any] | None, int]:
        (start, _), stored, out = item
        if not hasattr(own, "carrier"):
            own.carrier = _Carrier(fitted, source, spans)
        found = own.carrier.carry(start, stored, out)
        return (None if file.write_at(start, out) else out), found

    blocks = zip(spans, source.blocks(spans, workers + 2), strict=True)
    items = ((span, stored, ring.take(len(stored))) for span, stored in blocks)
    progress.stage("mapping", len(spans))
    zeros = 0
    for unwritten, found in ordered_map(work, items, workers):
        if unwritten is not None:
            file.write(unwritten)
        zeros += found
        progress.advance()
    return zeros


class _Carrier:
    """Maps blocks of a set, for one thread, and refuses what cannot be mapped or written."""

    def __init__(self, fitted: FittedMap, source: EmbeddingSet, spans: Sequence[Span]) -> None:
        self._fitted, self._source = fitted, source
        self._mapper = RowMapper(fitted, source.dtype)
        self._singles = BufferRing(spans, 1, fitted.dims[1], np.dtype(np.float32))

    def carry(self, start: int, stored: Stored, out: NDArray[Any]) -> int:
        """Write into `out` what rows from `start` on are mapped to; return how many are zero."""
        check_norms(self._fitted, self._source, stored)
        mapped = out if out.dtype == np.float32 else self._singles.take(len(stored))
        bad = self._mapper.map(stored, mapped)
        if bad.any():
            raise _unmappable(self._source, stored, bad, start)
        if mapped is not out:
            # At length 1, in any dimension that a set may have, rows are neither large nor small.
            if not self._fitted.unit:
                _check_range(self._source, mapped, start, out.dtype)
            out[:] = mapped
        return int(zero_rows(stored).sum()) if self._fitted.metric is Metric.COSINE else 0


def _check_range(
    source: EmbeddingSet, mapped: NDArray[np.float32], start: int, dtype: np.dtype[Any]
) -> None:
    """Refuse rows beyond what `dtype` holds, and so small that it has lost most of their digits."""
    largest = np.maximum(mapped.max(axis=1), -mapped.min(axis=1))
    with np.errstate(over="ignore"):
        beyond = np.isinf(largest.astype(dtype))
    below = (largest > 0.0) & (largest < SMALLEST_HALF)
    for rows, where in ((beyond, "beyond"), (below, "below")):
        if rows.any():
            row = start + int(np.argmax(rows))
            raise InputError(f"{source.uri}: row {row} is mapped {where} {dtype}; write float32")


def check_norms(fitted: FittedMap, source: EmbeddingSet, stored: Stored) -> None:
    """Refuse rows of quite other norms than the map was fitted on; cosine takes any.

    Raises
    ------
    InputError
    """
    if fitted.metric is Metric.COSINE:
        return
    some = stored[:: max(1, len(stored) // LOOKED_AT)].astype(np.float64)
    norm = float(np.median(np.linalg.norm(some, axis=1)))
    low, high = fitted.norms
    if not low / NORMS_APART <= norm <= high * NORMS_APART:
        raise InputError(
            f"{source.uri}: rows have norms around {norm:.3g}; the map was fitted on {low:.3g} to "
            f"{high:.3g}: store them as they were then (normalised or not)"
        )


def _unmappable(source: EmbeddingSet, stored: Stored, bad: Mask, start: int) -> InputError:
    row = int(np.argmax(bad))
    if np.isfinite(stored[row]).all():
        return InputError(
            f"{source.uri}: row {start + row} is mapped beyond what float32 holds; rescale the "
            "vectors"
        )
    return InputError(
        f"{source.uri}: row {start + row} holds NaN or inf; repair it or leave it out"
    )


def columns_beside(source: EmbeddingSet) -> tuple[list[str], list[str]]:
    """Return the columns beside the vectors: those that a table of them can have, and the others.

    A name that occurs twice, and a column that parts store as several types or not at all, cannot
    go along.
    """
    if not isinstance(source, KeyedSet):
        return [], []
    whole = [field.name for field in source.fields() if field.name != source.column]
    others = [name for name in source.names() if name not in {*whole, source.column}]
    return whole, list(dict.fromkeys(others))
