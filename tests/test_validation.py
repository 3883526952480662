"""The validation: its truth against answers by hand, its pairs, its promises on a reduced set."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.validation import __main__ as command
from benchmarks.validation import document, rivals, truth
from benchmarks.validation.cases import CASES, REDUCED, Case
from benchmarks.validation.changes import CHANGES, Sets
from benchmarks.validation.judging import judge
from benchmarks.validation.repeated import (
    Batch,
    Independent,
    Setting,
    at_threshold,
    coverage,
    type_one,
)
from benchmarks.validation.right import right_verdicts
from benchmarks.validation.sources import MODELS, items, vectors

STRENGTHS = {"rounded to bits": 4, "rows repeated": 3, "rows lag by": 1}


def normal(n, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim))


def measured(a, b, k=10, metric="cosine"):
    return truth.measure(a, b, np.zeros(len(a), bool), metric, k)


# --- the truth ---------------------------------------------------------------------------------


def test_the_truth_imports_nothing_of_the_tool():
    tree = ast.parse(inspect.getsource(truth))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None), *(alias.name for alias in node.names)]
        if name
    }
    assert not {name for name in imported if "embaudit" in name or "benchmarks" in name}


def slow_recall(queries, corpus, truth_of, k):
    """Recall by sorting, one query at a time; and chance by handing round every list."""
    n = len(corpus)

    def nearest(vectors, i):
        distances = [np.sum((vectors[i] - corpus[j]) ** 2) for j in range(n)]
        return sorted((j for j in range(n) if j != i), key=lambda j: distances[j])[:k]

    lists = [set(nearest(queries, i)) for i in range(n)]
    wanted = [set(nearest(truth_of, i)) for i in range(n)]
    recall = np.mean([len(lists[i] & wanted[i]) / k for i in range(n)])
    chance = np.mean([len(lists[j] & wanted[i]) / k for i in range(n) for j in range(n) if i != j])
    return recall, chance


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), k=st.integers(1, 4))
def test_raw_recall_and_chance_are_those_of_loops(seed, k):
    a = normal(25, 3, seed)
    b = a + 0.7 * normal(25, 3, seed + 1)
    found = measured(a, b, k, "euclidean")
    for direction, x, y in (("ab", a, b), ("ba", b, a)):
        recall, chance = slow_recall(x, y, y, k)
        assert found.plain[f"raw {direction}"] == pytest.approx(recall)
        assert found.raw[direction] == pytest.approx((recall - chance) / (1.0 - chance))


def test_recall_by_hand():
    """On a line: a's 0 finds b's 1 first, wrongly for b's own 0, which is nearest to 4."""
    a = np.array([[0.0], [1.0], [5.0], [9.0]])
    b = np.array([[6.0], [1.0], [4.0], [9.0]])
    # Own neighbours in b: 6 -> 4, 1 -> 4, 4 -> 6, 9 -> 6. Asked with a: 0 -> 1, 1 -> 4, 5 -> 6
    # (a tie of 6 with nothing else, its own row 4 left out), 9 -> 6.
    found = measured(a, b, 1, "euclidean")
    assert found.plain["raw ab"] == 0.75
    # Partners: 0 is nearest to 1, not to its own 6; 1 and 9 find theirs; 5 is as near to 6 as to
    # its own 4, and ties count.
    assert found.found["ab"] == 0.75


def test_a_mixed_index_by_hand():
    """The other side's vectors lie far away: no index with half of them returns any."""
    b = normal(40, 3)
    far = measured(b + 100.0, b, 3, "euclidean")
    assert far.plain["mixed b"] == 0.0
    assert measured(b, b, 3, "euclidean").plain["mixed b"] == 1.0


def test_equal_sets_are_perfect_and_ties_count():
    rows = np.repeat(normal(60, 4), 2, axis=0)
    rows[1::2, :] += 1e-3
    found = measured(rows, rows.copy())
    assert found.direct == found.partners == found.overlap == pytest.approx(1.0)
    codes = np.eye(3)[np.arange(60) % 3] + 0.0
    marked = np.hstack([codes, np.arange(60)[:, None] * 1e-30])
    assert measured(marked, marked.copy()).chance > 0.3


def test_repeated_pairs_count_once():
    rows = normal(50, 4)
    other = normal(50, 4, 1)
    twice = measured(np.tile(rows, (2, 1)), np.tile(other, (2, 1)))
    assert (twice.rows, twice.distinct) == (100, 50)
    assert twice.raw == pytest.approx(measured(rows, other).raw)


@pytest.mark.parametrize("part", ["half", "most"])
def test_maps_undo_what_they_can(part):
    rows = normal(300, 6)
    turned = rows @ np.linalg.qr(normal(6, 6, 1))[0]
    assert min(getattr(measured(rows, turned), part).values()) == pytest.approx(1.0)
    sheared = rows @ normal(6, 6, 2)  # linear on stored rows, not on unit ones
    assert min(getattr(measured(rows, sheared, metric="euclidean"), part).values()) > 0.95
    assert max(getattr(measured(rows, normal(300, 6, 3)), part).values()) < 0.1


