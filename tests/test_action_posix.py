"""The GitHub Action: its very steps in a shell, and that nothing that fails looks clean."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import time
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import run
from oracles import rotation
from workflow_runs import ACTION, ROOT

from embaudit.datatypes import Verdict

HOSTILE = [
    ("two words.npy", "line\n::error::forged.npy"),
    ("$(touch pwned).npy", "`touch pwned`.npy"),
    ("'; touch pwned; '.npy", '"; touch pwned; ".npy'),
    ("::set-output name=verdict::safe.npy", "##[set-output name=verdict]safe.npy"),
    ("--exit-zero.npy", "${{ github.token }}.npy"),
    ("%0A::error::forged.npy", "*\r::error::x.npy"),
]


@pytest.fixture(scope="module")
def vectors():
    random = np.random.default_rng(0)
    a = random.standard_normal((400, 8)).astype(np.float32)
    return {
        "a": a,
        "near": a + np.float32(0.0001),
        "turned": (a @ rotation(8, random)).astype(np.float32),
        "few": a[:30],
        "few_noisy": (a[:30] + 0.1 * random.standard_normal((30, 8))).astype(np.float32),
    }


@pytest.fixture
def checkout(tmp_path, vectors):
    """Return the working directory of a job."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name, matrix in vectors.items():
        np.save(folder / f"{name}.npy", matrix)
    return folder


def assert_failed(done, status=2):
    """Nothing that GitHub shows or hands over takes the step for one that was met."""
    assert done.status == status, done.log
    assert done.outputs["verdict"] == "error"
    assert len(done.errors) >= 1, done.log
    assert "✅" not in done.summary


def assert_explained(done, status=2):
    """The step has failed, and says so wherever somebody looks."""
    assert_failed(done, status)
    assert done.outputs["exit-code"] == str(status)
    assert done.summary.startswith("### ❌ embaudit: error\n")
    with open(done.outputs["report"], encoding="utf-8") as report:
        assert report.read() == done.summary


def test_a_pair_that_is_met(runner, checkout):
    done = runner.run(checkout, a="a.npy", b="near.npy")
    assert done.status == 0, done.log
    assert (done.outputs["verdict"], done.outputs["exit-code"]) == ("safe", "0")
    assert done.summary.startswith("### ✅ embaudit: safe\n")
    with open(done.outputs["report"], encoding="utf-8") as report:
        assert report.read() == done.summary
    with open(done.outputs["json"], encoding="utf-8") as document:
        assert json.load(document)["verdict"] == "safe"
    assert [line.split(" ")[0] for line in done.commands] == ["::notice"]
    assert "✔ SAFE" in done.log


def test_a_pair_that_is_not_met(runner, checkout):
    done = runner.run(checkout, a="a.npy", b="turned.npy")
    assert (done.status, done.outputs["verdict"], done.outputs["exit-code"]) == (1, "align", "1")
    assert done.summary.startswith("### ❌ embaudit: align\n")
    (error,) = done.errors
    assert "required safe%3A not met" in error
    done = runner.run(checkout, a="a.npy", b="turned.npy", require="align")
    assert (done.status, done.outputs["verdict"], done.errors) == (0, "align", [])


def test_a_pair_that_the_data_cannot_decide(runner, checkout):
    done = runner.run(checkout, a="few.npy", b="few_noisy.npy")
    assert (done.status, done.outputs["verdict"]) == (3, "inconclusive")
    assert done.summary.startswith("### ❔ embaudit: inconclusive\n")
    assert "undecided" in done.errors[0]


def test_a_file_that_is_not_there(runner, checkout):
    done = runner.run(checkout, a="a.npy", b="gone.npy")
    assert_explained(done)
    assert done.outputs["json"] == ""
    assert done.errors == ["::error title=embaudit::gone.npy: no such file; check the path"]
    assert "\n    gone.npy: no such file; check the path\n" in done.summary


PAIRS = """
[pairs.same]
a = "a.npy"
b = "near.npy"

[pairs.lost]
a = "a.npy"
b = "turned.npy"
"""


