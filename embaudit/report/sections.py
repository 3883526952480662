"""The sections of the terminal report that everyone sees, top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from embaudit.report.evidence import RETRIEVAL, SIMILARITY, Line, asked, held_against, queries_asked
from embaudit.report.page import INDENT, Page
from embaudit.report.plain import count, level, percent, probability
from embaudit.report.wording import Answer, advised, gate, sampled

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType

    from embaudit.result import Audit, Measure, SetInfo

VERDICT_STYLES = {
    "safe": "green",
    "degraded": "yellow",
    "align": "cyan",
    "concatenate": "red",
    "mispaired": "red",
    "unrelated": "red",
    "inconclusive": "magenta",
}
MEANINGS = {
    "safe": "compare the vectors directly",
    "degraded": "compare directly, at a loss",
    "align": "fit a map before comparing",
    "concatenate": "keep apart, or concatenate",
    "mispaired": "fix the pairing first",
    "unrelated": "rows do not correspond",
}
"""What a verdict asks for, in the fewest words; summary and advice say more."""
ANSWER_STYLES: dict[Answer, str] = {"met": "green", "not met": "red", "undecided": "magenta"}
SEVERITY_STYLES = {"info": "", "warning": "yellow", "error": "red"}

EVIDENCE_COLUMNS = 49
"""Columns that the evidence table takes without its intervals and bars."""

OTHER_K_COLUMNS = (30, 22)
"""Columns that the labels take, and each k with its interval."""

BAR_COLUMNS = (8, 28)
"""The shortest bar worth drawing, and the longest."""


def verdict(page: Page, audit: Audit) -> RenderableType:
    """Return the verdict, whether it meets what is required, and what it rests on, framed."""
    style = VERDICT_STYLES[audit.verdict]
    badge = f" {page.glyphs.verdicts[audit.verdict]} {audit.verdict.upper()} "
    meaning = MEANINGS.get(audit.verdict) or " or ".join(audit.candidates)
    word = Text.assemble((badge, f"bold reverse {style}"), ("  ", ""), (meaning, "bold"))
    queries = queries_asked(audit)
    kind = "queries" if audit.queries is None else "real queries"
    facts = [
        count(audit.pairing.distinct_rows, "distinct row"),
        audit.metric,
        f"k {audit.k}",
        None if queries is None else f"{queries:,} {kind}",
    ]
    line = Table.grid(expand=True, padding=(0, 2))
    line.add_column()
    line.add_column(justify="right", no_wrap=True)
    line.add_row(word, _gate(audit))
    basis = [Text(f" {page.join(facts)}")]
    part = sampled(audit)
    if part is not None:
        basis.insert(0, Text(f" {part}", "bold yellow"))
    # A verdict may be fine, and worse than was accepted.
    frame = style if audit.baseline is None else ANSWER_STYLES[gate(audit)[1]]
    return Panel(Group(line, Text(""), *basis), box=box.ROUNDED, border_style=frame, padding=(1, 2))


def _gate(audit: Audit) -> Text:
    wanted, answer = gate(audit)
    return Text.assemble(f"{wanted}: ", (answer, ANSWER_STYLES[answer]))


def compared(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield the two files and how their rows were compared."""
    files = page.table("left", "left", "right", "left", "left")
    files.columns[1].no_wrap = False
    for name, side in (("A", audit.a), ("B", audit.b)):
        shape = f"{side.rows:,} {page.glyphs.times} {side.dim}"
        source = page.text(side.uri)
        files.add_row(Text(name, "bold"), source, shape, side.dtype, _norms(page, side))
    yield files
    by = "position" if audit.pairing.by == "row" else "id"
    part = f"{count(audit.pairing.rows, 'row')} paired by {by}"
    yield Text(part if audit.sample is None else f"{part}, drawn from {audit.sample.of:,}")


def _norms(page: Page, side: SetInfo) -> str:
    if side.normalized:
        return "normalised"
    return f"norms {side.norm_min:.3g}{page.glyphs.range}{side.norm_max:.3g}"


