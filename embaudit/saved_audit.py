"""Results read back from their JSON, to be shown in another form."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from embaudit.alignment import Verification
from embaudit.data.files import FileStamp, brief
from embaudit.errors import InputError, UsageError, first_fault
from embaudit.joint_space import JointVerification
from embaudit.measures.catalogue import SPEC
from embaudit.result import SCHEMA_VERSION, Audit, Checks, Document
from embaudit.version import __version__

LARGEST = 64 << 20
"""Bytes of a document; those of real audits have some hundred thousand at most."""


T = TypeVar("T", bound=Document)


def read_audit(path: str | os.PathLike[str]) -> Audit:
    """Read the JSON document of an audit.

    Raises
    ------
    InputError
        For what is no audit, is damaged, or was written for another version of the schema.
    """
    uri = os.fsdecode(path)
    return _validated(uri, Audit, _document(uri))


def read_saved(path: str | os.PathLike[str]) -> Audit | Checks | Verification | JointVerification:
    """Read what ``compare``, ``check`` or ``verify`` printed with ``--json``.

    Raises
    ------
    InputError
        For what is none of them, is damaged, or was written for another version of the schema.
    """
    uri = os.fsdecode(path)
    document = _document(uri)
    keys = document if isinstance(document, dict) else {}
    if isinstance(keys.get("pairs"), dict):
        return _validated(uri, Checks, document)
    if "passed" in keys and "maps" in keys:
        return _validated(uri, JointVerification, document)
    if "passed" in keys:
        return _validated(uri, Verification, document)
    return _validated(uri, Audit, document)


def _document(uri: str) -> object:
    stamp = FileStamp.of(Path(uri), uri)
    if stamp.size > LARGEST:
        raise InputError(f"{uri}: {stamp.size:,} bytes; a result has at most {LARGEST:,}")
    with stamp.reading("JSON"):
        text = stamp.path.read_bytes()
    try:
        # Not pydantic's own parser, which refuses half a pair of surrogates: such are the bytes of
        # a path that is no UTF-8.
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise _foreign(uri, error) from None


def _foreign(uri: str, error: Exception) -> InputError:
    fault = first_fault(error) if isinstance(error, ValidationError) else error
    return InputError(
        f"{uri}: not the JSON of an audit: {brief(fault)}; pass what `embaudit compare --json` "
        "printed"
    )


def _validated(uri: str, model: type[T], document: object) -> T:
    try:
        found = model.model_validate(document)
    except (RecursionError, UsageError, ValueError) as error:
        raise _foreign(uri, error) from None
    version = getattr(found, "schema_version", None)
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{uri}: schema version {brief(version)}; embaudit {__version__} reads version "
            f"{SCHEMA_VERSION}"
        )
    for one in found.pairs.values() if isinstance(found, Checks) else [found]:
        if isinstance(one, Audit):
            _check_measures(uri, one)
    return found


def _check_measures(uri: str, audit: Audit) -> None:
    missing = sorted(set(SPEC) - set(audit.measures))
    if missing:
        raise InputError(f"{uri}: measure {missing[0]} is missing; run `embaudit compare` again")
