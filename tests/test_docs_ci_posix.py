"""Every example of docs/ci.md works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import environment, run
from test_pre_commit_posix import HOOK
from workflow_runs import ACTION, BASH, ROOT, document, evaluated

import embaudit
from embaudit.configuration import configuration

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
YAML = [document(body) for kind, body in BLOCKS if kind == "yaml"]
TOML = [body for kind, body in BLOCKS if kind == "toml"]
SHELL = [body for kind, body in BLOCKS if kind == "sh"]
WORKFLOWS = [one for one in YAML if "jobs" in one]
STEPS = [one for one in YAML if isinstance(one, list)]
HOOKS = [one for one in YAML if "repos" in one]
GITLAB = [one for one in YAML if "embeddings" in one]
OURS = f"OWNER/embaudit@v{embaudit.__version__}"
OFFICIAL = re.compile(r"actions/(checkout|setup-python|upload-artifact)@v\d+")
SAMPLES = ROOT / "sample_data"
ROWS = 700


@pytest.fixture
def checkout(tmp_path):
    """Return a repository with the files that the page speaks of: some rows of the sample data."""
    vectors = tmp_path / "checkout" / "vectors"
    vectors.mkdir(parents=True)
    old = pq.read_table(SAMPLES / "minilm.parquet").slice(0, ROWS)
    new = pa.table({"id": old["id"], "embedding": list(np.load(SAMPLES / "minilm_w8.npy")[:ROWS])})
    pq.write_table(old, vectors / "old.parquet")
    pq.write_table(new.take(np.arange(len(new))[::-1]), vectors / "new.parquet")
    for name, sample in (("images_old", "w2v_seed1"), ("images_new", "w2v_seed2")):
        np.save(vectors / f"{name}.npy", np.load(SAMPLES / f"{sample}.npy")[:ROWS])
    (vectors.parent / "embaudit.toml").write_text(TOML[0])
    return vectors.parent


@pytest.fixture
def shell(checkout, tmp_path):
    """Return a function that runs a script in the checkout, where `embaudit` is a command."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program(programs / "embaudit", f'exec {shlex.quote(sys.executable)} -m embaudit_cli "$@"')

    def invoke(script, **changes):
        variables = environment(**changes)
        variables["PATH"] = f"{programs}:{variables['PATH']}"
        return run([*BASH, "-c", script], cwd=checkout, env=variables, timeout=120)

    return invoke


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def ours(steps):
    """Return what the action is given, checking that the other actions are GitHub's own."""
    used = [step for step in steps if "uses" in step]
    others = [step["uses"] for step in used if step["uses"] != OURS]
    assert all(OFFICIAL.fullmatch(name) for name in others)
    (found,) = [step.get("with", {}) for step in used if step["uses"] == OURS]
    return found


def the_steps(workflow):
    assert set(workflow) == {"name", "on", "permissions", "jobs"}
    (job,) = workflow["jobs"].values()
    assert set(job) == {"runs-on", "steps"}
    return job["steps"]


def test_every_block_is_of_a_kind_that_is_tested():
    assert {kind for kind, _ in BLOCKS} == {"yaml", "toml", "sh"}
    assert [len(kind) for kind in (WORKFLOWS, STEPS, HOOKS, GITLAB, TOML, SHELL)] == [
        *(2, 2, 2, 1, 2, 2)
    ]
    assert len(YAML) == 7


def test_every_input_and_output_is_explained():
    for name in ACTION["inputs"] | ACTION["outputs"]:
        assert f"`{name}`" in PAGE, name


@pytest.mark.parametrize("text", TOML)
def test_settings_are_understood(text, tmp_path):
    (tmp_path / "embaudit.toml").write_text(text)
    found = configuration(tmp_path / "embaudit.toml")
    assert list(found.pairs) == list(tomllib.loads(text)["pairs"])


def test_the_workflow_of_one_pair(runner, checkout):
    (checkout / "embaudit.toml").unlink()
    done = runner.run(checkout, **ours(the_steps(WORKFLOWS[0])))
    assert (done.status, done.outputs["verdict"]) == (0, "safe"), done.log


