"""Destinations are checked before the work and written all or none after it."""

import json
import re
from pathlib import Path

import pytest
from sample_audits import sample_audit

from embaudit.datatypes import Verdict
from embaudit.errors import OutputError, UsageError
from embaudit.report.outputs import Destination, Outputs, parse_outputs, write_outputs

AUDIT = sample_audit(Verdict.SAFE)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_parses_files_and_standard_output(tmp_path):
    outputs = parse_outputs([f"json={tmp_path / 'a=b.json'}", "json=-"])
    assert outputs == Outputs((Destination("json", tmp_path / "a=b.json"),), "json")
    assert parse_outputs([]) == Outputs((), None)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("report.json", "expected FORMAT=PATH, for example json=report.json"),
        ("json=", "expected FORMAT=PATH"),
        ("=report.json", "expected FORMAT=PATH"),
        ("", "expected FORMAT=PATH"),
        ("jsno=x", "unknown output format 'jsno'; expected json"),
        ("jsno=x", "did you mean 'json'?"),
        ("pdf=x", "unknown output format 'pdf'; expected json"),
    ],
)
def test_refuses_malformed_specs(spec, complaint):
    with pytest.raises(UsageError, match=re.escape(complaint)) as caught:
        parse_outputs([spec])
    assert "\n" not in str(caught.value)


def test_refuses_two_outputs_to_one_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="only one output can go to standard output"):
        parse_outputs(["json=-", "json=-"])
    with pytest.raises(UsageError, match="already taken"):
        parse_outputs(["json=a.json", f"json={tmp_path}/./a.json"])


def test_refuses_destinations_that_cannot_be_files(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        parse_outputs([f"json={tmp_path}"])
    with pytest.raises(UsageError, match="is a folder"):
        parse_outputs([f"json={tmp_path / 'a.json'}/"])
    with pytest.raises(UsageError, match="does not exist; create it first"):
        parse_outputs([f"json={tmp_path / 'none' / 'a.json'}"])


@pytest.mark.parametrize("uri", ["{}", "{}::column"])
def test_refuses_to_overwrite_an_input(tmp_path, uri):
    source = tmp_path / "a.npy"
    source.write_bytes(b"vectors")
    with pytest.raises(UsageError, match="would overwrite an input"):
        parse_outputs([f"json={source}"], inputs=[uri.format(source)])


def test_writes_every_file_and_nothing_else(tmp_path):
    files = [Destination("json", tmp_path / "a.json"), Destination("json", tmp_path / "b.json")]
    write_outputs(AUDIT, files)
    assert names(tmp_path) == ["a.json", "b.json"]
    for file in files:
        assert json.loads(file.path.read_bytes())["verdict"] == "safe"
        assert file.path.read_bytes().endswith(b"}\n")


def test_writing_nothing_is_fine():
    write_outputs(AUDIT, [])


def test_failure_leaves_earlier_files_as_they_were(tmp_path):
    kept, fresh, folder = tmp_path / "kept.json", tmp_path / "fresh.json", tmp_path / "folder"
    kept.write_text("old")
    folder.mkdir()
    files = [Destination("json", path) for path in (kept, fresh, folder)]
    with pytest.raises(OutputError, match="folder: could not be written"):
        write_outputs(AUDIT, files)
    assert names(tmp_path) == ["folder", "kept.json"]
    assert kept.read_text() == "old"


def test_folder_that_has_gone_is_reported(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    files = parse_outputs([f"json={tmp_path / 'kept.json'}", f"json={folder / 'a.json'}"]).files
    folder.rmdir()
    with pytest.raises(OutputError, match=r"could not be written .*; no output was changed"):
        write_outputs(AUDIT, files)
    assert names(tmp_path) == []


def test_names_that_are_not_utf8_survive_in_json(tmp_path):
    audit = sample_audit(Verdict.SAFE)
    odd = audit.model_copy(update={"a": audit.a.model_copy(update={"uri": "caf\udce9.npy"})})
    write_outputs(odd, [Destination("json", tmp_path / "a.json")])
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["a"]["uri"] == "caf\udce9.npy"
