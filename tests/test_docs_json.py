"""Every JSON example of the documents is printed by its command and fits its schema.

``DOCS=write pytest tests/test_docs_json.py`` writes what the commands print into the document.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import jsonschema
import pytest
from commands import EMBAUDIT, run

from embaudit.report.formats import SCHEMAS, schema

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "json.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
LINE = re.compile(r"\$ embaudit (?P<command>.+) \| jq '(?P<path>[^']+)'")
STEP = re.compile(r"\.(\w+)|\[\"([^\"]+)\"\]|\[(\d+)\]")
SETTINGS = """
[pairs.quantised]
a = "sample_data/minilm.npy"
b = "sample_data/minilm_w8.npy"

[pairs.gone]
a = "sample_data/minilm.npy"
b = "sample_data/gone.npy"
"""


def at(document, path):
    """Return what a path of `jq` leads to: names, quoted names and places."""
    steps = STEP.findall(path)
    assert "".join(match[0] for match in STEP.finditer(path)) == path
    for name, quoted, place in steps:
        document = document[int(place)] if place else document[name or quoted]
    return document


def schema_of(words, document):
    """Return the schema of what a command prints."""
    command = next(word for word in words if word in SCHEMAS)
    return schema(f"{command}-joint" if document.get("method") == "joint" else command)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Return the whole document behind each example, each command run once and in order."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(ROOT / "sample_data", folder / "sample_data")
    (folder / "embaudit.toml").write_text(SETTINGS, encoding="utf-8")
    found = {}
    for command in dict.fromkeys(match["command"] for match in examples()):
        done = run([*EMBAUDIT, *shlex.split(command)], cwd=folder, encoding="utf-8")
        assert done.stderr == ""
        found[command] = json.loads(done.stdout)
    return found


def examples():
    return list(LINE.finditer(DOCUMENT.read_text(encoding="utf-8")))


def test_every_example_fits_the_schema_of_its_command(printed):
    for command, document in printed.items():
        jsonschema.validate(document, schema_of(shlex.split(command), document))


def test_every_command_that_measures_has_an_example(printed):
    titles = {schema_of(shlex.split(command), found)["title"] for command, found in printed.items()}
    assert titles == {schema(command)["title"] for command in SCHEMAS}


def test_a_document_that_does_not_fit_is_noticed(printed):
    document = next(iter(printed.values()))
    for change in ({"verdict": "fine"}, {"k": "ten"}, {"unknown": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | change, schema("compare"))


def test_every_example_shows_what_is_printed(printed):
    text = DOCUMENT.read_text(encoding="utf-8")

    def replay(block):
        lines = []
        for match in LINE.finditer(block[1]):
            value = at(printed[match["command"]], match["path"])
            shown = json.dumps(value, indent=2, ensure_ascii=False)
            lines += [match[0], shown]
        return "```console\n" + "\n".join(lines) + "\n```"

    real = BLOCK.sub(replay, text)
    if os.environ.get("DOCS") == "write":
        DOCUMENT.write_text(real, encoding="utf-8")
        return
    assert text.count("| jq '") >= 12
    assert real == text


def test_no_other_document_shows_json_of_its_own():
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if path != DOCUMENT:
            assert "```json" not in path.read_text(encoding="utf-8"), path.name
