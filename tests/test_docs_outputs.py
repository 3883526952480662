"""The commands of some documents run, in order, and print what the document shows.

``DOCS=write pytest tests/test_docs_outputs.py`` writes what they print into the document.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from commands import EMBAUDIT, run, run_code

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "docs" / name for name in ("inputs.md", "remedies.md")]
TIMED = re.compile(r"costs \d+ microseconds")

BLOCK = re.compile(r"```(?P<kind>\w+)\n(?P<body>.*?)```(?:\n\n```text\n.*?```)?", re.DOTALL)
"""A fenced block; a ``text`` block right behind it shows what it prints."""

PROMPT = "$ "


def printed(done):
    """Return what a command printed, checking that only a refusal went to standard error."""
    refused = done.returncode == 2
    assert refused == done.stderr.startswith("error: "), done.stderr
    assert refused or done.stderr == ""
    return done.stdout + done.stderr


def replay_console(body, folder):
    """Run the commands behind each prompt; return the block with what they print."""
    lines = []
    for line in body.splitlines():
        if line.startswith(PROMPT):
            program, *arguments = shlex.split(line.removeprefix(PROMPT))
            assert program == "embaudit"
            lines += [line, *printed(run([*EMBAUDIT, *arguments], cwd=folder)).splitlines()]
    return "".join(f"{line}\n" for line in lines)


def replay(document, folder):
    """Run every block in `folder`; return the document with what they print."""

    def replay_block(block):
        body = block["body"]
        if block["kind"] == "console":
            return f"```console\n{replay_console(body, folder)}```"
        assert block["kind"] == "python"
        output = printed(run_code(body, cwd=folder))
        return f"```python\n{body}```" + (f"\n\n```text\n{output}```" if output else "")

    return BLOCK.sub(replay_block, document)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_command_prints_what_is_shown(document, tmp_path):
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    shown = document.read_text(encoding="utf-8")
    real = replay(shown, tmp_path)
    if os.environ.get("DOCS") == "write":
        document.write_text(real, encoding="utf-8")
        return
    assert shown.count(f"\n{PROMPT}") > 5
    assert without_times(real) == without_times(shown)


def without_times(text):
    """Return the lines, the one number in them that no run repeats left out."""
    return TIMED.sub("costs some microseconds", text).splitlines()
