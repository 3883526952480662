"""The report for a person, drawn with rich: the verdict first, then its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from rich.segment import Segment
from rich.text import Text

from embaudit.report import details, projection, rerun, sections, slices, thresholds, worst_rows
from embaudit.report.continuation import continued
from embaudit.report.glyphs import glyphs_for
from embaudit.report.page import INDENT, Page
from embaudit.report.plain import count, encodable, printable
from embaudit.report.wording import sampled

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from embaudit.result import Audit

    Placed: TypeAlias = tuple[int, RenderableType]
    """How far a part is indented, and the part."""

WIDTHS = (72, 100)
"""Narrower tables say nothing, so the terminal wraps them; longer lines are hard to follow."""


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
    return encodable(printable(f"{audit.verdict} ({basis}): {audit.summary}"), encoding)


class Report:
    """A rich renderable that chooses its signs by what the console can show."""

    def __init__(self, audit: Audit, verbose: bool, fold: bool) -> None:
        self._audit = audit
        self._verbose = verbose
        self._fold = fold

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, without trailing spaces."""
        narrowest, widest = WIDTHS
        width = max(narrowest, min(options.max_width, widest))
        page = Page(glyphs_for(options), options.encoding, width)
        for indent, part in self._parts(page):
            room = width - indent
            if isinstance(part, Text) and part.no_wrap:
                if self._fold:
                    part = continued(part, options.max_width - indent)
                room = max(room, part.cell_len)
            for line in console.render_lines(part, options.update(width=room), pad=False):
                whole = [*_without_trailing_spaces([Segment(" " * indent), *line])]
                for piece in _folded(whole, options.max_width) if self._fold else [whole]:
                    yield from piece
                    yield Segment.line()

    def _parts(self, page: Page) -> Iterator[Placed]:
        audit = self._audit
        yield 0, sections.verdict(page, audit)
        yield 0, page.text(audit.summary)
        yield from _headed("Compared", sections.compared(page, audit))
        found = f"share of the true top {audit.k} found; A in B: A's vectors search B"
        yield from _headed("Retrieval", sections.retrieval(page, audit), found)
        if audit.measures_at_k:
            decides = f"from the same searches; k {audit.k} decides"
            yield from _headed("Other k", sections.other_k(page, audit), decides)
        explains = "explains the verdict, does not decide it"
        yield from _headed("Similarity", sections.similarity(page, audit), explains)
        if audit.rerun is not None:
            floor = "differences as multiples of those between two runs of A"
            yield from _headed("Noise floor", rerun.rerun(page, audit.rerun), floor)
        yield from _headed("Data", sections.data(page, audit))
        if audit.metrics:
            rows = f"all metrics on {audit.metrics[0].n:,} rows, k {audit.metrics[0].k}"
            yield from _headed("Metrics", sections.metrics(page, audit), rows)
        if audit.thresholds is not None and audit.thresholds.rows:
            parts = thresholds.section(page, audit, audit.thresholds)
            yield from _headed("Threshold", parts, thresholds.remark(audit.thresholds))
        if audit.projection is not None:
            parts = projection.section(page, audit, audit.projection)
            heading = projection.title(audit.projection)
            yield from _headed(heading, parts, projection.remark(audit.projection))
        if audit.slices is not None:
            parts = slices.section(page, audit, audit.slices, verbose=self._verbose)
            heading = slices.title(page, audit.slices)
            yield from _headed(heading, parts, slices.remark(audit, audit.slices))
        if audit.worst and (self._verbose or worst_rows.says_something(audit)):
            rows = "of those measured; --output rows=FILE.csv writes them all"
            yield from _headed("Worst rows", worst_rows.section(page, audit), rows)
        if audit.findings:
            yield from _headed("Findings", sections.findings(page, audit))
        yield from _headed("Next", sections.next_steps(page, audit))
        if self._verbose:
            yield from _headed("Measures", details.measures(page, audit))
            yield from _headed("Time", details.timing(page, audit))


def _headed(
    title: str, parts: Iterable[RenderableType], remark: str | None = None
) -> Iterator[Placed]:
    yield 0, Text("")
    yield 0, Text.assemble((title, "bold"), f"  {remark}" if remark else "")
    for part in parts:
        yield INDENT, part


def _folded(line: list[Segment], columns: int) -> Iterable[list[Segment]]:
    """Return a line in pieces, broken where a terminal of that width would break it."""
    length = Segment.get_line_length(line)
    return Segment.divide(line, [*range(columns, length, columns), length])


def _without_trailing_spaces(line: list[Segment]) -> Iterator[Segment]:
    """Yield a line as rich pads it, less its padding, which would be copied along."""
    rest = list(line)
    while rest and not rest[-1].text.strip(" "):
        rest.pop()
    if rest:
        last = rest.pop()
        yield from rest
        yield Segment(last.text.rstrip(" "), last.style)
