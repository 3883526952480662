"""The sections of a report on an audit, in their order, for every form that has tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embaudit.report import (
    baseline,
    details,
    projection,
    rerun,
    sections,
    slices,
    thresholds,
    worst_rows,
)
from embaudit.report.plain import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.report.page import Page
    from embaudit.result import Audit

RETRIEVAL, FINDINGS, NEXT = "Retrieval", "Findings", "Next"
SLICES, WORST_ROWS, MEASURES, TIME = "Slices", "Worst rows", "Measures", "Time"


@dataclass(frozen=True)
class Chapter:
    """One section.

    Attributes
    ----------
    name : str
        The same whatever the title says besides.
    parts : iterable of renderables
        Tables of text, and lines.
    remark : str or None
    title : str or None
        Where it is not the name.
    heads : int
        Rows of its tables that have the titles of the columns.
    labels : int
        Columns of its tables that name a row.
    """

    name: str
    parts: Iterable[RenderableType]
    remark: str | None = None
    title: str | None = None
    heads: int = 1
    labels: int = 1

    @property
    def heading(self) -> str:
        """Return what stands above it."""
        return self.title or self.name


def chapters(page: Page, audit: Audit, *, verbose: bool = False) -> Iterator[Chapter]:
    """Yield the sections that there is something for.

    Parameters
    ----------
    page : Page
    audit : Audit
    verbose : bool
        Add every measure, every group and the time of each stage.
    """
    if audit.baseline is not None:
        parts = baseline.section(page, audit, audit.baseline)
        yield Chapter("Baseline", parts, printable(audit.baseline.uri))
    yield Chapter("Compared", sections.compared(page, audit), heads=0)
    found = f"share of the true top {audit.k} found; A in B: A's vectors search B"
    yield Chapter(RETRIEVAL, sections.retrieval(page, audit), found, labels=2)
    if audit.measures_at_k:
        decides = f"from the same searches; k {audit.k} decides"
        yield Chapter("Other k", sections.other_k(page, audit), decides, labels=2)
    explains = "explains the verdict, does not decide it"
    yield Chapter("Similarity", sections.similarity(page, audit), explains)
    if audit.rerun is not None:
        floor = "differences as multiples of those between two runs of A"
        yield Chapter("Noise floor", rerun.rerun(page, audit.rerun), floor, labels=2)
    yield Chapter("Data", sections.data(page, audit))
    if audit.metrics:
        rows = f"all metrics on {audit.metrics[0].n:,} rows, k {audit.metrics[0].k}"
        yield Chapter("Metrics", sections.metrics(page, audit), rows)
    if audit.thresholds is not None and audit.thresholds.rows:
        parts = thresholds.section(page, audit, audit.thresholds)
        yield Chapter("Threshold", parts, thresholds.remark(audit.thresholds))
    if audit.projection is not None:
        parts = projection.section(page, audit, audit.projection)
        remark, title = projection.remark(audit.projection), projection.title(audit.projection)
        yield Chapter("Projection", parts, remark, title, labels=2)
    if audit.slices is not None:
        parts = slices.section(page, audit, audit.slices, verbose=verbose)
        remark, title = slices.remark(audit, audit.slices), slices.title(page, audit.slices)
        yield Chapter(SLICES, parts, remark, title)
    if audit.worst and (verbose or worst_rows.says_something(audit)):
        rows = "of those measured; --output rows=FILE.csv writes them all"
        yield Chapter(WORST_ROWS, worst_rows.section(page, audit), rows, heads=2)
    if audit.findings:
        yield Chapter(FINDINGS, sections.findings(page, audit), heads=0)
    yield Chapter(NEXT, sections.next_steps(page, audit))
    if verbose:
        yield Chapter(MEASURES, details.measures(page, audit), heads=0)
        yield Chapter(TIME, details.timing(page, audit))
