"""The command ``embaudit align``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import typer

from embaudit.errors import UsageError
from embaudit_cli import joint, options

if TYPE_CHECKING:
    from embaudit.alignment import Alignment
    from embaudit.datatypes import Direction, Method, Progress
    from embaudit.maps.fitted import FittedMap

EPILOG = """[bold]Examples[/bold]
  embaudit align old.npy new.npy -o old_to_new.safetensors
  embaudit align old.parquet new.parquet --on id --method linear -o map.safetensors
  embaudit align old.npy new.npy --direction b_to_a -o new_to_old.safetensors --json
  embaudit align texts.npy images.npy --method joint --heads linear -o joint.safetensors

[bold]Exit status[/bold]
  0    the map helps, and is written; or --force was given
  1    it does not help, and is not written
  2    usage, invalid input, or a map that could not be written
  130  interrupted
"""


def align(
    a: options.First,
    b: options.Second,
    output: options.MapOutput,
    direction: options.MapDirection = "a_to_b",
    method: options.MapMethod = "auto",
    heads: options.JointHeads = None,
    dim: options.JointDim = None,
    force: options.Force = False,
    overwrite: options.Overwrite = False,
    on: options.On = None,
    ids_a: options.IdsA = None,
    ids_b: options.IdsB = None,
    by_row: options.ByRow = False,
    column: options.Column = None,
    drop_invalid: options.DropInvalid = False,
    keep_duplicates: options.KeepDuplicates = False,
    metric: options.Metric = "cosine",
    k: options.OneK = 10,
    confidence: options.Confidence = 0.95,
    seed: options.Seed = 0,
    threads: options.Threads = None,
    min_aligned_recall: options.MinAlignedRecall = 0.70,
    json: options.Json = False,
    quiet: options.QuietMap = False,
) -> None:
    """Fit a map between A's and B's vectors, and say what it recovers on rows it has not seen."""
    inputs = [path for path in (a, b, ids_a, ids_b) if path is not None]
    asked: dict[str, Any] = {
        "on": on,
        "ids_a": ids_a,
        "ids_b": ids_b,
        "by_row": by_row,
        "column": column,
        "metric": metric,
        "k": k,
        "drop_invalid": drop_invalid,
        "keep_duplicates": keep_duplicates,
        "seed": seed,
        "threads": threads,
    }
    policy = {"min_aligned_recall": min_aligned_recall, "confidence": confidence}
    if method == "joint":
        if direction != "a_to_b":
            raise UsageError(f"--direction {direction}: a joint space is reached from both sides")
        keep = joint.align_joint(
            (a, b),
            output,
            inputs,
            heads=heads or "cca",
            dim=dim,
            policy=policy,
            asked=asked,
            force=force,
            overwrite=overwrite,
            json=json,
            quiet=quiet,
        )
        raise typer.Exit(0 if keep else 1)
    for name, value in (("--heads", heads), ("--dim", dim)):
        if value is not None:
            raise UsageError(f"{name} {value}: of a joint space only; pass --method joint")
    from embaudit.destinations import check_map_file
    from embaudit_cli.progress import with_progress

    path = check_map_file(output, inputs, overwrite=overwrite)

    def fit(progress: Progress | None) -> tuple[FittedMap, Alignment]:
        from embaudit.remedy.aligning import align as align_sets
        from embaudit.result import Policy

        return align_sets(
            a,
            b,
            direction=cast("Direction", direction),
            method=cast("Method", method),
            policy=Policy.model_validate(policy),
            progress=progress,
            **asked,
        )

    fitted, alignment = with_progress(fit, quiet=quiet)
    keep = alignment.helps or force
    if keep:
        from embaudit.maps.map_file import save_map
        from embaudit.remedy.records import notes_of

        save_map(fitted, path, notes_of(alignment))
    _show(alignment, output if keep else None, column, json=json, quiet=quiet)
    raise typer.Exit(0 if keep else 1)


def _show(
    alignment: Alignment, written: str | None, column: str | None, *, json: bool, quiet: bool
) -> None:
    from embaudit.report.alignment import AlignmentReport, one_line
    from embaudit_cli.shown import show

    show(
        alignment,
        lambda encoding: one_line(alignment, encoding),
        lambda: AlignmentReport(alignment, written, column),
        json=json,
        quiet=quiet,
    )
