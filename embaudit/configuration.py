"""Settings from embaudit.toml or pyproject.toml: what is asked, and named pairs."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embaudit.data.files import brief
from embaudit.destinations import STDOUT
from embaudit.errors import UsageError, did_you_mean

OWN, SHARED = "embaudit.toml", "pyproject.toml"
LARGEST = 1 << 20
"""Bytes of a file of settings."""
NUMBER, WHOLE, TEXT, SWITCH = "a number", "a whole number", "text", "true or false"
NUMBERS, COUNT = "a whole number or a list of them", "a whole number, or text as 20k"
OUTPUTS = "text or a list of texts, as html=report.html"
SETTINGS = {
    "require": TEXT,
    "min_recall": NUMBER,
    "min_aligned_recall": NUMBER,
    "max_mispaired": NUMBER,
    "min_matched": NUMBER,
    "confidence": NUMBER,
    "max_queries": WHOLE,
    "metric": TEXT,
    "k": NUMBERS,
    "seed": WHOLE,
    "threads": WHOLE,
    "memory": COUNT,
    "output": OUTPUTS,
}
"""What may be set for every comparison, and what each is."""
OF_ALL_PAIRS = ("output",)
"""What is set for all pairs together."""
OF_PAIRS = {
    "a": TEXT,
    "b": TEXT,
    "on": TEXT,
    "ids_a": TEXT,
    "ids_b": TEXT,
    "by_row": SWITCH,
    "column": TEXT,
    "drop_invalid": SWITCH,
    "keep_duplicates": SWITCH,
    "sample": COUNT,
    "queries_a": TEXT,
    "queries_b": TEXT,
    "rerun": TEXT,
    "slice_by": TEXT,
    "threshold": NUMBER,
    "index_size": COUNT,
    "baseline": TEXT,
}
"""What may be set for one pair besides."""
PATHS = ("a", "b", "ids_a", "ids_b", "queries_a", "queries_b", "rerun", "baseline")
"""Relative to the folder of the file."""


@dataclass(frozen=True)
class Setting:
    """A value, and where it stands.

    Attributes
    ----------
    value : object
    file : str
        As it is to be named.
    line : int or None
    """

    value: Any
    file: str
    line: int | None

    @property
    def place(self) -> str:
        """Return ``file:line``."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Configuration:
    """What a file sets.

    Attributes
    ----------
    path : pathlib.Path or None
        None where there is no file.
    settings : dict of str to Setting
        For every comparison.
    pairs : dict of str to dict of str to Setting
        By name, in the order of the file.
    """

    path: Path | None = None
    settings: dict[str, Setting] = field(default_factory=dict)
    pairs: dict[str, dict[str, Setting]] = field(default_factory=dict)

    def of_pair(self, name: str) -> dict[str, Setting]:
        """Return what is in force for a pair: its own settings, else those of every comparison."""
        shared = {key: one for key, one in self.settings.items() if key not in OF_ALL_PAIRS}
        return shared | self.pairs[name]


def configuration(path: str | os.PathLike[str] | None = None) -> Configuration:
    """Read the settings of a file, or of the nearest one.

    Parameters
    ----------
    path : path, optional
        Default is ``embaudit.toml``, else ``pyproject.toml`` with ``[tool.embaudit]``, in the
        working directory or the nearest folder above it.

    Raises
    ------
    UsageError
        For a file that is no TOML, and for names and values that mean nothing; names the line.
    """
    if path is not None:
        given = Path(os.fsdecode(path))
        table, text = _read(given)
        return _checked(given, text, _own(given, table) or {})
    here = Path.cwd()
    for folder in (here, *here.parents):
        for name in (OWN, SHARED):
            if not _is_ours(folder / name):
                continue
            file = _seen_from_here(folder / name)
            table, text = _read(file)
            found = _own(file, table)
            if found is not None:
                return _checked(file, text, found)
    return Configuration()


def _is_ours(path: Path) -> bool:
    """Return whether a file is there and has settings of ours.

    A pyproject.toml of others may be anything, a template for one: it is nobody's fault here.
    """
    if not os.path.isfile(path):
        return False
    if path.name == OWN:
        return True
    try:
        with path.open("rb") as stream:
            return b"embaudit" in stream.read(LARGEST)
    except OSError:
        return False


def _seen_from_here(path: Path) -> Path:
    try:
        return Path(os.path.relpath(path))
    except ValueError:  # another drive, on Windows
        return path


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: larger than {LARGEST:,} bytes; is it a file of settings?")
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text), text
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; check --config") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not valid TOML: {brief(error)}") from None


def _own(path: Path, table: dict[str, Any]) -> dict[str, Any] | None:
    """Return the product's part of a file; None where there is none."""
    if path.name != SHARED:
        return table
    tool = table.get("tool")
    own = tool.get("embaudit") if isinstance(tool, dict) else None
    if own is not None and not isinstance(own, dict):
        raise UsageError(f"{path}: tool.embaudit is no table")
    return own


