"""Where results are written: checked before the work, written all or none after it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embaudit.destinations import (
    STDOUT,
    check_destination,
    not_written,
    place,
    places,
    temporary_beside,
)
from embaudit.errors import UsageError
from embaudit.report.formats import (
    HTML,
    NO_ROWS,
    ROW_SUFFIXES,
    ROWS,
    check_format,
    render,
    render_checks,
    render_gate,
)

if TYPE_CHECKING:
    from embaudit.checking import Checked
    from embaudit.configuration import Setting
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Audit
    from embaudit.row_table import RowTable


@dataclass(frozen=True)
class Destination:
    """One file to write and its format."""

    format: str
    path: Path


@dataclass(frozen=True)
class Outputs:
    """The files to write, and the format that takes standard output, if one does."""

    files: tuple[Destination, ...] = ()
    stdout: str | None = None

    @property
    def want_rows(self) -> bool:
        """Whether the table of measured rows goes anywhere."""
        return ROWS in self._formats

    def refuse_rows(self) -> None:
        """Refuse rows where no comparison is made.

        Raises
        ------
        UsageError
        """
        if self.want_rows:
            raise UsageError(NO_ROWS)

    @property
    def want_layouts(self) -> bool:
        """Whether rows are drawn on planes anywhere."""
        return HTML in self._formats

    @property
    def _formats(self) -> list[str | None]:
        return [self.stdout, *(file.format for file in self.files)]


def parse_outputs(specs: Iterable[str], inputs: Sequence[str] = ()) -> Outputs:
    """Check every ``FORMAT=PATH`` before the work begins.

    Parameters
    ----------
    specs : iterable of str
        ``FORMAT=PATH``; the path ``-`` is standard output.
    inputs : sequence of str
        Sources as typed (``path`` or ``path::column``), which no output may overwrite.

    Returns
    -------
    Outputs

    Raises
    ------
    UsageError
        For an unknown format, rows to a file of an unknown suffix, a spec without ``=`` or path,
        two outputs to one place, a folder that does not exist or cannot be written to, a
        destination that is not a regular file or that is one of the inputs.
    """
    files: dict[str, Destination] = {}
    stdout: str | None = None
    sources = places(inputs)
    for spec in specs:
        name, path = _split(spec)
        if path == STDOUT:
            if stdout is not None:
                raise UsageError(
                    "only one output can go to standard output: --json is --output json=-; "
                    "give the others a path"
                )
            stdout = name
            continue
        if name == ROWS:
            _check_suffix(spec, Path(path))
        check_destination(f"--output {spec}", Path(path), "use - for standard output")
        target = place(path)
        if target in sources:
            raise UsageError(f"--output {spec}: would overwrite an input; choose another path")
        if target in files:
            raise UsageError(f"--output {spec}: this path is already taken by another output")
        # The link's target is what gets replaced, not the link.
        files[target] = Destination(name, Path(os.path.realpath(path)))
    return Outputs(tuple(files.values()), stdout)


def _split(spec: str) -> tuple[str, str]:
    name, equals, path = spec.partition("=")
    if not (name and equals and path):
        raise UsageError(f"--output {spec}: expected FORMAT=PATH, for example json=report.json")
    check_format(name)
    return name, path


def _check_suffix(spec: str, path: Path) -> None:
    if path.suffix.lower() not in ROW_SUFFIXES:
        raise UsageError(
            f"--output {spec}: rows are written as {' or '.join(ROW_SUFFIXES)}, not "
            f"{repr(path.suffix) if path.suffix else 'without a suffix'}; rename the file"
        )


def write_outputs(
    audit: Audit,
    files: Sequence[Destination],
    rows: RowTable | None = None,
    asked: Setting | None = None,
) -> None:
    """Write every file, or none: what was there before stays when one of them fails.

    Each is rendered, written beside its destination and synced to disk before the first is
    renamed into place.

    Parameters
    ----------
    audit : Audit
    files : sequence of Destination
    rows : RowTable, optional
        What ``rows=PATH`` is about.
    asked : Setting, optional
        As in `render`.

    Raises
    ------
    OutputError
        When a file cannot be written; names it and the cause.
    UsageError
        When rows are to be written and were not measured.
    """
    _write_files([(file.path, _rendered(audit, rows, asked, file)) for file in files])


def write_checks(checked: Sequence[Checked], files: Sequence[Destination]) -> None:
    """Write what came of several pairs, every file or none.

    Raises
    ------
    OutputError
    UsageError
        For a format that holds one audit alone.
    """
    _write_rendered(files, lambda name: render_checks(checked, name))


def write_gate(found: GateSheet, files: Sequence[Destination]) -> None:
    """Write what another gate found, every file or none.

    Raises
    ------
    OutputError
    UsageError
        For a format that holds an audit alone.
    """
    _write_rendered(files, lambda name: render_gate(found, name))


def _write_rendered(files: Sequence[Destination], rendered: Callable[[str], str]) -> None:
    _write_files([(file.path, _encoded(rendered(file.format))) for file in files])


def _write_files(contents: Sequence[tuple[Path, bytes]]) -> None:
    """Write every file, or none.

    Raises
    ------
    OutputError
    """
    temporaries: list[Path] = []
    try:
        staged = [(_stage(path, data, temporaries), path) for path, data in contents]
        backups = {path: _back_up(path, temporaries) for _, path in staged if path.exists()}
        _publish(staged, backups)
    finally:
        for temporary in temporaries:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _rendered(
    audit: Audit, rows: RowTable | None, asked: Setting | None, file: Destination
) -> bytes:
    if file.format != ROWS:
        return _encoded(render(audit, file.format, asked))
    if rows is None:
        raise UsageError(f"{file.path}: no rows to write; pass rows= to embaudit.compare")
    from embaudit.report import row_files

    return row_files.render(rows, file.path.suffix.lower())


def _encoded(text: str) -> bytes:
    return (text + "\n").encode("utf-8", "backslashreplace")


def _stage(path: Path, data: bytes, temporaries: list[Path]) -> Path:
    """Write `data` to a temporary file beside `path`, with the permissions it will have."""
    temporary = _temporary_beside(path, temporaries)
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
    except OSError as error:
        raise not_written(path, error) from error
    return temporary


def _back_up(path: Path, temporaries: list[Path]) -> Path:
    backup = _temporary_beside(path, temporaries)
    try:
        shutil.copy2(path, backup)
    except OSError as error:
        raise not_written(path, error) from error
    return backup


def _publish(staged: Sequence[tuple[Path, Path]], backups: dict[Path, Path]) -> None:
    """Rename every temporary into place; on any failure put back what was there."""
    begun: list[Path] = []
    try:
        for temporary, path in staged:
            begun.append(path)
            try:
                temporary.replace(path)
            except OSError as error:
                raise not_written(path, error) from error
    except BaseException:
        for path in begun:
            with suppress(OSError):
                if path in backups:
                    backups[path].replace(path)
                else:
                    path.unlink(missing_ok=True)
        raise


def _temporary_beside(path: Path, temporaries: list[Path]) -> Path:
    """Return a new name in the folder of `path`, listed for removal before it exists."""
    temporary = temporary_beside(path)
    temporaries.append(temporary)
    return temporary
