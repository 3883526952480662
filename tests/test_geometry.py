"""Causes of geometry: named where they are, with the right numbers, and nowhere else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embaudit
from benchmarks.pairs import GEOMETRY, load, rotation
from embaudit.advice.causes.noise import noise_to_signal
from embaudit.measures.rounding import rounding

SETS = {name: rows[:1000] for name, rows in load().items()}
TEXT = SETS["minilm"][:, :120]
WORDS = SETS["w2v_seed1"]
RANDOM = np.random.default_rng(3)
ORDER = RANDOM.permutation(120)
SIGNS = RANDOM.choice([-1, 1], 120).astype(np.float32)
LOW, HIGH = TEXT.min(axis=0), TEXT.max(axis=0)


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def noisy(x, strength, seed=1):
    noise = np.random.default_rng(seed).standard_normal(x.shape, np.float32)
    return (x + strength * x.std() * noise).astype(np.float32)


def named(audit):
    return {one.id: one for one in audit.findings if one.id in GEOMETRY}


def only(a, b, *expected, **options):
    """Compare and return the causes, which must be the expected ones and no other."""
    audit = embaudit.compare(a, b, **options)
    found = named(audit)
    assert sorted(found) == sorted(expected), [one.message for one in found.values()]
    json.dumps(audit.to_dict(), allow_nan=False)
    return [found[name] for name in expected]


def undo(one, b):
    """Run the line that a finding gives."""
    names = {"permutation": getattr(one, "permutation", None), "signs": getattr(one, "signs", None)}
    return eval(one.undo, {"b": b, **names})


# --- order and sign of columns, rotations ------------------------------------------------------


def test_permuted_columns_are_put_back_exactly():
    (one,) = only(TEXT, TEXT[:, ORDER], "columns_permuted")
    assert (one.moved, one.flipped) == (int((np.arange(120) != ORDER).sum()), 0)
    assert np.array_equal(undo(one, TEXT[:, ORDER]), TEXT)


def test_permuted_and_flipped_columns_are_put_back_exactly():
    b = TEXT[:, ORDER] * SIGNS
    (one,) = only(TEXT, b, "columns_permuted")
    assert one.flipped == int((SIGNS < 0).sum())
    assert np.array_equal(undo(one, b), TEXT)


def test_flipped_signs_are_no_permutation():
    (one,) = only(TEXT, TEXT * SIGNS, "signs_flipped")
    assert (one.moved, one.flipped) == (0, int((SIGNS < 0).sum()))
    assert np.array_equal(undo(one, TEXT * SIGNS), TEXT)


def with_dead_columns():
    """Return TEXT with three columns of zeros, and an order that puts one of them last."""
    text = TEXT[:500].copy()
    text[:, [20, 60, 90]] = 0
    return text, np.append(np.setdiff1d(np.arange(120), [60])[::-1], 60)


def test_a_dead_column_that_moved_to_the_end_is_no_padding():
    text, order = with_dead_columns()
    for a, b in ((text, text[:, order]), (text[:, order], text)):
        (one,) = only(a, b, "columns_permuted")
        assert np.array_equal(undo(one, b), a)


def test_moved_columns_before_padding_are_put_back():
    text, order = with_dead_columns()
    b = np.pad(text[:, order], ((0, 0), (0, 30)))
    padded, one = only(text, b, "zero_padded", "columns_permuted")
    assert padded.columns == 30
    assert np.array_equal(undo(one, b), text)


def test_flipped_signs_before_padding_are_put_back():
    text = TEXT[:500]
    b = np.pad(text * SIGNS, ((0, 0), (0, 30)))
    _, one = only(text, b, "zero_padded", "signs_flipped")
    assert np.array_equal(undo(one, b), text)


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_two_swapped_columns_among_many(metric):
    swapped = TEXT[:, [1, 0, *range(2, 120)]]
    (one,) = only(TEXT, swapped, "columns_permuted", metric=metric)
    assert one.moved == 2
    assert one.permutation[:3] == [1, 0, 2]


def test_columns_moved_under_noise_and_half_precision():
    b = noisy(TEXT, 0.2)[:, ORDER].astype(np.float16)
    (one,) = only(TEXT, b, "columns_permuted")
    assert np.array_equal(one.permutation, np.argsort(ORDER))


@pytest.mark.parametrize("change", [1.0, 3.0])
def test_a_rotation_is_no_permutation(change):
    (one,) = only(TEXT, change * TEXT @ rotation(120), "rotated")
    assert one.residual < 1e-6
    assert one.scale == pytest.approx(change, rel=0.02)
    assert 80 < one.angle_degrees < 100


def test_a_rotation_on_a_grid_is_still_one():
    codes = np.round(TEXT @ rotation(120) * 300).clip(-127, 127).astype(np.int8)
    (one, _) = only(TEXT, codes, "rotated", "value_grid")
    assert one.residual < 0.01


def test_two_trainings_are_no_rotation():
    only(WORDS, SETS["w2v_seed2"], "common_direction")


# --- lengths, units, origins -------------------------------------------------------------------


@pytest.mark.parametrize(("metric", "severity"), [("cosine", "info"), ("dot", "warning")])
def test_a_side_that_is_not_normalised(metric, severity):
    one, _ = only(WORDS, unit(WORDS), "not_normalised", "common_direction", metric=metric)
    assert (one.side, one.normalised_side, one.severity) == ("a", "b", severity)
    assert one.same_directions


@settings(max_examples=5, deadline=None)
@given(scale=st.sampled_from([1e-4, 0.5, 0.97, 1.02, 3.0, 250.0]))
def test_a_scale_is_measured(scale):
    (one,) = only(TEXT[:400], scale * TEXT[:400], "constant_scale", metric="euclidean")
    assert one.scale == pytest.approx(scale, rel=1e-4)


def test_noise_makes_no_scale():
    only(TEXT, noisy(TEXT, 0.3), "noisy_copy", metric="euclidean")
    only(noisy(TEXT, 0.3), TEXT, "noisy_copy", metric="euclidean")


def test_a_scale_for_each_column_is_no_constant_scale():
    only(TEXT / np.maximum(TEXT.std(axis=0), 1e-6), TEXT)


def test_shrinkage_is_no_scale():
    only((TEXT + SETS["minilm_ft120"][:, :120]) / 2, TEXT, metric="euclidean")


def test_an_offset_is_measured():
    offset = np.linspace(-0.05, 0.05, 120, dtype=np.float32)
    (one,) = only(TEXT, TEXT + offset, "constant_offset")
    assert one.offset_norm == pytest.approx(np.linalg.norm(offset), rel=1e-3)
    assert one.offset_start == pytest.approx(offset[:8].tolist(), abs=1e-4)


@pytest.mark.parametrize("renormalised", [False, True])
@pytest.mark.parametrize("side", ["a", "b"])
def test_a_removed_mean_is_no_other_offset(side, renormalised):
    without = WORDS - WORDS.mean(axis=0)
    without = unit(without) if renormalised else without
    pair = (without, WORDS) if side == "a" else (WORDS, without)
    one, _ = only(*pair, "mean_removed", "common_direction")
    assert one.side == side
    assert one.cosine_without_mean > 0.99 > 0.8 > one.cosine_as_stored


def test_scale_and_offset_together():
    scaled, offset = only(TEXT, 2 * TEXT + 0.05, "constant_scale", "constant_offset")
    assert scaled.scale == pytest.approx(2, rel=1e-3)
    assert offset.offset_norm == pytest.approx(0.05 * np.sqrt(120), rel=1e-3)


# --- dimensions --------------------------------------------------------------------------------


@pytest.mark.parametrize("renormalised", [False, True])
@pytest.mark.parametrize("store", [np.float32, np.float16, np.int8])
def test_a_truncated_side(renormalised, store):
    cut = unit(TEXT[:, :70]) if renormalised else TEXT[:, :70]
    b = np.round(300 * cut).clip(-127, 127).astype(np.int8) if store is np.int8 else cut
    if store is np.int8:
        found = named(embaudit.compare(TEXT, b))
        one = found["truncated"]
    else:
        (one,) = only(TEXT, b.astype(store), "truncated")
        assert one.renormalised is renormalised
    assert (one.side, one.kept, one.of) == ("b", 70, 120)


def test_another_model_of_fewer_dimensions_is_not_truncated():
    only(SETS["lsa"], WORDS, "common_direction")


def test_columns_from_other_places():
    (one,) = only(TEXT, TEXT[:, ORDER[:50]], "columns_selected")
    assert one.columns == ORDER[:50].tolist()


def test_a_projection():
    axes = np.linalg.svd(TEXT - TEXT.mean(axis=0), full_matrices=False)[2][:40]
    (one,) = only(TEXT, TEXT @ axes.T, "projected", metric="euclidean")
    assert one.side == "b"
    assert one.explained > 0.999


def test_a_projection_behind_zeros():
    axes = np.linalg.svd(TEXT - TEXT.mean(axis=0), full_matrices=False)[2][:40]
    b = np.pad(TEXT @ axes.T, ((0, 0), (0, 80)))
    padded, one = only(TEXT, b, "zero_padded", "projected", metric="euclidean")
    assert (padded.dims, one.side) == (40, "b")


@pytest.mark.parametrize("side", ["a", "b"])
def test_zeros_behind_the_columns(side):
    padded = np.pad(TEXT, ((0, 0), (0, 30)))
    pair = (padded, TEXT) if side == "a" else (TEXT, padded)
    audit = embaudit.compare(*pair)
    one = named(audit)["zero_padded"]
    assert (one.side, one.columns, one.dims, one.equals_other_side) == (side, 30, 120, True)
    assert "constant_columns" not in {other.id for other in audit.findings}


def test_zeros_in_place_of_the_last_columns():
    blanked = TEXT.copy()
    blanked[:, 80:] = 0
    padded, cut = only(TEXT, blanked, "zero_padded", "truncated")
    assert (padded.columns, padded.equals_other_side) == (40, False)
    assert cut.kept == 80


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [400, 150])
def test_one_scale_int8(scale):
    codes = np.round(scale * TEXT).clip(-127, 127).astype(np.int8)
    (one,) = only(TEXT, codes, "quantised")
    assert one.step == pytest.approx(1 / scale, rel=0.01)
    assert (one.zero_point, one.per_column, one.severity) == (0, False, "info")
    assert eval(one.decode, {"b": codes.astype(float)}) == pytest.approx(TEXT, abs=0.6 / scale)


@pytest.mark.parametrize("points", [16, 24, 64])
def test_a_coarse_grid_in_the_other_side_s_unit(points):
    (one,) = only(TEXT, (np.round(points * TEXT) / points).astype(np.float32), "quantised")
    assert one.step == pytest.approx(1 / points, rel=0.005)
    assert one.scale == pytest.approx(1, rel=0.005)


def test_a_zero_point():
    codes = np.round((TEXT + 0.3) * 400).clip(0, 255).astype(np.uint8)
    found = named(embaudit.compare(TEXT, codes))["quantised"]
    assert found.zero_point == pytest.approx(120, abs=0.5)
    assert found.severity == "warning"


def test_a_scale_for_each_column():
    spread = TEXT * np.linspace(0.2, 2, 120, dtype=np.float32)
    low, high = spread.min(axis=0), spread.max(axis=0)
    codes = np.round((spread - low) / (high - low) * 255).astype(np.uint8)
    found = named(embaudit.compare(spread, codes))["quantised"]
    assert found.per_column
    assert found.decode is None


def test_signs_only():
    one, _ = only(TEXT, np.where(TEXT > 0, 1, -1).astype(np.int8), "sign_bits", "same_axes")
    assert one.agreement == 1.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), step=st.floats(1e-3, 1.0), zero=st.integers(-100, 100))
def test_the_grid_is_recovered(seed, step, zero):
    x = np.random.default_rng(seed).standard_normal((500, 6))
    found = rounding(np.round(x / step) + zero, x)
    assert found is not None
    assert found.step == pytest.approx(step, rel=0.01)
    assert found.distance == pytest.approx(0.25, abs=0.03)
    if abs(zero) > 2:
        assert found.zero_point == pytest.approx(zero, abs=max(1.0, 0.1 / step))


@pytest.mark.parametrize("deviations", [1.5, 2.0, 3.0])
def test_clipped_codes_keep_their_step(deviations):
    x = np.random.default_rng(0).standard_normal((1000, 20))
    step = deviations / 127
    found = rounding(np.round(x / step).clip(-127, 127), x)
    assert found is not None
    assert found.step == pytest.approx(step, rel=0.005)
    assert found.zero_point == 0.0


def test_other_noise_is_no_rounding():
    x = np.random.default_rng(0).standard_normal((500, 6))
    assert rounding(np.round((x + 0.2 * x[::-1]) / 0.05), x) is None
    assert rounding(np.sign(x), x) is None
    assert rounding(np.ones_like(x), x) is None


# --- common direction, noise -------------------------------------------------------------------


def test_a_common_direction_is_the_mean_cosine_of_random_rows():
    (one,) = only(WORDS, SETS["w2v_seed2"], "common_direction")
    products = unit(WORDS).astype(float) @ unit(WORDS).T
    pairs = products[np.triu_indices(len(WORDS), 1)]
    audit = embaudit.compare(WORDS, SETS["w2v_seed2"])
    side_a = next(one for one in audit.findings if one.id == "common_direction" and one.side == "a")
    assert side_a.random_cosine == pytest.approx(pairs.mean(), abs=1e-3)
    assert one.columns == []


def test_columns_that_make_the_common_direction_are_named():
    lifted = TEXT.copy()
    lifted[:, 17] += 3
    _, one = only(TEXT, lifted, "constant_offset", "common_direction")
    assert (one.side, one.columns) == ("b", [17])


@pytest.mark.parametrize("strength", [0.05, 0.1, 0.3])
def test_noise_to_signal_is_measured(strength):
    (one,) = only(TEXT, noisy(TEXT, strength), "noisy_copy")
    signal = (TEXT - TEXT.mean(axis=0)).std()
    assert one.noise_to_signal == pytest.approx(strength * TEXT.std() / signal, rel=0.1)


def test_foreign_rows_are_no_noise():
    changed = TEXT.copy()
    changed[::12] = TEXT[::-12][: len(changed[::12])]
    only(TEXT, changed)


@pytest.mark.parametrize(("share", "strength"), [(0.01, 0.001), (0.05, 0.001), (0.05, 0.1)])
def test_a_few_rows_of_another_model_are_not_counted_as_noise(share, strength):
    b = noisy(TEXT, strength)
    foreign = np.random.default_rng(0).choice(1000, round(share * 1000), replace=False)
    b[foreign] = 3 * SETS["lsa"][foreign, :120]
    found = named(embaudit.compare(TEXT, b))
    if strength == 0.001:
        assert "noisy_copy" not in found
    else:
        assert found["noisy_copy"].noise_to_signal == pytest.approx(strength, rel=0.15)


def test_what_a_map_undoes_is_no_noise():
    whole = SETS["minilm"][:600]
    audit = embaudit.compare(np.maximum(whole, 0), whole)
    assert audit.verdict == "align"
    assert "noisy_copy" not in named(audit)


@given(st.floats(0.01, 10.0))
def test_noise_to_signal_of_a_cosine(ratio):
    assert noise_to_signal(1 / np.sqrt(1 + ratio**2)) == pytest.approx(ratio)
    assert noise_to_signal(1.0 + 1e-16) == 0.0


@pytest.mark.parametrize("cosine", [0.0, -0.5, -1.0])
def test_partners_that_do_not_agree_have_no_noise(cosine):
    assert noise_to_signal(cosine) is None


def test_equal_files_have_no_cause():
    only(TEXT, TEXT.copy())
