"""Running workflows as GitHub does: the steps of action.yml, what they print and hand over."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from commands import APPEARANCE

ROOT = Path(__file__).parent.parent
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
"""What GitHub makes of ``shell: bash``."""
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
SITE = ("site-packages", "dist-packages")


def document(text: str) -> Any:
    """Return YAML as GitHub reads it: every scalar is text, ``on`` among them."""
    return yaml.load(text, Loader=yaml.BaseLoader)


ACTION = document((ROOT / "action.yml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Ran:
    """What came of an action: its status, and what GitHub would show and hand over."""

    status: int
    log: str
    summary: str
    outputs: dict[str, str]

    @property
    def commands(self) -> list[str]:
        """Return the lines that the runner obeys."""
        return obeyed(self.log)

    @property
    def errors(self) -> list[str]:
        """Return the annotations of errors."""
        return [line for line in self.commands if line.startswith("::error ")]


def obeyed(log: str) -> list[str]:
    """Return the lines of a log that the runner takes for commands.

    As actions/runner reads them: ``::name ...::`` behind spaces, the older ``##[name]`` anywhere,
    and nothing between ``::stop-commands::token`` and ``::token::``.
    """
    found = []
    token = None
    for line in re.split("[\r\n]", log):
        text = line.lstrip()
        if token is not None:
            if text == f"::{token}::":
                token = None
        elif text.startswith("::stop-commands::"):
            token = text.removeprefix("::stop-commands::")
        elif re.match(r"::[\w-]+( .*?)?::", text) or "##[" in line:
            found.append(text)
    assert token is None, "what follows is not obeyed"
    return found


def evaluated(text: str, contexts: dict[str, str]) -> str:
    """Return text with its expressions replaced; one that is not known here is an error."""
    return EXPRESSION.sub(lambda found: contexts[found[1]], text)


def handed_over(path: Path) -> dict[str, str]:
    """Return what a file of ``name<<delimiter`` holds, the last of a name.

    Raises
    ------
    ValueError
        Where GitHub's runner has an error: for another line, and for a value without its end.
    """
    found = {}
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, separator, delimiter = line.partition("<<")
        value = []
        for more in lines:
            if more == delimiter:
                break
            value.append(more)
        else:
            raise ValueError(f"{line}: invalid")
        if not (name and separator and delimiter):
            raise ValueError(f"{line}: invalid")
        found[name] = "\n".join(value)
    return found


class Runner:
    """A machine that runs the action in jobs of one temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "temp"
        self.temporary.mkdir(parents=True)
        self._dependencies = folder / "dependencies"
        self._dependencies.mkdir()
        for site in sys.path:
            if os.path.basename(site) in SITE and os.path.isdir(site):
                self._link(Path(site))

    def _link(self, site: Path) -> None:
        """Show the installed packages to the action's own environment, all but embaudit.

        What the action runs is installed from the checkout; what that needs is there already.
        """
        for entry in site.iterdir():
            target = self._dependencies / entry.name
            hidden = re.match(r"_*(editable|embaudit|pip\b|pip-|setuptools|virtualenv)", entry.name)
            if not hidden and entry.suffix != ".pth" and not target.exists():
                target.symlink_to(entry)

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of a step."""
        plain = {name: value for name, value in os.environ.items() if name not in APPEARANCE}
        path = os.pathsep.join([os.path.dirname(sys.executable), plain["PATH"]])
        return plain | {
            "PATH": path,
            "PYTHONPATH": str(self._dependencies),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_ACTION_PATH": str(ROOT),
            **changes,
        }

    def start(
        self, script: str, folder: Path, environment: dict[str, str]
    ) -> subprocess.Popen[str]:
        """Start the script of a step in a folder."""
        file = self.temporary / f"step-{os.urandom(8).hex()}.sh"
        file.write_text(script, encoding="utf-8")
        return subprocess.Popen(
            [*BASH, str(file)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def run(
        self, folder: Path, meanwhile: Any = None, files: dict[str, str] | None = None, **given: str
    ) -> Ran:
        """Run every step of the action.

        Parameters
        ----------
        folder : path
            The checkout of a job.
        meanwhile : callable, optional
            Called with the process of each step.
        files : dict of str to str, optional
            Variables of the environment to change.
        given : str
            Inputs.
        """
        unknown = set(given) - set(ACTION["inputs"])
        assert not unknown, f"{unknown}: GitHub warns of inputs that an action does not declare"
        contexts = {
            f"inputs.{name}": given.get(name, declared["default"])
            for name, declared in ACTION["inputs"].items()
        }
        status, log, summary = 0, "", ""
        for step in ACTION["runs"]["steps"]:
            assert set(step) == {"id", "shell", "env", "run"}
            assert step["shell"] == "bash"
            paths = {name: self.temporary / f"{name}-{os.urandom(8).hex()}" for name in FILES}
            for path in paths.values():
                path.touch()
            environment = self.environment(
                **{name: str(path) for name, path in paths.items()},
                **{name: evaluated(value, contexts) for name, value in step["env"].items()},
            )
            process = self.start(
                evaluated(step["run"], contexts), folder, environment | (files or {})
            )
            if meanwhile is not None:
                meanwhile(process)
            log += process.communicate(timeout=300)[0]
            status = process.returncode
            summary += paths["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
            try:
                outputs = handed_over(paths["GITHUB_OUTPUT"])
            except ValueError as error:
                outputs, status = {}, status or 1
                log += f"::error ::Unable to process file command 'output': {error}\n"
            contexts |= {f"steps.{step['id']}.outputs.{key}": one for key, one in outputs.items()}
            if status != 0:
                break
        # GitHub has no error for an output that is not there: it is empty.
        outputs = {
            name: EXPRESSION.sub(lambda found: contexts.get(found[1], ""), declared["value"])
            for name, declared in ACTION["outputs"].items()
        }
        return Ran(status, log, summary, outputs)


FILES = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
