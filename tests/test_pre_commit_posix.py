"""The pre-commit hook: run by pre-commit itself, and its very command by hand."""

from __future__ import annotations

import re
import shlex
import shutil
import sys

import numpy as np
import pytest
import yaml
from commands import environment, run
from oracles import rotation
from workflow_runs import ROOT, Runner

from embaudit.data.sources import FORMATS

(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
PAIRS = """
[pairs.same]
a = "a.npy"
b = "same.npy"

[pairs.other]
a = "a.npy"
b = "other.npy"
"""


@pytest.fixture
def repository(tmp_path):
    """Return a repository with two pairs, of which the second is one file twice."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    random = np.random.default_rng(0)
    x = random.standard_normal((400, 8)).astype(np.float32)
    for name in ("a", "same", "other"):
        np.save(folder / f"{name}.npy", x)
    np.save(folder / "turned.npy", (x @ rotation(8, random)).astype(np.float32))
    (folder / "embaudit.toml").write_text(PAIRS)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    return folder


def git(folder, *arguments):
    """Run git as someone, whatever this machine's settings are."""
    someone = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.hooksPath="]
    # A hook that runs these tests says by GIT_DIR which repository it is of.
    plain = {name: value for name, value in environment().items() if not name.startswith("GIT_")}
    done = run(["git", *someone, *arguments], cwd=folder, env=plain)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_hook_runs_where_pairs_or_vectors_change():
    changed = [f"deep/x{suffix}" for suffix in FORMATS]
    for name in (*changed, "embaudit.toml", "ci/embaudit.toml", "pyproject.toml"):
        assert re.search(HOOK["files"], name), name
    for name in ("x.npy.md", "npy", "my-pyproject.toml.txt", "not-embaudit.toml", "x.py"):
        assert not re.search(HOOK["files"], name), name


def test_the_command_of_the_hook_fails_where_a_pair_does(repository):
    assert HOOK["pass_filenames"] is False
    program, *arguments = shlex.split(HOOK["entry"])
    command = [sys.executable, "-m", "embaudit_cli", *arguments, *HOOK.get("args", [])]
    assert program == "embaudit"
    shutil.copy(repository / "turned.npy", repository / "other.npy")
    done = run(command, cwd=repository)
    assert done.returncode == 1
    assert "other: An orthogonal map" in done.stdout
    (repository / "other.npy").unlink()
    done = run(command, cwd=repository)
    assert done.returncode == 2
    assert "other: other.npy: no such file; check the path" in done.stdout
    (repository / "embaudit.toml").unlink()
    done = run(command, cwd=repository)
    assert done.returncode == 2
    assert "names no pairs" in done.stderr


@pytest.fixture
def published(tmp_path):
    """Return a repository of embaudit as it is here, and its one commit."""
    folder = tmp_path / "published"
    folder.mkdir()
    names = ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml", "embaudit", "cli")
    for name in names:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")
    return folder, git(folder, "rev-parse", "HEAD")


def test_pre_commit_installs_and_runs_the_hook(repository, published, tmp_path):
    folder, commit = published
    (repository / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump(
            {"repos": [{"repo": str(folder), "rev": commit, "hooks": [{"id": HOOK["id"]}]}]}
        )
    )
    git(repository, "add", "--all")
    home = Runner(tmp_path / "runner").environment(PRE_COMMIT_HOME=str(tmp_path / "home"))
    plain = {name: value for name, value in home.items() if not name.startswith("GIT_")}

    def pre_commit():
        command = [sys.executable, "-P", "-m", "pre_commit", "run", "--color=never"]
        return run(command, cwd=repository, env=plain, timeout=300)

    done = pre_commit()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"embaudit check\.+Passed", done.stdout)
    shutil.copy(repository / "turned.npy", repository / "other.npy")
    git(repository, "add", "--all")
    done = pre_commit()
    assert done.returncode == 1
    assert re.search(r"embaudit check\.+Failed", done.stdout)
    assert "other: An orthogonal map" in done.stdout
    # What has nothing to do with vectors is not held up by them.
    git(repository, "commit", "--quiet", "--message", "x", "--no-verify")
    (repository / "readme.md").write_text("x\n")
    git(repository, "add", "--all")
    assert "Skipped" in pre_commit().stdout
