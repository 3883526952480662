"""What `align --method joint` and `verify` of its maps found, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from embaudit.report.commands import apply_command
from embaudit.report.gate_sheet import Answer, GateSheet
from embaudit.report.page import Page
from embaudit.report.plain import count, encodable, printable, share
from embaudit.report.sheet import Sheet, badge, headed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.joint_space import (
        BothWays,
        HeadFigures,
        JointAlignment,
        JointVerification,
        SharedSight,
    )
    from embaudit.report.sheet import Placed
    from embaudit.result import Estimate

WAYS = ("a_to_b", "b_to_a")
KINDS = {"cca": "closed form", "linear": "trained, linear", "hidden": "trained, one hidden layer"}


def summary(found: JointAlignment) -> str:
    """Return what the shared space recovers, in a sentence."""
    after = _ways(found.after.retrieval)
    before = (
        "" if found.before.retrieval is None else f"; as stored {_ways(found.before.retrieval)}"
    )
    if found.helps:
        return (
            f"In a shared space of {found.dim} dimensions rows find their partners among the first "
            f"10: {after}, of rows that the heads have not seen{before}."
        )
    return (
        f"No shared space is worth having: the partner is among the first 10 for {after} of rows "
        f"that the heads have not seen{before}; asked for are {found.min_aligned_recall:g} both "
        "ways and a gain above 0.02."
    )


def one_line(found: JointAlignment, encoding: str = "utf-8") -> str:
    """Return whether the space helps and why, in one line that `encoding` can carry."""
    word = "helps" if found.helps else "does not help"
    return encodable(printable(f"{word}: {summary(found)}"), encoding)


def verified(found: JointVerification) -> str:
    """Return whether the heads still do, in a sentence."""
    verdict = "still do" if found.passed else "no longer do"
    fault = "" if found.fault is None else f": {found.fault}"
    return f"The heads {verdict}{fault}. R@10 is {_ways(found.now.retrieval)}."


def _ways(found: BothWays | None) -> str:
    values = [] if found is None else [found.a_to_b.at_10.value, found.b_to_a.at_10.value]
    shares = ["unknown" if value is None else share(value) for value in values]
    return " (A to B) and ".join(shares) + " (B to A)" if shares else "not measured"


class JointReport(Sheet):
    """The report of a shared space.

    Parameters
    ----------
    found : JointAlignment
    written : (str, str) or None
        Where the heads were written; None where they were not.
    column : str or None
        That the vectors were named by.
    """

    def __init__(
        self,
        found: JointAlignment,
        written: tuple[str, str] | None,
        column: str | None = None,
        fold: bool = False,
    ) -> None:
        super().__init__(fold)
        self._found, self._written, self._column = found, written, column

    def parts(self, page: Page) -> Iterator[Placed]:
        """Yield the sections."""
        found = self._found
        facts = [count(found.pairs, "distinct pair"), str(found.metric), f"k {found.k}"]
        word = "SPACE HELPS" if found.helps else "NO SPACE HELPS"
        yield 0, badge(page, found.helps, "cyan", word, f"joint, {KINDS[found.heads]}", facts)
        yield 0, page.text(summary(found))
        rows = f"{found.queries:,} rows, mapped by heads that have not seen them"
        yield from headed("Partner among the first", _retrieval(page, found), rows)
        remark = "of unit rows; alignment and uniformity: less is better"
        columns = [("stored", found.before), ("joint", found.after)]
        yield from headed("Space", _space(page, columns), remark)
        remark = f"share of each row's top {found.k} in its own set that it has in the shared space"
        yield from headed("Kept", _kept(page, found), remark)
        yield from headed("Heads", _heads(page, found.figures))
        yield from headed("Maps", _files(page, found, self._written, self._column))


class JointVerificationReport(GateSheet):
    """The report of heads that were measured again."""

    def __init__(self, found: JointVerification, fold: bool = False) -> None:
        same = "These are the files they were fitted on: nothing new is learnt."
        answer = Answer(
            document=found,
            subject=" and ".join(found.maps),
            passed=found.passed,
            word="heads hold" if found.passed else "heads fail",
            kind=found.method,
            sentence=verified(found),
            facts=[count(found.pairs, "distinct pair"), str(found.metric)],
            seconds=found.timing.get("total", 0.0),
            remarks=[same] if found.same_inputs else [],
        )
        super().__init__(answer, fold)
        self._found = found

    def sections(self, page: Page) -> Iterator[tuple[str, str, Iterable[RenderableType]]]:
        """Yield what the heads recover, now and then, and the space they lead to."""
        found = self._found
        rows = f"{found.queries:,} rows"
        yield "Partner among the first", rows, _then_and_now(page, found)
        yield "Space", "", _space(page, [("now", found.now)])


def _way(direction: str) -> str:
    return f"{direction[0].upper()} to {direction[-1].upper()}"


def _figures(found: BothWays, direction: str) -> dict[str, Estimate]:
    """Return the figures of a direction by the number of first rows."""
    recall = getattr(found, direction)
    return {name.removeprefix("at_"): getattr(recall, name) for name in type(recall).model_fields}


def _cells(page: Page, found: Estimate | None) -> tuple[str, str]:
    return ("", "") if found is None else (page.number(found.value), page.interval(found.ci))


def _retrieval(page: Page, found: JointAlignment) -> Iterator[RenderableType]:
    stored = found.before.retrieval
    sights = [] if stored is None else [("stored", stored)]
    sights += [(KINDS[one.heads], one.retrieval) for one in found.figures]
    first = list(_figures(found.figures[0].retrieval, "a_to_b"))
    table = page.table("left", "left", "right", "right", "right", "left")
    table.add_row("", "", *first, f"interval of {first[-1]}")
    for direction in WAYS:
        for place, (name, sight) in enumerate(sights):
            *fewer, most = _figures(sight, direction).values()
            values = [page.number(one.value) for one in fewer]
            table.add_row("" if place else _way(direction), name, *values, *_cells(page, most))
    yield table


def _then_and_now(page: Page, found: JointVerification) -> Iterator[RenderableType]:
    table = page.table("left", "right", "right", "left", "right", "left")
    table.add_row("", "first", "now", "interval", "then", "interval")
    now = found.now.retrieval
    assert now is not None, "heads lead to one space"
    for direction in WAYS:
        for place, (first, figure) in enumerate(_figures(now, direction).items()):
            then = found.recorded.get(f"{direction}.at_{first}")
            cells = *_cells(page, figure), *_cells(page, then)
            table.add_row("" if place else _way(direction), first, *cells)
    yield table


def _space(page: Page, columns: Sequence[tuple[str, SharedSight]]) -> Iterator[RenderableType]:
    table = page.table("left")
    for _ in columns:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", *[name for name, _ in columns])
    labels = {
        "modality_gap": "modality gap",
        "alignment": "alignment",
        "uniformity_a": "uniformity, A",
        "uniformity_b": "uniformity, B",
    }
    for name, label in labels.items():
        table.add_row(label, *[page.number(getattr(sight, name)) for _, sight in columns])
    yield table


def _kept(page: Page, found: JointAlignment) -> Iterator[RenderableType]:
    table = page.table("left", "right", "left")
    for side, kept in (("A", found.kept_a), ("B", found.kept_b)):
        table.add_row(side, *(_cells(page, kept) if kept else (page.number(None), "")))
    yield table


def _heads(page: Page, figures: Sequence[HeadFigures]) -> Iterator[RenderableType]:
    for one in figures:
        facts: list[str | None] = [
            f"penalty {one.penalty:g}",
            f"correlation to the power {one.power:g}",
        ]
        if one.epochs is not None:
            facts = [
                count(one.epochs, "epoch"),
                f"on {count(one.trained_on or 0, 'pair')}",
                f"temperature {one.temperature:.3g}",
                None if one.hidden is None else f"{one.hidden:,} hidden units",
            ]
        yield page.text(f"{KINDS[one.heads]}: {page.join(facts)}")
        if one.epochs == 0:
            yield page.text("Training gained nothing on rows it had not seen: it is the former.")


def _files(
    page: Page, found: JointAlignment, written: tuple[str, str] | None, column: str | None
) -> Iterator[RenderableType]:
    if written is None:
        yield page.text("not written; --force writes maps that do not help")
        return
    trained_on = found.figures[-1].trained_on
    pairs = f"fitted on all {count(found.pairs, 'pair')}"
    if trained_on is not None and trained_on < found.pairs:
        pairs = f"trained on {trained_on:,} of {count(found.pairs, 'pair')}"
    yield page.text(
        f"{written[0]} and {written[1]}: from {found.a.dim} and {found.b.dim} to {found.dim} "
        f"dimensions, {pairs}"
    )
    yield page.text("Carry both into the shared space:")
    for side, path, uri in zip("ab", written, (found.a.uri, found.b.uri), strict=True):
        command = apply_command(path, uri, f"joint_{side}.npy", column)
        yield Text(encodable(printable(command), page.encoding), "cyan", no_wrap=True)
