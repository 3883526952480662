"""An accepted audit as the gate: what is worse fails, nothing else does."""

from __future__ import annotations

import json
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import EMBAUDIT, run
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_audits import sample_audit

from embaudit.answers.baseline import against
from embaudit.checking import Checked
from embaudit.datatypes import Metric, Verdict
from embaudit.errors import InputError
from embaudit.report.checks import line
from embaudit.report.formats import render
from embaudit.report.terminal import one_line
from embaudit.result import Requirement


def with_recall(audit, value, key="recall.a_to_b.linear", width=0.01):
    ci = None if value is None else (max(0.0, value - width), min(1.0, value + width))
    changed = audit.measures[key].model_copy(update={"value": value, "ci": ci})
    return audit.model_copy(update={"measures": audit.measures | {key: changed}})


def standings(found):
    return {one.id: one.standing for one in found.baseline.changes}


ACCEPTABLE = [Verdict(verdict) for verdict in get_args(Requirement)]


@pytest.mark.parametrize("verdict", ACCEPTABLE)
def test_an_audit_is_no_worse_than_itself(verdict):
    audit = sample_audit(verdict)
    found = against(audit, audit, "old.json")
    assert found.exit_code() == 0
    assert set(standings(found).values()) <= {"same"}


@pytest.mark.parametrize("verdict", [one for one in Verdict if one not in ACCEPTABLE])
def test_what_no_gate_could_require_is_no_baseline(verdict):
    for now in Verdict:
        with pytest.raises(InputError, match=f"the baseline is {verdict}, and nothing would be"):
            against(sample_audit(now), sample_audit(verdict), "old.json")


@pytest.mark.parametrize("now", list(Verdict))
@pytest.mark.parametrize("accepted", ACCEPTABLE)
def test_the_order_of_verdicts_decides(accepted, now):
    audit, before = sample_audit(now), sample_audit(accepted)
    for key, measure in audit.measures.items():
        before = before.model_copy(update={"measures": before.measures | {key: measure}})
    found = against(audit, before, "old.json")
    worse = [
        one not in ACCEPTABLE or ACCEPTABLE.index(one) > ACCEPTABLE.index(accepted)
        for one in audit.candidates
    ]
    assert found.exit_code() == (1 if all(worse) else 3 if any(worse) else 0)
    # What is asked otherwise is asked still, where it is asked.
    assert found.exit_code("safe") == audit.exit_code("safe")


@settings(max_examples=50, deadline=None)
@given(then=st.floats(0.02, 0.98), now=st.floats(0.02, 0.98))
def test_a_recall_is_worse_where_its_interval_lies_below(then, now):
    audit = sample_audit(Verdict.ALIGN)
    found = against(with_recall(audit, now), with_recall(audit, then), "old.json")
    standing = (
        "worse" if now + 0.01 < then - 0.01 else "better" if now - 0.01 > then + 0.01 else "same"
    )
    assert standings(found)["recall.a_to_b.linear"] == standing
    assert found.exit_code() == (1 if standing == "worse" else 0)


def test_what_is_no_longer_measured_is_worse():
    audit = sample_audit(Verdict.ALIGN)
    found = against(with_recall(audit, None), audit, "old.json")
    assert standings(found)["recall.a_to_b.linear"] == "worse"
    assert found.exit_code() == 1
    # What was not measured then says nothing.
    again = against(audit, with_recall(audit, None), "old.json")
    assert "recall.a_to_b.linear" not in standings(again)
    assert again.exit_code() == 0


@pytest.mark.parametrize("change", [{"metric": Metric.DOT}, {"k": 5}])
def test_recalls_of_something_else_are_refused(change):
    audit = sample_audit(Verdict.ALIGN)
    with pytest.raises(InputError, match=r"old\.json: the baseline has (metric|k)"):
        against(audit, audit.model_copy(update=change), "old.json")


def test_every_form_says_what_is_worse():
    audit = sample_audit(Verdict.ALIGN)
    found = against(with_recall(audit, 0.5), audit, "old.json")
    assert "A in B: linear map: **worse**" in render(found, "markdown")
    assert "no worse than accepted: **not met**" in render(found, "markdown")
    root = ElementTree.fromstring(render(found, "junit"))
    assert root.get("failures") == "1"
    assert render(found, "github").startswith("::error ")
    # No form gives the verdict's own sentence as the reason of the failure.
    checked = Checked("pair", found)
    told = "Worse: A in B: linear map 0.500 (0.912 accepted)"
    assert told in root.find(".//failure").get("message")
    assert told in render(found, "github").splitlines()[0]
    assert told in one_line(found)
    assert told in line(checked, "utf-8")
    page = render(found, "html")
    assert told in page
    assert '<header class="verdict red">' in page
    assert "<title>embaudit: align, no worse than accepted: not met</title>" in page
    assert found.recommendation.action.startswith("Find out what has changed since old.json")
    assert found.recommendation.commands == []
    sound = against(audit, audit, "old.json")
    assert ElementTree.fromstring(render(sound, "junit")).get("failures") == "0"


def test_the_command_fails_only_on_what_is_worse(tmp_path):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((700, 16)).astype(np.float32)
    turn = np.linalg.qr(generator.standard_normal((16, 16)))[0].astype(np.float32)
    noise = generator.standard_normal((700, 16)).astype(np.float32)
    np.save(tmp_path / "a.npy", x)
    np.save(tmp_path / "b.npy", x @ turn)
    np.save(tmp_path / "c.npy", x @ turn + 0.4 * noise)
    compare = [*EMBAUDIT, "compare", "a.npy"]
    made = run([*compare, "b.npy", "--output", "json=old.json"], cwd=tmp_path)
    assert made.returncode == 1
    same = run([*compare, "b.npy", "--baseline", "old.json"], cwd=tmp_path)
    assert same.returncode == 0, same.stderr
    assert "The verdict is no worse: align, accepted was align." in same.stdout
    worse = run([*compare, "c.npy", "--baseline", "old.json", "--json"], cwd=tmp_path)
    assert worse.returncode == 1
    changed = json.loads(worse.stdout)["baseline"]["changes"]
    assert {one["standing"] for one in changed if one["id"].endswith("linear")} == {"worse"}
    for refused in (
        ["--baseline", "none.json"],
        ["--baseline", "a.npy"],
        ["--baseline", "old.json", "--output", "json=old.json"],
        ["--baseline", "old.json", "--k", "5"],
    ):
        done = run([*compare, "b.npy", *refused], cwd=tmp_path)
        assert done.returncode == 2, refused
        assert done.stderr.count("\n") == 1