def test_many_rows_are_judged_alike_with_fewer_maps(monkeypatch):
    rows = normal(200, 5)
    other = rows @ np.linalg.qr(normal(5, 5, 1))[0] + 0.05 * normal(200, 5, 2)
    full = measured(rows, other)
    monkeypatch.setattr(truth, "MANY_ROWS", 100)
    quick = measured(rows, other)
    assert (quick.raw, quick.found, quick.overlap) == (full.raw, full.found, full.overlap)
    assert quick.most == quick.half == pytest.approx(full.half, abs=0.05)
    assert quick.mixed == pytest.approx(full.mixed, abs=0.05)


def test_partners_under_the_inner_product_are_found_by_cosine():
    rows = normal(100, 5) * np.linspace(0.1, 10.0, 100)[:, None]
    found = measured(rows, rows.copy(), metric="dot")
    assert found.found == {"ab": 1.0, "ba": 1.0}
    assert measured(rows, rows[::-1].copy(), metric="dot").partners < 0.1


def test_independent_sets_are_at_chance():
    found = measured(normal(400, 8), normal(400, 8, 1))
    for value in (*found.raw.values(), *found.mixed.values(), found.overlap - found.overlap_chance):
        assert abs(value) < 0.02
    assert found.chance == pytest.approx(10 / 399, abs=0.01)


# --- the right verdict -------------------------------------------------------------------------

PERFECT = truth.Truth(
    rows=1000,
    distinct=1000,
    dims=(8, 8),
    moved=0.0,
    raw={"ab": 1.0, "ba": 1.0},
    mixed={"a": 1.0, "b": 1.0},
    found={"ab": 1.0, "ba": 1.0},
    plain={},
    half={"ab": 1.0, "ba": 1.0},
    most={"ab": 1.0, "ba": 1.0},
    overlap=1.0,
    overlap_chance=0.01,
    chance=0.01,
)


def both(value, keys=("ab", "ba")):
    return dict.fromkeys(keys, value)


def at(raw, mixed, mapped, **others):
    maps = {"half": both(mapped), "most": both(mapped)}
    return replace(PERFECT, raw=both(raw), mixed=both(mixed, ("a", "b")), **(maps | others))


@pytest.mark.parametrize(
    ("true", "right"),
    [
        (PERFECT, {"safe"}),
        (at(0.92, 0.92, 0.92), {"safe"}),
        (at(0.905, 0.92, 0.90), {"safe", "degraded"}),
        (at(0.88, 0.88, 0.88), {"degraded"}),
        (at(0.88, 0.88, 0.95), {"align"}),
        (at(0.88, 0.88, 0.90), {"degraded", "align"}),
        (at(0.88, 0.2, 0.88), {"align"}),
        (at(0.5, 0.5, 0.72), {"align"}),
        (at(0.5, 0.5, 0.70), {"align", "concatenate"}),
        (at(0.5, 0.5, 0.5), {"concatenate"}),
        (at(0.5, 0.5, 0.5, most=both(0.8)), {"align", "concatenate"}),
        (at(1.0, 1.0, 1.0, found=both(0.9)), {"degraded"}),
        (at(1.0, 1.0, 1.0, found=both(0.98)), {"safe", "degraded"}),
        (replace(PERFECT, moved=0.015), {"safe"}),
        (replace(PERFECT, moved=0.03), {"mispaired"}),
        (replace(PERFECT, moved=0.9), {"mispaired", "unrelated"}),
        (replace(PERFECT, moved=1.0), {"mispaired"}),
        (replace(PERFECT, moved=1.0, overlap=0.01), {"unrelated"}),
        (replace(PERFECT, dims=(8, 9), raw={}, mixed={}, found={}), {"align"}),
        (replace(PERFECT, chance=0.6), {"inconclusive"}),
        (replace(PERFECT, distinct=30), {"inconclusive"}),
    ],
)
def test_right_verdicts(true, right):
    assert right_verdicts(true) == right


# --- pairs -------------------------------------------------------------------------------------


def test_there_are_pairs_enough_of_every_size():
    for cases in (CASES, REDUCED):
        assert len({case.name for case in cases}) == len(cases)
    assert len(CASES) >= 120
    sizes = {case.rows for case in CASES}
    assert min(sizes) == 60
    assert max(sizes) == 20_000
    assert set(CHANGES) == {case.change for case in CASES}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_keep_rows_finite_and_say_what_they_moved(name):
    rows = normal(200, 9).astype(np.float32)
    strength = STRENGTHS.get(name, 0.25)
    done = CHANGES[name](Sets.paired(rows, rows), strength, np.random.default_rng(0))
    assert np.isfinite(done.b).all()
    assert len(done.a) == len(done.b) == len(done.moved)
    if name.startswith("rows") and "share" in name:
        assert done.moved.mean() == strength
        assert (done.b[~done.moved] == done.a[~done.moved]).all()
        assert (done.b[done.moved] != done.a[done.moved]).any(axis=1).mean() > 0.9
    elif name in ("rows lag by", "every row moved"):
        assert done.moved.all()
    else:
        assert not done.moved.any()


