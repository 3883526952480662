"""The options of the commands, each declared once."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from embaudit.report.formats import FORMATS, RENDERERS, SCHEMAS
from embaudit_cli import completion

ROWS = "Rows"
MAP = "Map"
JOINED = "Joined rows"
SEARCH = "Search"
EVIDENCE = "More evidence"
GATE = "Gate"
OUTPUT = "Output"

NO_VALUE = ""
"""Keeps the help from calling a flag a <bool>."""

First: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="A",
        help="First set: a file of vectors (.npy, .npz, .parquet, .arrow, .feather, .safetensors, "
        ".h5, .fvecs, .fbin, ...) or a folder or quoted glob of Parquet parts; PATH::NAME names a "
        "column or array of it.",
    ),
]
Second: TypeAlias = Annotated[
    str, typer.Argument(metavar="B", help="Second set: the same items, one row an item.")
]

On: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Join rows by this column of ids, in any order (Parquet, Arrow).",
        rich_help_panel=ROWS,
    ),
]
IdsA: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Ids of A's rows: text, a line each, or .npy; for files without a column of ids.",
        rich_help_panel=ROWS,
    ),
]
IdsB: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Ids of B's rows, likewise.", rich_help_panel=ROWS),
]
ByRow: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--by-row", metavar=NO_VALUE, help="Pair rows by their position.", rich_help_panel=ROWS
    ),
]
Column: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column, or array, that holds the vectors, in both files.",
        rich_help_panel=ROWS,
    ),
]
DropInvalid: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--drop-invalid",
        metavar=NO_VALUE,
        help="Leave out rows with NaN or infinity.",
        rich_help_panel=ROWS,
    ),
]
KeepDuplicates: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--keep-duplicates",
        metavar=NO_VALUE,
        help="Keep rows that repeat an earlier one on both sides.",
        rich_help_panel=ROWS,
    ),
]

Sample: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ROWS",
        help="Look at a random sample of so many of the paired rows, as 20k.",
        rich_help_panel=ROWS,
    ),
]

Metric: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What makes neighbours: cosine, dot or euclidean.",
        autocompletion=completion.metrics,
        rich_help_panel=SEARCH,
    ),
]
K: TypeAlias = Annotated[
    str,
    typer.Option(
        "--k",
        metavar="N[,N...]",
        help="Neighbours of a query. The first number decides; others are reported beside it.",
        rich_help_panel=SEARCH,
    ),
]
MaxQueries: TypeAlias = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Queries to ask at most, while the verdict is open.",
        rich_help_panel=SEARCH,
    ),
]
Confidence: TypeAlias = Annotated[
    float,
    typer.Option(metavar="SHARE", help="Level of the intervals.", rich_help_panel=SEARCH),
]
Seed: TypeAlias = Annotated[
    int,
    typer.Option(metavar="N", help="Draws folds, queries and samples.", rich_help_panel=SEARCH),
]

Threads: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Processors to use; all by default. The result is the same at any number.",
        rich_help_panel=SEARCH,
    ),
]

Memory: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="BYTES",
        help="Memory to keep to, as 512MB or 2GiB: blocks of rows become smaller.",
        rich_help_panel=SEARCH,
    ),
]

QueriesA: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Real queries encoded by A's model, in place of rows as queries.",
        rich_help_panel=EVIDENCE,
    ),
]
QueriesB: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The same queries, row for row, encoded by B's model.",
        rich_help_panel=EVIDENCE,
    ),
]
Rerun: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="A2",
        help="A second run of A's model on the same rows: its noise floor.",
        rich_help_panel=EVIDENCE,
    ),
]

SliceBy: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Tell recall and pairing for each value of this column (Parquet, Arrow).",
        rich_help_panel=EVIDENCE,
    ),
]
Threshold: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SCORE",
        help="A score of A's that decides today: say where it lands on B's.",
        rich_help_panel=SEARCH,
    ),
]
IndexSize: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ROWS",
        help="Project the recalls to an index of so many rows, as 10M or 500k.",
        rich_help_panel=SEARCH,
    ),
]

Require: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="VERDICT",
        help="Worst verdict to accept: safe, degraded, align or concatenate.",
        autocompletion=completion.requirements,
        rich_help_panel=GATE,
    ),
]
MinRecall: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        help="Recall asked of vectors as stored and of a mixed index.",
        rich_help_panel=GATE,
    ),
]
MinAlignedRecall: TypeAlias = Annotated[
    float,
    typer.Option(metavar="SHARE", help="Recall asked of mapped vectors.", rich_help_panel=GATE),
]
MaxMispaired: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="SHARE", help="Share of rows that may not correspond.", rich_help_panel=GATE
    ),
]
MinMatched: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        help="Share of the smaller side's ids that must meet.",
        rich_help_panel=GATE,
    ),
]
BaselineFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="AUDIT",
        help="JSON of an accepted audit: fail only when the verdict or a recall is worse than it.",
        rich_help_panel=GATE,
    ),
]
ExitZero: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--exit-zero",
        metavar=NO_VALUE,
        help="Exit 0 where the gate would exit 1 or 3.",
        rich_help_panel=GATE,
    ),
]

Json: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json",
        metavar=NO_VALUE,
        help="Print one JSON object in place of the report.",
        rich_help_panel=OUTPUT,
    ),
]
Output: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FORMAT=PATH",
        autocompletion=completion.outputs,
        help=f"Also write a file; repeatable. Formats: {', '.join(FORMATS)}. "
        "The path - is standard output, in place of the report.",
        rich_help_panel=OUTPUT,
    ),
]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        metavar=NO_VALUE,
        help="Print the verdict in one line, without progress; JSON stays whole.",
        rich_help_panel=OUTPUT,
    ),
]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        metavar=NO_VALUE,
        help="Report every measure; JSON always holds them all.",
        rich_help_panel=OUTPUT,
    ),
]

PairNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME ...]", help="Pairs to compare; all that are named by default."),
]
AuditFile: TypeAlias = Annotated[
    str, typer.Argument(metavar="AUDIT", help="JSON that embaudit compare has written.")
]
Format: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"What is printed: terminal, {', '.join(name for name in RENDERERS)}.",
        autocompletion=completion.formats,
        rich_help_panel=OUTPUT,
    ),
]
SchemaOf: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="[COMMAND]",
        help=f"Whose JSON: {', '.join(SCHEMAS)}.",
        autocompletion=completion.schemas,
    ),
]
MapOutput: TypeAlias = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="MAP",
        help="Where the map goes: NAME.safetensors; with joint NAME.a.safetensors and "
        "NAME.b.safetensors.",
        rich_help_panel=OUTPUT,
    ),
]
MapDirection: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="DIRECTION",
        help="a_to_b takes A's vectors into B's space, b_to_a B's into A's.",
        autocompletion=completion.directions,
        rich_help_panel=MAP,
    ),
]
MapMethod: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="orthogonal, low-rank, linear, or auto: the simplest within 0.02 of the best. joint: "
        "two maps into one shared space.",
        autocompletion=completion.methods,
        rich_help_panel=MAP,
    ),
]
JointHeads: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="Of a joint space: cca (default), in closed form; linear or hidden, trained further "
        "by PyTorch.",
        autocompletion=completion.heads,
        rich_help_panel=MAP,
    ),
]
JointDim: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="D",
        help="Dimensions of a joint space; the smaller of both by default.",
        rich_help_panel=MAP,
    ),
]
Force: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--force",
        metavar=NO_VALUE,
        help="Write the map even where it does not help.",
        rich_help_panel=OUTPUT,
    ),
]
Overwrite: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar=NO_VALUE,
        help="Replace the output where it exists.",
        rich_help_panel=OUTPUT,
    ),
]
OneK: TypeAlias = Annotated[
    int,
    typer.Option("--k", metavar="N", help="Neighbours of a row.", rich_help_panel=SEARCH),
]
QuietMap: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        metavar=NO_VALUE,
        help="Print one line at most, without progress; JSON stays whole.",
        rich_help_panel=OUTPUT,
    ),
]
MapFile: TypeAlias = Annotated[
    str, typer.Argument(metavar="MAP", help="A map that embaudit align has written.")
]
Mapped: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="A", help="Vectors of the model that the map comes from, in any format."
    ),
]
VectorOutput: TypeAlias = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Where the mapped vectors go: .npy, or .parquet with ids and other columns.",
        rich_help_panel=OUTPUT,
    ),
]
Dtype: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="TYPE",
        help="Numbers of the output: float32 or float16.",
        autocompletion=completion.dtypes,
        rich_help_panel=OUTPUT,
    ),
]

Sets: TypeAlias = Annotated[
    list[str],
    typer.Argument(metavar="A B [C ...]", help="Sets of the same items, in any format."),
]
Weights: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="W,W",
        help="Share of each set in a similarity; equal by default. auto: by --labels.",
        rich_help_panel=JOINED,
    ),
]
Dim: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="D",
        help="Reduce the joined rows to so many dimensions by principal components.",
        rich_help_panel=JOINED,
    ),
]
Labels: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column of A: do the joined rows tell its values better than each set alone?",
        rich_help_panel=JOINED,
    ),
]
Ids: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Ids of a set's rows: text, a line each, or .npy; once for each set, in order.",
        rich_help_panel=ROWS,
    ),
]
