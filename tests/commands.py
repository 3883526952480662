"""Running the command line as users do: in a process of its own."""

import os
import subprocess
import sys
from typing import Any

EMBAUDIT = [sys.executable, "-m", "embaudit_cli"]


APPEARANCE = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables that change what rich prints; continuous integration may set them."""


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment, for a child that finds the same modules."""
    plain = {name: value for name, value in os.environ.items() if name not in APPEARANCE}
    return plain | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | changes


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `command` to its end and return its status and output."""
    options = {"capture_output": True, "text": True, "timeout": 60, "env": environment()} | options
    return subprocess.run(command, check=False, **options)


def run_code(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python source in a process of its own."""
    return run([sys.executable, "-c", code, *arguments], **options)
