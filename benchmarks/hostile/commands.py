"""Every command that writes, on small files, and what its outputs are when nothing disturbs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embaudit.data.sources import open_set
from embaudit.maps.map_file import load_map
from embaudit.saved_audit import read_audit

EMBAUDIT = (sys.executable, "-m", "embaudit_cli")
OUT = "out"
"""Folder of the outputs, within that of the inputs."""
TEMPORARY = re.compile(r"\.embaudit-[0-9a-f]+\.tmp")
SECONDS = re.compile(rb"\d+(\.\d+)? ?(s|ms|seconds)\b|time=\"[^\"]*\"")
LONGEST_SECONDS = 120.0


@dataclass(frozen=True)
class Command:
    """A command line and the files it writes.

    Attributes
    ----------
    name : str
    arguments : tuple of str
        Relative to the folder of the inputs.
    outputs : tuple of str
        In the folder `OUT`.
    earlier : tuple of str
        Arguments that write earlier versions of the outputs; empty where any file may be replaced.
    """

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    earlier: tuple[str, ...] = ()

    @property
    def line(self) -> list[str]:
        """Return the command line."""
        return [*EMBAUDIT, *self.arguments]


def _to(*specs: str) -> tuple[str, ...]:
    return tuple(word for spec in specs for word in ("--output", spec.replace("=", f"={OUT}/")))


JOINT = ("align", "a.npy", "b.npy", "--method", "joint", "-o", f"{OUT}/joint.safetensors")
HEADS = ("joint.a.safetensors", "joint.b.safetensors")
COMMANDS = (
    Command(
        "compare, four outputs",
        (
            *("compare", "a.npy", "b.npy", "--exit-zero"),
            *_to("json=audit.json", "markdown=audit.md", "junit=audit.xml", "rows=rows.csv"),
        ),
        ("audit.json", "audit.md", "audit.xml", "rows.csv"),
    ),
    Command(
        "align",
        ("align", "a.npy", "b.npy", "-o", f"{OUT}/map.safetensors", "--overwrite"),
        ("map.safetensors",),
    ),
    Command(
        "align --method joint, two heads",
        (*JOINT, "--overwrite"),
        HEADS,
        (*JOINT, "--dim", "4", "--overwrite"),
    ),
    Command(
        "apply to NPY",
        ("apply", "map.safetensors", "a.npy", "-o", f"{OUT}/mapped.npy", "--overwrite"),
        ("mapped.npy",),
    ),
    Command(
        "apply to Parquet",
        ("apply", "map.safetensors", "a.parquet", "-o", f"{OUT}/mapped.parquet", "--overwrite"),
        ("mapped.parquet",),
    ),
    Command(
        "concat to NPY",
        ("concat", "a.npy", "b.npy", "-o", f"{OUT}/joined.npy", "--overwrite"),
        ("joined.npy",),
    ),
    Command(
        "concat to Parquet",
        ("concat", "a.parquet", "b.npy", "-o", f"{OUT}/joined.parquet", "--overwrite"),
        ("joined.parquet",),
    ),
    Command(
        "check, three outputs",
        ("check", *_to("json=checks.json", "markdown=checks.md", "junit=checks.xml")),
        ("checks.json", "checks.md", "checks.xml"),
    ),
    Command(
        "show, three outputs",
        ("show", "audit.json", *_to("json=again.json", "markdown=again.md", "junit=again.xml")),
        ("again.json", "again.md", "again.xml"),
    ),
)


def prepare(folder: Path, rows: int = 3000, dim: int = 16) -> None:
    """Write the inputs of all commands into a folder.

    Raises
    ------
    RuntimeError
        When a command fails undisturbed.
    """
    rng = np.random.default_rng(0)
    a = rng.standard_normal((rows, dim)).astype(np.float32)
    turned = a @ np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    b = (turned + 0.1 * rng.standard_normal(a.shape)).astype(np.float32)
    np.save(folder / "a.npy", a)
    np.save(folder / "b.npy", b)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(a.reshape(-1)), dim)
    ids = pa.array([f"item-{row}" for row in range(rows)])
    pq.write_table(pa.table({"id": ids, "embedding": vectors}), folder / "a.parquet")
    settings = 'require = "align"\n\n[pairs.one]\na = "a.npy"\nb = "b.npy"\n'
    (folder / "embaudit.toml").write_text(settings, encoding="utf-8")
    (folder / OUT).mkdir()
    for line in (
        ("align", "a.npy", "b.npy", "-o", "map.safetensors"),
        ("compare", "a.npy", "b.npy", "--exit-zero", "--output", "json=audit.json"),
    ):
        require_success(run([*EMBAUDIT, *line], folder))


def environment() -> dict[str, str]:
    """Return the environment of a command: one thread, the modules of this process."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def start(line: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own."""
    return subprocess.Popen(
        line,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def run(line: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    return subprocess.run(
        line,
        cwd=folder,
        env=environment(),
        capture_output=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )


def require_success(done: subprocess.CompletedProcess[bytes]) -> None:
    """Refuse to go on after a command that failed though nothing disturbed it.

    Raises
    ------
    RuntimeError
    """
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{done.args}: exit {done.returncode}: {done.stderr.decode()}")


def content(path: Path) -> bytes:
    """Return what is the same in every undisturbed run that wrote `path`: all but the timing."""
    return without_timing(path.suffix, path.read_bytes())


def without_timing(suffix: str, data: bytes) -> bytes:
    """Return a document without what the clock says."""
    if suffix == ".json":
        return json.dumps(_untimed(json.loads(data))).encode()
    return SECONDS.sub(b"", data) if suffix in (".md", ".xml") else data


def _untimed(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _untimed(each) for key, each in value.items() if key not in TIMED}
    return [_untimed(each) for each in value] if isinstance(value, list) else value


TIMED = ("timing", "seconds")


def _read_rows(path: Path) -> None:
    found = open_set(path)
    for _ in found.blocks([(0, found.rows)]):
        pass


LOADERS: dict[str, Callable[[Path], object]] = {
    ".safetensors": load_map,
    ".npy": _read_rows,
    ".parquet": _read_rows,
}


def load(path: Path) -> None:
    """Read an output with what reads it later; audits and tables of rows as JSON and text.

    Raises
    ------
    EmbauditError, ValueError
        When it is not whole.
    """
    if path.suffix in LOADERS:
        LOADERS[path.suffix](path)
    elif path.suffix == ".json" and path.stem != "checks":
        read_audit(path)
    elif path.suffix == ".json":
        json.loads(path.read_bytes())
    else:
        path.read_text(encoding="utf-8")
