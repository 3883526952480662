"""One audit in many forms: Markdown, JUnit, GitHub annotations, and JSON read back."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import EMBAUDIT, run
from sample_audits import sample_audit

import embaudit
from benchmarks.pairs import SAMPLE_DATA
from embaudit.datatypes import Verdict
from embaudit.errors import InputError, UsageError
from embaudit.report.formats import SCHEMAS, render, schema
from embaudit.report.github import annotation
from embaudit.report.markdown import escaped, fenced
from embaudit.report.outputs import parse_outputs, write_outputs
from embaudit.saved_audit import read_audit

HOSTILE = (
    'a`b*[x](http://evil)|@team #1 <script>alert(1)</script> & "q"\n## title\r::error::%25\x1b[31m'
)


def hostile(verdict=Verdict.ALIGN):
    audit = sample_audit(verdict)
    a = audit.a.model_copy(update={"uri": HOSTILE})
    finding = audit.findings[0] if audit.findings else None
    advice = audit.recommendation.model_copy(
        update={"action": HOSTILE, "commands": [f"embaudit align {HOSTILE}", "```"]}
    )
    update = {"a": a, "summary": HOSTILE, "recommendation": advice}
    if finding is not None:
        update["findings"] = [finding.model_copy(update={"message": HOSTILE, "severity": "error"})]
    return audit.model_copy(update=update)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)


# Markdown


@pytest.mark.parametrize("verdict", list(Verdict))
def test_markdown_says_the_verdict_and_what_is_required_of_it(verdict):
    audit = sample_audit(verdict)
    text = render(audit, "markdown")
    mark = {0: "✅", 1: "❌", 3: "❔"}[audit.exit_code()]
    assert text.startswith(f"### {mark} embaudit: {verdict}\n")
    answer = {0: "met", 1: "not met", 3: "undecided"}[audit.exit_code()]
    assert f"required safe: **{answer}**" in text
    for command in audit.recommendation.commands:
        assert f"\n{command}\n" in text


def test_every_row_of_the_table_has_its_columns():
    text = render(sample_audit(Verdict.ALIGN), "markdown")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 11
    assert {line.count("|") for line in table} == {6}
    measured = sample_audit(Verdict.ALIGN).measures["recall.a_to_b.linear"]
    row = next(line for line in table if "A in B: linear map" in line)
    assert f"{measured.value:.3f}" in row


def test_nothing_breaks_out_of_markdown():
    text = render(hostile(), "markdown")
    tags = Tags()
    tags.feed(re.sub(r"(?s)`{3,}sh\n.*?\n`{3,}", "", text))
    assert set(tags.found) <= {"details", "summary", "code"}
    assert "\n## title" not in text
    assert "@team" not in re.sub(r"(?s)`{3,}sh\n.*", "", text)
    assert "\x1b" not in text
    assert "\r" not in text


def test_a_fence_is_longer_than_what_it_holds():
    assert fenced(["a ```` b", "`"]).splitlines() == ["`````sh", "a ```` b", "`", "`````"]


def test_text_is_escaped_where_markdown_has_a_meaning():
    assert escaped("a_b*c|d") == r"a\_b\*c\|d"
    assert escaped("<b>&") == "&lt;b&gt;&amp;"
    assert escaped("one\ntwo") == r"one\\ntwo"


# JUnit


@pytest.mark.parametrize("verdict", list(Verdict))
def test_junit_has_one_case_that_fails_unless_the_gate_is_met(verdict):
    audit = sample_audit(verdict)
    root = ElementTree.fromstring(render(audit, "junit"))
    (case,) = root.iter("testcase")
    failed = audit.exit_code() != 0
    assert [one.get("type") for one in case.iter("failure")] == [str(verdict)] * failed
    for element in (root, root[0]):
        counts = [element.get(name) for name in ("tests", "failures", "errors", "skipped")]
        assert counts == ["1", "1" if failed else "0", "0", "0"]
    values = {one.get("name"): one.get("value") for one in root.iter("property")}
    assert float(values["cka.linear"]) == pytest.approx(audit.measures["cka.linear"].value)


def test_nothing_breaks_out_of_junit():
    root = ElementTree.fromstring(render(hostile(), "junit"))
    assert {one.tag for one in root.iter()} == {
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "system-out",
    }


# GitHub


@pytest.mark.parametrize("verdict", list(Verdict))
def test_annotations_are_errors_unless_the_gate_is_met(verdict):
    audit = sample_audit(verdict)
    first, *others = render(audit, "github").splitlines()
    assert first.startswith("::notice " if audit.exit_code() == 0 else "::error ")
    warned = [one for one in audit.findings if one.severity != "info"]
    assert len(others) == len(warned)
    assert all(line.startswith("::warning ") for line in others)


def test_nothing_breaks_out_of_an_annotation():
    text = render(hostile(), "github")
    assert all(
        line.startswith(("::error title=", "::warning title=")) for line in text.splitlines()
    )
    assert "\x1b" not in text
    line = annotation("error", "a:b,c%", "x%\ny", file="p,q:r.toml", line=3)
    assert line == "::error file=p%2Cq%3Ar.toml,line=3,title=a%3Ab%2Cc%25::x%25\\ny"


# JSON, read back


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("show") / "audit.json"
    pair = [str(SAMPLE_DATA / name) for name in ("w2v_seed1.npy", "w2v_seed2.npy")]
    done = run([*EMBAUDIT, "compare", *pair, "--output", f"json={path}"])
    assert done.returncode == 1, done.stderr
    return path, done.stdout


def test_an_audit_is_shown_again_as_it_was(document):
    path, printed = document
    done = run([*EMBAUDIT, "show", str(path)])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == printed
    again = run([*EMBAUDIT, "show", str(path), "--format", "json"])
    assert json.loads(again.stdout) == json.loads(path.read_text(encoding="utf-8"))


def test_one_audit_goes_to_many_places(document, tmp_path):
    path, _ = document
    names = {"markdown": "a.md", "junit": "a.xml", "json": "a.json"}
    asked = [word for name, file in names.items() for word in ("--output", f"{name}={file}")]
    done = run([*EMBAUDIT, "show", str(path), *asked, "--output", "github=-"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("::error title=embaudit%3A align")
    assert (tmp_path / "a.md").read_text(encoding="utf-8").startswith("### ❌ embaudit: align")
    assert ElementTree.parse(tmp_path / "a.xml").getroot().get("failures") == "1"
    assert read_audit(tmp_path / "a.json").verdict is Verdict.ALIGN


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda found: found | {"verdict": "fine"}, "not the JSON of an audit: verdict"),
        (lambda found: found | {"extra": 1}, "not the JSON of an audit: extra"),
        (lambda found: found | {"schema_version": "9"}, "schema version 9; embaudit .* reads"),
        (
            lambda found: found | {"policy": found["policy"] | {"min_recall": "a\nb"}},
            "not the JSON of an audit: --min-recall a b: expected",
        ),
        (lambda found: {"a": 1}, "not the JSON of an audit"),
        (lambda found: [], "not the JSON of an audit"),
        (
            lambda found: found | {"measures": {"cka.linear": found["measures"]["cka.linear"]}},
            "is missing; run `embaudit compare` again",
        ),
    ],
)
def test_what_is_no_audit_is_refused(document, tmp_path, change, complaint):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(change(json.loads(document[0].read_text(encoding="utf-8")))))
    with pytest.raises(InputError, match=complaint) as caught:
        read_audit(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"\ud800"', "NaN"])
def test_what_is_no_json_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    done = run([*EMBAUDIT, "show", str(path)])
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_rows_are_not_in_the_json(document):
    done = run([*EMBAUDIT, "show", str(document[0]), "--output", "rows=r.csv"])
    assert done.returncode == 2
    assert "ask `embaudit compare` for them" in done.stderr


# Schemas


@pytest.mark.parametrize("command", list(SCHEMAS))
def test_every_schema_is_one_of_an_object_that_is_closed(command):
    found = schema(command)
    assert found["$schema"].endswith("2020-12/schema")
    assert found["type"] == "object"
    assert found["additionalProperties"] is False
    done = run([*EMBAUDIT, "schema", command])
    assert json.loads(done.stdout) == found


def test_an_unknown_schema_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'align'"):
        schema("joint-align")


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/x.npy",
        "www.x.org",
        "WWW.x.org and https://a.b/c#d?e=@f",
        "fixes #12 of @team",
        ":tada: at 12:30:45",
        "a &#64; b",
        "#",
    ],
)
def test_text_reads_as_it_is_in_markdown(text):
    shown = re.sub(r"\\([\\`*_{}\[\]|~])", r"\1", escaped(text))
    shown = html.unescape(shown)
    assert shown.replace("\N{WORD JOINER}", "") == text
    for link in ("://", "www.", "WWW.", "@team", "#12", ":tada:"):
        assert link not in shown


def test_a_path_that_is_no_utf8_is_read_back(tmp_path):
    rows = np.random.default_rng(0).standard_normal((60, 4))
    audit = embaudit.compare(rows, rows + 0.01)
    odd = audit.model_copy(update={"a": audit.a.model_copy(update={"uri": "bad\udcffname.npy"})})
    write_outputs(odd, parse_outputs([f"json={tmp_path / 'odd.json'}"]).files)
    assert read_audit(tmp_path / "odd.json").a.uri == odd.a.uri
    for name in ("markdown", "junit", "html"):
        assert "bad" in render(read_audit(tmp_path / "odd.json"), name)


@pytest.mark.parametrize("method", ["linear", "joint"])
def test_the_json_of_verify_is_shown_in_every_form(tmp_path, method):
    pair = [f"{SAMPLE_DATA / name}" for name in ("w2v_seed1.npy", "w2v_seed2.npy")]
    align = ["align", *pair, "--method", method, "-o", "map.safetensors", "--quiet"]
    assert run([*EMBAUDIT, *align], cwd=tmp_path).returncode == 0
    name = "map.a.safetensors" if method == "joint" else "map.safetensors"
    forms = {"markdown": "v.md", "junit": "v.xml", "html": "v.html", "json": "v.json"}
    asked = [word for form, file in forms.items() for word in ("--output", f"{form}={file}")]
    done = run([*EMBAUDIT, "verify", name, *pair, *asked], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    word = "heads hold" if method == "joint" else "map holds"
    assert word.upper() in done.stdout
    for form, file in forms.items():
        written = (tmp_path / file).read_text(encoding="utf-8")
        assert word in written or form in ("json", "junit")
        shown = run([*EMBAUDIT, "show", "v.json", "--format", form], cwd=tmp_path, encoding="utf-8")
        assert shown.stdout == written
    assert run([*EMBAUDIT, "show", "v.json"], cwd=tmp_path).stdout == done.stdout
    # One that fails is a failure in every form.
    failed = json.loads((tmp_path / "v.json").read_text()) | {"passed": False, "fault": "<b>`x`"}
    (tmp_path / "f.json").write_text(json.dumps(failed))

    def shown_as(form):
        command = [*EMBAUDIT, "show", "f.json", "--format", form]
        return run(command, cwd=tmp_path, encoding="utf-8").stdout

    assert shown_as("markdown").startswith("### ❌ embaudit: ")
    assert "<b>" not in shown_as("markdown")
    assert shown_as("github").startswith("::error ")
    assert ElementTree.fromstring(shown_as("junit")).get("failures") == "1"
    assert '<header class="verdict red">' in shown_as("html")
    assert "&lt;b&gt;" in shown_as("html")
    refused = run([*EMBAUDIT, "show", "v.json", "--output", "rows=x.csv"], cwd=tmp_path)
    assert refused.returncode == 2
