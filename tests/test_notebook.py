"""The report where an Audit shows itself: as HTML in a notebook, with rich at a prompt."""

import io
import json
import re
import shlex
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from commands import run_code
from rich.console import Console
from sample_audits import sample_audit, side

from embaudit.datatypes import Verdict
from embaudit.report.evidence import RETRIEVAL
from embaudit.report.glyphs import UNICODE
from embaudit.report.notebook import render
from embaudit.report.plain import printable
from embaudit.result import Audit, Finding, Policy, Recommendation

VERDICTS = list(Verdict)
DASH = "\N{EM DASH}"
VOID = {"br"}
TAGS = {"br", "div", "li", "p", "pre", "span", "strong", "table", "tbody", "td", "th", "thead"}
TAGS |= {"tr", "ul"}
ATTRIBUTES = {"class", "colspan", "rowspan", "scope", "style", "title"}
PROPERTIES = {
    *("background-color", "border", "border-collapse", "border-left", "border-right", "border-top"),
    *("box-sizing", "display", "font-family", "font-size", "font-weight", "height", "line-height"),
    *("list-style-type", "margin", "margin-right", "margin-top", "max-width", "min-width"),
    *("opacity", "overflow", "overflow-wrap", "overflow-x", "padding", "padding-left"),
    *("table-layout", "text-align", "vertical-align", "white-space", "width"),
}
"""Of those that JupyterLab's sanitizer keeps."""
VALUE = re.compile(r"([a-z-]+|[\d.]+(px|em|%)?|rgba\(\d+, \d+, \d+, [\d.]+\)| )+")
HOSTILE = (
    '</td></pre><script>alert(1)</script>"\' onload="x <img src=//evil> \x1b[2J\r\n\u202e&amp; $x$'
)


@dataclass
class Element:
    """One element of a parsed fragment."""

    name: str
    attributes: dict[str, str | None]
    content: list["Element | str"] = field(default_factory=list)

    def all(self, name: str | None = None) -> list["Element"]:
        """Return every element below, of that name if one is given."""
        inner = [item for item in self.content if isinstance(item, Element)]
        below = [found for item in inner for found in (item, *item.all())]
        return [element for element in below if name in (None, element.name)]

    def text(self) -> str:
        """Return the text as a reader without styles has it."""
        return "".join(item if isinstance(item, str) else item.text() for item in self.content)

    def style(self) -> dict[str, str]:
        """Return the declarations of the style attribute."""
        written = self.attributes.get("style") or ""
        return dict(part.split(":", 1) for part in written.split(";") if part)


class Strict(HTMLParser):
    """Builds a tree and refuses what a browser would have to mend."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, name, attributes):
        assert len(dict(attributes)) == len(attributes)
        element = Element(name, dict(attributes))
        self.open[-1].content.append(element)
        if name not in VOID:
            self.open.append(element)

    def handle_endtag(self, name):
        assert self.open.pop().name == name

    def handle_data(self, data):
        self.open[-1].content.append(data)

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def parsed(audit: Audit) -> Element:
    """Return the fragment's only element."""
    parser = Strict()
    parser.feed(render(audit))
    parser.close()
    (root,) = parser.open
    (frame,) = root.content
    return frame


def changed(audit: Audit, id_: str, **fields: object) -> Audit:
    """Return `audit` with one measure changed."""
    measure = audit.measures[id_].model_copy(update=fields)
    return audit.model_copy(update={"measures": audit.measures | {id_: measure}})


def advised(**fields: object) -> Audit:
    """Return an audit with that recommendation."""
    return sample_audit(Verdict.SAFE, recommendation=Recommendation(action="do", **fields))


def rows(audit: Audit) -> dict[str, Element]:
    """Return the table's rows by the measure each shows."""
    (body,) = parsed(audit).all("tbody")
    return dict(zip((line.id for line in RETRIEVAL), body.all("tr"), strict=True))


def shown(row: Element) -> dict[str, str]:
    """Return what a row says, by column."""
    columns = ("recall", "asked", "bar", "interval", "chance")
    return dict(zip(columns, (cell.text() for cell in row.all("td")), strict=True))


def bar(audit: Audit, id_: str) -> list[tuple[float, bool, bool]]:
    """Return a bar's pieces: width in percent, whether filled, whether the mark ends it."""
    return [
        (float(style["width"].rstrip("%")), "background-color" in style, "border-right" in style)
        for style in (piece.style() for piece in rows(audit)[id_].all("span"))
    ]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_fragment_holds_only_what_notebooks_keep(verdict):
    frame = parsed(sample_audit(verdict))
    for element in (frame, *frame.all()):
        assert element.name in TAGS
        assert element.attributes.keys() <= ATTRIBUTES
        for name, value in element.style().items():
            assert name in PROPERTIES
            assert VALUE.fullmatch(value), value


