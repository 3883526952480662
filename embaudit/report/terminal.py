"""The report for a person, drawn with rich: the verdict first, then its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from embaudit.report import baseline, sections
from embaudit.report.chapters import chapters
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
        for chapter in chapters(page, audit, verbose=self._verbose):
            yield from headed(chapter.heading, chapter.parts, chapter.remark)
