"""The command ``embaudit apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from embaudit_cli import options

if TYPE_CHECKING:
    from embaudit.datatypes import Progress
    from embaudit.remedy.applying import Applied

EPILOG = """[bold]Examples[/bold]
  embaudit apply map.safetensors old.npy -o old_in_new.npy
  embaudit apply map.safetensors old.parquet -o old_in_new.parquet --dtype float16

[bold]Exit status[/bold]
  0    every row is written
  2    usage, invalid input, or a result that could not be written; nothing is left of it
  130  interrupted
"""


def apply(
    fitted: options.MapFile,
    source: options.Mapped,
    output: options.VectorOutput,
    column: options.Column = None,
    dtype: options.Dtype = "float32",
    overwrite: options.Overwrite = False,
    threads: options.Threads = None,
    quiet: options.QuietMap = False,
) -> None:
    """Carry every vector of a file into the other model's space, by a map that align has fitted."""
    from embaudit_cli.progress import with_progress

    def carry(progress: Progress | None) -> Applied:
        from embaudit.remedy.applying import apply_map

        return apply_map(
            fitted,
            source,
            output,
            column=column,
            dtype=dtype,
            overwrite=overwrite,
            threads=threads,
            progress=progress,
        )

    applied = with_progress(carry, quiet=quiet)
    if not quiet:
        _show(applied, output)
    raise typer.Exit(0)


def _show(applied: Applied, output: str) -> None:
    from embaudit.report.plain import count, encodable, printable
    from embaudit_cli import streams

    shape = f"{count(applied.rows, 'row')} of {count(applied.dim, 'dimension')}"
    lines = [f"{output}: {shape}, {applied.dtype}"]
    parquet = applied.path.suffix.lower() == ".parquet"
    if applied.columns:
        lines.append(f"with columns {', '.join(applied.columns)}")
    if applied.dropped:
        why = ": they have no one name and type" if parquet else "; a .parquet output keeps them"
        lines.append(f"without columns {', '.join(applied.dropped)}{why}")
    if applied.zero_rows:
        lines.append(f"{count(applied.zero_rows, 'row')} without a direction stay zero")
    with streams.standard_output():
        console = streams.stdout()
        for line in lines:
            console.print(encodable(printable(line), console.encoding), soft_wrap=True)
