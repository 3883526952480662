"""Which array of a file that may hold several is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embaudit.data.embedding_set import NUMERIC_KINDS
from embaudit.data.files import argument, brief
from embaudit.errors import InputError, UsageError, did_you_mean

SHOWN_MEMBERS = 12
"""Arrays named in a message before it says how many more there are."""


@dataclass(frozen=True)
class Member:
    """What a file says about one of its arrays.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        Name of the type, as numpy or the format has it.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def is_matrix(self) -> bool:
        """Two-dimensional, of a type that vectors are stored in."""
        return len(self.shape) == 2 and self.dtype in NUMERIC_KINDS


def choose_member(members: Mapping[str, Member], named: str | None, noun: str, uri: str) -> str:
    """Return the name of the array that is meant: `named`, else the only one or only matrix.

    Parameters
    ----------
    members : mapping of name to Member
    named : str or None
    noun : str
        What the format calls its arrays.
    uri : str
        The source, for messages.

    Raises
    ------
    InputError
        When `named` is missing; or when none is named and the file has no matrix, or several.
    """
    if not members:
        raise InputError(f"{uri}: holds no {noun}; expected a 2-D one (rows, dimensions)")
    if named is not None:
        if named not in members:
            raise InputError(
                f"{uri}: no {noun} {brief(named)!r}{did_you_mean(named, members)} among "
                f"{_listed(members)}"
            )
        return named
    if len(members) == 1:
        return next(iter(members))
    matrices = {name: member for name, member in members.items() if member.is_matrix}
    if not matrices:
        raise InputError(
            f"{uri}: no {noun} is a 2-D matrix of numbers among {_listed(members)}; "
            "store the vectors as one (rows, dimensions)"
        )
    if len(matrices) > 1:
        first = argument(next(iter(matrices)))
        raise InputError(
            f"{uri}: {len(matrices)} matrices, {_listed(matrices)}; "
            f"name one with --column {first} or PATH::NAME"
        )
    return next(iter(matrices))


def refuse_member(named: str | None, uri: str) -> None:
    """Refuse a name where the source is one matrix.

    Raises
    ------
    UsageError
        When `named` is not None.
    """
    if named is not None:
        raise UsageError(
            f"--column names one of several columns or arrays; {uri} holds a single matrix"
        )


def _listed(members: Mapping[str, Member]) -> str:
    """Name arrays, their shapes and types, the first `SHOWN_MEMBERS` of them."""
    shown = list(members.items())[:SHOWN_MEMBERS]
    named = [
        f"{brief(repr(name), 40)} {brief(member.shape, 40)} {brief(member.dtype, 40)}"
        for name, member in shown
    ]
    more = len(members) - len(shown)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
