"""Says, with evidence, whether the vectors of two embedding files may be compared directly."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from embaudit.version import __version__

if TYPE_CHECKING:
    from embaudit.alignment import Alignment, Verification
    from embaudit.audit import compare
    from embaudit.concatenation import Concatenation
    from embaudit.data.embedding_set import EmbeddingSet
    from embaudit.data.join import open_pair
    from embaudit.data.pair import Pair
    from embaudit.data.sources import open_set
    from embaudit.datatypes import Metric, Verdict
    from embaudit.errors import EmbauditError, InputError, OutputError, UsageError
    from embaudit.fitting import fit_map
    from embaudit.joint_space import JointAlignment, JointVerification
    from embaudit.maps.fitted import FittedMap
    from embaudit.maps.map_file import load_map, save_map
    from embaudit.remedy.aligning import align
    from embaudit.remedy.applying import apply_map
    from embaudit.remedy.joining import concat
    from embaudit.remedy.joint import align_joint
    from embaudit.remedy.verifying import verify
    from embaudit.remedy.verifying_joint import verify_joint
    from embaudit.result import Audit, Policy

_HOMES = {
    "Alignment": "embaudit.alignment",
    "Audit": "embaudit.result",
    "Concatenation": "embaudit.concatenation",
    "EmbauditError": "embaudit.errors",
    "EmbeddingSet": "embaudit.data.embedding_set",
    "FittedMap": "embaudit.maps.fitted",
    "InputError": "embaudit.errors",
    "JointAlignment": "embaudit.joint_space",
    "JointVerification": "embaudit.joint_space",
    "Metric": "embaudit.datatypes",
    "OutputError": "embaudit.errors",
    "Pair": "embaudit.data.pair",
    "Policy": "embaudit.result",
    "UsageError": "embaudit.errors",
    "Verdict": "embaudit.datatypes",
    "Verification": "embaudit.alignment",
    "align": "embaudit.remedy.aligning",
    "align_joint": "embaudit.remedy.joint",
    "apply_map": "embaudit.remedy.applying",
    "compare": "embaudit.audit",
    "concat": "embaudit.remedy.joining",
    "fit_map": "embaudit.fitting",
    "open_pair": "embaudit.data.join",
    "load_map": "embaudit.maps.map_file",
    "open_set": "embaudit.data.sources",
    "save_map": "embaudit.maps.map_file",
    "verify": "embaudit.remedy.verifying",
    "verify_joint": "embaudit.remedy.verifying_joint",
}

__all__ = [
    "Alignment",
    "Audit",
    "Concatenation",
    "EmbauditError",
    "EmbeddingSet",
    "FittedMap",
    "InputError",
    "JointAlignment",
    "JointVerification",
    "Metric",
    "OutputError",
    "Pair",
    "Policy",
    "UsageError",
    "Verdict",
    "Verification",
    "__version__",
    "align",
    "align_joint",
    "apply_map",
    "compare",
    "concat",
    "fit_map",
    "load_map",
    "open_pair",
    "open_set",
    "save_map",
    "verify",
    "verify_joint",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'embaudit' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
