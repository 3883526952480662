"""Comparing the pairs that a file of settings names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embaudit.answers.baseline import against
from embaudit.audit import compare
from embaudit.configuration import Setting
from embaudit.datatypes import Progress, Verdict
from embaudit.errors import EmbauditError, told
from embaudit.result import Audit, Policy
from embaudit.saved_audit import read_audit

FAILED_BY = {Verdict.DEGRADED: "min_recall", Verdict.MISPAIRED: "max_mispaired"}
"""The threshold that a verdict falls short of; others are decided between by `require`."""
WORST_FIRST = (2, 1, 3, 0)
"""Exit statuses: an error before a failure, that before what is undecided."""


@dataclass(frozen=True)
class Checked:
    """What came of a pair: its audit, or why there is none.

    Attributes
    ----------
    name : str
    audit : Audit or None
    error : str or None
    file, line : str and int, or None
        Where the pair is named, or what is required of it.
    """

    name: str
    audit: Audit | None = None
    error: str | None = None
    file: str | None = None
    line: int | None = None

    @property
    def exit_code(self) -> int:
        """Return the gate's answer, 2 for an error."""
        return 2 if self.audit is None else self.audit.exit_code()


def check_pair(
    name: str,
    settings: Mapping[str, Setting],
    progress: Progress | None = None,
    *,
    layouts: bool = False,
) -> Checked:
    """Compare a pair; what cannot be compared is told, not raised, so that others go on.

    Parameters
    ----------
    name : str
    settings : mapping of str to Setting
        In force for the pair; ``a`` and ``b`` are among them.
    progress : Progress, optional
    layouts : bool
        As in `compare`.
    """
    values = {key: one.value for key, one in settings.items()}
    try:
        audit = _compared(values | {"layouts": layouts}, progress)
    except (EmbauditError, MemoryError, OSError) as error:
        named = settings["a"]
        return Checked(name, error=told(error), file=named.file, line=named.line)
    asked = deciding(audit, settings) or settings["a"]
    return Checked(name, audit, file=asked.file, line=asked.line)


def deciding(audit: Audit, settings: Mapping[str, Setting]) -> Setting | None:
    """Return the setting that the answer of the gate goes back to; None where none is set."""
    if audit.baseline is not None:
        return settings.get("baseline")
    wanted = ["require"]
    if audit.exit_code() != 0 and audit.verdict in FAILED_BY:
        wanted.insert(0, FAILED_BY[audit.verdict])
    found = [settings[name] for name in wanted if name in settings]
    return found[0] if found else None


def _compared(values: dict[str, Any], progress: Progress | None) -> Audit:
    policy = {key: values.pop(key) for key in Policy.model_fields if key in values}
    accepted = values.pop("baseline", None)
    before = None if accepted is None else read_audit(accepted)
    a, b = values.pop("a"), values.pop("b")
    audit = compare(a, b, policy=Policy.model_validate(policy), progress=progress, **values)
    return audit if before is None else against(audit, before, accepted)


def worst(checked: list[Checked]) -> int:
    """Return the exit status of all pairs together."""
    return min((one.exit_code for one in checked), key=WORST_FIRST.index)
