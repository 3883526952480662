"""The command ``embaudit verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from embaudit_cli import joint, options

if TYPE_CHECKING:
    from embaudit.alignment import Verification
    from embaudit.datatypes import Progress
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.report.verification import VerificationReport

EPILOG = """[bold]Examples[/bold]
  embaudit verify map.safetensors old_today.npy new_today.npy
  embaudit verify map.safetensors old.parquet new.parquet --on id --json
  embaudit verify map.safetensors old_today.npy new_today.npy --output junit=map.xml

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
    output: options.Output = None,
    quiet: options.QuietMap = False,
) -> None:
    """Say whether a map still recovers what it did, on pairs of today."""
    from embaudit.maps.map_file import load_map
    from embaudit.report.outputs import parse_outputs, write_gate
    from embaudit.result import Policy
    from embaudit_cli.shown import show_gate

    read = [path for path in (fitted, a, b, ids_a, ids_b) if path is not None]
    outputs = parse_outputs([*(output or []), *(["json=-"] if json else [])], inputs=read)
    outputs.refuse_rows()
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
    report: GateSheet
    if load_map(fitted).space is not None:
        report = joint.verify_joint(fitted, (a, b), asked, quiet=quiet)
    else:
        report = _verified(fitted, (a, b), asked, quiet=quiet)
    show_gate(report, outputs, quiet=quiet)
    write_gate(report, outputs.files)
    raise typer.Exit(0 if report.answer.passed else 1)


def _verified(
    fitted: str, sides: tuple[str, str], asked: dict[str, Any], *, quiet: bool
) -> VerificationReport:
    from embaudit.remedy.verifying import verify as verify_map
    from embaudit.report.verification import VerificationReport
    from embaudit_cli.progress import with_progress

    def measure(progress: Progress | None) -> Verification:
        return verify_map(fitted, *sides, progress=progress, **asked)

    return VerificationReport(with_progress(measure, quiet=quiet))
