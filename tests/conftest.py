"""What every test module shares."""

import os

import pytest

# Signals, closed pipes, devices and file modes as POSIX has them.
collect_ignore_glob = [] if os.name == "posix" else ["*_posix.py"]

SHADOWS = ("pip", "venv", "json", "typing", "numpy", "embaudit", "embaudit_cli")


@pytest.fixture(scope="session")
def runner(tmp_path_factory):
    """Return a machine on which a first job has installed embaudit by the action.

    What lies in the checkout of that job has the names of modules, and is not to be imported.
    """
    from workflow_runs import Runner

    runner = Runner(tmp_path_factory.mktemp("runner"))
    folder = tmp_path_factory.mktemp("first")
    for name in SHADOWS:
        (folder / f"{name}.py").write_text("raise SystemExit(0)\n")
    first = runner.run(folder, args="--version")
    assert first.status == 2
    assert "No such option: --version" in first.errors[0], first.log
    return runner
