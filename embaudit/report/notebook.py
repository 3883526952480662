"""The report in a notebook: an HTML fragment that brings neither styles nor scripts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from embaudit.report.evidence import RETRIEVAL, Line, asked, held_against, queries_asked
from embaudit.report.glyphs import UNICODE
from embaudit.report.page import Page
from embaudit.report.plain import count, level, printable, share
from embaudit.report.sections import SEVERITY_STYLES, VERDICT_STYLES
from embaudit.report.wording import advised, gate, sampled

if TYPE_CHECKING:
    from embaudit.result import Audit, Measure, SetInfo

PAGE = Page(UNICODE, "utf-8", width=0)
"""Notebooks are UTF-8 and wrap lines themselves."""

COLOURS = {
    "green": "46, 158, 79",
    "yellow": "192, 138, 0",
    "cyan": "27, 143, 168",
    "red": "217, 72, 74",
    "magenta": "168, 85, 199",
    "": "127, 127, 127",
}
"""RGB of the terminal's colours: mid-tones, for borders and tints on white and on black.

Text never has a colour: it takes the notebook's own, which is legible in every theme.
"""

# Every property and value below passes JupyterLab's sanitizer, which checks both; so do the tags.
FRAME = "max-width:60em;line-height:1.5;margin:0.3em 0"
HEAD = "padding:0.6em 1em;border-left:6px solid rgba({0}, 1);background-color:rgba({0}, 0.13)"
WORD = "font-size:150%;margin-right:0.8em"
LINE = "margin:0.4em 0;overflow-wrap:break-word"
OPENING = "margin:1em 0 0.3em 0;overflow-wrap:break-word"
QUIET = "margin:0.2em 0;opacity:0.75;overflow-wrap:break-word"
SCROLLED = "overflow-x:auto;margin:0.3em 0"
TABLE = "border-collapse:collapse;table-layout:auto;width:100%;margin:0;font-size:90%"
ROW = "background-color:transparent"
CELL = (
    "text-align:{};vertical-align:top;white-space:nowrap;padding:0.15em 0.8em 0.15em 0;"
    "border:none;font-weight:normal"
)
GROUP_CELL = f"{CELL};border-top:1px solid rgba(127, 127, 127, 0.3)"
BAR_CELL = "width:35%;min-width:5em"
BAR = "height:0.9em;margin-top:0.3em;white-space:nowrap;overflow:hidden"
TRACK = "background-color:rgba(127, 127, 127, 0.2)"
PIECE = "display:inline-block;vertical-align:top;box-sizing:border-box;height:100%"
MARK = "border-right:3px solid"
LIST = "list-style-type:none;margin:0.4em 0;padding:0"
ITEM = "margin:0.3em 0;padding-left:0.7em;border-left:3px solid rgba({}, 1)"
CODE = (
    "font-family:monospace;white-space:pre-wrap;overflow-wrap:break-word;margin:0.4em 0;"
    "padding:0.5em 0.8em;background-color:rgba(127, 127, 127, 0.13);border:none"
)


def render(audit: Audit) -> str:
    """Return the report as an HTML fragment for Jupyter and its kin.

    It is legible on light and dark pages and at any width, asks for nothing from the network,
    and still reads well where a sanitizer strips its inline styles. Text from outside is escaped.

    Parameters
    ----------
    audit : Audit
    """
    parts = [_head(audit), *_retrieval(audit), *_findings(audit), *_next_steps(audit)]
    # Without these classes MathJax would read what stands between two dollar signs as a formula.
    return _tag("div", *parts, style=FRAME, class_="tex2jax_ignore mathjax_ignore")


def _tag(name: str, *content: str, **attributes: str | int) -> str:
    """Return an element; `content` is HTML already, attributes are escaped here."""
    words = [
        f'{key.rstrip("_")}="{escape(printable(str(value)))}"' for key, value in attributes.items()
    ]
    return f"<{' '.join([name, *words])}>{''.join(content)}</{name}>"


def _text(content: str) -> str:
    """Return text from outside as HTML."""
    return escape(printable(content))


def _head(audit: Audit) -> str:
    sign = UNICODE.verdicts[audit.verdict]
    choice = f"({' or '.join(audit.candidates)}) " if len(audit.candidates) > 1 else ""
    colour = COLOURS[VERDICT_STYLES[audit.verdict]]
    return _tag(
        "div",
        _tag("strong", _text(f"{sign} {audit.verdict}"), style=WORD),
        f" {_text(choice)}",
        _tag("span", _gate(audit), style="white-space:nowrap"),
        _tag("p", _text(audit.summary), style=LINE),
        _tag("p", "<br>".join(map(_text, _compared(audit))), style=QUIET),
        style=HEAD.format(colour),
    )


def _gate(audit: Audit) -> str:
    wanted, answer = gate(audit)
    return f"{_text(wanted)}: {_tag('strong', answer)}"


def _compared(audit: Audit) -> Iterator[str]:
    queries = queries_asked(audit)
    facts = [
        sampled(audit),
        count(audit.pairing.distinct_rows, "distinct row"),
        audit.metric,
        f"k {audit.k}",
        None if queries is None else f"{queries:,} queries",
    ]
    yield f"A {_shape(audit.a)}"
    yield f"B {_shape(audit.b)}"
    yield PAGE.join(facts)


def _shape(side: SetInfo) -> str:
    return f"{side.uri} ({side.rows:,} {UNICODE.times} {side.dim} {side.dtype})"


def _retrieval(audit: Audit) -> Iterator[str]:
    """Yield the recalls, what matters most at the left: narrow notebooks scroll to the rest."""
    what = f"share of the true top {audit.k} found; A in B: A's vectors search B"
    yield _tag("p", _tag("strong", "Retrieval"), " ", _text(what), style=OPENING)
    interval = f"{level(audit.policy.confidence)} interval"
    header = [
        _tag("th", style=CELL.format("left"), colspan=2),
        *(
            _tag("th", _text(title), style=CELL.format("right"), scope="col")
            for title in ("recall", "asked", "", interval, "chance")
        ),
    ]
    rows = [
        row
        for _, lines in groupby(RETRIEVAL, key=lambda line: line.group)
        for row in _group(audit, list(lines))
    ]
    table = _tag(
        "table",
        _tag("thead", _tag("tr", *header, style=ROW)),
        _tag("tbody", *rows),
        style=TABLE,
    )
    yield _tag("div", table, style=SCROLLED)


def _group(audit: Audit, lines: list[Line]) -> Iterator[str]:
    for position, line in enumerate(lines):
        cell = CELL if position else GROUP_CELL
        measure = audit.measures[line.id]
        cells = [_tag("th", _text(line.label), style=cell.format("left"), scope="row")]
        if position == 0:
            group = _text(line.group)
            cells.insert(0, _tag("th", group, style=cell.format("left"), rowspan=len(lines)))
        cells += _evidence(measure, asked(line, audit.policy, measure.chance), cell)
        yield _tag("tr", *cells, style=ROW, title=measure.reason or measure.title)


def _evidence(measure: Measure, wanted: float | None, cell: str) -> Iterator[str]:
    """Yield the cells of one measure."""
    sign, style = _standing(measure, wanted)
    bar = "" if measure.value is None else _bar(measure.value, wanted, COLOURS[style])
    limit = "" if wanted is None else share(wanted)
    yield _tag("td", f"{sign} {PAGE.number(measure.value)}".strip(), style=cell.format("right"))
    yield _tag("td", limit, style=cell.format("right"))
    yield _tag("td", bar, style=f"{cell.format('left')};{BAR_CELL}")
    yield _tag("td", PAGE.interval(measure.ci), style=cell.format("right"))
    yield _tag("td", PAGE.number(measure.chance), style=cell.format("right"))


def _standing(measure: Measure, wanted: float | None) -> tuple[str, str]:
    """Return the sign and the colour of a measure against what is asked of it."""
    if measure.value is None or wanted is None:
        return "", ""
    match held_against(measure, wanted):
        case True:
            return UNICODE.met, "green"
        case False:
            return UNICODE.missed, "red"
        case None:
            return UNICODE.open, "magenta"


def _bar(value: float, mark: float | None, colour: str) -> str:
    """Return a bar from 0 to 1, with what is asked marked across it.

    The mark is the right border of the piece that ends there, so that no rounding can draw a value
    on the wrong side of it.
    """
    filled = min(max(value, 0.0), 1.0)
    tint = f"background-color:rgba({colour}, 0.75)"
    if mark is None:
        pieces = [(filled, tint)]
    elif value >= mark:
        pieces = [(mark, f"{tint};{MARK}"), (filled - mark, tint)]
    else:
        pieces = [(filled, tint), (mark - filled, MARK)]
    drawn = (
        _tag("span", style=f"{PIECE};width:{100 * width:.1f}%;{style}")
        for width, style in pieces
        if width > 0
    )
    return _tag("div", *drawn, style=f"{BAR};{TRACK}")


def _findings(audit: Audit) -> Iterator[str]:
    if not audit.findings:
        return
    yield _tag("p", _tag("strong", "Findings"), style=OPENING)
    items = (
        _tag(
            "li",
            _tag("strong", f"{UNICODE.severities[finding.severity]} {finding.severity}"),
            " ",
            _text(finding.message),
            style=ITEM.format(COLOURS[SEVERITY_STYLES[finding.severity]]),
        )
        for finding in audit.findings
    )
    yield _tag("ul", *items, style=LIST)


def _next_steps(audit: Audit) -> Iterator[str]:
    advice = audit.recommendation
    yield _tag("p", _tag("strong", "Next"), " ", _text(advice.action), style=OPENING)
    facts = PAGE.join(advised(advice))
    if facts:
        yield _tag("p", _text(facts), style=QUIET)
    for command in advice.commands:
        yield _tag("pre", _text(command), style=CODE)
