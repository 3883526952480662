"""Vectors of several models as one file: `embaudit concat`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeGuard

import numpy as np

from embaudit.concatenation import ConcatenatedSet, Concatenation, Probe
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.id_files import IdSource
from embaudit.data.joined import Joined, join_sets
from embaudit.data.keyed import KeyedSet
from embaudit.data.pair import even_spans
from embaudit.data.sources import Source, open_set
from embaudit.data.vector_files import check_vector_file, new_vector_file
from embaudit.datatypes import (
    Matrix,
    Metric,
    Progress,
    Rows,
    Vector,
)
from embaudit.destinations import check_new, refuse_inputs
from embaudit.errors import InputError, UsageError
from embaudit.remedy.joined_rows import (
    BLOCK_BYTES,
    JoinedRows,
    gains_of,
    look,
    principal,
)
from embaudit.remedy.kept import kept
from embaudit.remedy.probe import SPLITS, best_weights, bootstrap, halves, hits, read_labels
from embaudit.result import Estimate, Policy
from embaudit.stages.options import Options
from embaudit.stats.parallel import single_threaded_blas
from embaudit.version import __version__

GRID = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Weights of a set beside the first one's 1 that `auto` tries."""
AUTO = "auto"


def concat(
    sources: Sequence[Source],
    output: str | os.PathLike[str],
    *,
    weights: Sequence[float] | Literal["auto"] | None = None,
    dim: int | None = None,
    labels: str | None = None,
    on: str | None = None,
    ids: Sequence[IdSource] | None = None,
    by_row: bool = False,
    column: str | None = None,
    drop_invalid: bool = False,
    metric: Metric | str = Metric.COSINE,
    k: int = 10,
    confidence: float = 0.95,
    dtype: str = "float32",
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Concatenation:
    """Write the vectors of several models side by side, and say what the result keeps of each.

    Every set is prepared for the metric and scaled, so that it has its weight in the average inner
    product of a row with itself, whatever its norms and dimension.

    Parameters
    ----------
    sources : sequence of path, array or EmbeddingSet
        At least two; dimensions may differ.
    output : path
        ``.npy``, or ``.parquet`` with the other columns of the first set.
    weights : sequence of float, or "auto", optional
        One positive number for each set; default is equal. "auto" takes those by which a probe
        tells the labels best, on half of the labelled rows.
    dim : int, optional
        Reduce to so many dimensions by principal components.
    labels : str, optional
        Column of the first set whose labels a probe is to tell.
    on : str, optional
        Column of ids in every set.
    ids : sequence of id sources, optional
        Ids of each set, one a row.
    by_row, column, drop_invalid, metric, k, seed, progress, threads
        As of `embaudit.compare`.
    confidence : float
        Of the intervals.
    dtype : "float32" or "float16"
    overwrite : bool
        Replace `output` where it exists.

    Raises
    ------
    EmbauditError
        InputError for sets that cannot be joined or hold NaN or inf; UsageError for impossible
        options; OutputError when the output cannot be written.
    """
    given = os.fsdecode(output)
    check_vector_file(given, Path(given), dtype)
    if isinstance(sources, str | os.PathLike) or len(sources) < 2:
        raise UsageError("concat: expected a list of at least two sets")
    if isinstance(ids, str | os.PathLike):
        raise UsageError("--ids: expected the ids of each set, in a list")
    named = [os.fsdecode(one) for one in (*sources, *(ids or ())) if _is_path(one)]
    path = check_new(given, Path(given), named, overwrite=overwrite)
    options = Options.checked(
        metric=metric,
        k=k,
        policy=Policy(confidence=confidence),
        seed=seed,
        progress=progress,
        threads=threads,
    )
    if isinstance(weights, str) and weights == AUTO and labels is None:
        raise UsageError("--weights auto: needs --labels COLUMN, by which weights are judged")
    opened = [open_set(one, column=column) for one in sources]
    for one in opened:
        refuse_inputs(given, path, one.files())
    joined = join_sets(opened, on=on, ids=ids, by_row=by_row)
    with single_threaded_blas():
        joined, squares = _usable(joined, drop_invalid)
        told = None
        if labels is not None:
            choose = isinstance(weights, str)
            told = _Told(joined, labels, options, squares, choose=choose)
        chosen = _weights(weights, len(opened), told)
        gains = gains_of(squares, chosen, options.metric)
        rows = JoinedRows(joined.sets, options.metric, gains)
        projection = None if dim is None else principal(rows, dim)
        rows = JoinedRows(joined.sets, options.metric, gains, projection)
        # Measured first: what is written is in place when nothing can fail any more.
        found = [
            _part_kept(rows, part, stored, options)
            for part, stored in zip(joined.sets, joined.stored, strict=True)
        ]
        probe = None if told is None else told.probe(rows)
        _write(rows, path, dtype, joined, options.progress)
    return Concatenation(
        embaudit_version=__version__,
        output=given,
        rows=rows.rows,
        dim=rows.dim,
        dtype=dtype,
        metric=options.metric,
        k=options.k,
        seed=seed,
        by=joined.by,
        weights=[weight / sum(chosen) for weight in chosen],
        sets=found,
        variance_kept=None if projection is None else projection.kept,
        probe=probe,
    )


def _is_path(source: object) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(source, str | os.PathLike)


def _usable(joined: Joined, drop_invalid: bool) -> tuple[Joined, list[float]]:
    """Return the rows that are finite in every set, and the mean squared norm of each set."""
    masks, squares = look(joined.sets)
    kept = np.logical_and.reduce(masks)
    if kept.all():
        return joined, squares
    if not drop_invalid:
        for place, (one, mask) in enumerate(zip(joined.sets, masks, strict=True)):
            if not mask.all():
                bad = joined.stored_rows(place, np.flatnonzero(~mask))
                raise InputError(
                    f"{one.uri}: {len(bad):,} row{'s' * (len(bad) > 1)} with NaN or inf, first row "
                    f"{bad.min()}; repair them or pass --drop-invalid"
                )
    if not kept.any():
        raise InputError("concat: no row is finite in every set; check the exports")
    rest = joined.only(kept)
    return rest, look(rest.sets)[1]


def _weights(
    given: Sequence[float] | Literal["auto"] | None, count: int, told: _Told | None
) -> list[float]:
    """Return a weight for each set."""
    if given is None:
        return [1.0] * count
    if isinstance(given, str):
        if given != AUTO:
            raise UsageError(f"--weights {given}: expected numbers with commas between, or auto")
        assert told is not None, "asked before"
        return told.weights()
    try:
        weights = [float(weight) for weight in given]
    except (TypeError, ValueError):
        raise UsageError("--weights: expected a number for each set") from None
    if len(weights) != count:
        raise UsageError(f"--weights: {len(weights)} weights for {count} sets; give one for each")
    if not all(0.0 < weight < np.inf for weight in weights) or not sum(weights) < np.inf:
        raise UsageError("--weights: expected positive finite numbers; leave a set out instead")
    return weights


def _write(rows: JoinedRows, path: Path, dtype: str, joined: Joined, progress: Progress) -> None:
    spans = even_spans(rows.rows, max(1, BLOCK_BYTES // (4 * rows.dim)))
    progress.stage("writing", len(spans))
    source = joined.stored[0]
    with new_vector_file(path, rows.rows, rows.dim, dtype, source, joined.rows) as file:
        for block in rows.blocks(spans):
            file.write(block)
            progress.advance()


def _part_kept(
    rows: JoinedRows, part: EmbeddingSet, stored: EmbeddingSet, options: Options
) -> ConcatenatedSet:
    share = kept(rows, part, options)
    return ConcatenatedSet(uri=stored.uri, rows=stored.rows, dim=stored.dim, kept=share)


class _Told:
    """The labels of some rows, and how well the sets tell them."""

    def __init__(
        self,
        joined: Joined,
        column: str,
        options: Options,
        squares: Sequence[float],
        *,
        choose: bool,
    ) -> None:
        source = joined.stored[0]
        if not isinstance(source, KeyedSet):
            raise UsageError(
                f"--labels {column}: {source.uri} has no columns; store it as Parquet with them"
            )
        generator = np.random.default_rng([options.seed, 12])
        # Rows that choose weights do not say what the weights are worth.
        fewest = 2 * SPLITS if choose else SPLITS
        self._judging = read_labels(source, column, joined.rows, generator, fewest)
        self._choosing = self._judging
        if choose:
            self._choosing, self._judging = halves(self._judging, generator)
        self._column = column
        self._joined, self._options, self._squares = joined, options, squares

    def weights(self) -> list[float]:
        """Return the weights by which half of the rows is told best."""
        found = self._choosing
        parts = [self._part(place, found.rows) for place in range(len(self._squares))]
        return best_weights(parts, found.labels, self._options.metric, self._options.seed, GRID)

    def probe(self, rows: JoinedRows) -> Probe:
        """Return how well rows are told, by each set and by the joined rows."""
        found, metric, seed = self._judging, self._options.metric, self._options.seed
        right = hits(rows.take(found.rows).astype(np.float64), found.labels, metric, seed)
        parts = [
            hits(self._part(place, found.rows), found.labels, metric, seed)
            for place in range(len(self._squares))
        ]
        best = max(range(len(parts)), key=lambda place: parts[place].mean())

        def estimate(values: Vector) -> Estimate:
            interval = bootstrap(values, self._options.policy.confidence, seed)
            return Estimate.of(interval)

        return Probe(
            labels=self._column,
            rows=len(found.rows),
            classes=found.classes,
            joined=estimate(right.astype(np.float64)),
            parts=[estimate(part.astype(np.float64)) for part in parts],
            best=best,
            gain=estimate(right.astype(np.float64) - parts[best]),
        )

    def _part(self, place: int, rows: Rows) -> Matrix:
        """Return rows of one set, prepared and of mean squared norm 1."""
        metric = self._options.metric
        gains = gains_of([self._squares[place]], [1.0], metric)
        part = JoinedRows([self._joined.sets[place]], metric, gains).take(rows)
        return part.astype(np.float64)
