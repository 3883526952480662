"""The HTML document of an audit, and of several."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from embaudit.figures import FEWEST_LAID_OUT
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
from embaudit.report.evidence import queries_asked
from embaudit.report.formats import MOST_LAYOUTS
from embaudit.report.glyphs import UNICODE
from embaudit.report.html_page.charts import Chart, charts
from embaudit.report.html_page.panels import Panels, panels
from embaudit.report.html_page.tables import as_html
from embaudit.report.html_page.tracks import Track, group_tracks, recall_tracks
from embaudit.report.page import Page
from embaudit.report.plain import count, level, percent, printable
from embaudit.report.wording import Answer, advised, gate, sampled

if TYPE_CHECKING:
    import jinja2

    from embaudit.checking import Checked
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Audit

PAGE = Page(UNICODE, "utf-8", width=0)
"""Without bars: the page draws its own."""
WIDE = Page(UNICODE, "utf-8", width=1000)
"""For tables that leave columns out where there is no room."""
SIGNS: dict[Answer, str] = {
    "met": UNICODE.met,
    "not met": UNICODE.missed,
    "undecided": UNICODE.open,
}


@dataclass(frozen=True)
class Section:
    """A table or some lines under a heading.

    Attributes
    ----------
    title : str
    remark : str
    html : str
        Escaped.
    folded : bool
        Shown only when it is asked for.
    """

    title: str
    remark: str
    html: str
    folded: bool = False


@dataclass(frozen=True)
class View:
    """What the template shows of one audit.

    Attributes
    ----------
    key : str
        Distinguishes its elements from those of others on the page.
    name : str or None
        Of a pair among several.
    audit : Audit
    """

    key: str
    name: str | None
    audit: Audit
    with_layouts: bool = True

    @property
    def colour(self) -> str:
        """Return the class of the verdict's colour."""
        return sections.VERDICT_STYLES[self.audit.verdict]

    @property
    def frame(self) -> str:
        """Return the class of the colour of the gate's answer."""
        return sections.ANSWER_STYLES[gate(self.audit)[1]]

    @property
    def sign(self) -> str:
        """Return the verdict's sign."""
        return UNICODE.verdicts[self.audit.verdict]

    @property
    def meaning(self) -> str:
        """Return what the verdict asks for, or between what it is open."""
        return sections.MEANINGS.get(self.audit.verdict) or " or ".join(self.audit.candidates)

    @property
    def gate(self) -> tuple[str, Answer, str]:
        """Return what is required, whether it is met, and the sign of the answer."""
        wanted, answer = gate(self.audit)
        return wanted, answer, SIGNS[answer]

    @property
    def facts(self) -> list[str]:
        """Return what was compared, and how."""
        audit = self.audit
        queries = queries_asked(audit)
        kind = "queries" if audit.queries is None else "real queries"
        found = [
            sampled(audit),
            count(audit.pairing.distinct_rows, "distinct row"),
            str(audit.metric),
            f"k {audit.k}",
            None if queries is None else f"{queries:,} {kind}",
        ]
        return [fact for fact in found if fact is not None]

    @property
    def advice(self) -> str:
        """Return which map, where to and how good, in one line."""
        return PAGE.join(advised(self.audit.recommendation))

    @property
    def interval(self) -> str:
        """Return what the intervals are."""
        return f"{level(self.audit.policy.confidence)} interval"

    @property
    def recalls(self) -> list[Track]:
        """Return the recalls on their tracks."""
        return list(recall_tracks(self.audit))

    @property
    def groups(self) -> list[Track]:
        """Return the recall of each slice on its track."""
        return [] if self.audit.slices is None else list(group_tracks(self.audit.slices))

    @property
    def panels(self) -> Panels | None:
        """Return both spaces as planes."""
        if self.audit.layouts is None or not self.with_layouts:
            return None
        return panels(self.audit, self.audit.layouts)

    @property
    def why(self) -> str:
        """Return why the gate answers as it does."""
        return baseline.why(self.audit)

    @property
    def no_planes(self) -> str:
        """Return why both spaces are not drawn."""
        if self.audit.pairing.distinct_rows < FEWEST_LAID_OUT:
            return "Too few rows to draw both spaces as planes."
        if self.name is not None:
            return f"Both spaces are drawn as planes for the first {MOST_LAYOUTS} pairs alone."
        return (
            "Both spaces as planes are not part of this audit: embaudit compare A B --output "
            "html=FILE adds them, from Python layouts=True."
        )

    @property
    def charts(self) -> list[Chart]:
        """Return the charts."""
        return list(charts(self.audit))

    @property
    def sections(self) -> list[Section]:
        """Return the tables below the pictures."""
        return list(_sections(self.audit))


@dataclass(frozen=True)
class Row:
    """One pair among several; `key` is None where there is no report of it."""

    name: str
    key: str | None
    verdict: str
    colour: str
    sign: str
    told: str


def render(audit: Audit) -> str:
    """Return the page, without a final newline."""
    view = View("1", None, _as_written(audit))
    title = f"embaudit: {audit.verdict}, {': '.join(view.gate[:2])}"
    return _page("audits.html.j2", title, views=[view], rows=[])


