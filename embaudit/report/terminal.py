"""The report for a person, drawn with rich: the verdict first, then its evidence."""

from __future__ import annotations

from collections.abc import Iterator
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
from embaudit.report.page import Page
from embaudit.report.plain import count, encodable, printable
from embaudit.report.sheet import Sheet, headed
from embaudit.report.wording import sampled

if TYPE_CHECKING:
    from embaudit.report.sheet import Placed
    from embaudit.result import Audit


def render(audit: Audit, *, verbose: bool = False, fold: bool = False) -> Report:
    """Return the report as a renderable for a console of any width and encoding.

    Print it with ``crop=False``: commands stay on one line so that they can be copied.

    Parameters
    ----------
    audit : Audit
    verbose : bool
        Add every measure, the view of the other metrics and the time of each stage.
    fold : bool
        Let no line pass the console's width, for those that crop, as ``rich.print``: a longer
        command continues on the next line after a backslash.
    """
    return Report(audit, verbose, fold)


def one_line(audit: Audit, encoding: str = "utf-8") -> str:
    """Return the verdict and why, in one line that `encoding` can carry."""
    basis = f"{sampled(audit) or count(audit.pairing.distinct_rows, 'row')}, k {audit.k}"
    told = f"{audit.verdict} ({basis}): {baseline.why(audit)}"
    return encodable(printable(told), encoding)


class Report(Sheet):
    """The report of an audit."""

    def __init__(self, audit: Audit, verbose: bool, fold: bool) -> None:
        super().__init__(fold)
        self._audit = audit
        self._verbose = verbose

    def parts(self, page: Page) -> Iterator[Placed]:
        """Yield the sections."""
        audit = self._audit
        yield 0, sections.verdict(page, audit)
        yield 0, page.text(audit.summary)
        if audit.baseline is not None:
            parts = baseline.section(page, audit, audit.baseline)
            yield from headed("Baseline", parts, printable(audit.baseline.uri))
        yield from headed("Compared", sections.compared(page, audit))
        found = f"share of the true top {audit.k} found; A in B: A's vectors search B"
        yield from headed("Retrieval", sections.retrieval(page, audit), found)
        if audit.measures_at_k:
            decides = f"from the same searches; k {audit.k} decides"
            yield from headed("Other k", sections.other_k(page, audit), decides)
        explains = "explains the verdict, does not decide it"
        yield from headed("Similarity", sections.similarity(page, audit), explains)
        if audit.rerun is not None:
            floor = "differences as multiples of those between two runs of A"
            yield from headed("Noise floor", rerun.rerun(page, audit.rerun), floor)
        yield from headed("Data", sections.data(page, audit))
        if audit.metrics:
            rows = f"all metrics on {audit.metrics[0].n:,} rows, k {audit.metrics[0].k}"
            yield from headed("Metrics", sections.metrics(page, audit), rows)
        if audit.thresholds is not None and audit.thresholds.rows:
            parts = thresholds.section(page, audit, audit.thresholds)
            yield from headed("Threshold", parts, thresholds.remark(audit.thresholds))
        if audit.projection is not None:
            parts = projection.section(page, audit, audit.projection)
            heading = projection.title(audit.projection)
            yield from headed(heading, parts, projection.remark(audit.projection))
        if audit.slices is not None:
            parts = slices.section(page, audit, audit.slices, verbose=self._verbose)
            heading = slices.title(page, audit.slices)
            yield from headed(heading, parts, slices.remark(audit, audit.slices))
        if audit.worst and (self._verbose or worst_rows.says_something(audit)):
            rows = "of those measured; --output rows=FILE.csv writes them all"
            yield from headed("Worst rows", worst_rows.section(page, audit), rows)
        if audit.findings:
            yield from headed("Findings", sections.findings(page, audit))
        yield from headed("Next", sections.next_steps(page, audit))
        if self._verbose:
            yield from headed("Measures", details.measures(page, audit))
            yield from headed("Time", details.timing(page, audit))
