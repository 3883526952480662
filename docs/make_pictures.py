"""Draw the README's pictures: reports of real runs on sample_data, for light and dark pages.

``python docs/make_pictures.py`` writes docs/pictures/*.svg anew, and the pictures of the HTML
report, docs/pictures/*.png, for which it needs Chromium.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

import embaudit
from embaudit.report.terminal import render

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"

PAIRS = {
    "safe": ("sample_data/minilm.npy", "sample_data/minilm_w8.npy"),
    "align": ("sample_data/w2v_seed1.npy", "sample_data/w2v_seed2.npy"),
    "concatenate": ("sample_data/minilm.npy", "sample_data/lsa.npy"),
}
"""Name of the picture -> what is compared, as the README's commands name it."""

PHOTOGRAPHED = "concatenate"
PHOTOGRAPH_WIDTH = 1040
PICKED = 4
"""Place of the row that is picked among those drawn."""

COLUMNS, ROWS = 88, 60
"""Size of the terminal; without both, rich asks the one that the script runs in."""

THEMES = {
    "light": TerminalTheme(
        background=(255, 255, 255),
        foreground=(31, 35, 40),
        normal=[
            (31, 35, 40),
            (207, 34, 46),
            (26, 127, 55),
            (154, 103, 0),
            (9, 105, 218),
            (130, 80, 223),
            (27, 124, 131),
            (110, 119, 129),
        ],
        bright=[(190, 197, 205), *[(31, 35, 40)] * 7],
    ),
    "dark": TerminalTheme(
        background=(13, 17, 23),
        foreground=(230, 237, 243),
        normal=[
            (72, 79, 88),
            (255, 123, 114),
            (63, 185, 80),
            (210, 153, 34),
            (88, 166, 255),
            (188, 140, 255),
            (57, 197, 207),
            (177, 186, 196),
        ],
        bright=[(72, 79, 88), *[(230, 237, 243)] * 7],
    ),
}
"""Black, red, green, yellow, blue, magenta, cyan, white; of the bright ones only black is used."""

ASPECT = 0.6
"""Width of a column to the size of the font: that of most monospaced fonts."""

FRAME_HEIGHT = 26
"""Pixels, for lines 24.4 high."""

# A picture in a README may load nothing, so the fonts are the reader's own.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}"
  viewBox="0 0 {width} {height:.0f}">
<style>
.{unique_id}-matrix {{
  font: {char_height}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono",
    "Liberation Mono", monospace;
}}
.{unique_id}-chrome rect {{ stroke: rgba(127, 127, 127, 0.5); }}
{styles}
</style>
<defs>
{lines}
</defs>
<g class="{unique_id}-chrome">{chrome}</g>
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def draw(audit: embaudit.Audit, command: str, theme: TerminalTheme) -> str:
    """Return the picture of a terminal in which `command` has printed the report of `audit`."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=COLUMNS,
        height=ROWS,
        force_terminal=True,
        color_system="standard",
        no_color=False,
        legacy_windows=False,
    )
    console.print(Text(f"$ {command}", "bold"), crop=False)
    console.print(render(audit), crop=False)
    # Lines for copying may be longer than the report is wide, and the export would cut them off.
    printed = console.export_text(clear=False).splitlines()
    console.width = max(COLUMNS, *map(cell_len, printed))
    svg = console.export_svg(
        theme=theme, title="", code_format=SVG, font_aspect_ratio=ASPECT, unique_id="embaudit"
    )
    return _joined(svg)


def _joined(svg: str) -> str:
    """Return the picture without gaps in what is drawn with characters.

    Runs are stretched to their columns by their glyphs, not by the space between them, and the
    frame's glyphs are higher than a line, which is cut off where the next one begins.
    """
    # rich draws the ends of lines too; a run on a line of its own makes differences readable.
    svg = re.sub("<text [^>]*>\n</text>", "", svg).replace("</text><text", "</text>\n<text")
    svg = svg.replace(" textLength=", ' lengthAdjust="spacingAndGlyphs" textLength=')
    return re.sub("<text (?=[^>]*>[^<]*[╭╮╰╯│])", f'<text font-size="{FRAME_HEIGHT}" ', svg)


def pictures() -> Iterator[tuple[str, str]]:
    """Yield the name of each file and its content; the working directory is the repository's."""
    for name, (a, b) in PAIRS.items():
        audit = embaudit.compare(a, b)
        for theme, colours in THEMES.items():
            yield f"{name}-{theme}.svg", draw(audit, f"embaudit compare {a} {b}", colours)


def photographs() -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of pictures of the HTML report, one row of it picked."""
    from playwright.sync_api import sync_playwright

    page = embaudit.compare(*PAIRS[PHOTOGRAPHED], layouts=True).to_html()
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    browsers = ("chromium", "chromium-browser", "google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, browsers)), None)
        )
        for scheme in schemes:
            shown = browser.new_page(
                viewport={"width": PHOTOGRAPH_WIDTH, "height": 900}, color_scheme=scheme
            )
            shown.goto(path.as_uri())
            shown.get_by_label("t-SNE").check()
            shown.locator("svg[data-side=a]").focus()
            for _ in range(PICKED):
                shown.keyboard.press("ArrowRight")
            shown.locator(".planes .part").click()
            below = shown.locator(".picked").bounding_box()
            assert below is not None, "drawn"
            height = below["y"] + below["height"] + shown.evaluate("scrollY") + 12
            yield (
                f"report-{scheme}.png",
                shown.screenshot(
                    full_page=True,
                    clip={"x": 0, "y": 0, "width": PHOTOGRAPH_WIDTH, "height": height},
                ),
            )
        browser.close()


def main() -> None:
    """Write every picture."""
    os.chdir(ROOT)
    PICTURES.mkdir(exist_ok=True)
    for name, svg in pictures():
        path = PICTURES / name
        path.write_text(svg, encoding="utf-8", newline="\n")
        print(path.relative_to(ROOT))
    for name, png in photographs():
        path = PICTURES / name
        path.write_bytes(png)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