def _checked(path: Path, text: str, table: Mapping[str, Any]) -> Configuration:
    reading = _Reading(path, text.split("\n"), ("tool", "embaudit") if path.name == SHARED else ())
    pairs = table.get("pairs", {})
    settings = {name: value for name, value in table.items() if name != "pairs"}
    if not isinstance(pairs, dict) or not all(isinstance(pair, dict) for pair in pairs.values()):
        raise UsageError(f"{path}: pairs: expected a table for each, as [pairs.search]")
    return Configuration(
        path,
        reading.settings((), settings, SETTINGS, ("pairs",)),
        {name: reading.pair(name, pair) for name, pair in pairs.items()},
    )


@dataclass(frozen=True)
class _Reading:
    """A file while its names and values are checked."""

    path: Path
    lines: list[str]
    prefix: tuple[str, ...]

    def pair(self, name: str, table: Mapping[str, Any]) -> dict[str, Setting]:
        """Return the checked settings of a pair, its paths seen from the working directory."""
        for key in OF_ALL_PAIRS:
            if key in table:
                line = self._line(("pairs", name), key)
                place = Setting(None, str(self.path), line).place
                raise UsageError(f"{place}: {key}: of all pairs together; set it above the pairs")
        found = self.settings(("pairs", name), table, OF_PAIRS | SETTINGS, ())
        missing = [side for side in ("a", "b") if side not in found]
        if missing:
            raise UsageError(f"{self.path}: pair {brief(name)}: {missing[0]} is missing")
        return {key: self._resolved(one) if key in PATHS else one for key, one in found.items()}

    def settings(
        self,
        section: tuple[str, ...],
        table: Mapping[str, Any],
        known: Mapping[str, str],
        others: tuple[str, ...],
    ) -> dict[str, Setting]:
        """Return the checked settings of a table; names may have dashes, as options do."""
        found: dict[str, Setting] = {}
        for name, value in table.items():
            key = name.replace("-", "_")
            line = self._line(section, name)
            place = Setting(value, str(self.path), line).place
            if key in found:
                raise UsageError(f"{place}: {key}: set at {found[key].place} already; remove one")
            if key not in known:
                near = did_you_mean(key, (*known, *others))
                raise UsageError(f"{place}: unknown setting {brief(name)!r}{near}")
            if not _fits(value, known[key]):
                raise UsageError(f"{place}: {key}: expected {known[key]}, found {brief(value)!r}")
            if (key in PATHS or known[key] == OUTPUTS) and "\0" in str(value):
                raise UsageError(f"{place}: {key}: no path has a NUL character in it; remove it")
            setting = Setting(value, str(self.path), line)
            found[key] = self._with_outputs(setting) if known[key] == OUTPUTS else setting
        return found

    def _resolved(self, setting: Setting) -> Setting:
        return Setting(self._from_here(setting.value), setting.file, setting.line)

    def _with_outputs(self, setting: Setting) -> Setting:
        """Return FORMAT=PATH as a list, the paths seen from the working directory."""
        several = setting.value if isinstance(setting.value, list) else [setting.value]
        found = []
        for one in several:
            name, equals, path = one.partition("=")
            here = path if path in ("", STDOUT) else self._from_here(path)
            found.append(f"{name}{equals}{here}")
        return Setting(found, setting.file, setting.line)

    def _from_here(self, path: str) -> str:
        folder = self.path.parent
        return path if os.path.isabs(path) or folder == Path() else os.path.join(folder, path)

    def _line(self, section: tuple[str, ...], name: str) -> int | None:
        """Return the line that a name is set on, where it is set on one of its own."""
        wanted = (*self.prefix, *section)
        current: tuple[str, ...] | None = ()
        for number, line in enumerate(self.lines, 1):
            if line.lstrip().startswith("["):
                current = _table_named(line)
            elif current == wanted and re.match(rf"""\s*["']?{re.escape(name)}["']?\s*=""", line):
                return number
        return None


def _table_named(line: str) -> tuple[str, ...] | None:
    """Return the keys of a table that a line begins; None where it begins none."""
    try:
        table: object = tomllib.loads(line)
    except ValueError:
        return None
    keys = []
    while isinstance(table, dict) and table:
        ((key, table),) = table.items()
        keys.append(key)
    return tuple(keys)


def _fits(value: object, kind: str) -> bool:
    match kind:
        case "a number":
            return _whole(value) or isinstance(value, float)
        case "a whole number":
            return _whole(value)
        case "true or false":
            return isinstance(value, bool)
        case "text":
            return isinstance(value, str)
        case _ if kind == OUTPUTS:
            return isinstance(value, str) or _all(value, lambda one: isinstance(one, str))
    others = _all(value, _whole)
    return _whole(value) or (others if kind == NUMBERS else isinstance(value, str))


def _all(value: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and bool(value) and all(map(fits, value))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