def render_gate(found: GateSheet) -> str:
    """Return the page of another gate's answer."""
    parts = [
        Section(title, remark, as_html(tables)) for title, remark, tables in found.sections(PAGE)
    ]
    title = f"embaudit: {found.answer.word}"
    return _page("gate.html.j2", title, found=found.answer, sections=parts)


def render_checks(checked: Sequence[Checked]) -> str:
    """Return one page for all pairs: a table, then the report of each, folded."""
    met = sum(one.exit_code == 0 for one in checked)
    rows: list[Row] = []
    views: list[View] = []
    for number, one in enumerate(checked, 1):
        if one.audit is None:
            sign = SIGNS["not met"]
            rows.append(Row(one.name, None, "error", "red", sign, one.error or "not compared"))
            continue
        view = View(str(number), one.name, _as_written(one.audit), number <= MOST_LAYOUTS)
        views.append(view)
        wanted, answer, sign = view.gate
        told = f"{wanted}: {answer}"
        rows.append(Row(one.name, view.key, str(one.audit.verdict), view.colour, sign, told))
    title = f"embaudit: {met} of {count(len(checked), 'pair')} met"
    return _page("audits.html.j2", title, views=views, rows=rows, all_met=met == len(checked))


def _as_written(audit: Audit) -> Audit:
    """Return the audit as its JSON has it, so that the page is the same as from there."""
    return type(audit).model_validate(audit.to_dict())


def _page(template: str, title: str, **shown: object) -> str:
    script = _file("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _templates().get_template(template)
    text = page.render(title=title, style=_file("style.css"), script=script, digest=digest, **shown)
    return text.rstrip("\n")


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _templates() -> jinja2.Environment:
    import jinja2
    from markupsafe import Markup

    def shown(value: object) -> object:
        """Escape control characters too, in everything that is not HTML already."""
        if isinstance(value, str) and not isinstance(value, Markup):
            return printable(value)
        return value

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _sections(audit: Audit) -> Iterator[Section]:
    if audit.baseline is not None:
        parts = baseline.section(PAGE, audit, audit.baseline)
        yield Section("Baseline", printable(audit.baseline.uri), as_html(parts))
    yield Section("Compared", "", as_html(sections.compared(PAGE, audit), heads=0))
    if audit.metrics:
        rows = f"all metrics on {audit.metrics[0].n:,} rows, k {audit.metrics[0].k}"
        yield Section("Metrics", rows, as_html(sections.metrics(PAGE, audit)))
    yield Section(
        "Similarity",
        "explains the verdict, does not decide it",
        as_html(sections.similarity(PAGE, audit)),
    )
    if audit.measures_at_k:
        decides = f"from the same searches; k {audit.k} decides"
        yield Section("Other k", decides, as_html(sections.other_k(WIDE, audit), labels=2))
    if audit.thresholds is not None and audit.thresholds.rows:
        parts = thresholds.section(PAGE, audit, audit.thresholds)
        yield Section("Threshold", thresholds.remark(audit.thresholds), as_html(parts))
    if audit.projection is not None:
        parts = projection.section(PAGE, audit, audit.projection)
        heading, remark = projection.title(audit.projection), projection.remark(audit.projection)
        yield Section(heading, remark, as_html(parts, labels=2))
    if audit.rerun is not None:
        remark = "differences as multiples of those between two runs of A"
        yield Section("Noise floor", remark, as_html(rerun.rerun(PAGE, audit.rerun), labels=2))
    if audit.slices is not None:
        parts = slices.section(PAGE, audit, audit.slices, verbose=True)
        title, remark = slices.title(PAGE, audit.slices), slices.remark(audit, audit.slices)
        yield Section(title, remark, as_html(parts), folded=True)
    if audit.worst:
        remark = "of those measured; --output rows=FILE.csv writes them all"
        yield Section(
            "Worst rows",
            remark,
            as_html(worst_rows.section(PAGE, audit), heads=2),
            folded=not worst_rows.says_something(audit),
        )
    yield Section("Data", "", as_html(sections.data(PAGE, audit)))
    yield Section("Measures", "", as_html(details.measures(PAGE, audit), heads=0), folded=True)
    yield Section("Asked", "", as_html(_asked(audit)), folded=True)


def _asked(audit: Audit) -> Iterator[Any]:
    """Yield the policy, the version and the time, as lines."""
    from rich.text import Text

    policy = audit.policy
    yield Text(
        PAGE.join(
            [
                f"require {policy.require}",
                f"recall {policy.min_recall:g}",
                f"mapped recall {policy.min_aligned_recall:g}",
                f"at most {percent(policy.max_mispaired)} mispaired",
                f"at least {percent(policy.min_matched)} matched",
                f"confidence {level(policy.confidence)}",
                f"at most {policy.max_queries:,} queries",
                f"seed {audit.seed}",
                f"embaudit {audit.embaudit_version}",
            ]
        )
    )
    yield from details.timing(PAGE, audit)
