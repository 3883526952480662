"""What `embaudit concat` wrote, for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.page import Page
from embaudit.report.plain import count, encodable, percent, printable
from embaudit.report.sheet import Sheet, headed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.concatenation import Concatenation, Probe
    from embaudit.report.sheet import Placed


def one_line(found: Concatenation, encoding: str = "utf-8") -> str:
    """Return what was written, in one line that `encoding` can carry."""
    written = f"{found.output}: {count(found.rows, 'row')} of {found.dim} dimensions, {found.dtype}"
    return encodable(printable(written), encoding)


class ConcatenationReport(Sheet):
    """The report of joined vectors."""

    def __init__(self, found: Concatenation, fold: bool = False) -> None:
        super().__init__(fold)
        self._found = found

    def parts(self, page: Page) -> Iterator[Placed]:
        """Yield the sections."""
        found = self._found
        yield 0, page.text(one_line(found), "bold")
        facts = [f"paired by {'position' if found.by == 'row' else 'id'}", str(found.metric)]
        if found.variance_kept is not None:
            facts.append(f"{percent(found.variance_kept)} of the sum of squares kept")
        yield 0, Text(page.join(facts))
        remark = f"share of each row's top {found.k} in a set that it has in the joined rows"
        yield from headed("Kept", _sets(page, found), remark)
        if found.probe is not None:
            told = f"{found.probe.classes} values of {printable(found.probe.labels)}, "
            yield from headed(
                "Labels told", _probe(page, found, found.probe), f"{told}{found.probe.rows:,} rows"
            )


def _sets(page: Page, found: Concatenation) -> Iterator[RenderableType]:
    table = page.table("left", "right", "right", "right", "left")
    table.columns[0].no_wrap = False
    table.add_row("set", "dimensions", "weight", "kept", "interval")
    for one, weight in zip(found.sets, found.weights, strict=True):
        cells = (
            [page.number(None), ""]
            if one.kept is None
            else [page.number(one.kept.value), page.interval(one.kept.ci)]
        )
        table.add_row(page.text(one.uri), str(one.dim), f"{weight:.3g}", *cells)
    yield table


def _probe(page: Page, found: Concatenation, probe: Probe) -> Iterator[RenderableType]:
    table = page.table("left", "right", "left")
    table.columns[0].no_wrap = False
    table.add_row("", "accuracy", "interval")
    for one, told in zip(found.sets, probe.parts, strict=True):
        table.add_row(page.text(one.uri), page.number(told.value), page.interval(told.ci))
    table.add_row("joined", page.number(probe.joined.value), page.interval(probe.joined.ci))
    yield table
    low, high = probe.gain.ci or (0.0, 0.0)
    best = printable(found.sets[probe.best].uri)
    if low > 0.0:
        answer = f"The joined rows tell more than {best} alone"
    elif high < 0.0:
        answer = f"{best} alone tells more than the joined rows"
    else:
        answer = f"Nothing shows that the joined rows tell more than {best} alone"
    gain = probe.gain.value or 0.0
    yield page.text(f"{answer}: {gain:+.3f} ({low:+.3f} to {high:+.3f}).")
