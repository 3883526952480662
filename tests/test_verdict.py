"""Every rule on both sides of its threshold, and the order of the rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embaudit import Policy, Verdict
from embaudit.stats.intervals import Interval
from embaudit.verdict import Evidence, PairingEvidence, Recall, decide

POLICY = Policy()


def recall(value, spread=0.0, chance=0.001):
    """Return a recall whose corrected interval is value -+ spread."""
    interval = Interval(value, value - spread, value + spread)
    return Recall(plain=interval, corrected=interval, chance=chance)


def pairing(fraction=0.0, spread=0.0, flat=True, by_raw=True, median_rank=0.001, raw=None):
    interval = Interval(fraction, max(0.0, fraction - spread), min(1.0, fraction + spread))
    raw_value = fraction if raw is None else raw
    return PairingEvidence(
        fraction=interval,
        flat=flat,
        by_raw=by_raw,
        median_rank=median_rank,
        raw_fraction=Interval(raw_value, raw_value * 0.9, min(1.0, raw_value * 1.1)),
        raw_flat=flat,
    )


def evidence(
    raw=0.99, mixed=0.99, orthogonal=0.99, linear=0.99, found=1.0, spread=0.0, dims=(8, 8), **more
):
    """Return evidence that is safe unless told otherwise; both directions alike."""
    recalls = {}
    for direction in ("a_to_b", "b_to_a"):
        if raw is not None:
            recalls[direction, "raw"] = recall(raw, spread)
        recalls[direction, "orthogonal"] = recall(orthogonal, spread)
        recalls[direction, "linear"] = recall(linear, spread)
    share = Interval(found, found - 0.005, min(1.0, found + 0.005))
    base = Evidence(
        rows=2000,
        fit_rows=1500,
        dims=dims,
        k=10,
        identical=False,
        matched_fraction=1.0,
        without_partner=0.0,
        recalls=recalls,
        mixed={} if raw is None else {"a": recall(mixed, spread), "b": recall(mixed, spread)},
        partners={} if raw is None else {"a_to_b": share, "b_to_a": share},
        related=True,
        pairing=pairing(),
    )
    return replace(base, **more)


def one_way(base, **recalls):
    """Replace recalls of one direction: a_to_b_raw=0.5 and so on."""
    changed = dict(base.recalls)
    for name, value in recalls.items():
        direction, kind = name.rsplit("_", 1)
        changed[direction, kind] = recall(value)
    return replace(base, recalls=changed)


def verdict(given_evidence, policy=POLICY):
    return decide(given_evidence, policy).verdict


# --- identical files, and too few rows ---------------------------------------------------------


def test_identical_files_are_safe_without_any_measure():
    bare = replace(evidence(), identical=True, recalls={}, mixed={}, partners={}, pairing=None)
    assert verdict(replace(bare, rows=12)) is Verdict.SAFE
    assert verdict(replace(bare, rows=11)) is Verdict.INCONCLUSIVE


def test_nothing_measured_is_inconclusive_about_everything():
    decision = decide(replace(evidence(), pairing=None), POLICY)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert set(decision.candidates) == set(Verdict) - {Verdict.INCONCLUSIVE}


# --- rule 1: rows correspond -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fraction", "spread", "expected"),
    [
        (0.031, 0.01, Verdict.MISPAIRED),
        (0.029, 0.01, Verdict.SAFE),
    ],
)
def test_mispaired_by_the_lower_bound(fraction, spread, expected):
    assert verdict(evidence(pairing=pairing(fraction, spread))) is expected


def test_max_mispaired_is_the_policys():
    judged = evidence(pairing=pairing(0.05, 0.01))
    assert verdict(judged) is Verdict.MISPAIRED
    assert verdict(judged, Policy(max_mispaired=0.05)) is Verdict.SAFE


def test_a_declining_tail_is_not_mispaired():
    weak = evidence(raw=0.01, mixed=0.0, orthogonal=0.3, linear=0.3, found=0.0)
    assert verdict(replace(weak, pairing=pairing(0.2, 0.02, by_raw=False))) is Verdict.MISPAIRED
    declining = pairing(0.2, 0.02, flat=False, by_raw=False)
    assert verdict(replace(weak, pairing=declining)) is Verdict.CONCATENATE


NO_TRACE = {"raw": 0.0, "mixed": 0.0, "orthogonal": 0.0, "linear": 0.0, "found": 0.0}


@pytest.mark.parametrize(
    ("fraction", "spread", "related", "expected"),
    [
        (0.98, 0.1, False, Verdict.UNRELATED),
        (0.98, 0.1, True, Verdict.MISPAIRED),
        (0.65, 0.14, False, Verdict.MISPAIRED),  # surely below 0.8
        (0.66, 0.15, False, Verdict.UNRELATED),  # may be 0.8, surely 0.5
        (0.75, 0.26, False, Verdict.INCONCLUSIVE),  # may be 0.8, may be below 0.5
    ],
)
def test_unrelated_or_mispaired(fraction, spread, related, expected):
    judged = pairing(fraction, spread, by_raw=False, median_rank=0.5)
    assert verdict(evidence(**NO_TRACE, pairing=judged, related=related)) is expected


def test_unrelated_or_mispaired_are_the_candidates_where_neither_is_certain():
    judged = pairing(0.75, 0.26, by_raw=False, median_rank=0.5)
    decision = decide(evidence(**NO_TRACE, pairing=judged, related=False), POLICY)
    assert decision.candidates == [Verdict.MISPAIRED, Verdict.UNRELATED]


@pytest.mark.parametrize(
    ("by_raw", "median_rank", "expected"),
    [
        (True, 0.4, Verdict.MISPAIRED),
        (False, 0.01, Verdict.MISPAIRED),
        (False, 0.011, Verdict.INCONCLUSIVE),
    ],
)
def test_mispaired_stands_with_few_rows_only_when_shown(by_raw, median_rank, expected):
    judged = pairing(0.2, 0.02, by_raw=by_raw, median_rank=median_rank)
    few = evidence(**NO_TRACE, pairing=judged, fit_rows=15)
    assert verdict(few) is expected


def test_unrelated_needs_rows_to_fit_a_map():
    judged = pairing(0.98, 0.1, by_raw=False, median_rank=0.5)
    base = evidence(**NO_TRACE, pairing=judged, related=False)
    assert verdict(replace(base, fit_rows=16)) is Verdict.UNRELATED
    decision = decide(replace(base, fit_rows=15), POLICY)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.candidates == [Verdict.ALIGN, Verdict.CONCATENATE, Verdict.UNRELATED]


@pytest.mark.parametrize(
    ("found", "raw", "expected"),
    [
        (0.09, 0.75, Verdict.MISPAIRED),
        (0.11, 0.75, Verdict.DEGRADED),
        (0.09, 0.69, Verdict.CONCATENATE),
    ],
)
def test_neighbourhoods_that_agree_while_partners_do_not_are_a_lag(found, raw, expected):
    judged = evidence(raw=raw, mixed=raw, orthogonal=raw, linear=raw, found=found)
    assert verdict(replace(judged, pairing=pairing(by_raw=False))) is expected


# --- chance ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chance", "expected"), [(0.5, Verdict.SAFE), (0.51, Verdict.INCONCLUSIVE)]
)
def test_recall_says_nothing_where_chance_is_high(chance, expected):
    base = evidence()
    recalls = dict(base.recalls)
    recalls["b_to_a", "linear"] = recall(0.99, chance=chance)
    assert verdict(replace(base, recalls=recalls)) is expected


# --- rule 2: safe ------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.0, 0.004])
def test_safe_at_the_threshold_by_the_lower_bound(spread):
    assert verdict(evidence(raw=0.9 + spread, mixed=0.9 + spread, spread=spread)) is Verdict.SAFE
    below = evidence(raw=0.899 + spread, mixed=0.99, spread=spread)
    assert verdict(below) is not Verdict.SAFE


@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_safe_needs_both_directions(direction):
    lower = one_way(evidence(), **{f"{direction}_raw": 0.89})
    assert verdict(lower) is not Verdict.SAFE


@pytest.mark.parametrize("side", ["a", "b"])
def test_safe_needs_the_mixed_index_of_both_sides(side):
    base = evidence()
    for value, expected in ((0.9, True), (0.899, False)):
        mixed = {**base.mixed, side: recall(value)}
        assert (verdict(replace(base, mixed=mixed)) is Verdict.SAFE) is expected


@pytest.mark.parametrize("missing", ["raw", "mixed", "partners"])
def test_safe_needs_every_measure(missing):
    base = evidence()
    if missing == "raw":
        base = replace(base, recalls={k: r for k, r in base.recalls.items() if k[1] != "raw"})
    else:
        base = replace(base, **{missing: {}})
    assert verdict(base) is not Verdict.SAFE


def test_safe_needs_equal_dimensions():
    assert verdict(evidence(dims=(8, 7))) is not Verdict.SAFE


@pytest.mark.parametrize(("matched", "expected"), [(0.9, Verdict.SAFE), (0.89, Verdict.DEGRADED)])
def test_safe_needs_matched_rows(matched, expected):
    assert verdict(evidence(matched_fraction=matched)) is expected


@pytest.mark.parametrize(("share", "expected"), [(0.02, Verdict.SAFE), (0.021, Verdict.DEGRADED)])
def test_safe_needs_rows_with_a_partner(share, expected):
    decision = decide(evidence(without_partner=share), POLICY)
    assert decision.verdict is expected
    assert decision.reason == ("meets_policy" if expected is Verdict.SAFE else "without_partner")


def test_missing_rows_leave_safe_out_of_the_candidates():
    straddling = evidence(raw=0.9, mixed=0.95, orthogonal=0.9, linear=0.9, spread=0.01)
    for change in ({"without_partner": 0.5}, {"matched_fraction": 0.5}):
        assert Verdict.SAFE not in decide(replace(straddling, **change), POLICY).candidates


def test_an_interval_across_min_recall_leaves_safe_open():
    decision = decide(
        evidence(raw=0.9, mixed=0.95, orthogonal=0.9, linear=0.9, spread=0.01), POLICY
    )
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.candidates == [Verdict.SAFE, Verdict.DEGRADED]
    assert decision.open


def lost(found, high, **ranks):
    share = Interval(found, found - 0.01, high)
    return evidence(partners={"a_to_b": share, "b_to_a": share}, pairing=pairing(**ranks))


def test_rows_that_may_find_their_partner_ask_for_more_queries():
    decision = decide(lost(0.985, 0.99), POLICY)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.candidates == [Verdict.SAFE, Verdict.MISPAIRED]
    assert decision.open


def test_partners_found_at_the_threshold():
    exact = Interval(0.985, 0.98, 0.99)
    base = evidence(partners={"a_to_b": exact, "b_to_a": exact})
    assert verdict(base) is Verdict.SAFE


@pytest.mark.parametrize(
    ("raw", "flat", "expected"),
    [
        (0.05, True, Verdict.MISPAIRED),
        (0.05, False, Verdict.INCONCLUSIVE),
        (0.0, True, Verdict.INCONCLUSIVE),  # lost to near-duplicates: no tail at all
        (0.01, True, Verdict.INCONCLUSIVE),  # less than half of the loss is in the tail
    ],
)
def test_lost_rows_are_mispaired_when_the_tail_shows_them(raw, flat, expected):
    judged = lost(0.95, 0.96, fraction=0.015, flat=flat, raw=raw)
    decision = decide(judged, POLICY)
    assert decision.verdict is expected
    if expected is Verdict.INCONCLUSIVE:
        assert decision.reason == "rows_lost"
        assert not decision.open


# --- rule 3: degraded --------------------------------------------------------------------------


def noisy(raw=0.8, mixed=0.7, mapped=0.8, **more):
    return evidence(raw=raw, mixed=mixed, orthogonal=mapped, linear=mapped, **more)


def test_degraded_at_min_aligned_recall():
    assert verdict(noisy(raw=0.7, mapped=0.7)) is Verdict.DEGRADED
    assert verdict(noisy(raw=0.69, mapped=0.69)) is Verdict.CONCATENATE


@pytest.mark.parametrize("kind", ["orthogonal", "linear"])
@pytest.mark.parametrize(("gain", "expected"), [(0.019, "degraded"), (0.05, "align")])
def test_degraded_unless_a_map_does_better(kind, gain, expected):
    assert verdict(one_way(noisy(), **{f"b_to_a_{kind}": 0.8 + gain})) == expected


@pytest.mark.parametrize(("mixed", "expected"), [(0.301, "degraded"), (0.299, "align")])
def test_degraded_unless_mixing_fails(mixed, expected):
    assert verdict(noisy(mixed=mixed)) == expected


def test_a_scale_under_euclidean_is_align():
    assert verdict(evidence(raw=1.0, mixed=0.0, orthogonal=1.0, linear=1.0)) is Verdict.ALIGN


@pytest.mark.parametrize(
    ("found", "high", "flat", "expected"),
    [
        (0.9, 0.05, True, "inconclusive"),
        (0.9, 0.02, True, "degraded"),
        (0.9, 0.05, False, "degraded"),
        (0.99, 0.05, True, "degraded"),
    ],
)
def test_degraded_unless_few_rows_leave_open_that_rows_do_not_correspond(
    found, high, flat, expected
):
    ranks = replace(
        pairing(),
        raw_fraction=Interval(0.0, 0.0, high),
        raw_flat=flat,
        fraction=Interval(0.0, 0.0, 0.0),
    )
    partners = dict.fromkeys(("a_to_b", "b_to_a"), Interval(found, found, found))
    decision = decide(replace(noisy(), partners=partners, pairing=ranks), POLICY)
    assert decision.verdict == expected
    if expected == "inconclusive":
        assert decision.candidates == [Verdict.DEGRADED, Verdict.MISPAIRED]


def test_degraded_or_concatenate_stays_open():
    decision = decide(noisy(raw=0.7, mixed=0.6, mapped=0.6, spread=0.02), POLICY)
    assert decision.candidates == [Verdict.DEGRADED, Verdict.CONCATENATE]
    assert decision.open


# --- rule 4: align -----------------------------------------------------------------------------


def turned(orthogonal=0.8, linear=0.8, **more):
    return evidence(raw=0.0, mixed=0.0, found=0.0, orthogonal=orthogonal, linear=linear, **more)


def test_align_at_min_aligned_recall():
    assert verdict(turned(0.7, 0.7)) is Verdict.ALIGN
    assert verdict(turned(0.699, 0.699)) is Verdict.CONCATENATE
    assert verdict(turned(0.699, 0.699), Policy(min_aligned_recall=0.69)) is Verdict.ALIGN


@pytest.mark.parametrize(("linear", "kind"), [(0.819, "orthogonal"), (0.821, "linear")])
def test_the_orthogonal_map_unless_the_linear_one_is_better(linear, kind):
    chosen = decide(turned(0.8, linear), POLICY).chosen
    assert {direction: choice[0] for direction, choice in chosen.items()} == {
        "a_to_b": kind,
        "b_to_a": kind,
    }


def test_the_map_that_reaches_the_threshold_is_chosen():
    chosen = decide(turned(0.69, 0.705), POLICY).chosen
    assert chosen["a_to_b"][0] == "linear"


def test_one_direction_suffices_and_is_named():
    base = one_way(turned(0.3, 0.3), a_to_b_linear=0.9)
    decision = decide(base, POLICY)
    assert decision.verdict is Verdict.ALIGN
    assert list(decision.chosen) == ["a_to_b"]


def test_align_needs_no_equal_dimensions():
    assert verdict(evidence(raw=None, dims=(8, 5), orthogonal=0.9, linear=0.9)) is Verdict.ALIGN


def test_align_or_concatenate_stays_open():
    decision = decide(turned(0.7, 0.7, spread=0.01), POLICY)
    assert decision.candidates == [Verdict.ALIGN, Verdict.CONCATENATE]
    assert decision.open


# --- rules 5 and 6 -----------------------------------------------------------------------------


def test_a_bad_map_counts_only_with_rows_to_fit_it():
    assert verdict(turned(0.3, 0.3, fit_rows=16)) is Verdict.CONCATENATE
    decision = decide(turned(0.3, 0.3, fit_rows=15), POLICY)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.candidates == [Verdict.ALIGN, Verdict.CONCATENATE]
    assert not decision.open


def test_few_rows_without_a_sign_of_pairing_may_be_anybodys():
    few = turned(0.3, 0.3, fit_rows=15)
    silent = replace(
        few, related=False, pairing=replace(few.pairing, by_raw=False, median_rank=0.3)
    )
    assert decide(silent, POLICY).candidates == [
        Verdict.ALIGN,
        Verdict.CONCATENATE,
        Verdict.MISPAIRED,
        Verdict.UNRELATED,
    ]
    for sign in (
        replace(silent, related=True),
        replace(silent, pairing=replace(silent.pairing, median_rank=0.01)),
        replace(silent, pairing=replace(silent.pairing, by_raw=True)),
    ):
        assert decide(sign, POLICY).candidates == [Verdict.ALIGN, Verdict.CONCATENATE]


def test_a_good_map_is_proof_with_few_rows():
    assert verdict(turned(0.9, 0.9, fit_rows=15)) is Verdict.ALIGN


# --- the whole ---------------------------------------------------------------------------------

share = st.floats(0.0, 1.0)


@given(
    raw=share,
    mixed=share,
    orthogonal=share,
    linear=share,
    found=share,
    spread=st.floats(0.0, 0.3),
    fraction=share,
    flat=st.booleans(),
    related=st.booleans(),
    fit_rows=st.integers(1, 40),
)
def test_candidates_and_verdict_agree(
    raw, mixed, orthogonal, linear, found, spread, fraction, flat, related, fit_rows
):
    decision = decide(
        evidence(
            raw=raw,
            mixed=mixed,
            orthogonal=orthogonal,
            linear=linear,
            found=found,
            spread=spread,
            related=related,
            fit_rows=fit_rows,
            pairing=pairing(fraction, spread, flat=flat, by_raw=found >= 0.5),
        ),
        POLICY,
    )
    assert len(decision.candidates) == len(set(decision.candidates))
    if decision.verdict is Verdict.INCONCLUSIVE:
        assert len(decision.candidates) > 1
        assert Verdict.INCONCLUSIVE not in decision.candidates
    else:
        assert decision.candidates == [decision.verdict]
    if decision.verdict is Verdict.SAFE:
        assert min(raw, mixed) - spread >= 0.9
        assert found - 0.005 >= 0.98
    if decision.verdict is Verdict.ALIGN:
        assert all(chosen.corrected.low >= 0.7 for _, chosen in decision.chosen.values())
