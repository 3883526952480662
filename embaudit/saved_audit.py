"""Audits read back from their JSON, to be shown in another form."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ValidationError

from embaudit.data.files import FileStamp, brief
from embaudit.errors import InputError, UsageError, first_fault
from embaudit.measures.catalogue import SPEC
from embaudit.result import SCHEMA_VERSION, Audit
from embaudit.version import __version__

LARGEST = 64 << 20
"""Bytes of a document; those of real audits have some hundred thousand at most."""


def read_audit(path: str | os.PathLike[str]) -> Audit:
    """Read the JSON document of an audit.

    Raises
    ------
    InputError
        For what is no audit, is damaged, or was written for another version of the schema.
    """
    uri = os.fsdecode(path)
    stamp = FileStamp.of(Path(uri), uri)
    if stamp.size > LARGEST:
        raise InputError(f"{uri}: {stamp.size:,} bytes; an audit has at most {LARGEST:,}")
    with stamp.reading("JSON"):
        text = stamp.path.read_bytes()
    try:
        # Not pydantic's own parser, which refuses half a pair of surrogates: such are the bytes of
        # a path that is no UTF-8.
        audit = Audit.model_validate(json.loads(text))
    except (RecursionError, UsageError, ValueError) as error:
        fault = first_fault(error) if isinstance(error, ValidationError) else error
        raise InputError(
            f"{uri}: not the JSON of an audit: {brief(fault)}; pass what `embaudit compare --json` "
            "printed"
        ) from None
    if audit.schema_version != SCHEMA_VERSION:
        raise InputError(
            f"{uri}: schema version {brief(audit.schema_version)}; embaudit {__version__} reads "
            f"version {SCHEMA_VERSION}"
        )
    missing = sorted(set(SPEC) - set(audit.measures))
    if missing:
        raise InputError(f"{uri}: measure {missing[0]} is missing; run `embaudit compare` again")
    return audit
