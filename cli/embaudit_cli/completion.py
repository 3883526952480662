"""What the shell offers as values of options; paths are the shell's own business."""

from __future__ import annotations

from typing import get_args

from embaudit.report.formats import FORMATS, RENDERERS, SCHEMAS


def metrics(incomplete: str) -> list[str]:
    """Return the metrics that begin with what has been typed."""
    from embaudit.datatypes import Metric

    return _beginning(incomplete, [str(metric) for metric in Metric])


def requirements(incomplete: str) -> list[str]:
    """Return the verdicts that can be required and begin with what has been typed."""
    from embaudit.result import Requirement

    return _beginning(incomplete, list(get_args(Requirement)))


def outputs(incomplete: str) -> list[str]:
    """Return ``FORMAT=`` for the formats that begin with what has been typed."""
    return _beginning(incomplete, [f"{name}=" for name in FORMATS])


def formats(incomplete: str) -> list[str]:
    """Return the forms of an audit that begin with what has been typed."""
    return _beginning(incomplete, ["terminal", *RENDERERS])


def schemas(incomplete: str) -> list[str]:
    """Return the commands whose JSON has a schema and that begin with what has been typed."""
    return _beginning(incomplete, list(SCHEMAS))


def directions(incomplete: str) -> list[str]:
    """Return the directions of a map that begin with what has been typed."""
    from embaudit.datatypes import DIRECTIONS

    return _beginning(incomplete, list(DIRECTIONS))


def methods(incomplete: str) -> list[str]:
    """Return the kinds of map that begin with what has been typed."""
    from embaudit.datatypes import JOINT, METHODS

    return _beginning(incomplete, ["auto", *METHODS, JOINT])


def heads(incomplete: str) -> list[str]:
    """Return the kinds of heads into a joint space that begin with what has been typed."""
    from embaudit.datatypes import HEADS

    return _beginning(incomplete, list(HEADS))


def dtypes(incomplete: str) -> list[str]:
    """Return the types of numbers that vectors are written in."""
    from embaudit.data.vector_files import DTYPES

    return _beginning(incomplete, list(DTYPES))


def _beginning(incomplete: str, words: list[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
