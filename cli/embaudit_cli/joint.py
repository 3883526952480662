"""What ``embaudit align`` and ``embaudit verify`` do with two heads into one shared space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from embaudit.datatypes import Heads, Progress
    from embaudit.joint_space import JointAlignment
    from embaudit.remedy.joint_fitting import JointMaps
    from embaudit.report.joint import JointVerificationReport


def align_joint(
    sides: tuple[str, str],
    output: str,
    inputs: Iterable[str],
    *,
    heads: str,
    dim: int | None,
    policy: Mapping[str, float],
    asked: Mapping[str, Any],
    force: bool,
    overwrite: bool,
    json: bool,
    quiet: bool,
) -> bool:
    """Fit both heads, write them where they help, and show what was found.

    Parameters
    ----------
    sides : (str, str)
        A and B as typed.
    output : str
        As typed; the heads' files are named after it.
    inputs : iterable of str
        Files that no output may overwrite.
    heads, dim
        As of `embaudit.align_joint`.
    policy : mapping
        Fields of a `Policy`.
    asked : mapping
        Further arguments of `embaudit.align_joint`.
    force, overwrite, json, quiet : bool

    Returns
    -------
    bool
        Whether they are written.
    """
    from embaudit.destinations import check_heads
    from embaudit_cli.progress import with_progress
    from embaudit_cli.shown import show

    paths = check_heads(output, inputs, overwrite=overwrite)

    def fit(progress: Progress | None) -> tuple[JointMaps, JointAlignment]:
        from embaudit.remedy.joint import align_joint as fit_heads
        from embaudit.result import Policy

        return fit_heads(
            *sides,
            heads=cast("Heads", heads),
            dim=dim,
            policy=Policy.model_validate(policy),
            progress=progress,
            **asked,
        )

    fitted, found = with_progress(fit, quiet=quiet)
    keep = found.helps or force
    if keep:
        from embaudit.maps.map_file import save_heads
        from embaudit.remedy.records import joint_notes

        save_heads(fitted, (paths[0][1], paths[1][1]), joint_notes(found))
    from embaudit.report.joint import JointReport, one_line

    written = (paths[0][0], paths[1][0]) if keep else None
    show(
        found,
        lambda encoding: one_line(found, encoding),
        lambda: JointReport(found, written, asked["column"]),
        json=json,
        quiet=quiet,
    )
    return keep


def verify_joint(
    path: str, sides: tuple[str, str], asked: Mapping[str, Any], *, quiet: bool
) -> JointVerificationReport:
    """Measure both heads again.

    Parameters
    ----------
    path : str
        Of one head.
    sides : (str, str)
        A and B as typed.
    asked : mapping
        Further arguments of `embaudit.verify_joint`.
    quiet : bool
    """
    from embaudit.remedy.verifying_joint import verify_joint as verify_heads
    from embaudit.report.joint import JointVerificationReport
    from embaudit_cli.progress import with_progress

    return JointVerificationReport(
        with_progress(
            lambda progress: verify_heads(path, *sides, progress=progress, **asked), quiet=quiet
        )
    )
