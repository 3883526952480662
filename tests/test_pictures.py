"""The README's pictures: drawn from real runs, self-contained, every column in its place."""

import re
import runpy
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

import embaudit

ROOT = Path(__file__).parent.parent
SCRIPT = runpy.run_path(str(ROOT / "docs" / "make_pictures.py"))
PAIRS, THEMES, draw = (SCRIPT[name] for name in ("PAIRS", "THEMES", "draw"))
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
PHOTOGRAPHS = sorted((ROOT / "docs" / "pictures").glob("*.png"))
NAMESPACE = "http://www.w3.org/2000/svg"


def read(path):
    """Return the root of a picture."""
    return ElementTree.fromstring(path.read_text(encoding="utf-8"))


def lines(root):
    """Return the text of a picture, line by line."""
    found = {}
    for text in root.iter(f"{{{NAMESPACE}}}text"):
        found.setdefault(float(text.get("y")), []).append(text.text.replace("\xa0", " "))
    return ["".join(found[y]) for y in sorted(found)]


def command(name):
    """Return the command that a picture shows."""
    return " ".join(["embaudit compare", *PAIRS[name]])


@pytest.fixture(scope="module")
def audits():
    """Return a real audit of each pair, by the name of its picture."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return {name: embaudit.compare(*pair) for name, pair in PAIRS.items()}


def test_there_is_a_picture_of_every_pair_for_every_theme():
    names = {f"{name}-{theme}.svg" for name in PAIRS for theme in THEMES}
    assert {path.name for path in PICTURES} == names


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_picture_loads_nothing(path):
    svg = path.read_text(encoding="utf-8")
    assert read(path).tag == f"{{{NAMESPACE}}}svg"
    assert re.findall(r"https?:[^\"'\s)]*", svg) == [NAMESPACE]
    assert re.findall(r"url\((?!#)", svg) == []
    for word in ("@font-face", "@import", "src", "href", "<script", "<image", "<foreignObject"):
        assert word not in svg


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_picture_shows_its_command_and_the_verdict_of_a_real_run(path, audits):
    name = path.stem.rpartition("-")[0]
    prompt, *report = lines(read(path))
    assert prompt == f"$ {command(name)}"
    assert audits[name].verdict.value in "\n".join(report[:4]).lower()
    assert audits[name].verdict.value == name


@pytest.mark.parametrize("name", PAIRS)
def test_pictures_differ_by_their_colours_alone(name):
    light, dark = (read(ROOT / "docs" / "pictures" / f"{name}-{theme}.svg") for theme in THEMES)
    assert lines(light) == lines(dark)
    assert ElementTree.tostring(light) != ElementTree.tostring(dark)


@pytest.mark.parametrize("name", PAIRS)
def test_drawing_keeps_the_whole_report_in_its_columns(name, audits):
    root = ElementTree.fromstring(draw(audits[name], command(name), THEMES["light"]))
    text = "\n".join(lines(root))
    for line in audits[name].recommendation.commands:
        assert line in text
    width = float(root.get("width"))
    for run in root.iter(f"{{{NAMESPACE}}}text"):
        column = float(run.get("textLength")) / len(run.text)
        assert column == pytest.approx(12)
        assert float(run.get("x")) % column == pytest.approx(0)
        assert float(run.get("x")) + float(run.get("textLength")) <= width


def test_the_html_report_is_pictured_in_both_themes():
    assert [path.name for path in PHOTOGRAPHS] == ["report-dark.png", "report-light.png"]
    corners = set()
    for path in PHOTOGRAPHS:
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG\r\n")
        width, height = struct.unpack(">II", data[16:24])
        assert (width, height > width) == (SCRIPT["PHOTOGRAPH_WIDTH"], True)
        assert len(data) < 1_000_000
        corners.add(data)
    assert len(corners) == 2


def test_the_readme_shows_pictures_that_exist_and_describes_them():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r'(?:src|srcset)="([^"]+)"', readme)
    assert len(shown) >= 4
    assert {ROOT / target for target in shown} <= {*PICTURES, *PHOTOGRAPHS}
    for image in re.findall(r"<img [^>]*>", readme):
        assert re.search(r'alt="[^"]{40,}"', image)
