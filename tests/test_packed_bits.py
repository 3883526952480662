"""Packed sign bits are recognised, and numbers in bytes never are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import embaudit
from benchmarks.pairs import load
from embaudit.errors import InputError
from embaudit.measures.packed_bits import looks_packed, packed_signs

SETS = {name: rows[:1000] for name, rows in load().items()}
MODELS = ["minilm", "lsa", "w2v_seed1", "minilm_ft120"]


def unpacked_by_hand(value, order):
    bits = [value >> bit & 1 for bit in range(8)]
    return bits if order == "little" else bits[::-1]


def clipped(x, highest, deviations):
    """Return symmetric int8 codes with one scale, clipped at some deviations."""
    codes = np.round(x * (highest / (deviations * x.std())))
    return np.clip(codes, -highest, highest).astype(np.int8)


def by_column(x, levels=256, low=0.01, high=0.99):
    """Return uint8 codes between two quantiles of each column."""
    bottom, top = np.quantile(x, [low, high], axis=0)
    width = np.where(top > bottom, top - bottom, 1.0)
    return np.clip((x - bottom) / width * (levels - 1), 0, levels - 1).astype(np.uint8)


def quantised(x):
    """Yield the byte codes that vector stores make of float vectors."""
    yield "max-abs", clipped(x, 127, np.abs(x).max() / x.std())
    for deviations in (0.8, 1.0, 1.25, 1.4, 1.5, 1.6, 1.8, 2.0, 3.0, 4.0):
        yield f"{deviations} sigma", clipped(x, 127, deviations)
        yield f"{deviations} sigma uint8", (clipped(x, 127, deviations).view(np.uint8) ^ 128)
    for low in (0.0, 0.01, 0.03, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.15):
        yield f"quantiles {low}", by_column(x, low=low, high=1 - low)
    for highest in (1, 3, 7, 15, 31):
        yield f"-{highest}..{highest}", clipped(x, highest, 2.0)
        yield f"0..{2 * highest}", (clipped(x, highest, 2.0) + highest).astype(np.uint8)
    nibbles = by_column(x, levels=16)
    yield "two nibbles", nibbles[:, ::2] | nibbles[:, 1::2] << 4
    yield "repeated nibbles", nibbles * np.uint8(17)
    ranks = x.argsort(axis=0).argsort(axis=0)
    yield "ranks", (ranks * 256 // len(x)).astype(np.uint8)
    even = (ranks * 16 // len(x)).astype(np.uint8)
    yield "two even nibbles", even[:, ::2] | even[:, 1::2] << 4
    quarters = (even >> 2)[:, : x.shape[1] // 4 * 4]
    yield (
        "four quarters",
        np.packbits(np.stack([quarters >> 1, quarters & 1], axis=2).reshape(len(x), -1), axis=1),
    )
    near = np.repeat(by_column(x)[:100], 10, axis=0)
    near[:, :10] = np.random.default_rng(0).integers(0, 256, (len(near), 10))
    yield "templates", near


@pytest.mark.parametrize("model", MODELS)
def test_no_scalar_quantisation_looks_packed(model):
    for name, codes in quantised(SETS[model]):
        assert not looks_packed(codes), name


@pytest.mark.parametrize("order", ["big", "little"])
@pytest.mark.parametrize(
    ("model", "threshold"),
    [
        ("minilm", "zero"),
        ("minilm", "median"),
        ("minilm_ft120", "zero"),
        ("minilm_ft120", "median"),
        ("w2v_seed1", "median"),
        ("w2v_seed2", "median"),
    ],
)
def test_sign_bits_of_real_models_look_packed(model, threshold, order):
    x = SETS[model]
    limit = 0.0 if threshold == "zero" else np.median(x, axis=0)
    packed = np.packbits(x > limit, axis=1, bitorder=order)
    assert looks_packed(packed)
    assert looks_packed(packed.view(np.int8))
    assert looks_packed((packed.astype(np.int16) - 128).astype(np.int8))


def test_other_bytes_do_not_look_packed():
    pixels = load_digits().data.astype(np.uint8)
    for bytes_ in (pixels, pixels * np.uint8(15), pixels * np.uint8(16)):
        assert not looks_packed(bytes_)
    for seed in range(10):
        noise = np.random.default_rng(seed).integers(0, 256, (1000, 48), dtype=np.uint8)
        assert not looks_packed(noise)
    assert not looks_packed(np.packbits(SETS["minilm"] > 0, axis=1).astype(np.float32))
    assert not looks_packed(np.packbits(SETS["minilm"][:50] > 0, axis=1))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    dim=st.integers(8, 70),
    order=st.sampled_from(["big", "little"]),
    offset=st.booleans(),
    wrong=st.floats(0.0, 0.08),
)
def test_packed_signs_are_found_with_their_order(seed, dim, order, offset, wrong):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((200, dim))
    bits = (x > 0) ^ (generator.random(x.shape) < wrong)
    packed = np.packbits(bits, axis=1, bitorder=order)
    stored = (packed.astype(np.int16) - 128).astype(np.int8) if offset else packed
    found = packed_signs(stored, x)
    assert found is not None
    assert (found.order, found.offset) == (order, offset)
    assert found.agreement == pytest.approx(1 - wrong, abs=0.02)
    byte = int(packed[3, 0])
    assert unpacked_by_hand(byte, found.order) == bits[3, :8].astype(int).tolist()


@pytest.mark.parametrize("model", MODELS)
def test_other_bytes_are_no_signs(model):
    x = SETS[model]
    width = x.shape[1] // 8
    for name, codes in quantised(x):
        assert packed_signs(codes[:, :width], x) is None, name
    shuffled = np.random.default_rng(0).permutation(len(x))
    assert packed_signs(np.packbits(x > 0, axis=1)[shuffled], x) is None
    assert packed_signs(np.full((len(x), width), 255, np.uint8), np.abs(x) + 1) is None


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_proven_bits_are_refused_with_the_line_that_unpacks_them(metric):
    x = SETS["minilm"]
    packed = np.packbits(x > 0, axis=1, bitorder="little")
    stored = (packed.astype(np.int16) - 128).astype(np.int8)
    with pytest.raises(InputError) as caught:
        embaudit.compare(stored, x, metric=metric)
    message = str(caught.value)
    assert "\n" not in message
    line = message.split("unpack them: ")[1]
    unpacked = eval(line, {"np": np, "a": stored})
    assert np.array_equal(unpacked, np.where(x > 0, 1.0, -1.0))


def test_the_refusal_names_the_file(tmp_path):
    x = SETS["w2v_seed1"]
    np.save(tmp_path / "full.npy", x)
    np.save(tmp_path / "bits.npy", np.packbits(x > np.median(x, axis=0), axis=1))
    with pytest.raises(InputError, match=r"^\S*bits\.npy: bytes that hold eight packed sign bits"):
        embaudit.compare(str(tmp_path / "full.npy"), str(tmp_path / "bits.npy"))


def test_two_sides_that_look_packed_are_warned_of_and_not_refused():
    a, b = (np.packbits(SETS[name] > 0, axis=1) for name in ("minilm", "minilm_w8"))
    warned = [one for one in embaudit.compare(a, b).findings if one.id == "packed_bits"]
    assert [(one.side, one.severity) for one in warned] == [("a", "warning"), ("b", "warning")]
    for one, stored in zip(warned, (a, b), strict=True):
        line = one.message.split("compare ")[1].rstrip(".")
        unpacked = eval(line, {"np": np, one.side: stored})
        assert np.array_equal(unpacked > 0, np.unpackbits(stored, axis=1) == 1)


def joined_categories(categories=50, parts=16, width=24, rows=1000, seed=0):
    """Return int8 rows that join one of some embeddings in each of their parts."""
    generator = np.random.default_rng(seed)
    tables = generator.uniform(-127, 127, (parts, categories, width))
    chosen = generator.integers(0, categories, (rows, parts))
    joined = [table[index] for table, index in zip(tables, chosen.T, strict=True)]
    return np.round(np.concatenate(joined, axis=1)).astype(np.int8)


def moved(codes, share, highest=1, seed=1):
    """Return codes, a share of them moved by at most some steps."""
    generator = np.random.default_rng(seed)
    steps = generator.integers(-highest, highest + 1, codes.shape)
    steps[generator.random(codes.shape) >= share] = 0
    return np.clip(codes + steps, -127, 127).astype(np.int8)


@pytest.mark.parametrize("share", [0.02, 1.0])
def test_rows_that_share_parts_are_compared_as_numbers(share):
    codes = joined_categories()
    audit = embaudit.compare(codes, moved(codes, share))
    assert audit.verdict == "safe"
    assert "packed_bits" not in {one.id for one in audit.findings}


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    categories=st.sampled_from([5, 20, 50, 200]),
    parts=st.sampled_from([4, 16, 48]),
    share=st.sampled_from([0.0, 0.1, 1.0]),
    highest=st.integers(1, 8),
)
def test_joined_categories_never_look_packed(seed, categories, parts, share, highest):
    codes = joined_categories(categories, parts, 384 // parts, seed=seed)
    assert not looks_packed(moved(codes, share, highest))


def test_one_side_that_looks_packed_is_warned_of():
    packed = np.packbits(SETS["minilm_ft120"] > 0, axis=1)
    audit = embaudit.compare(SETS["minilm"], packed)
    warned = {one.id: one for one in audit.findings}["packed_bits"]
    assert (warned.side, warned.severity) == ("b", "warning")
    assert "value_grid" not in {one.id for one in audit.findings}


def test_unpacked_bits_are_compared():
    x, y = (np.packbits(SETS[name] > 0, axis=1) for name in ("minilm", "minilm_w8"))
    audit = embaudit.compare(*(2.0 * np.unpackbits(z, axis=1) - 1 for z in (x, y)))
    assert audit.verdict == "safe"
