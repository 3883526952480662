"""The command ``embaudit concat``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import typer

from embaudit.errors import UsageError
from embaudit_cli import options

if TYPE_CHECKING:
    from embaudit.concatenation import Concatenation
    from embaudit.datatypes import Progress

EPILOG = """[bold]Examples[/bold]
  embaudit concat text.npy image.npy -o both.npy
  embaudit concat a.parquet b.parquet c.parquet --on id --weights 2,1,1 -o all.parquet
  embaudit concat a.parquet b.parquet --on id --labels topic --weights auto -o joined.parquet

[bold]Exit status[/bold]
  0    every row is written
  2    usage, invalid input, or a result that could not be written; nothing is left of it
  130  interrupted
"""


def concat(
    sets: options.Sets,
    output: options.VectorOutput,
    weights: options.Weights = None,
    dim: options.Dim = None,
    labels: options.Labels = None,
    on: options.On = None,
    ids: options.Ids = None,
    by_row: options.ByRow = False,
    column: options.Column = None,
    drop_invalid: options.DropInvalid = False,
    metric: options.Metric = "cosine",
    k: options.OneK = 10,
    confidence: options.Confidence = 0.95,
    seed: options.Seed = 0,
    threads: options.Threads = None,
    dtype: options.Dtype = "float32",
    overwrite: options.Overwrite = False,
    json: options.Json = False,
    quiet: options.QuietMap = False,
) -> None:
    """Write the vectors of several models side by side, each with its weight in a similarity."""
    from embaudit_cli.progress import with_progress

    def join(progress: Progress | None) -> Concatenation:
        from embaudit.remedy.joining import concat as join_vectors

        return join_vectors(
            sets,
            output,
            weights=_numbers(weights),
            dim=dim,
            labels=labels,
            on=on,
            ids=ids or None,
            by_row=by_row,
            column=column,
            drop_invalid=drop_invalid,
            metric=metric,
            k=k,
            confidence=confidence,
            dtype=dtype,
            overwrite=overwrite,
            seed=seed,
            progress=progress,
            threads=threads,
        )

    found = with_progress(join, quiet=quiet)
    _show(found, json=json, quiet=quiet)
    raise typer.Exit(0)


def _numbers(text: str | None) -> list[float] | Literal["auto"] | None:
    if text is None:
        return None
    if text == "auto":
        return "auto"
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--weights {text}: expected a number for each set, as 2,1, or auto"
        ) from None


def _show(found: Concatenation, *, json: bool, quiet: bool) -> None:
    from embaudit.report.concatenation import ConcatenationReport, one_line
    from embaudit_cli.shown import show

    show(
        found,
        lambda encoding: one_line(found, encoding),
        lambda: ConcatenationReport(found),
        json=json,
        quiet=quiet,
    )
