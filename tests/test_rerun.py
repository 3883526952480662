"""Differences as multiples of those between two runs of one model."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console
from test_fitting import SETS

import embaudit
from embaudit.errors import InputError
from embaudit.report.terminal import render


def noisy(x, strength, seed):
    noise = np.random.default_rng(seed).standard_normal(x.shape)
    return (x.astype(float) + strength * noise).astype(np.float32)


@pytest.fixture(scope="module")
def audits():
    a = SETS["minilm"].astype(np.float32)
    near, far = noisy(a, 0.003, 1), noisy(a, 0.012, 2)
    return {
        "alike": embaudit.compare(a, near, rerun=noisy(a, 0.003, 3)),
        "farther": embaudit.compare(a, far, rerun=noisy(a, 0.003, 3)),
        "plain": embaudit.compare(a, far),
        "floor": embaudit.compare(a, noisy(a, 0.003, 3)),
    }


def test_the_same_noise_is_once_the_floor_and_four_times_the_noise_sixteen_times(audits):
    alike, farther = (audits[name].rerun.measures for name in ("alike", "farther"))
    assert alike["procrustes.residual.a_to_b"].multiple == pytest.approx(1.0, abs=0.1)
    assert farther["procrustes.residual.a_to_b"].multiple == pytest.approx(16.0, rel=0.15)
    low, high = alike["recall.a_to_b.raw"].ci
    assert low < 1.0 < high
    assert farther["recall.a_to_b.raw"].ci[0] > 1.5


def test_the_floor_is_what_an_audit_of_both_runs_finds(audits):
    found, floor = audits["farther"].rerun, audits["floor"]
    assert found.verdict == floor.verdict == "safe"
    for key, measure in found.measures.items():
        if measure.multiple is None:
            continue
        value, noise = audits["plain"].measures[key].value, floor.measures[key].value
        higher = floor.measures[key].better == "higher"
        assert measure.floor == pytest.approx(1.0 - noise if higher else noise)
        assert measure.difference == pytest.approx(1.0 - value if higher else value)
        assert measure.multiple == pytest.approx(measure.difference / measure.floor)


def test_a_rerun_changes_nothing_else(audits):
    asked, plain = (audits[name].to_dict() for name in ("farther", "plain"))
    for key in ("verdict", "candidates", "summary", "measures", "pairing", "metrics"):
        assert asked[key] == plain[key], key
    assert plain["rerun"] is None


def test_runs_without_a_difference_have_no_multiple():
    a = SETS["minilm"].astype(np.float32)
    rerun = embaudit.compare(a, noisy(a, 0.01, 1), rerun=a.copy()).rerun
    for key in ("recall.a_to_b.raw", "neighbors.overlap", "cka.linear", "partner.cosine.raw"):
        assert (rerun.measures[key].multiple, rerun.measures[key].reason) == (
            None,
            "the two runs are alike",
        )


def test_a_rerun_that_is_no_rerun_is_named():
    audit = embaudit.compare(
        SETS["minilm"], SETS["minilm_w8"], rerun=SETS["minilm"][:, ::-1].copy()
    )
    (told,) = (f.message for f in audit.findings if f.id == "rerun_differs")
    assert "themselves align" in told


def test_other_dimensions_of_b_still_have_a_floor():
    a = SETS["minilm"].astype(np.float32)
    audit = embaudit.compare(a, SETS["w2v_seed1"], rerun=noisy(a, 0.003, 1))
    assert audit.rerun.measures["recall.a_to_b.raw"].reason == "the dimensions differ"
    (told,) = (f for f in audit.findings if f.id == "noise_floor")
    assert told.model_extra["measure"] == "neighbors.overlap"


def test_the_report_shows_the_multiples(audits):
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    console.print(render(audits["farther"]), crop=False)
    text = stream.getvalue()
    assert "Noise floor" in text
    multiple = audits["farther"].rerun.measures["recall.b_to_a.linear"].multiple
    section = text[text.index("Noise floor") : text.index("\nData")]
    assert f"{multiple:.3g}" in section
    assert max(map(len, section.splitlines())) <= 80


@pytest.mark.parametrize(
    ("rerun", "complaint"),
    [(np.ones((200, 11)), "dimension 11; a second run"), (np.ones((150, 12)), "row counts differ")],
)
def test_a_rerun_of_another_shape_is_refused(rerun, complaint):
    a = np.random.default_rng(0).standard_normal((200, 12))
    with pytest.raises(InputError, match=complaint):
        embaudit.compare(a, a + 0.1, rerun=rerun)
