"""The report to the letter: a change of layout shows up as a change of these files.

``GOLDEN=write pytest tests/test_golden.py`` writes them anew; look at the difference before it is
committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sample_audits import sample_audit
from test_report import shown

from embaudit.datatypes import Verdict
from embaudit.result import Sample

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize(("width", "encoding"), [(80, "utf-8"), (120, "utf-8"), (80, "cp1252")])
def test_the_report_is_as_it_was(verdict, width, encoding):
    path = GOLDEN / f"{verdict}-{width}-{encoding}.txt"
    report = shown(sample_audit(verdict), width, encoding)
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(report, encoding="utf-8", newline="\n")
    assert report == path.read_text(encoding="utf-8")


def test_the_verbose_report_is_as_it_was():
    path = GOLDEN / "verbose-80-utf-8.txt"
    report = shown(sample_audit(Verdict.ALIGN), verbose=True)
    if os.environ.get("GOLDEN") == "write":
        path.write_text(report, encoding="utf-8", newline="\n")
    assert report == path.read_text(encoding="utf-8")


def test_the_report_of_a_sample_is_as_it_was():
    path = GOLDEN / "sample-80-utf-8.txt"
    sample = Sample(rows=6000, of=1_250_000)
    report = shown(sample_audit(Verdict.DEGRADED, sample=sample))
    if os.environ.get("GOLDEN") == "write":
        path.write_text(report, encoding="utf-8", newline="\n")
    assert report == path.read_text(encoding="utf-8")
