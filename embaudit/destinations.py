"""Where results may be written, and how a file comes into place whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from embaudit.errors import OutputError, UsageError

STDOUT = "-"
MAP_SUFFIX = ".safetensors"
_unfinished: set[Path] = set()
"""Temporary files that a process which ends at once leaves behind, unless it removes them."""


def place(path: str | os.PathLike[str]) -> str:
    """Return what two spellings of one path share."""
    return os.path.normcase(os.path.realpath(path))


def places(uris: Iterable[str]) -> set[str]:
    """Return the places of sources as typed: ``path``, or the path of ``path::column``."""
    return {place(path) for uri in uris for path in (uri, uri.rpartition("::")[0]) if path}


def check_destination(given: str, path: Path, cure: str = "give the path of a file") -> None:
    """Refuse a path that no file can be written to.

    Parameters
    ----------
    given : str
        What the user typed, for the message.
    path : pathlib.Path
    cure : str
        For what is no regular file.

    Raises
    ------
    UsageError
        For a folder, what is no regular file, and a folder that is missing or closed.
    """
    folder = Path(os.path.realpath(path)).parent
    if path.is_dir() or given.endswith(("/", os.sep)):
        raise UsageError(f"{given}: is a folder; give the path of a file in it")
    if path.exists() and not path.is_file():
        raise UsageError(f"{given}: not a regular file; {cure}")
    if not folder.is_dir():
        raise UsageError(f"{given}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{given}: the folder {folder} cannot be written to")


def check_new(given: str, path: Path, inputs: Iterable[str], *, overwrite: bool) -> Path:
    """Return the file that `path` stands for, refused where it may not be written.

    Call it before any work, and `refuse_inputs` once the inputs are open.

    Parameters
    ----------
    given : str
        What the user typed, for the message.
    path : pathlib.Path
    inputs : iterable of str
        Sources as typed, which no output may overwrite.
    overwrite : bool
        Whether a file that exists may be replaced.

    Raises
    ------
    UsageError
    """
    check_destination(given, path)
    if place(path) in places(inputs):
        raise UsageError(f"{given}: would overwrite an input; choose another path")
    if path.exists() and not overwrite:
        raise UsageError(f"{given}: exists; pass --overwrite to replace it")
    # The link's target is what gets replaced, not the link.
    return Path(os.path.realpath(path))


def check_map_file(given: str, inputs: Iterable[str], *, overwrite: bool) -> Path:
    """Return the file that a map is to be written to, as `check_new` does.

    Raises
    ------
    UsageError
    """
    path = Path(given)
    _check_suffix(given)
    return check_new(given, path, inputs, overwrite=overwrite)


def _check_suffix(given: str) -> None:
    if Path(given).suffix.lower() != MAP_SUFFIX or given.endswith(("/", os.sep)):
        raise UsageError(f"{given}: maps are written as {MAP_SUFFIX}; rename the file")


def head_files(path: str) -> tuple[str, str]:
    """Return where the two heads of a shared space go: ``x.a.safetensors``, ``x.b.safetensors``."""
    stem = path[: -len(MAP_SUFFIX)]
    return f"{stem}.a{path[len(stem) :]}", f"{stem}.b{path[len(stem) :]}"


def check_heads(
    given: str, inputs: Iterable[str], *, overwrite: bool
) -> tuple[tuple[str, Path], tuple[str, Path]]:
    """Return where both heads of a shared space are to be written, as named and as files.

    Raises
    ------
    UsageError
    """
    inputs = list(inputs)
    _check_suffix(given)
    a, b = ((one, check_map_file(one, inputs, overwrite=overwrite)) for one in head_files(given))
    if place(a[1]) == place(b[1]):
        raise UsageError(f"{b[0]}: is the same file as {a[0]}; remove the link")
    return a, b


def other_head(path: str) -> str | None:
    """Return where the other head of a shared space was written; None for another name."""
    stem, suffix = path[: -len(MAP_SUFFIX)], path[-len(MAP_SUFFIX) :]
    sides = {".a": ".b", ".b": ".a"}
    if suffix.lower() != MAP_SUFFIX or stem[-2:] not in sides:
        return None
    return stem[:-2] + sides[stem[-2:]] + suffix


def refuse_inputs(given: str, path: Path, files: Iterable[Path]) -> None:
    """Refuse an output that is one of the files read, or lies among the parts of a set.

    Parameters
    ----------
    given : str
        What the user typed, for the message.
    path : pathlib.Path
    files : iterable of pathlib.Path
        Of one set.

    Raises
    ------
    UsageError
    """
    read = {place(file) for file in files}
    if place(path) in read:
        raise UsageError(f"{given}: would overwrite an input; choose another path")
    folders = {os.path.dirname(file) for file in read}
    suffixes = {os.path.splitext(file)[1].lower() for file in read}
    if (
        len(read) > 1
        and os.path.dirname(place(path)) in folders
        and path.suffix.lower() in suffixes
    ):
        raise UsageError(
            f"{given}: lies among the parts of an input and would be read as one; choose another "
            "folder"
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a new file's path beside `path`; it takes the place of `path` if all goes well.

    Raises
    ------
    OutputError
        When the disk is full or the file cannot be written; `path` is as it was.
    """
    temporary = temporary_beside(path)
    try:
        try:
            yield temporary
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            if path.exists():
                shutil.copymode(path, temporary)
            temporary.replace(path)
        except OSError as error:
            raise not_written(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        _unfinished.discard(temporary)


def temporary_beside(path: Path) -> Path:
    """Return a new name in the folder of `path`."""
    temporary = path.with_name(f".embaudit-{secrets.token_hex(8)}.tmp")
    _unfinished.add(temporary)
    return temporary


def discard_unfinished() -> None:
    """Remove what has been written and is not in place: for a process that ends at once."""
    for temporary in list(_unfinished):
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def not_written(path: Path, error: OSError) -> OutputError:
    """Write the failure of a file that could not be written."""
    reason = error.strerror or error
    return OutputError(f"{path}: could not be written ({reason}); no output was changed")
