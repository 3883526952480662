"""The command ``embaudit verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from embaudit_cli import joint, options

if TYPE_CHECKING:
    from embaudit.alignment import Verification
    from embaudit.datatypes import Progress

EPILOG = """[bold]Examples[/bold]
  embaudit verify map.safetensors old_today.npy new_today.npy
  embaudit verify map.safetensors old.parquet new.parquet --on id --json

[bold]Exit status[/bold]
  0    the map recovers what is asked, and what was recorded when it was fitted
  1    it does not
  2    usage, or invalid input
  130  interrupted
"""


def verify(
    fitted: options.MapFile,
    a: options.First,
    b: options.Second,
    on: options.On = None,
    ids_a: options.IdsA = None,
    ids_b: options.IdsB = None,
    by_row: options.ByRow = False,
    column: options.Column = None,
    drop_invalid: options.DropInvalid = False,
    keep_duplicates: options.KeepDuplicates = False,
    max_queries: options.MaxQueries = 4096,
    confidence: options.Confidence = 0.95,
    seed: options.Seed = 0,
    threads: options.Threads = None,
    min_aligned_recall: options.MinAlignedRecall = 0.70,
    json: options.Json = False,
    quiet: options.QuietMap = False,
) -> None:
    """Say whether a map still recovers what it did, on pairs of today."""
    from embaudit.maps.map_file import load_map
    from embaudit.result import Policy
    from embaudit_cli.progress import with_progress

    policy = {
        "min_aligned_recall": min_aligned_recall,
        "confidence": confidence,
        "max_queries": max_queries,
    }
    asked: dict[str, Any] = {
        "on": on,
        "ids_a": ids_a,
        "ids_b": ids_b,
        "by_row": by_row,
        "column": column,
        "policy": Policy.model_validate(policy),
        "drop_invalid": drop_invalid,
        "keep_duplicates": keep_duplicates,
        "seed": seed,
        "threads": threads,
    }
    if load_map(fitted).space is not None:
        passed = joint.verify_joint(fitted, (a, b), asked, json=json, quiet=quiet)
        raise typer.Exit(0 if passed else 1)

    def measure(progress: Progress | None) -> Verification:
        from embaudit.remedy.verifying import verify as verify_map

        return verify_map(fitted, a, b, progress=progress, **asked)

    found = with_progress(measure, quiet=quiet)
    _show(found, json=json, quiet=quiet)
    raise typer.Exit(0 if found.passed else 1)


def _show(found: Verification, *, json: bool, quiet: bool) -> None:
    from embaudit.report.verification import VerificationReport, one_line
    from embaudit_cli.shown import show

    show(
        found,
        lambda encoding: one_line(found, encoding),
        lambda: VerificationReport(found),
        json=json,
        quiet=quiet,
    )
