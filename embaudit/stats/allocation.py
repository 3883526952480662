"""Memory that has been freed and is still held, by glibc's ways of keeping it."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_MMAP_THRESHOLD = -3
LARGE_BYTES = 16 << 20
"""Products of a block are smaller, and stay at hand; arrays with an entry for each of millions of
rows are larger, and go back."""


def return_large_arrays() -> None:
    """Let freed arrays above `LARGE_BYTES` go back to the system, for this process.

    Left to itself glibc raises the size from which it does so, up to 32 MB, by the arrays that it
    sees: what a comparison holds would depend on the number of rows in jumps. For a program's
    start: a library has no say in this.
    """
    _call("mallopt", M_MMAP_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Return freed memory to the system now, where the C library can."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library where it has it: Windows and macOS have none of these."""
    with suppress(TypeError, OSError, AttributeError):
        getattr(ctypes.CDLL(None), name)(*arguments)