def test_the_pairs_of_a_file_of_settings(runner, checkout):
    (checkout / "embaudit.toml").write_text(PAIRS)
    done = runner.run(checkout)
    assert (done.status, done.outputs["verdict"]) == (1, "align")
    assert done.summary.startswith("### ❌ embaudit: 1 of 2 pairs met\n")
    assert done.errors[0].startswith("::error file=embaudit.toml,line=7,title=embaudit%2C lost")
    one = runner.run(checkout, args="same")
    assert (one.status, one.outputs["verdict"]) == (0, "safe")
    (checkout / "deep").mkdir()
    (checkout / "deep" / "other.toml").write_text(PAIRS.replace('"a.npy"', '"gone.npy"'))
    done = runner.run(checkout, config="deep/other.toml")
    assert_failed(done)
    assert done.summary.startswith("### ❌ embaudit: 0 of 2 pairs met\n")
    assert [error.split("=")[1] for error in done.errors] == ["deep/other.toml,line"] * 2


def test_one_pair_under_the_settings_of_a_file(runner, checkout):
    (checkout / "ci.toml").write_text('require = "align"\n')
    done = runner.run(checkout, a="a.npy", b="turned.npy", config="ci.toml")
    assert (done.status, done.outputs["verdict"]) == (0, "align")


@pytest.mark.parametrize(("a", "b"), HOSTILE, ids=repr)
def test_names_of_files_are_neither_run_nor_obeyed(runner, checkout, a, b):
    (checkout / "a.npy").rename(checkout / a)
    (checkout / "turned.npy").rename(checkout / b)
    before = sorted(os.listdir(checkout))
    done = runner.run(checkout, a=a, b=b)
    assert (done.status, done.outputs["verdict"]) == (1, "align"), done.log
    assert all(re.match("::(error|warning) title=embaudit%3A ", line) for line in done.commands)
    assert len(done.errors) == 1
    gone = runner.run(checkout, a=a, b=f"gone/{b}")
    assert_explained(gone)
    assert len(gone.commands) == 1
    assert gone.summary.count("\n") == 5
    assert sorted(os.listdir(checkout)) == before


@pytest.mark.parametrize("given", ["on", "require", "config", "outputs", "args", "python"])
def test_no_input_is_run_or_obeyed(runner, checkout, given):
    before = sorted(os.listdir(checkout))
    text = "$(touch pwned)\n::error::x\n##[error]`touch pwned`\r'; touch pwned; '"
    done = runner.run(checkout, **{"a": "a.npy", "b": "turned.npy", given: text})
    assert_explained(done)
    assert len(done.commands) == 1
    assert done.summary.count("\n") == 5
    assert sorted(os.listdir(checkout)) == before


def test_no_expression_is_part_of_a_script():
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_files_are_written_as_asked(runner, checkout):
    outputs = "\n  junit=my junit.xml \n\nrows=rows.csv\n"
    done = runner.run(checkout, a="a.npy", b="turned.npy", outputs=outputs)
    assert done.status == 1
    assert ElementTree.parse(checkout / "my junit.xml").getroot().get("failures") == "1"
    assert (checkout / "rows.csv").stat().st_size > 1000


@pytest.mark.parametrize(
    ("outputs", "complaint"),
    [
        ("pdf=a.pdf", "unknown output format 'pdf'"),
        ("json", "expected FORMAT=PATH"),
        ("json=missing/a.json", "missing does not exist"),
        ("json=a.npy", "would overwrite an input"),
        ("json=x.json\njson=x.json", "already taken"),
    ],
)
def test_outputs_that_cannot_be_written_fail(runner, checkout, outputs, complaint):
    done = runner.run(checkout, a="a.npy", b="near.npy", outputs=outputs)
    assert_explained(done)
    assert complaint in done.errors[0]
    assert complaint in done.summary


