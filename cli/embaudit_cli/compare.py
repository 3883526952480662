"""The command ``embaudit compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from embaudit.errors import UsageError
from embaudit_cli import options

if TYPE_CHECKING:
    from embaudit.configuration import Configuration, Setting
    from embaudit.datatypes import Progress
    from embaudit.result import Audit
    from embaudit.row_table import RowTable

EPILOG = """[bold]Examples[/bold]
  embaudit compare old.npy new.npy
  embaudit compare old.npy new.npy --require align --output json=audit.json
  embaudit compare old.parquet new.parquet --on id --output html=report.html
  embaudit compare vectors.parquet::old vectors.parquet::new --json

[bold]Exit status[/bold]
  0    the verdict is at least what is required
  1    it is not
  2    usage, invalid input, or a result that could not be written
  3    inconclusive about what is required
  130  interrupted
"""


def compare(
    context: typer.Context,
    a: options.First,
    b: options.Second,
    on: options.On = None,
    ids_a: options.IdsA = None,
    ids_b: options.IdsB = None,
    by_row: options.ByRow = False,
    column: options.Column = None,
    drop_invalid: options.DropInvalid = False,
    keep_duplicates: options.KeepDuplicates = False,
    sample: options.Sample = None,
    queries_a: options.QueriesA = None,
    queries_b: options.QueriesB = None,
    rerun: options.Rerun = None,
    slice_by: options.SliceBy = None,
    metric: options.Metric = "cosine",
    k: options.K = "10",
    max_queries: options.MaxQueries = 16_384,
    confidence: options.Confidence = 0.95,
    seed: options.Seed = 0,
    threads: options.Threads = None,
    memory: options.Memory = None,
    threshold: options.Threshold = None,
    index_size: options.IndexSize = None,
    require: options.Require = "safe",
    min_recall: options.MinRecall = 0.90,
    min_aligned_recall: options.MinAlignedRecall = 0.70,
    max_mispaired: options.MaxMispaired = 0.02,
    min_matched: options.MinMatched = 0.90,
    baseline: options.BaselineFile = None,
    exit_zero: options.ExitZero = False,
    json: options.Json = False,
    output: options.Output = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Say whether the vectors of A and B may be compared as they are, and if not, what may."""
    from embaudit.report.outputs import parse_outputs, write_outputs
    from embaudit_cli.progress import with_progress
    from embaudit_cli.shown import show_audit

    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other; leave one out")
    given = (a, b, ids_a, ids_b, queries_a, queries_b, rerun, baseline)
    read = [path for path in given if path is not None]
    outputs = parse_outputs([*(output or []), *(["json=-"] if json else [])], inputs=read)

    # Refused before the work, not after it.
    accepted = None
    if baseline is not None:
        from embaudit.saved_audit import read_audit

        accepted = read_audit(baseline)
    tables: list[RowTable] = []

    def audit_files(progress: Progress | None) -> Audit:
        from embaudit.audit import compare as compare_sets
        from embaudit.result import Policy

        policy = Policy.model_validate(
            {
                "require": require,
                "min_recall": min_recall,
                "min_aligned_recall": min_aligned_recall,
                "max_mispaired": max_mispaired,
                "min_matched": min_matched,
                "confidence": confidence,
                "max_queries": max_queries,
            }
        )
        return compare_sets(
            a,
            b,
            on=on,
            ids_a=ids_a,
            ids_b=ids_b,
            by_row=by_row,
            column=column,
            queries_a=queries_a,
            queries_b=queries_b,
            rerun=rerun,
            slice_by=slice_by,
            rows=tables.append if outputs.want_rows else None,
            layouts=outputs.want_layouts,
            metric=metric,
            k=_neighbour_counts(k),
            policy=policy,
            drop_invalid=drop_invalid,
            keep_duplicates=keep_duplicates,
            seed=seed,
            threshold=threshold,
            index_size=index_size,
            sample=sample,
            threads=threads,
            memory=memory,
            progress=progress,
        )

    audit = with_progress(audit_files, quiet=quiet, verbose=verbose)
    from embaudit.checking import deciding

    if accepted is not None and baseline is not None:
        from embaudit.answers.baseline import against

        audit = against(audit, accepted, baseline)
    rows = tables[0] if tables else None
    asked = deciding(audit, _in_force(context))
    show_audit(audit, outputs, rows, quiet=quiet, verbose=verbose, asked=asked)
    write_outputs(audit, outputs.files, rows, asked)
    raise typer.Exit(0 if exit_zero else audit.exit_code())


def _in_force(context: typer.Context) -> dict[str, Setting]:
    """Return the settings of the file that no option has overridden."""
    settings: Configuration = context.obj
    return {
        name: setting
        for name, setting in settings.settings.items()
        if getattr(context.get_parameter_source(name), "name", "") == "DEFAULT_MAP"
    }


def _neighbour_counts(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--k {text}: expected a whole number, or several with commas between, as 10,1,100"
        ) from None
