"""The report as Markdown, for a comment on a pull request or the summary of a CI run."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from embaudit.report.baseline import changes, label, sentence
from embaudit.report.evidence import RETRIEVAL, Line, asked, held_against
from embaudit.report.glyphs import UNICODE
from embaudit.report.grid import Grid
from embaudit.report.page import Page
from embaudit.report.plain import count, level, printable, share
from embaudit.report.wording import advised, gate, sampled

if TYPE_CHECKING:
    from embaudit.checking import Checked
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Audit

MARKS = {True: "✅", False: "❌", None: "❔"}
ANSWERS = {"met": "✅", "not met": "❌", "undecided": "❔"}
PAGE = Page(UNICODE, "utf-8", 80)
"""Numbers and signs are those of the terminal."""
LINKING = re.compile(r":(?=//)|(?i:www)(?=\.)|@(?=\w)|#(?=\w)|:(?=[\w+-]*[a-z][\w+-]*:)")
"""Where text would become a link, a mention, an issue or an emoji."""
JOINER = "&#8288;"
"""A word joiner, which nobody sees and which keeps names from becoming links or mentions."""


def render(audit: Audit) -> str:
    """Return the report, without a final newline."""
    return "\n".join(_lines(audit))


def render_gate(found: GateSheet) -> str:
    """Return the answer of a gate, and tables of what it rests on."""
    answer = found.answer
    mark = MARKS[answer.passed]
    lines = [f"### {mark} embaudit: {answer.word}", "", f"**{escaped(answer.sentence)}**", ""]
    lines += [f"<code>{escaped(answer.subject)}</code> {PAGE.join(answer.facts)}"]
    for remark in answer.remarks:
        lines += ["", remark]
    for title, remark, parts in found.sections(PAGE):
        lines += ["", f"{title}, {remark}" if remark else title, ""]
        for part in parts:
            if isinstance(part, Table):
                lines += _table(Grid.of(part))
    return "\n".join(lines)


def _table(grid: Grid) -> Iterator[str]:
    yield _cells(grid.titles)
    yield _cells(["---:" if right else "---" for right in grid.numeric])
    for row in grid.rows:
        yield _cells([escaped(cell) for cell in row])


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def render_checks(checked: Sequence[Checked]) -> str:
    """Return a table of all pairs, and the report of each, folded."""
    met = sum(one.exit_code == 0 for one in checked)
    mark = ANSWERS["met"] if met == len(checked) else ANSWERS["not met"]
    lines = [f"### {mark} embaudit: {met} of {count(len(checked), 'pair')} met", ""]
    lines += ["| | pair | verdict | |", "|---|---|---|---|"]
    for one in checked:
        wanted, answer = ("", "not met") if one.audit is None else gate(one.audit)
        verdict = "error" if one.audit is None else str(one.audit.verdict)
        told = escaped(one.error or "") if one.audit is None else f"{wanted}: {answer}"
        lines.append(f"| {ANSWERS[answer]} | {escaped(one.name)} | {verdict} | {told} |")
    for one in checked:
        if one.audit is not None:
            title = f"{escaped(one.name)}: {one.audit.verdict}"
            lines += ["", f"<details><summary>{title}</summary>", "", render(one.audit), ""]
            lines.append("</details>")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Return text that shows as it is: no markup, no HTML, no link, no mention, on one line."""
    plain = html.escape(printable(text), quote=False)
    plain = re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", plain)
    # In one go: the sign of an entity is none of the text's.
    return LINKING.sub(lambda found: f"{found[0]}{JOINER}", plain)


def fenced(lines: list[str]) -> str:
    """Return lines as a block of shell commands that nothing in them can end."""
    shown = [printable(line) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}sh", *shown, fence])


def _lines(audit: Audit) -> Iterator[str]:
    wanted, answer = gate(audit)
    facts = [
        f"{wanted}: **{answer}**",
        sampled(audit) or count(audit.pairing.distinct_rows, "distinct row"),
        str(audit.metric),
        f"k {audit.k}",
    ]
    yield f"### {ANSWERS[answer]} embaudit: {audit.verdict}"
    yield ""
    yield f"**{escaped(audit.summary)}**"
    yield ""
    yield PAGE.join(facts)
    yield ""
    if audit.baseline is not None:
        yield f"{escaped(sentence(audit, audit.baseline))}"
        yield ""
        for change in changes(audit.baseline):
            then, now = PAGE.number(change.accepted.value), PAGE.number(change.now.value)
            yield f"- {escaped(label(change))}: **{change.standing}**, {then} accepted, {now} now"
        yield ""
    yield f"| | recall | {level(audit.policy.confidence)} interval | asked | |"
    yield "|---|---:|---|---:|---|"
    for line in RETRIEVAL:
        yield _row(audit, line)
    yield ""
    for name, side in (("A", audit.a), ("B", audit.b)):
        shape = f"{side.rows:,} {UNICODE.times} {side.dim} {side.dtype}"
        # Two spaces at the end break the line.
        yield f"{name}: <code>{escaped(side.uri)}</code> {shape}  "
    if audit.findings:
        yield ""
        yield f"<details><summary>{count(len(audit.findings), 'finding')}</summary>"
        yield ""
        for finding in audit.findings:
            yield f"- **{finding.severity}**: {escaped(finding.message)}"
        yield ""
        yield "</details>"
    yield ""
    yield f"**Next:** {escaped(audit.recommendation.action)}"
    details = PAGE.join(advised(audit.recommendation))
    if details:
        yield ""
        yield escaped(details)
    if audit.recommendation.commands:
        yield ""
        yield fenced(audit.recommendation.commands)


def _row(audit: Audit, line: Line) -> str:
    measure = audit.measures[line.id]
    wanted = asked(line, audit.policy, measure.chance)
    value, interval = PAGE.number(measure.value), PAGE.interval(measure.ci)
    mark = ""
    if wanted is not None and measure.value is not None:
        mark = MARKS[held_against(measure, wanted)]
    limit = "" if wanted is None else share(wanted)
    return f"| {line.group}: {line.label} | {value} | {interval} | {limit} | {mark} |"