def test_options_are_one_a_line_and_taken_as_they_stand(runner, checkout):
    np.save(checkout / "two words.npy", np.load(checkout / "a.npy"))
    args = "--rerun two words.npy\n\t--metric=euclidean  \n--min-recall   0.8\n--quiet"
    done = runner.run(checkout, a="a.npy", b="near.npy", args=args)
    assert done.status == 0, done.log
    with open(done.outputs["json"], encoding="utf-8") as document:
        found = json.load(document)
    assert found["rerun"]["uri"] == "two words.npy"
    assert (found["metric"], found["policy"]["min_recall"]) == ("euclidean", 0.8)
    done = runner.run(checkout, a="a.npy", b="turned.npy", args="--exit-zero")
    assert (done.status, done.outputs["verdict"]) == (0, "align")
    assert done.summary.startswith("### ❌ embaudit: align\n")
    assert len(done.errors) == 1


def test_a_run_that_compares_nothing_is_an_error(runner, checkout):
    done = runner.run(checkout, a="a.npy", b="near.npy", args="--help")
    assert_explained(done)
    assert "exit status 0 and left no report" in done.errors[0]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"a": "a.npy"}, "give both a and b, or neither"),
        ({"b": "a.npy"}, "give both a and b, or neither"),
        ({"on": "id"}, "on and require are of a and b"),
        ({"require": "align"}, "on and require are of a and b"),
        ({}, "names no pairs"),
        ({"config": "none.toml"}, "none.toml: No such file or directory"),
        ({"a": "a.npy", "b": "near.npy", "python": "no-such-python"}, "no Python 3.11 or later"),
        ({"a": "a.npy", "b": "near.npy", "python": "false"}, "no Python 3.11 or later"),
        ({"a": "a.npy", "b": "near.npy", "args": "--no-such"}, "No such option"),
    ],
)
def test_what_means_nothing_fails(runner, checkout, given, complaint):
    done = runner.run(checkout, **given)
    assert_explained(done)
    assert complaint in done.errors[0]


def test_an_installation_that_fails(runner, checkout, tmp_path):
    (tmp_path / "action").mkdir()
    (tmp_path / "action" / "ci").symlink_to(ROOT / "ci")
    broken = {"GITHUB_ACTION_PATH": str(tmp_path / "action")}
    done = runner.run(checkout, files=broken, a="a.npy", b="near.npy")
    assert_explained(done)
    assert "could not be installed" in done.errors[0]
    # What it leaves behind is not taken for an installation by the next use.
    assert len(list(runner.temporary.glob("*/bin/pip"))) == 2
    assert len(list(runner.temporary.glob("*/installed"))) == 1


