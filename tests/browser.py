"""A real browser for the HTML report, where the machine has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
REQUIRED = "EMBAUDIT_BROWSER"
"""Path of a browser, or `required`: then a machine without one fails instead of leaving out."""


def browser_path() -> str | None:
    """Return the browser to use; None where there is none and none is required."""
    given = os.environ.get(REQUIRED, "")
    if given not in ("", "required"):
        return given
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and given == "required":
        raise RuntimeError(f"no browser found; looked for {', '.join(NAMES)}")
    return found


@dataclass
class Seen:
    """What a page did besides showing itself."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@contextmanager
def opened_page(path: Path, width: int = 1280, **context: Any) -> Iterator[tuple[Any, Seen]]:
    """Open a file in a page of its own, and watch it."""
    from playwright.sync_api import sync_playwright

    seen = Seen()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path())
        page = browser.new_page(viewport={"width": width, "height": 900}, **context)
        page.on("console", lambda message: seen.console.append(message.text))
        page.on("pageerror", lambda error: seen.console.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(path.as_uri())
        yield page, seen
        browser.close()