def test_the_workflow_of_many_pairs(runner, checkout, shell, tmp_path):
    steps = the_steps(WORKFLOWS[1])
    done = runner.run(checkout, **ours(steps))
    assert (done.status, done.outputs["verdict"]) == (0, "align"), done.log
    assert done.summary.startswith("### ✅ embaudit: 2 of 2 pairs met\n")
    upload, comment = steps[-2:]
    for path in upload["with"]["path"].split():
        assert (checkout / path).stat().st_size > 0
    assert ElementTree.parse(checkout / "embaudit.xml").getroot().get("tests") == "2"
    # GitHub itself cannot be asked: a stand-in for its command says what it was called with.
    program(tmp_path / "programs" / "gh", 'printf "%s\\n" "$@" > gh.txt')
    contexts = {f"steps.embaudit.outputs.{name}": one for name, one in done.outputs.items()}
    contexts |= {"github.token": "x", "github.event.pull_request.number": "7"}
    variables = {name: evaluated(value, contexts) for name, value in comment["env"].items()}
    assert shell(comment["run"], **variables).returncode == 0
    words = (checkout / "gh.txt").read_text().splitlines()
    assert words[:4] == ["pr", "comment", "7", "--body-file"]
    assert Path(words[4]).read_text(encoding="utf-8") == done.summary
    for step in (upload, comment):
        assert step["if"].startswith("always()")


def test_the_steps_of_some_pairs_and_of_a_baseline(runner, checkout, shell):
    some, baseline = (ours(steps) for steps in STEPS)
    done = runner.run(checkout, **some)
    assert (done.status, done.outputs["verdict"]) == (0, "align"), done.log
    assert done.summary.startswith("### ✅ embaudit: 1 of 1 pair met\n")
    assert runner.run(checkout, **baseline).status == 2
    assert shell(SHELL[0]).returncode == 0
    done = runner.run(checkout, **baseline)
    assert (done.status, done.outputs["verdict"]) == (0, "align"), done.log
    assert "no worse than accepted: **met**" in done.summary
    (checkout / "embaudit.toml").write_text(TOML[1])
    assert shell("embaudit check").returncode == 0


def test_the_shell_says_what_each_status_means(checkout, shell):
    (checkout / "embaudit.toml").write_text("[pairs.images]" + TOML[0].split("[pairs.images]")[1])
    assert shell(SHELL[1]).stdout.splitlines()[-1] == "met"
    shuffled = np.random.default_rng(0).standard_normal((ROWS, 128)).astype(np.float32)
    np.save(checkout / "vectors" / "images_new.npy", shuffled)
    done = shell(SHELL[1])
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "not met")
    np.save(checkout / "vectors" / "images_old.npy", np.load(SAMPLES / "w2v_seed1.npy")[:30])
    np.save(checkout / "vectors" / "images_new.npy", np.load(SAMPLES / "w2v_seed2.npy")[:30])
    done = shell(SHELL[1])
    assert (done.returncode, done.stdout.splitlines()[-1]) == (3, "not decided by these rows")
    (checkout / "vectors" / "images_new.npy").unlink()
    done = shell(SHELL[1])
    assert (done.returncode, done.stdout.splitlines()[-1]) == (2, "not compared")


def test_gitlab(checkout, shell):
    (job,) = (one["embeddings"] for one in GITLAB)
    install, *script = job["script"]
    assert install == f'pip install "embaudit @ git+https://github.com/{OURS}"'
    done = shell("\n".join(script))
    assert done.returncode == 0, done.stdout + done.stderr
    written = [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]
    assert all((checkout / path).stat().st_size > 0 for path in written)
    assert job["artifacts"]["when"] == "always"


@pytest.mark.parametrize("settings", HOOKS)
def test_the_hooks(settings, checkout, shell, tmp_path):
    (source,) = settings["repos"]
    assert f"{source['repo']}@{source['rev']}" == f"https://github.com/{OURS}"
    (hook,) = source["hooks"]
    assert hook["id"] == HOOK["id"]
    assert re.search(hook.get("files", HOOK["files"]), "vectors/new.parquet")
    assert shell(hook.get("entry", HOOK["entry"])).returncode == 0
    config = tmp_path / ".pre-commit-config.yaml"
    body = next(body for kind, body in BLOCKS if kind == "yaml" and document(body) == settings)
    config.write_text(body)
    valid = subprocess.run([sys.executable, "-m", "pre_commit", "validate-config", str(config)])
    assert valid.returncode == 0


def test_the_manifest_of_hooks_is_valid():
    manifest = ROOT / ".pre-commit-hooks.yaml"
    done = run([sys.executable, "-m", "pre_commit", "validate-manifest", str(manifest)])
    assert done.returncode == 0, done.stdout
