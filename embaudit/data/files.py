"""What every file format shares: refusing what is no file, and noticing a file that changes."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embaudit.errors import InputError

SHOWN_CHARACTERS = 120
"""Room for foreign text (a header, a value, a library's error) inside a message."""


@dataclass(frozen=True)
class FileStamp:
    """A regular file as it was when first seen; tells whether it is still the same.

    Attributes
    ----------
    path : pathlib.Path
        Resolved, so that a later change of directory does not matter.
    uri : str
        The source as the user typed it; the prefix of every error message.
    size : int
        Bytes.
    modified : int
        Time of the last modification, in nanoseconds.
    """

    path: Path
    uri: str
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path, uri: str) -> FileStamp:
        """Stamp `path`, refusing what is not a non-empty regular file.

        Raises
        ------
        InputError
            When the file is missing, a folder, a pipe or device, empty or out of reach.
        """
        try:
            info = os.stat(path)
        except FileNotFoundError:
            raise InputError(f"{uri}: no such file; check the path") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{uri}: cannot be opened: {brief(error)}; check the path") from None
        if stat.S_ISDIR(info.st_mode):
            raise InputError(f"{uri}: a folder; expected a single file")
        if not stat.S_ISREG(info.st_mode):
            raise InputError(
                f"{uri}: not a regular file, and it must be read more than once; "
                "store its contents in a file first"
            )
        if info.st_size == 0:
            raise InputError(f"{uri}: an empty file (0 bytes); write or copy it again")
        return cls(path.resolve(), uri, info.st_size, info.st_mtime_ns)

    @contextmanager
    def reading(self, kind: str, *failures: type[Exception]) -> Iterator[None]:
        """Refuse the file when reading fails or when it is no longer the stamped one.

        It is compared before and after: both passes of an audit must see the same rows, so a
        rewrite of the same size counts as a change too.

        Parameters
        ----------
        kind : str
            Format that the file is read as, for the message.
        *failures : exception types
            What the format's library raises on a bad file, besides ``OSError``.

        Raises
        ------
        InputError
            When the file has changed or cannot be read.
        """
        expected: tuple[type[Exception], ...] = (OSError, *failures)
        self.require_unchanged()
        try:
            yield
        except expected as error:
            # A file that is being rewritten looks damaged: name the cause, not the symptom.
            self.require_unchanged()
            raise InputError(
                f"{self.uri}: cannot be read as {kind}: {brief(error)}; "
                "it may be damaged or protected: write or copy it again"
            ) from error
        self.require_unchanged()

    def changed(self) -> InputError:
        """Write the refusal of a file that is not the stamped one any more."""
        return InputError(
            f"{self.uri}: changed while being read; run again when nothing writes to it"
        )

    def require_unchanged(self) -> None:
        """Refuse the file when its size or time differ from the stamp.

        Raises
        ------
        InputError
            When they do, or when the file is gone.
        """
        try:
            info = os.stat(self.path)
        except OSError:
            raise self.changed() from None
        if (info.st_size, info.st_mtime_ns) != (self.size, self.modified):
            raise self.changed()


def brief(value: object, limit: int = SHOWN_CHARACTERS) -> str:
    """Return foreign text as one line of bounded length, fit for a message.

    An ``OSError`` is reduced to its reason, since the message names the file already.
    """
    reason = value.strerror if isinstance(value, OSError) else None
    text = " ".join(str(reason or value).split())
    printable = "".join(c if c.isprintable() else "?" for c in text)
    if len(printable) <= limit:
        return printable
    return printable[: limit - 3] + "..."


def argument(name: str) -> str:
    """Return a column name as it is typed after an option of the command line."""
    return shlex.quote(brief(name))