def retrieval(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield the recalls with interval, chance and a bar on which what is asked is marked."""
    shortest, longest = BAR_COLUMNS
    intervals = f"{level(audit.policy.confidence)} interval"
    columns = min(page.width - INDENT - EVIDENCE_COLUMNS - len(intervals), longest)
    drawn = columns >= shortest
    table = page.table("left", "left", "right", "right", "right", "left", "left")
    scale = f"0{'1':>{columns - 1}}" if drawn else ""
    table.add_row("", "", "recall", intervals, "chance", "", scale)
    for group, lines in groupby(RETRIEVAL, key=lambda line: line.group):
        label = group
        for line in lines:
            measure = audit.measures[line.id]
            table.add_row(label, line.label, *_evidence(page, audit, line, measure, columns, drawn))
            label = ""
    yield table
    yield Text(_legend(page, audit, drawn))


def _evidence(
    page: Page, audit: Audit, line: Line, measure: Measure, columns: int, drawn: bool
) -> tuple[str | Text, ...]:
    wanted = asked(line, audit.policy, measure.chance)
    sign, style = _standing(page, measure, wanted)
    bar: str | Text = ""
    if drawn and measure.value is not None:
        bar = page.bar(measure.value, wanted, columns, style)
    return (
        page.number(measure.value),
        page.interval(measure.ci),
        page.number(measure.chance),
        Text(sign, style),
        bar,
    )


def _standing(page: Page, measure: Measure, wanted: float | None) -> tuple[str, str]:
    """Return the sign and the style for a measure against what is asked of it."""
    if measure.value is None or wanted is None:
        return " ", ""
    match held_against(measure, wanted):
        case True:
            return page.glyphs.met, "green"
        case False:
            return page.glyphs.missed, "red"
        case None:
            return page.glyphs.open, "magenta"


def _legend(page: Page, audit: Audit, drawn: bool) -> str:
    policy = audit.policy
    mark = f"{page.glyphs.mark} " if drawn else ""
    return (
        f"{mark}asked: {policy.min_recall:g} as stored and mixed, "
        f"{policy.min_aligned_recall:g} mapped, {1 - policy.max_mispaired:g} partner found"
    )


def other_k(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield the recalls at numbers of neighbours that do not decide."""
    ks = list(audit.measures_at_k)
    with_intervals = page.width >= OTHER_K_COLUMNS[0] + OTHER_K_COLUMNS[1] * len(ks)
    per_k: tuple[JustifyMethod, ...] = ("right", "left")
    table = page.table("left", "left", *per_k * len(ks))
    heads = ((f"k {int(k):,}", "interval" if with_intervals else "") for k in ks)
    table.add_row("", "", *(cell for pair in heads for cell in pair))
    for group, lines in groupby(
        (line for line in RETRIEVAL if line.group != "partner"), key=lambda line: line.group
    ):
        label = group
        for line in lines:
            cells: list[str] = []
            for k in ks:
                measure = audit.measures_at_k[k][line.id]
                interval = page.interval(measure.ci) if with_intervals else ""
                cells += [page.number(measure.value), interval]
            table.add_row(label, line.label, *cells)
            label = ""
    yield table


def metrics(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield how the pair looks under every metric."""
    numbers: tuple[JustifyMethod, ...] = ("right",) * 8
    table = page.table("left", *numbers)
    chosen = audit.metrics[0].metric
    table.add_row("", "shared", "A in B", "B in A", "RSA", "kept A", "kept B", "partners", "random")
    for row in audit.metrics:
        shares = (row.overlap, row.recall_a_to_b, row.recall_b_to_a, row.rsa)
        kept = (None, None) if row.metric == chosen else (row.agreement_a, row.agreement_b)
        scores = (row.partners, row.random)
        table.add_row(
            row.metric,
            *map(page.number, (*shares, *kept)),
            *(page.glyphs.missing if score is None else f"{score.mean:.3g}" for score in scores),
        )
    yield table
    yield Text(f"kept: shared with {chosen}'s neighbours; partners, random: mean score of pairs")


def similarity(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield what explains the verdict without deciding it."""
    table = page.table("left", "right", "right", "left")
    table.columns[3].no_wrap = False
    table.add_row("", "A to B", "B to A", "")
    for line in SIMILARITY:
        shown = [audit.measures[name] for name in line.ids]
        values = [page.number(measure.value) for measure in shown]
        p_value = shown[0].p_value
        note = line.note if p_value is None else f"{line.note}; {probability(p_value)}"
        table.add_row(line.label, *values, *[""] * (2 - len(values)), note)
    yield table


def data(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield what is noteworthy about the rows and their pairing, or that nothing is."""
    pairing = audit.pairing
    remarks = [
        *_health("A", audit.a),
        *_health("B", audit.b),
        *_counted(pairing.only_in_a, "only in A"),
        *_counted(pairing.only_in_b, "only in B"),
        *_counted(pairing.dropped_rows, "left out"),
    ]
    every = "every row is paired; none" if audit.sample is None else "of the sampled rows, none"
    for remark in remarks or [f"{every} is zero, non-finite or repeated"]:
        yield Text(remark)
    mispaired = pairing.mispaired_fraction
    if mispaired.value is not None:
        between = ""
        if mispaired.ci is not None:
            low, high = map(percent, mispaired.ci)
            between = f" ({level(audit.policy.confidence)} interval {low} to {high})"
        yield Text(f"{percent(mispaired.value)} of the pairs look mispaired{between}")


def _health(name: str, side: SetInfo) -> list[str]:
    return [
        *_counted(side.zero_rows, f"of {name} all zero"),
        *_counted(side.nonfinite_rows, f"of {name} with NaN or infinity"),
        *_counted(side.duplicate_rows, f"of {name} repeating an earlier one"),
        *_counted(side.constant_columns, f"of {name} holding one value", "column"),
    ]


def _counted(number: int, what: str, unit: str = "row") -> list[str]:
    return [f"{count(number, unit)} {what}"] if number else []


def findings(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield every finding under its severity."""
    table = page.table("left", "left", "left")
    table.columns[2].no_wrap = False
    for finding in audit.findings:
        style = SEVERITY_STYLES[finding.severity]
        sign = page.glyphs.severities[finding.severity]
        table.add_row(Text(sign, style), Text(finding.severity, style), page.text(finding.message))
    yield table


def next_steps(page: Page, audit: Audit) -> Iterator[RenderableType]:
    """Yield what to do, and the commands for it on one line each."""
    advice = audit.recommendation
    yield page.text(advice.action)
    facts = page.join(advised(advice))
    if facts:
        yield Text(facts)
    if advice.commands:
        yield Text("")
    for command in advice.commands:
        yield _unwrapped(page, command)


def _unwrapped(page: Page, command: str) -> Text:
    """Return a command that stays on one line, however long."""
    text = page.text(command, "bold")
    text.no_wrap = True
    text.overflow = "ignore"
    text.pad_left(INDENT)
    return text