@pytest.mark.parametrize("verdict", VERDICTS)
def test_nothing_is_fetched(verdict):
    fragment = render(sample_audit(verdict))
    for word in ("http", "//", "url(", "src", "href", "@import", "<style", "<script", "<link"):
        assert word not in fragment


@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdict_comes_first_with_its_sign_and_why(verdict):
    audit = sample_audit(verdict)
    head = parsed(audit).all("div")[0]
    assert head.text().startswith(f"{UNICODE.verdicts[verdict]} {verdict} ")
    assert head.all("p")[0].text() == audit.summary


@pytest.mark.parametrize(
    ("verdict", "require", "answer"),
    [
        ("safe", "safe", "required safe: met"),
        ("align", "safe", "required safe: not met"),
        ("align", "align", "required align or better: met"),
        ("inconclusive", "safe", "required safe: undecided"),
    ],
)
def test_gate_is_answered(verdict, require, answer):
    audit = sample_audit(Verdict(verdict), policy=Policy(require=require))
    assert answer in [span.text() for span in parsed(audit).all("span")]


def test_open_verdict_names_its_candidates():
    text = parsed(sample_audit(Verdict.INCONCLUSIVE)).text()
    assert text.startswith("? inconclusive (safe or degraded) required safe: undecided")


def test_head_says_what_was_compared():
    text = parsed(sample_audit(Verdict.SAFE)).all("div")[0].text()
    for fact in ("old-index/vectors-2024.npy", "new-model/vectors-2025.npy", "5,873 distinct rows"):
        assert fact in text


@pytest.mark.parametrize("verdict", VERDICTS)
def test_table_says_what_was_measured(verdict):
    audit = sample_audit(verdict)
    for id_, row in rows(audit).items():
        measure, said = audit.measures[id_], shown(row)
        if measure.value is None:
            assert [said["recall"], said["interval"], said["chance"]] == [DASH] * 3
            assert row.attributes["title"] == measure.reason
            continue
        low, high = measure.ci
        assert said["recall"].split()[-1] == f"{measure.value:.3f}"
        assert said["interval"] == f"{low:.3f}\N{EN DASH}{high:.3f}"
        assert said["chance"] == f"{measure.chance:.3f}"


def test_labels_and_groups_head_their_rows():
    (body,) = parsed(sample_audit(Verdict.SAFE)).all("tbody")
    headings = [cell for row in body.all("tr") for cell in row.all("th")]
    labels = [cell.text() for cell in headings if cell.attributes.get("scope") == "row"]
    groups = {
        cell.text(): cell.attributes["rowspan"] for cell in headings if "rowspan" in cell.attributes
    }
    assert labels == [line.label for line in RETRIEVAL]
    assert groups == {"own": "1", "A in B": "3", "B in A": "3", "mixed": "2", "partner": "2"}


@pytest.mark.parametrize(
    ("ci", "sign"), [((0.91, 0.93), "✔"), ((0.85, 0.89), "✘"), ((0.89, 0.91), "?")]
)
def test_sign_follows_the_interval(ci, sign):
    id_ = "recall.a_to_b.raw"
    audit = changed(sample_audit(Verdict.SAFE), id_, value=sum(ci) / 2, ci=ci)
    assert shown(rows(audit)[id_])["recall"].split()[0] == sign


def test_what_is_asked_is_shown_after_chance():
    id_ = "recall.a_to_b.raw"
    audit = changed(sample_audit(Verdict.SAFE), id_, chance=0.5)
    assert shown(rows(audit)[id_])["asked"] == "0.950"
    assert shown(rows(audit)["neighbors.overlap"])["asked"] == ""


@pytest.mark.parametrize("value", [0.0, 0.2, 0.6999, 0.7, 0.7001, 0.93, 1.0])
def test_bar_is_as_long_as_the_value_and_marked_where_asked(value):
    id_ = "recall.a_to_b.linear"
    audit = changed(sample_audit(Verdict.ALIGN), id_, value=value, ci=(value, value), chance=0.0)
    pieces = bar(audit, id_)
    filled = sum(width for width, drawn, _ in pieces if drawn)
    assert filled == pytest.approx(100 * value, abs=0.11)
    ends = [marked for _, _, marked in pieces]
    assert ends.count(True) == 1
    to_mark = pieces[: ends.index(True) + 1]
    assert sum(width for width, _, _ in to_mark) == pytest.approx(70, abs=0.11)
    assert all(drawn for _, drawn, _ in to_mark) == (value >= 0.7)


