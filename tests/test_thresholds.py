"""Score thresholds carried from A to B: where they land, what they return, how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_audits import sample_audit
from test_report import shown

import embaudit
from benchmarks.pairs import load, rotation
from embaudit.datatypes import Verdict
from embaudit.errors import UsageError
from embaudit.measures.thresholds import Pairs, agreement, carried
from embaudit.result import CarriedThreshold, ThresholdRow, Thresholds

SETS = load()
METRICS = ("cosine", "dot", "euclidean")


def rows(n=400, dim=12, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def pairs_of(wanted, found):
    """Every pair of some rows once, with a score in either space."""
    first, second = np.triu_indices(len(wanted), 1)
    return pairs(first, second, wanted[first, second], found[first, second])


def pairs(first, second, wanted, found):
    return Pairs(lambda at: (first[at], second[at]), wanted, found[None], len(wanted))


def asked(audit):
    return audit.thresholds.rows[0]


def table(audit):
    return [row for row in audit.thresholds.rows if not row.asked]


# --- kernels against slow twins ----------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=40),
    threshold=st.integers(0, 9),
)
def test_as_many_pairs_pass_as_ties_allow(scores, threshold):
    wanted, found = np.array(scores, np.float64).T
    places = np.arange(len(scores))
    held = pairs(places, places + 1, wanted, found)
    count = int((wanted >= threshold).sum())
    landed = carried(held, float(threshold))
    if count == 0:
        assert landed is None
        return
    possible = [int((found >= value).sum()) for value in found]
    nearest = min(abs(number - count) for number in possible)
    assert abs(int((found >= landed).sum()) - count) == nearest


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), threshold=st.floats(-1, 1), other=st.floats(-1, 1))
def test_precision_and_recall_are_those_of_sets(seed, threshold, other):
    generator = np.random.default_rng(seed)
    wanted, found = generator.uniform(-1, 1, (2, 20, 20))
    held = pairs_of(wanted, found)
    places = [(i, j) for i in range(20) for j in range(i + 1, 20)]
    returned = {place for place in places if found[place] >= other}
    relevant = {place for place in places if wanted[place] >= threshold}
    judged = agreement(held, threshold, other, 0.05)
    for interval, among in ((judged.precision, returned), (judged.recall, relevant)):
        if not among:
            assert interval is None
            continue
        assert interval.value == pytest.approx(len(returned & relevant) / len(among))
        assert 0 <= interval.low <= interval.value <= interval.high <= 1


def similarities(generator, count, noise):
    """Scores of both spaces among rows in loose groups, so that pairs share much."""
    centres = generator.standard_normal((max(2, count // 12), 6))
    x = centres[generator.integers(0, len(centres), count)]
    x = x + 0.5 * generator.standard_normal(x.shape)
    y = x + noise * generator.standard_normal(x.shape)
    return tuple((z @ z.T) / np.outer(*[np.linalg.norm(z, axis=1)] * 2) for z in (x, y))


@pytest.mark.parametrize(("noise", "threshold"), [(0.2, 0.9), (0.6, 0.8), (0.6, 0.0), (1.5, 0.7)])
def test_intervals_hold_over_samples_of_rows(noise, threshold):
    generator = np.random.default_rng(3)
    wanted, found = similarities(generator, 3000, noise)
    truth = agreement(pairs_of(wanted, found), threshold, threshold, 0.05)
    held = {"precision": 0, "recall": 0}
    repeats = 150
    for _ in range(repeats):
        some = np.ix_(*[generator.choice(3000, 150, replace=False)] * 2)
        judged = agreement(pairs_of(wanted[some], found[some]), threshold, threshold, 0.05)
        for name in held:
            interval, true = getattr(judged, name), getattr(truth, name).value
            held[name] += interval is None or interval.low <= true <= interval.high
    assert min(held.values()) >= 0.91 * repeats, held


def test_a_pair_in_both_orders_is_one_pair_twice():
    generator = np.random.default_rng(5)
    first, second = np.triu_indices(30, 1)
    wanted, one, other = generator.uniform(-1, 1, (3, len(first)))
    both = np.stack([one, other])
    stacked = Pairs(lambda at: (first[at], second[at]), wanted, both, both.size)
    ends = np.append(first, second), np.append(second, first)
    listed = pairs(*ends, np.append(wanted, wanted), both.ravel())
    assert stacked.passing(0.4) == listed.passing(0.4)
    assert carried(stacked, 0.4) == carried(listed, 0.4)
    for name in ("precision", "recall"):
        found, expected = (getattr(agreement(p, 0.4, 0.3, 0.05), name) for p in (stacked, listed))
        assert (found.value, found.low, found.high) == pytest.approx(
            (expected.value, expected.low, expected.high)
        )


def test_rows_that_share_no_pair_are_trials():
    first = np.arange(0, 400, 2)
    wanted = np.where(np.arange(200) < 150, 1.0, 0.0)
    judged = agreement(pairs(first, first + 1, wanted, np.ones(200)), 0.5, 0.5, 0.05).precision
    # Clopper and Pearson's interval of 150 in 200 is 0.684 to 0.808.
    assert (judged.value, judged.low, judged.high) == pytest.approx((0.75, 0.684, 0.808), abs=5e-3)


# --- properties --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("metric", METRICS)
def test_a_rotated_copy_keeps_every_threshold(seed, metric):
    x = rows(900, 8, seed)
    audit = embaudit.compare(x, x @ rotation(8, seed), metric=metric, seed=seed)
    assert len(table(audit)) == 3
    for row in table(audit):
        assert row.own.threshold == pytest.approx(row.threshold, rel=1e-3, abs=1e-3)
        assert min(row.own.precision, row.own.recall) > 0.98
        assert row.cross.precision < 0.9


@pytest.mark.parametrize(
    ("metric", "threshold", "landed"),
    [("cosine", 0.7, 0.7), ("dot", 6.0, 54.0), ("euclidean", 2.5, 7.5)],
)
def test_a_scaled_copy_scales_the_threshold(metric, threshold, landed):
    x = rows(500, 8)
    row = asked(embaudit.compare(x, 3 * x, metric=metric, threshold=threshold))
    assert row.own.threshold == pytest.approx(landed, rel=1e-5)
    assert row.own.precision == row.own.recall == 1.0


def test_the_share_is_that_of_all_pairs():
    x = rows(600, 6)
    unit = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(float)
    every = (unit @ unit.T)[np.triu_indices(len(x), 1)]
    row = asked(embaudit.compare(x, x, threshold=0.5))
    assert row.share == pytest.approx((every >= 0.5).mean(), rel=0.05)


def test_the_old_number_fails_silently_on_a_set_with_a_common_mean():
    x = rows(1000, 16)
    moved = x + 6.0 * np.eye(16, dtype=np.float32)[0]
    row = asked(embaudit.compare(x, moved, threshold=0.6))
    assert row.own.threshold > 0.9
    assert row.unchanged.precision < 0.05
    assert row.unchanged.recall > 0.99
    assert row.own.precision > 4 * row.unchanged.precision


def test_threads_change_nothing():
    x, y = rows(900, 8), rows(900, 8) + 0.1 * rows(900, 8, 1)
    one, three = (embaudit.compare(x, y, threshold=0.8, threads=t).thresholds for t in (1, 3))
    assert one == three


# --- rare thresholds ---------------------------------------------------------------------------


def with_near_duplicates(count, copies, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((count, 24))
    x[:copies] = x[copies : 2 * copies] + 0.05 * generator.standard_normal((copies, 24))
    x = x[generator.permutation(count)].astype(np.float32)
    return x, (x + 0.02 * generator.standard_normal(x.shape)).astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_rare_threshold_looks_at_more_rows(metric):
    x, y = with_near_duplicates(6000, 500)
    threshold = 0.98 if metric == "cosine" else 0.6
    row = asked(embaudit.compare(x, y, metric=metric, threshold=threshold))
    assert row.n == 6000
    assert row.share == pytest.approx(500 / (6000 * 5999 / 2), rel=0.25)
    assert row.own.threshold == pytest.approx(threshold, rel=0.05)
    assert row.own.precision > 0.95
    assert row.unchanged.recall > 0.95
    assert row.cross.precision > 0.95


def test_too_few_pairs_are_said_instead_of_a_number():
    x, y = with_near_duplicates(3000, 20)
    row = asked(embaudit.compare(x, y, threshold=0.98))
    assert (row.own, row.cross, row.unchanged) == (None, None, None)
    assert row.reason.startswith("only ")
    assert 0 < row.share < 1e-4


def test_few_rows_have_no_table():
    assert embaudit.compare(rows(15, 4), rows(15, 4, 1), k=2).thresholds is None
    small = embaudit.compare(rows(60, 4), rows(60, 4, 1), k=2)
    assert all(row.reason for row in table(small))


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "threshold", "said"),
    [
        ("cosine", 1.5, "a cosine from -1 to 1"),
        ("cosine", float("nan"), "a cosine from -1 to 1"),
        ("dot", float("inf"), "a finite inner product"),
        ("euclidean", 0.0, "a distance above 0"),
        ("euclidean", -2.0, "a distance above 0"),
        ("cosine", 0.99999999, "none of .* pairs of A passes it; their cosine scores lie from -0"),
        ("euclidean", 1e-6, "none of .* passes it; their euclidean distances lie from 1"),
        ("euclidean", 1e6, "every one of .* passes it"),
    ],
)
def test_a_threshold_that_says_nothing_is_refused(metric, threshold, said):
    with pytest.raises(UsageError, match=said) as refused:
        embaudit.compare(rows(), rows(), metric=metric, threshold=threshold)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("--threshold ")


# --- real pairs --------------------------------------------------------------------------------


def test_eight_bit_weights_keep_thresholds():
    audit = embaudit.compare(SETS["minilm"], SETS["minilm_w8"], threshold=0.5)
    for row in audit.thresholds.rows:
        assert row.own.threshold == pytest.approx(row.threshold, abs=0.01)
        assert min(row.own.precision, row.own.recall, row.unchanged.precision) > 0.95
        assert row.cross.precision > 0.95


def test_fine_tuning_moves_thresholds():
    row = asked(embaudit.compare(SETS["minilm"], SETS["minilm_ft120"], threshold=0.5))
    assert 0.70 < row.own.threshold < 0.80
    assert 0.4 < row.own.precision < 0.7
    assert row.unchanged.recall > 0.95
    assert row.unchanged.precision_ci[1] < 0.1


def test_spaces_of_other_axes_have_no_cross_threshold_worth_using():
    audit = embaudit.compare(SETS["w2v_seed1"], SETS["w2v_seed2"])
    for row in table(audit):
        assert row.own.precision > 0.8
        assert row.cross.precision < 0.1


def test_other_dimensions_have_no_cross_threshold():
    row = asked(embaudit.compare(SETS["minilm"], SETS["w2v_seed1"], threshold=0.5))
    assert row.cross is None
    assert row.own is not None


# --- the report --------------------------------------------------------------------------------


def audit_with(*found):
    thresholds = Thresholds(n=2000, metric="cosine", rows=list(found))
    return sample_audit(Verdict.ALIGN, thresholds=thresholds)


def judged(value):
    return CarriedThreshold(
        threshold=value, precision=0.914, precision_ci=(0.88, 0.94), recall=0.9, recall_ci=(0.8, 1)
    )


FOUND = ThresholdRow(
    threshold=0.78,
    asked=True,
    share=0.00012,
    n=2000,
    pairs=120,
    own=judged(0.412345),
    cross=judged(-1234.56),
    unchanged=judged(0.78),
)


@pytest.mark.parametrize(("width", "encoding"), [(72, "utf-8"), (72, "cp1252")])
def test_the_section_fits(width, encoding):
    audit = audit_with(FOUND, *[FOUND.model_copy(update={"asked": False})] * 3)
    text = shown(audit, width, encoding)
    section = text[text.index("\nThreshold") :].split("\n\nFindings")[0]
    assert all(len(line) <= 72 for line in section.splitlines())
    assert "0.78 on A: passed by about 1 in 8,333 pairs" in section
    for word in ("B with B", "A with B", "as is", "0.4123", "0.914", "0.880"):
        assert word in section


def test_a_reason_stands_in_place_of_numbers():
    none = {"own": None, "cross": None, "unchanged": None, "reason": "only 3 pairs pass it"}
    text = shown(audit_with(FOUND.model_copy(update=none)))
    assert "0.78 on A: only 3 pairs pass it" in text
