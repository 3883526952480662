"""The HTML report as a file: what it says, that it asks for nothing, that nothing breaks out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from commands import EMBAUDIT, run
from sample_audits import sample_audit

import embaudit
from benchmarks.pairs import SAMPLE_DATA
from embaudit.checking import Checked
from embaudit.datatypes import Verdict
from embaudit.errors import InputError
from embaudit.report.formats import render, render_checks
from embaudit.saved_audit import read_audit

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x1b[31m\u202e"
VOID = {"meta", "link", "input", "option", "circle", "br", "img"}
STYLE = Path(embaudit.__file__).parent / "report" / "html_page" / "style.css"


class Page(HTMLParser):
    """Elements with their attributes, text, and what was left open."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def named(self, *tags):
        return [attrs for tag, attrs in self.elements if tag in tags]


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Return a Parquet pair with ids and sections, as given to the command."""
    return f"{SAMPLE_DATA / 'minilm.parquet'}", f"{SAMPLE_DATA / 'minilm_ft120.parquet'}"


@pytest.fixture(scope="module")
def audit(parts):
    return embaudit.compare(
        *parts, on="id", slice_by="section", k=[10, 1], threshold=0.5, index_size="1M", layouts=True
    )


def hostile(audit):
    """Return the audit with hostile text wherever text comes from outside."""
    layouts = audit.layouts.model_copy(update={"ids": [HOSTILE] * audit.layouts.n})
    groups = [group.model_copy(update={"name": HOSTILE}) for group in audit.slices.groups]
    worst = [row.model_copy(update={"id": HOSTILE}) for row in audit.worst]
    advice = audit.recommendation.model_copy(update={"action": HOSTILE, "commands": [HOSTILE] * 2})
    return audit.model_copy(
        update={
            "a": audit.a.model_copy(update={"uri": HOSTILE}),
            "b": audit.b.model_copy(update={"uri": HOSTILE}),
            "summary": HOSTILE,
            "layouts": layouts,
            "slices": audit.slices.model_copy(update={"column": HOSTILE, "groups": groups}),
            "worst": worst,
            "recommendation": advice,
            "findings": [one.model_copy(update={"message": HOSTILE}) for one in audit.findings],
        }
    )


def test_the_page_says_what_the_audit_says(audit):
    page = Page(render(audit, "html"))
    assert page.open == []
    text = " ".join("".join(page.text).split())
    assert audit.summary in text
    assert audit.recommendation.action in text
    for command in audit.recommendation.commands:
        assert command in text
    for finding in audit.findings:
        assert finding.message in text
    for key in ("recall.a_to_b.raw", "recall.b_to_a.linear", "mixed_index.a.raw"):
        low, high = audit.measures[key].ci
        assert f"{audit.measures[key].value:.3f}" in text
        assert f"{low:.3f}\N{EN DASH}{high:.3f}" in text
    for heading in ("Retrieval", "Both spaces", "Metrics", "Threshold", "Other k", "Worst rows"):
        assert heading in text
    assert "Slices by section" in text
    assert "At 1,000,000 rows" in text


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_is_told_with_its_gate(verdict):
    found = sample_audit(verdict)
    text = "".join(Page(render(found, "html")).text)
    answer = {0: "met", 1: "not met", 3: "undecided"}[found.exit_code()]
    assert re.search(rf"required safe:\s+{answer}\b", text)
    assert verdict in text


def test_the_page_asks_for_nothing_from_anywhere(audit):
    text = render(audit, "html")
    assert set(re.findall(r"https?://[^\"'\s<)]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    page = Page(text)
    for attrs in (attrs for _, attrs in page.elements):
        assert not {"src", "srcset", "data", "action", "background"} & set(attrs)
        assert attrs.get("href", "#").startswith("#")
    assert page.named("link", "iframe", "img", "object", "embed", "base", "form") == []


def test_no_script_but_ours_may_run(audit):
    text = render(audit, "html")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy.startswith("default-src 'none'")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (digest,) = re.findall(r"script-src 'sha256-([^']+)'", policy)
    assert [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts] == [
        digest
    ]
    for _, attrs in Page(text).elements:
        assert not [name for name in attrs if name.startswith("on")]


def test_nothing_breaks_out_of_the_page(audit):
    plain, attacked = (Page(render(one, "html")) for one in (audit, hostile(audit)))
    assert attacked.open == []
    kinds = [{tag for tag, _ in page.elements} for page in (plain, attacked)]
    assert kinds[0] == kinds[1]
    assert len(attacked.named("script")) == len(plain.named("script")) == 2
    everything = render(hostile(audit), "html")
    assert "\x1b" not in everything
    assert "\u202e" not in everything
    assert "alert(1)" in "".join(attacked.text)


@pytest.mark.parametrize("several", [False, True])
def test_the_page_is_laid_out_for_those_who_do_not_see_it(audit, several):
    pairs = [Checked("first", audit), Checked("second", audit)]
    text = render_checks(pairs, "html") if several else render(audit, "html")
    page = Page(text)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    pictures = [attrs for _, attrs in page.elements if attrs.get("role") == "img"]
    assert len(pictures) >= 6
    assert all(len(attrs["aria-label"]) > 40 for attrs in pictures)
    assert all("scope" in attrs for attrs in page.named("th"))
    assert page.named("html")[0]["lang"] == "en"
    names = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(names) == len(set(names))


def described(found):
    """Return the alternative text of each chart by its title, and its caption."""
    text = render(found, "html")
    figures = re.findall(
        r'<h3 class="chart-title">(.*?)</h3>.*?aria-label="(.*?)".*?class="words">(.*?)<',
        text,
        re.DOTALL,
    )
    return {title: (unescape(told), unescape(caption)) for title, told, caption in figures}


def test_charts_are_told_as_their_numbers_are(audit):
    told = described(audit)
    found = audit.distributions
    middle = np.sort(found.canonical_correlations)[len(found.canonical_correlations) // 2]
    spectrum = told["Canonical correlations"][0]
    assert f"{found.canonical_correlations[0]:.3f} at first, {middle:.3f} in the median" in spectrum
    raw, mapped = found.cosines
    way = {"a_to_b": "A to B", "b_to_a": "B to A"}[mapped.direction]
    for one, kind in ((raw, "as stored"), (mapped, f"{mapped.map} map")):
        title = f"{kind}, {way}"
        alternative = told[f"Cosine of partners, {title}"][0]
        assert f"partners lie around {one.partners_mean:.3f}" in alternative
        assert f"random pairs around {one.random_mean:.3f}" in alternative
        ranks = next(r for r in found.partner_ranks if r.map == one.map)
        first = ranks.counts[0] / sum(ranks.counts)
        assert f": {100 * first:.1f}% of the rows" in told[f"Partner ranks, {title}"][0]
    (asked,) = [row for row in audit.thresholds.rows if row.asked]
    line = f"Dashed lines: {asked.threshold:.4g} on A is {asked.own.threshold:.4g} on B with B."
    assert all(line in words for words in told["Scores, A to B"])


def test_a_threshold_beyond_the_curve_is_drawn_too():
    rows = np.random.default_rng(4).standard_normal((3000, 8))
    turned = rows @ np.linalg.qr(np.random.default_rng(5).standard_normal((8, 8)))[0]
    found = embaudit.compare(rows, turned, threshold=0.95)
    assert found.thresholds.curve[-1].a < 0.95
    drawn = render(found, "html")
    assert "Dashed lines: 0.95 on A is" in drawn
    assert drawn.count('stroke-dasharray="4,3"') == 2 + len(found.distributions.partner_ranks)


def test_scores_of_other_scales_have_axes_of_their_own():
    rows = np.load(SAMPLE_DATA / "w2v_seed1.npy").astype(np.float32)
    found = embaudit.compare(rows, 1000 * rows, metric="euclidean")
    scores = described(found)["Scores, A to B"]
    assert "the same number" not in render(found, "html")
    assert f"to {found.thresholds.curve[-1].b:.3g} on B" in scores[0]


def test_the_page_says_how_rows_were_drawn(audit):
    assert "500 rows drawn at random; among them" in render(audit, "html")
    few = np.random.default_rng(0).standard_normal((40, 5))
    found = embaudit.compare(few, few[:, ::-1], k=1, layouts=True)
    assert "All 40 rows; among them" in render(found, "html")
    six = embaudit.compare(few[:6], few[:6] + 0.1, k=1, layouts=True)
    assert "Too few rows to draw both spaces as planes." in render(six, "html")


def test_planes_are_drawn_for_the_first_pairs(audit):
    checked = [Checked(f"pair {number}", audit) for number in range(12)]
    text = render_checks(checked, "html")
    assert text.count("data-planes>") == 10
    assert text.count("drawn as planes for the first 10 pairs alone") == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["layouts"]["rows_a"].pop(),
        lambda found: found["layouts"]["pca"]["b"].pop(),
        lambda found: found["layouts"]["neighbors_a"][3].__setitem__(0, 500),
        lambda found: found["distributions"]["cosines"][0].__setitem__("partners", []),
        lambda found: found["distributions"]["partner_ranks"][0].__setitem__("counts", [-1]),
        lambda found: found["distributions"]["cosines"][0].__setitem__("low", 2.0),
        lambda found: found["slices"]["groups"][0]["recalls"].clear(),
        lambda found: found.__setitem__("verdict", "safe"),
        lambda found: found.__setitem__("candidates", ["safe"]),
    ],
)
def test_a_json_that_disagrees_with_itself_is_refused(audit, tmp_path, change):
    document = audit.to_dict()
    change(document)
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match="not the JSON of an audit"):
        read_audit(path)


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_keep_their_contrast_in_both_themes():
    themes = re.findall(r":root \{(.*?)\}", STYLE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(themes) == 3  # light, dark, print
    for theme in themes:
        colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", theme))
        for ground in ("paper", "card"):
            for name in ("ink", "muted", "blue", "orange", "green", "red", "magenta", "yellow"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
            for shade in range(5):  # graphics, which need less
                assert contrast(colours[f"shade-{shade}"], colours[ground]) >= 3.0


def test_the_page_of_a_json_is_the_page_of_its_run(parts, tmp_path):
    command = [*EMBAUDIT, "compare", *parts, "--on", "id", "--exit-zero", "--quiet"]
    outputs = ["--output", "html=a.html", "--output", "json=a.json"]
    done = run([*command, *outputs], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert len(written.encode()) < 5_000_000
    shown = run([*EMBAUDIT, "show", "a.json", "--format", "html"], cwd=tmp_path, encoding="utf-8")
    assert shown.stdout == written
    assert len(read_audit(tmp_path / "a.json").layouts.ids) == 500


def test_a_json_without_layouts_says_how_to_get_them():
    text = render(sample_audit(Verdict.ALIGN), "html")
    assert "data-planes>" not in text
    assert "embaudit compare A B --output html=FILE adds them" in text


def test_a_page_of_several_pairs_leads_to_each(audit):
    good = sample_audit(Verdict.SAFE)
    checked = [Checked("good", good), Checked(HOSTILE, audit), Checked("gone", error=HOSTILE)]
    text = render_checks(checked, "html")
    page = Page(text)
    assert page.open == []
    links = [attrs["href"][1:] for attrs in page.named("a")]
    assert links == [attrs["id"] for attrs in page.named("details") if "id" in attrs]
    assert "1 of 3 pairs met" in "".join(page.text)
    assert len(page.named("article")) == 2
    names = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(names) == len(set(names))


def test_without_the_extra_one_line_names_it_before_the_work(tmp_path):
    for package in ("jinja2", "vl_convert"):
        blocked = tmp_path / package
        blocked.mkdir()
        code = (
            "import sys\n"
            "from importlib.machinery import PathFinder\n"
            "found = PathFinder.find_spec\n"
            "def find_spec(name, *rest):\n"
            f"    return None if name == {package!r} else found(name, *rest)\n"
            "PathFinder.find_spec = find_spec\n"
            "from embaudit_cli.__main__ import main\n"
            "sys.argv = ['embaudit', 'compare', 'no.npy', 'no.npy', '--output', 'html=a.html']\n"
            "main()"
        )
        done = run([EMBAUDIT[0], "-c", code], cwd=blocked)
        assert done.returncode == 2
        assert "pip install 'embaudit[html]'" in done.stderr
        assert len(done.stderr.splitlines()) == 1
