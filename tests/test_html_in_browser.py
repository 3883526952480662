"""The HTML report in a real browser: silent, offline, linked, at every width."""

from __future__ import annotations

import re

import pytest
from browser import browser_path, opened_page
from test_html import hostile

import embaudit
from benchmarks.pairs import SAMPLE_DATA
from embaudit.checking import Checked
from embaudit.report.formats import render, render_checks

pytestmark = [
    pytest.mark.skipif(browser_path() is None, reason="needs Chromium; see CONTRIBUTING.md"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def audit():
    pair = SAMPLE_DATA / "minilm.parquet", SAMPLE_DATA / "minilm_ft120.parquet"
    return embaudit.compare(*pair, on="id", slice_by="section", layouts=True)


@pytest.fixture(scope="module")
def report(audit, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(audit, "html"), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_shows_itself_and_does_nothing_else(report, width, scheme, tmp_path):
    with opened_page(report, width, color_scheme=scheme) as (page, seen):
        shot = page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert shot.startswith(b"\x89PNG")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        fold = page.locator("header.verdict").bounding_box()
        assert fold["y"] + fold["height"] <= 900 or width < 500
        for part in (".badge", ".summary", ".next"):
            assert page.locator(part).bounding_box()["y"] < 900
        page.locator(".charts svg").first.wait_for()
        assert page.locator(".charts svg").count() >= 6
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert dark == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    assert seen.console == []
    assert seen.requests == [report.as_uri()]


def test_pointing_at_a_row_shows_it_and_its_neighbours_in_both_spaces(report, audit):
    layouts = audit.layouts
    # The row that lies farthest to the right: nothing else is nearer to the pointer there.
    row = max(range(layouts.n), key=lambda place: layouts.pca.a[place][0])
    with opened_page(report) as (page, seen):
        dot = page.locator("svg[data-side=a] .dots circle").nth(row)
        dot.scroll_into_view_if_needed()
        box = dot.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        near = {"a": layouts.neighbors_a[row], "b": layouts.neighbors_b[row]}
        shared = set(near["a"]) & set(near["b"])
        title = f"{layouts.ids[row]}: {len(shared)} of 10 neighbours shared"
        assert page.locator(".picked").inner_text().startswith(title)
        for side, place in (("a", 0), ("b", 1)):
            names = [
                re.sub(r" \(in both\)$", "", name)
                for name in page.locator(".picked ol").nth(place).locator("li").all_inner_texts()
            ]
            assert names == [str(layouts.ids[other]) for other in near[side]]
            plane = page.locator(f"svg[data-side={side}]")
            assert plane.locator(".links line").count() == 10
            assert plane.locator(".marks .both").count() == len(shared)
            assert plane.locator(".marks .a").count() == 10 - len(shared)
            assert plane.locator(".marks .b").count() == 10 - len(shared)
            x = float(plane.locator(".marks .self").get_attribute("cx"))
            points = layouts.pca.a if side == "a" else layouts.pca.b
            assert x == pytest.approx(50 + 46 * points[row][0], abs=0.02)
        page.mouse.move(5, 5)
        assert "No row is picked" in page.locator(".picked").inner_text()
    assert seen.console == []


def test_rows_are_found_by_key_by_name_and_stay_picked(report, audit):
    layouts = audit.layouts
    with opened_page(report) as (page, seen):
        plane = page.locator("svg[data-side=b]")
        plane.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        assert page.locator(".picked [role=status]").inner_text().startswith(f"{layouts.ids[1]}:")
        find = page.get_by_label("Find")
        find.fill(str(layouts.ids[7]))
        find.press("Enter")
        assert page.locator(".picked [role=status]").inner_text().startswith(f"{layouts.ids[7]}:")
        before = plane.locator(".dots circle").nth(7).get_attribute("cx")
        page.get_by_label("t-SNE").check()
        after = float(plane.locator(".dots circle").nth(7).get_attribute("cx"))
        assert after != float(before)
        assert after == pytest.approx(50 + 46 * layouts.tsne.b[7][0], abs=0.02)
        assert float(plane.locator(".marks .self").get_attribute("cx")) == after
        plane.focus()
        page.keyboard.press("Escape")
        assert "No row is picked" in page.locator(".picked").inner_text()
    assert seen.console == []


def test_printing_unfolds_everything_on_white(report):
    with opened_page(report, color_scheme="dark") as (page, _):
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("[...document.querySelectorAll('details')].every((one) => one.open)")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"
        assert page.pdf().startswith(b"%PDF")


def test_hostile_names_run_nothing(audit, tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(render(hostile(audit), "html"), encoding="utf-8")
    with opened_page(path) as (page, seen):
        page.locator("svg[data-side=a]").focus()
        page.keyboard.press("ArrowRight")
        assert "<script>alert(1)</script>" in page.locator(".picked").inner_text()
        assert page.locator("img").count() == 0
    assert seen.dialogs == []
    assert seen.console == []
    assert seen.requests == [path.as_uri()]


def test_links_unfold_the_report_they_lead_to(audit, tmp_path):
    path = tmp_path / "pairs.html"
    text = render_checks([Checked("first", audit), Checked("second", audit)], "html")
    path.write_text(text, encoding="utf-8")
    with opened_page(path) as (page, seen):
        assert not page.locator("#report-2").get_attribute("open")
        page.get_by_role("link", name="second").click()
        page.locator("#report-2 .badge").wait_for(state="visible")
        assert page.locator("#report-1 .badge").is_hidden()
    assert seen.console == []