def test_bar_of_an_impossible_value_stays_within_its_track():
    audit = sample_audit(Verdict.SAFE)
    assert bar(changed(audit, "neighbors.overlap", value=-0.2), "neighbors.overlap") == []
    beyond = bar(changed(audit, "neighbors.overlap", value=1.3), "neighbors.overlap")
    assert beyond == [(100.0, True, False)]


def test_missing_value_has_no_bar():
    audit = sample_audit(Verdict.CONCATENATE)
    assert bar(audit, "recall.a_to_b.raw") == []
    assert bar(audit, "recall.a_to_b.linear") != []


def test_findings_are_listed_under_their_severity():
    audit = sample_audit(Verdict.MISPAIRED)
    items = [item.text() for item in parsed(audit).all("li")]
    assert items == [
        f"{UNICODE.severities[finding.severity]} {finding.severity} {finding.message}"
        for finding in audit.findings
    ]
    assert "Findings" not in parsed(sample_audit(Verdict.SAFE)).text()


def test_commands_can_be_copied():
    commands = ["embaudit compare 'a b.npy' b.npy --quiet", "embaudit compare b.npy c.npy"]
    blocks = [block.text() for block in parsed(advised(commands=commands)).all("pre")]
    assert blocks == commands
    assert parsed(advised()).all("pre") == []


def test_text_from_outside_is_only_text():
    audit = sample_audit(
        Verdict.SAFE,
        a=side(HOSTILE, 384, normalized=True),
        b=side(HOSTILE, 384, normalized=True),
        summary=HOSTILE,
        findings=[Finding(id="f", severity="error", message=HOSTILE)],
        recommendation=Recommendation(action=HOSTILE, commands=[HOSTILE]),
    )
    audit = changed(audit, "recall.a_to_b.raw", value=None, reason=HOSTILE)
    frame = parsed(audit)
    assert {element.name for element in frame.all()} <= TAGS
    assert frame.text().count(printable(HOSTILE)) == 6
    assert rows(audit)["recall.a_to_b.raw"].attributes["title"] == printable(HOSTILE)
    assert all(character.isprintable() for character in render(audit).replace("\n", ""))


def test_dollar_signs_are_not_read_as_formulas():
    classes = parsed(sample_audit(Verdict.SAFE)).attributes["class"].split()
    assert {"tex2jax_ignore", "mathjax_ignore"} <= set(classes)


def test_notebooks_and_rich_find_the_report_while_repr_stays_short():
    audit = sample_audit(Verdict.ALIGN)
    assert audit._repr_html_() == render(audit)
    assert repr(audit) == str(audit)
    assert len(repr(audit).splitlines()) == 1
    assert "_repr_html_" not in json.dumps(audit.to_dict())


def test_a_result_loads_its_renderings_when_they_are_asked_for():
    code = "import sys, embaudit.result; print(*sys.modules)"
    loaded = run_code(code).stdout.split()
    assert "embaudit.result" in loaded
    assert not [name for name in loaded if name.startswith(("embaudit.report", "rich"))]


def printed(audit: Audit, width: int) -> str:
    """Return what ``rich.print`` shows on a console of that width."""
    stream = io.StringIO()
    Console(file=stream, width=width, legacy_windows=False, _environ={}).print(audit)
    return stream.getvalue()


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("width", [80, 100, 120])
def test_rich_prints_the_report(verdict, width):
    audit = sample_audit(verdict)
    lines = printed(audit, width).splitlines()
    assert verdict.value in "\n".join(lines[:4]).lower()
    assert audit.recommendation.action in " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_rich_folds_a_command_so_that_a_shell_still_reads_it(width):
    command = (
        "embaudit compare 'old index/vectors of 2024.npy' new-model/vectors-2025.npy --by-row "
        "--metric euclidean --k 20 --min-recall 0.85 --max-queries 4096 --seed 12 --quiet"
    )
    text = printed(advised(commands=[command]), width)
    folded = text[text.index("embaudit compare") :]
    assert len(folded.splitlines()) > 1
    assert max(map(len, folded.splitlines())) <= width
    assert shlex.split(folded.replace("\\\n", "")) == shlex.split(command)
    for option in ("--metric euclidean", "--k 20", "--max-queries 4096"):
        assert option in folded


@pytest.mark.parametrize("width", [20, 40, 71])
def test_rich_loses_nothing_on_a_narrow_console(width):
    audit = sample_audit(Verdict.ALIGN)
    wide = "".join(printed(audit, 72).split()).replace("\\", "")
    narrow = "".join(printed(audit, width).split()).replace("\\", "")
    assert narrow == wide
