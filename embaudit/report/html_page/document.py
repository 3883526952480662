"""The HTML document of an audit, of several, and of another gate."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from embaudit.report.formats import MOST_LAYOUTS
from embaudit.report.html_page.tables import as_html
from embaudit.report.html_page.views import PAGE, SIGNS, Section, View
from embaudit.report.plain import count, printable

if TYPE_CHECKING:
    import jinja2

    from embaudit.checking import Checked
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Audit


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
