"""What `embaudit align` found, for a person: what the map recovers, beside what there was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.commands import apply_command
from embaudit.report.page import Page
from embaudit.report.plain import count, encodable, printable, share
from embaudit.report.sheet import Sheet, badge, headed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.alignment import Alignment, Sight
    from embaudit.report.sheet import Placed
    from embaudit.result import Estimate

BAR_COLUMNS = 24
LABELS = {
    "recall": "recall, {source} in {target}",
    "mixed_index": "mixed index, {target}",
    "partner_found": "partner found first",
    "cosine": "cosine of partners",
}


def summary(alignment: Alignment) -> str:
    """Return what the map recovers, in a sentence."""
    source, target = alignment.direction[0].upper(), alignment.direction[-1].upper()
    recovered, stored = alignment.after.recall, alignment.before.recall
    after = share(recovered.value) if recovered and recovered.value is not None else "no"
    before = ""
    if stored is not None and stored.value is not None:
        before = f"; as stored {share(stored.value)}"
    if alignment.helps:
        article = "An" if alignment.method == "orthogonal" else "A"
        return (
            f"{article} {alignment.method} map takes {source}'s vectors into {target}'s space: "
            f"recall@{alignment.k} {after} on rows it has not seen{before}."
        )
    return (
        f"No map is worth having: the best, {alignment.method}, reaches "
        f"recall@{alignment.k} {after} on rows it has not seen{before}; asked for are "
        f"{alignment.min_aligned_recall:g} and a gain above 0.02."
    )


def one_line(alignment: Alignment, encoding: str = "utf-8") -> str:
    """Return whether the map helps and why, in one line that `encoding` can carry."""
    word = "helps" if alignment.helps else "does not help"
    return encodable(printable(f"{word}: {summary(alignment)}"), encoding)


class AlignmentReport(Sheet):
    """The report of a fitted map.

    Parameters
    ----------
    alignment : Alignment
    written : str or None
        Where the map was written; None where it was not.
    column : str or None
        That the vectors were named by.
    """

    def __init__(
        self,
        alignment: Alignment,
        written: str | None,
        column: str | None = None,
        fold: bool = False,
    ) -> None:
        super().__init__(fold)
        self._alignment = alignment
        self._written, self._column = written, column

    def parts(self, page: Page) -> Iterator[Placed]:
        """Yield the sections."""
        found = self._alignment
        yield 0, _badge(page, found)
        yield 0, page.text(summary(found))
        rows = f"{found.queries:,} rows, mapped by maps that have not seen them"
        yield from headed("Before and after", _before_and_after(page, found), rows)
        remark = f"recall@{found.k} on unseen rows; the simplest within 0.02 of the best is taken"
        yield from headed("Maps", _methods(page, found), remark)
        yield from headed("Pairs needed", _curve(page, found), "recall when fitted on fewer pairs")
        yield from headed("Map", _file(page, found, self._written, self._column))


def _badge(page: Page, found: Alignment) -> RenderableType:
    word = "MAP HELPS" if found.helps else "NO MAP HELPS"
    kind = found.method if found.grade is None else f"{found.method}, {found.grade}"
    facts = [count(found.pairs, "distinct pair"), str(found.metric), f"k {found.k}"]
    return badge(page, found.helps, "cyan", word, kind, facts)


def _before_and_after(page: Page, found: Alignment) -> Iterator[RenderableType]:
    table = page.table("left", "right", "left", "right", "left")
    table.add_row("", "stored", "interval", "mapped", "interval")
    names = {"source": found.direction[0].upper(), "target": found.direction[-1].upper()}
    for name, label in LABELS.items():
        cells = [*_cells(page, found.before, name), *_cells(page, found.after, name)]
        table.add_row(label.format(**names), *cells)
    table.add_row("cosine of random pairs", "", "", page.number(found.random_cosine), "")
    chosen = next(one for one in found.methods if one.chosen)
    table.add_row("residual", "", "", page.number(chosen.residual), "")
    yield table


def _cells(page: Page, sight: Sight, name: str) -> tuple[str, str]:
    found: Estimate | float | None = getattr(sight, name)
    if found is None or isinstance(found, float):
        return page.number(found), ""
    return page.number(found.value), page.interval(found.ci)


def _methods(page: Page, found: Alignment) -> Iterator[RenderableType]:
    table = page.table("left", "left", "right", "left", "right", "left")
    table.add_row("", "map", "recall", "interval", "residual", "")
    for one in found.methods:
        detail = [
            None if one.rank is None else f"rank {one.rank}",
            None if one.penalty is None else f"penalty {one.penalty:g}",
            "lengths" if one.lengths else None,
        ]
        table.add_row(
            page.glyphs.met if one.chosen else "",
            Text(one.method, "bold" if one.chosen else ""),
            page.number(one.recall.value),
            page.interval(one.recall.ci),
            page.number(one.residual),
            page.join(detail),
        )
    yield table


def _curve(page: Page, found: Alignment) -> Iterator[RenderableType]:
    table = page.table("right", "right", "left", "left")
    table.add_row("pairs", "recall", "interval", "")
    for point in found.curve:
        value = point.recall.value
        bar = "" if value is None else page.bar(value, None, BAR_COLUMNS, "cyan")
        table.add_row(f"{point.pairs:,}", page.number(value), page.interval(point.recall.ci), bar)
    yield table


def _pairs(found: Alignment) -> str:
    if found.fitted_on == found.pairs:
        return f"fitted on all {count(found.pairs, 'pair')}"
    return f"fitted on {found.fitted_on:,} of {count(found.pairs, 'pair')}"


def _file(
    page: Page, found: Alignment, written: str | None, column: str | None
) -> Iterator[RenderableType]:
    source, target = found.direction[0].upper(), found.direction[-1].upper()
    if written is None:
        yield page.text("not written; --force writes a map that does not help")
        return
    p, q = (found.a.dim, found.b.dim) if source == "A" else (found.b.dim, found.a.dim)
    yield page.text(
        f"{written}: from {p} to {q} dimensions, {_pairs(found)}; "
        f"a mapped query costs {1e6 * found.timing['query']:.0f} microseconds more"
    )
    uri = found.a.uri if source == "A" else found.b.uri
    command = apply_command(written, uri, "mapped.npy", column)
    yield page.text(f"Carry {source}'s vectors into {target}'s space:")
    yield Text(encodable(printable(command), page.encoding), "cyan", no_wrap=True)
