"""Outputs among links, devices, file modes and full disks."""

import json
import os
import stat

import pytest
from commands import run_code
from sample_audits import sample_audit

from embaudit.datatypes import Verdict
from embaudit.errors import UsageError
from embaudit.report.outputs import Destination, parse_outputs, write_outputs

AUDIT = sample_audit(Verdict.SAFE)


def test_refuses_to_replace_a_device():
    with pytest.raises(UsageError, match="not a regular file; use - for standard output"):
        parse_outputs(["json=/dev/null"])


def test_refuses_to_overwrite_an_input_through_a_link(tmp_path):
    source = tmp_path / "a.npy"
    source.write_bytes(b"vectors")
    (tmp_path / "link.json").symlink_to(source)
    with pytest.raises(UsageError, match="would overwrite an input"):
        parse_outputs([f"json={tmp_path / 'link.json'}"], inputs=[str(source)])


def test_new_files_obey_the_umask_and_old_ones_keep_their_mode(tmp_path):
    old = tmp_path / "old.json"
    old.write_text("{}")
    old.chmod(0o640)
    before = os.umask(0o022)
    try:
        write_outputs(AUDIT, [Destination("json", tmp_path / "new.json"), Destination("json", old)])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.json").stat().st_mode) == 0o644
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_link_stays_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    write_outputs(AUDIT, parse_outputs([f"json={link}"]).files)
    assert link.is_symlink()
    assert json.loads(target.read_text())["verdict"] == "safe"


def test_full_disk_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.json").write_text("old")
    code = (
        "import resource, sys\n"
        "from sample_audits import sample_audit\n"
        "from embaudit.errors import OutputError\n"
        "from embaudit.report.outputs import parse_outputs, write_outputs\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_outputs(sample_audit('safe'), parse_outputs(sys.argv[1:]).files)\n"
        "except OutputError as error: print(error)"
    )
    done = run_code(code, f"json={tmp_path / 'a.json'}", f"json={tmp_path / 'b.json'}")
    assert "could not be written (File too large)" in done.stdout
    assert os.listdir(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"