def test_more_digits_are_new_items_and_models_give_one_vector_each():
    more = items("digits", 4000)
    assert len(np.unique(more, axis=0)) == 4000
    assert (items("digits", 100) == items("digits", 500)[:100]).all()
    assert "net" in MODELS
    assert vectors("wines", "net", 50).shape == (50, 64)
    with pytest.raises(ValueError, match="wines has 178 items"):
        vectors("wines", "net", 500)


def test_building_is_repeatable():
    case = Case("digits", "features", "features", 80, "noise of deviations", 0.3)
    assert (case.build().b == case.build().b).all()


# --- rivals ------------------------------------------------------------------------------------


def test_rivals_answer_as_their_definitions_do():
    rows = normal(400, 8)
    copy = rivals.answers(rows, rows.copy())
    assert all(copy.values())
    turned = rivals.answers(rows, rows @ np.linalg.qr(normal(8, 8, 1))[0])
    assert turned["biased CKA ≥ 0.9"]
    assert turned["in-sample Procrustes ≥ 0.9"]
    assert not turned["mean paired cosine ≥ 0.95"]
    shuffled = rivals.answers(rows, rows[np.random.default_rng(2).permutation(400)])
    unpaired = ("same dimension", "centroids within 0.1 deviations", "MMD does not reject")
    assert all(shuffled[name] for name in unpaired)
    assert not shuffled["biased CKA ≥ 0.9"]
    moved = rivals.answers(rows, rows + 3.0)
    drift = (
        "centroids within 0.1 deviations",
        "MMD does not reject",
        "domain classifier AUC < 0.6",
    )
    assert not any(moved[name] for name in drift)
    assert not rivals.answers(rows, rows[:, :5])["same dimension"]


# --- the promises, reduced ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged():
    return [judge(case) for case in REDUCED]


def test_no_pair_is_wrong(judged):
    assert [(j.case.name, j.verdict, sorted(j.right)) for j in judged if j.wrong] == []
    assert not any(j.badly_safe for j in judged)


def test_every_verdict_is_right_somewhere(judged):
    assert {verdict for j in judged for verdict in j.right} >= {
        "safe",
        "degraded",
        "align",
        "concatenate",
        "mispaired",
        "unrelated",
    }


def test_what_counts_as_wrong(judged):
    safe = next(j for j in judged if j.right == {"safe"})
    unsafe = next(j for j in judged if not j.truly_safe and j.truth.direct < 0.8)
    assert replace(unsafe, verdict="safe").badly_safe
    assert replace(unsafe, verdict="safe").wrong
    assert not replace(safe, verdict="inconclusive", candidates=("safe", "align")).wrong
    assert replace(safe, verdict="inconclusive", candidates=("align", "concatenate")).wrong


def test_intervals_cover_on_a_few_draws():
    setting = Setting("near 1", "pca16", 200, "noise of deviations", 0.03, 64, 40)
    counts = coverage(Batch(setting, 0, 40))
    assert counts.draws == 40
    for key, held in counts.held.items():
        assert held >= 36, key


def test_just_below_the_threshold_safe_is_rare():
    setting = Setting("noise", "pca16", 300, "noise of deviations", 0.3, 16_384, 8)
    verdicts = at_threshold(setting)
    assert 0.89 <= verdicts.direct < 0.90
    assert sum(verdicts.said.values()) == 8
    assert verdicts.said.get("safe", 0) <= 1


@pytest.mark.parametrize("dims", [(8, 8), (80, 80)])
def test_the_p_value_keeps_its_level(dims):
    assert type_one(Independent("stretched", 60, dims, 200)) <= 0.09


# --- the document ------------------------------------------------------------------------------


def test_the_document_shows_what_was_found(judged):
    wrong = replace(judged[0], verdict="unrelated")
    findings = document.Findings([wrong, *judged[1:]], [], [], [], {"pairs": 1.0}, 2)
    text = document.render(findings)
    kept = {promise.kept for promise in document.promises(findings)}
    assert kept == {True, False}
    assert "**no**" in text
    errors = text.split("### Wrong answers")[1].split("## ")[0]
    assert wrong.case.name in errors
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("| ")]
        assert len({line.count(" | ") for line in lines}) <= 1, block


def test_the_stored_document_has_every_pair():
    text = document.DOCUMENT.read_text(encoding="utf-8")
    for case in CASES:
        assert f"| {document.cell(case.name)} |" in text, case.name


def test_the_command_judges_what_it_is_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(
        "sys.argv", ["validation", "--reduced", "--only", "wines", "--workers", "1"]
    )
    assert command.main() == 0
    printed = capsys.readouterr().out
    assert "wines: net, rotated at random, n 178: align" in printed
    assert "of 2 pairs" in printed