@pytest.fixture
def endless(tmp_path):
    """Return a folder of two files that take long to read and no space on disk."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (4_000_000, 768)}
    for name in ("a.npy", "b.npy"):
        with (tmp_path / name).open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            stream.truncate(stream.tell() + 4 * 4_000_000 * 768)
    return tmp_path


def descendants(step):
    """Return the processes below a step, with their command lines, the youngest last."""
    found = {step.pid: ""}
    for line in run(["ps", "-A", "-o", "pid=,ppid=,args="]).stdout.splitlines():
        pid, parent, arguments = line.split(None, 2)
        if int(parent) in found:
            found[int(pid)] = arguments
    return found


def comparing(step):
    """Return the processes of a step, from the first to that which compares, once it does."""
    for _ in range(600):
        found = descendants(step)
        if " compare " in list(found.values())[-1]:
            time.sleep(0.5)
            return list(found)
        assert step.poll() is None
        time.sleep(0.1)
    raise AssertionError("nothing compares")


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGKILL, 137), (signal.SIGSEGV, 139)])
def test_a_comparison_that_is_killed(runner, endless, signum, status):
    def kill(step):
        os.kill(comparing(step)[-1], signum)

    done = runner.run(endless, meanwhile=kill, a="a.npy", b="b.npy")
    assert_explained(done, status)
    assert f"ended by signal {signum}" in done.errors[0]


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_step_that_is_cancelled(runner, endless, signum, status):
    def cancel(step):
        for pid in comparing(step):
            os.kill(pid, signum)

    done = runner.run(endless, meanwhile=cancel, a="a.npy", b="b.npy")
    # The shell of the step is free to end by the signal itself.
    assert done.status in (status, -signum)
    assert (done.outputs["verdict"], done.outputs["exit-code"]) == ("error", str(status))
    assert done.summary.startswith("### ❌ embaudit: error\n")
    assert len(done.errors) == 1


def test_a_step_that_is_killed_hands_over_no_verdict(runner, endless):
    def kill(step):
        for pid in comparing(step):
            os.kill(pid, signal.SIGKILL)

    done = runner.run(endless, meanwhile=kill, a="a.npy", b="b.npy")
    assert done.status == -signal.SIGKILL
    assert done.outputs["verdict"] == "error"
    with open(done.outputs["report"], encoding="utf-8") as report:
        assert report.read().startswith("### ❌ embaudit: error")


@pytest.mark.parametrize("b", ["near.npy", "turned.npy"])
def test_a_summary_that_cannot_be_written(runner, checkout, b):
    done = runner.run(checkout, files={"GITHUB_STEP_SUMMARY": "/no/such/file"}, a="a.npy", b=b)
    assert_failed(done)
    assert "the step summary could not be written" in done.errors[-1]


def test_outputs_that_cannot_be_handed_over(runner, checkout):
    done = runner.run(checkout, files={"GITHUB_OUTPUT": "/no/such/file"}, a="a.npy", b="near.npy")
    assert done.status == 2
    assert done.outputs["verdict"] == ""
    assert "could not be written" in done.errors[-1]
    assert "✅" not in done.summary


@pytest.mark.parametrize("limit", [500, 2000, 9000])
def test_a_disk_that_is_full(runner, checkout, limit, monkeypatch):
    """A limit on the size of files refuses what a full disk refuses: writing on."""

    def start(script, folder, environment):
        file = checkout / "step.sh"
        file.write_text(script)
        return subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: (
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
            ),
        )

    monkeypatch.setattr(runner, "start", start)
    done = runner.run(checkout, a="a.npy", b="near.npy")
    assert done.status == 2, done.log
    assert done.outputs["verdict"] in ("", "error")
    assert done.errors
    assert "✅" not in done.summary


def test_a_summary_that_is_too_long_is_cut(runner, checkout):
    names = [f"{number}{'_' * 27_000}" for number in range(20)]
    pairs = "".join(f'[pairs."{name}"]\na = "a.npy"\nb = "gone.npy"\n' for name in names)
    (checkout / "embaudit.toml").write_text(pairs)
    done = runner.run(checkout)
    assert_failed(done)
    assert os.path.getsize(done.outputs["report"]) > 1 << 20
    assert len(done.summary.encode()) < 1 << 20
    assert done.summary.startswith("### ❌ embaudit: 0 of 20 pairs met\n")
    assert "The rest is left out" in done.summary


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        (["safe", "safe"], "safe"),
        (["safe", "inconclusive", "concatenate"], "inconclusive"),
        (["mispaired", "inconclusive"], "mispaired"),
        ([None, "unrelated"], "error"),
    ],
)
def test_the_worst_of_all_pairs(tmp_path, verdicts, worst):
    pairs = {
        str(number): {"error": "gone"} if verdict is None else {"verdict": verdict}
        for number, verdict in enumerate(verdicts)
    }
    (tmp_path / "c.json").write_text(json.dumps({"pairs": pairs}))
    assert the_verdict(tmp_path / "c.json").stdout == f"{worst}\n"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_is_known(tmp_path, verdict):
    (tmp_path / "a.json").write_text(json.dumps({"verdict": verdict}))
    assert the_verdict(tmp_path / "a.json").stdout == f"{verdict}\n"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"verdict": "fine"}', '{"pairs": {}}'])
def test_what_has_no_verdict_is_none(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    done = the_verdict(tmp_path / "a.json")
    assert done.returncode != 0 or done.stdout == "error\n"


def the_verdict(path):
    return run(["python3", str(ROOT / "ci" / "verdict.py"), str(path)])
