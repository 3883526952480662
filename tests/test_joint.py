"""Two heads into one shared space: fitted, trained, written, measured again and refused."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import EMBAUDIT, environment, run
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import rotation

import embaudit
from benchmarks.pairs import SAMPLE_DATA, load
from embaudit.data.embedding_set import ArraySet
from embaudit.datatypes import SilentProgress
from embaudit.errors import InputError, OutputError, UsageError
from embaudit.maps.canonical import CanonicalPath
from embaudit.maps.contrastive import Contrastive
from embaudit.maps.fitted import RowMapper, space_of
from embaudit.maps.map_file import MapNotes, load_map, read_map, save_heads, save_map
from embaudit.measures.shared_space import (
    alignment,
    modality_gap,
    partner_ranks,
    reciprocal_rank,
    uniformity,
)
from embaudit.remedy.joint import align_joint
from embaudit.remedy.records import joint_notes
from embaudit.remedy.verifying_joint import verify_joint
from embaudit.stats.moments import Scatter

SETS = load()
MINILM, W2V, LSA = SETS["minilm"], SETS["w2v_seed1"], SETS["lsa"]


def rows(n=600, dim=12, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def turned(x, seed=1):
    return (x @ rotation(x.shape[1], np.random.default_rng(seed))).astype(np.float32)


def two_views(n=800, seed=0):
    """Return views of 8 and 6 dimensions that share four hidden ones."""
    generator = np.random.default_rng(seed)
    shared = generator.standard_normal((n, 4))
    views = []
    for dim in (8, 6):
        own = 0.5 * generator.standard_normal((n, dim))
        views.append((shared @ generator.standard_normal((4, dim)) + own).astype(np.float32))
    return views


def unit(x):
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def units(x):
    return ArraySet(unit(x).astype(np.float32))


def scatter_of(x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean_x, y - mean_y
    return Scatter(len(x), mean_x, mean_y, x.T @ x, x.T @ y, y.T @ y)


def recalls(found):
    return [
        [getattr(getattr(found, way), f"at_{first}").value for first in (1, 5, 10)]
        for way in ("a_to_b", "b_to_a")
    ]


@pytest.fixture(scope="module")
def closed():
    return align_joint(MINILM, W2V)


@pytest.fixture(scope="module")
def trained():
    return align_joint(MINILM, W2V, heads="linear")


@pytest.fixture(scope="module")
def deep():
    return align_joint(MINILM, W2V, heads="hidden", dim=32)


# What is computed


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), p=st.integers(2, 9), q=st.integers(2, 9))
def test_canonical_directions_are_uncorrelated_but_with_their_partners(seed, p, q):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((80, p)) @ generator.standard_normal((p, p)) + 3.0
    y = generator.standard_normal((80, q)) + x @ generator.standard_normal((p, q))
    found = CanonicalPath.of(scatter_of(x, y)).directions(0.0)
    a, b = found.heads(0.0, min(p, q))
    u, v = a.transform(x), b.transform(y)
    np.testing.assert_allclose(u.T @ u / 80, np.eye(min(p, q)), atol=1e-6)
    np.testing.assert_allclose(v.T @ v / 80, np.eye(min(p, q)), atol=1e-6)
    np.testing.assert_allclose(u.T @ v / 80, np.diag(found.correlations), atol=1e-6)
    assert (np.diff(found.correlations) <= 1e-12).all()


def test_a_penalty_is_variance_added_to_both_sides():
    x, y = rows(200, 5), rows(200, 4, 1) + rows(200, 5)[:, :4]
    sums = scatter_of(x, y)
    added = [0.3 * part.trace() / len(part) * np.eye(len(part)) for part in (sums.xx, sums.yy)]
    more = Scatter(
        sums.n, sums.mean_x, sums.mean_y, sums.xx + added[0], sums.xy, sums.yy + added[1]
    )
    penalised = CanonicalPath.of(sums).directions(0.3)
    expected = CanonicalPath.of(more).directions(0.0)
    np.testing.assert_allclose(penalised.correlations, expected.correlations, rtol=1e-9)
    np.testing.assert_allclose(np.abs(penalised.x), np.abs(expected.x), rtol=1e-6, atol=1e-9)


def test_heads_weigh_directions_by_powers_of_their_correlation():
    x, y = two_views()
    found = CanonicalPath.of(scatter_of(x, y)).directions(0.01)
    plain, weighed = found.heads(0.0, 3)[0], found.heads(2.0, 3)[0]
    assert weighed.matrix.shape == (8, 3)
    np.testing.assert_allclose(weighed.matrix, plain.matrix * found.correlations[:3] ** 2)


def brute_force_ranks(x, y, kept, queries):
    """Return the ranks, and which of them float32 can tell."""
    scores = unit(x)[queries] @ unit(y).T
    own = scores[np.arange(len(queries)), queries][:, None]
    others = kept[None, :] & (np.arange(len(x))[None, :] != queries[:, None])
    apart = np.abs(scores - own)
    above = ((scores > own) & (apart > 1e-9) & others).sum(axis=1)
    tied = ((apart <= 1e-9) & others).sum(axis=1)
    plain = ~((apart > 1e-9) & (apart < 2e-6) & others).any(axis=1)
    return above + 0.5 * tied, plain


@pytest.mark.parametrize("workers", [1, 2])
def test_partner_ranks_by_brute_force(workers):
    x, y = rows(9000, 6), rows(9000, 6) + 0.5 * rows(9000, 6, 1)
    # Rows that other queries' partners are repeated in tie with them.
    y[100:130] = y[:30]
    kept = np.ones(len(x), np.bool_)
    kept[5000:5500] = False
    queries = np.arange(0, 4800, 2)
    fewer = kept & (np.arange(len(x)) % 3 == 0)
    indexes = [kept, fewer]
    both = partner_ranks(units(x), units(y), indexes, queries, workers, SilentProgress())
    for found, index in zip(both, indexes, strict=True):
        for ranks, (expected, plain) in (
            (found.a_to_b, brute_force_ranks(x, y, index, queries)),
            (found.b_to_a, brute_force_ranks(y, x, index, queries)),
        ):
            assert plain.mean() > 0.95
            np.testing.assert_array_equal(ranks[plain], expected[plain])
    assert 0.5 in both[0].a_to_b % 1


def test_in_a_space_of_one_point_nobody_has_found_a_partner():
    same = np.ones((500, 3), np.float32)
    kept = np.ones(500, np.bool_)
    sides = units(same), units(same)
    (found,) = partner_ranks(*sides, [kept], np.arange(50), 1, SilentProgress())
    assert (found.a_to_b == 249.5).all()
    assert reciprocal_rank(unit(same[:40]), unit(same[:40])) < 0.06


def test_what_is_not_a_number_has_found_nobody():
    broken = np.full((40, 3), np.nan, np.float32)
    assert reciprocal_rank(broken, broken) < 0.06


def test_reciprocal_ranks_by_hand():
    x = np.float32([[1, 0], [0, 1]])
    assert reciprocal_rank(x, x) == 1.0
    assert reciprocal_rank(x, x[::-1].copy()) == 0.5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_gap_alignment_and_uniformity_by_definition(seed):
    x, y = unit(rows(40, 3, seed)), unit(rows(40, 3, seed + 1))
    pairs = [(i, j) for i in range(40) for j in range(40) if i != j]
    distances = np.array([np.square(x[i] - x[j]).sum() for i, j in pairs])
    assert uniformity(x) == pytest.approx(np.log(np.exp(-2.0 * distances).mean()))
    assert alignment(x, y) == pytest.approx(
        np.mean([np.square(x[i] - y[i]).sum() for i in range(40)])
    )
    assert modality_gap(x, y) == pytest.approx(np.linalg.norm(x.mean(0) - y.mean(0)))


# What is recovered


def test_partners_of_two_models_meet_in_closed_form(closed):
    (a, b), found = closed
    assert found.helps
    assert (found.heads, found.dim, found.pairs, found.queries) == ("cca", 128, 2000, 512)
    forward, backward = recalls(found.after.retrieval)
    assert forward == sorted(forward)
    assert 0.80 < forward[2] < 0.90
    assert 0.70 < backward[2] < 0.83
    assert found.before.retrieval is None
    assert found.before.modality_gap is None
    assert found.after.modality_gap < 0.1
    assert 0.3 < found.kept_a.value < found.kept_b.value < 0.7
    assert (a.dims, b.dims) == ((384, 128), (128, 128))
    assert a.space == b.space


def test_what_is_measured_is_what_heads_do_to_rows_they_have_not_seen(closed):
    held_out = np.arange(2000) // 32 % 4 == 0
    (a, b), _ = align_joint(MINILM[~held_out], W2V[~held_out])
    u, v = a.transform(MINILM).astype(float), b.transform(W2V).astype(float)
    rest = np.flatnonzero(held_out)
    scores = u[rest] @ v.T
    ranks = (scores > scores[np.arange(len(rest)), rest][:, None]).sum(axis=1)
    assert (ranks < 10).mean() == pytest.approx(recalls(closed[1].after.retrieval)[0][2], abs=0.06)


def test_training_adds_to_the_closed_form(trained):
    _, found = trained
    plain, further = (np.array(recalls(one.retrieval)) for one in found.figures)
    assert [one.heads for one in found.figures] == ["cca", "linear"]
    assert further.mean() > plain.mean() + 0.005
    assert found.after.retrieval == found.figures[-1].retrieval
    assert found.figures[1].epochs > 0
    assert 0.01 < found.figures[1].temperature < 0.1
    assert found.figures[1].trained_on == 2000


def test_a_hidden_layer(deep):
    (a, _), found = deep
    assert found.figures[1].hidden == 64
    assert (a.hidden.width, a.dims) == (64, (384, 32))
    assert np.array(recalls(found.after.retrieval)).mean() > 0.6


def test_training_stops_where_there_is_nothing_to_gain():
    x = rows(500, 8)
    (a, _), found = align_joint(x, turned(x), heads="linear")
    assert found.figures[1].epochs == 0
    (plain, _), _ = align_joint(x, turned(x))
    np.testing.assert_allclose(a.transform(x), plain.transform(x), atol=1e-5)
    assert recalls(found.after.retrieval) == [[1.0] * 3] * 2
    assert found.kept_a.value > 0.95


def test_training_separates_rows_better_than_it_found_them():
    x, y = (unit(view).astype(np.float32) for view in two_views(1000))
    y = np.hstack([y, np.zeros((1000, 2), np.float32)])
    pairs, judged = (x[:700], y[:700]), (x[700:], y[700:])
    found = Contrastive(16, 0, SilentProgress()).until_best(pairs, judged, reciprocal_rank)
    images = [
        unit(head.layer.transform(side))
        for head, side in zip((found.a, found.b), judged, strict=True)
    ]
    assert reciprocal_rank(*(one.astype(np.float32) for one in images)) > 5 * reciprocal_rank(
        *judged
    )


def test_sets_that_share_nothing_have_no_joint_space():
    _, found = align_joint(rows(800), rows(800, 9, 5))
    assert not found.helps
    assert max(map(max, recalls(found.after.retrieval))) < 0.05


def test_a_side_of_one_vector_but_for_a_row_has_no_joint_space():
    x = np.ones((400, 6), np.float32)
    x[0] = 2.0 * np.arange(6)
    _, found = align_joint(x, rows(400, 5))
    assert not found.helps


def test_a_gain_is_asked_of_sets_of_different_dimensions_too():
    policy = embaudit.Policy(min_aligned_recall=0.001)
    for seed in range(4):
        _, found = align_joint(rows(600, 8, seed), rows(600, 7, seed + 9), policy=policy)
        assert not found.helps


def test_few_rows_are_refused_whatever_k_is():
    with pytest.raises(InputError, match=r"80 distinct paired rows; .* need at least 84"):
        align_joint(rows(80), rows(80), k=1)


def test_sets_that_are_one_already_gain_nothing():
    x = rows(600)
    _, found = align_joint(x, x + 0.01 * rows(600, 12, 4))
    assert not found.helps
    assert recalls(found.before.retrieval) == [[1.0] * 3] * 2
    assert found.before.modality_gap < 0.01


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_every_metric_scale_and_fewer_rows_than_dimensions(metric):
    shared = rows(150, 6)
    x = 1e20 * (shared @ rows(6, 300, 1)) + 5e20
    y = 1e-20 * (shared @ rows(6, 200, 2))
    (a, b), found = align_joint(x, y, metric=metric)
    assert found.helps
    u, v = a.transform(x), b.transform(y)
    np.testing.assert_allclose(np.linalg.norm(u, axis=1), 1.0, rtol=1e-5)
    assert reciprocal_rank(u, v) > 0.9


def test_the_same_bytes_every_time_at_any_thread_count(tmp_path):
    x, y = two_views()
    written = []
    for threads in (1, 2, 2):
        heads, found = align_joint(x, y, heads="hidden", threads=threads, seed=3)
        for head in heads:
            save_map(head, tmp_path / "head.safetensors", joint_notes(found))
            written.append((tmp_path / "head.safetensors").read_bytes())
        written.append(found.model_copy(update={"timing": {}}).to_json())
    assert written[:3] == written[3:6] == written[6:]
    other = align_joint(x, y, heads="hidden", seed=4)[0][0]
    assert not np.array_equal(other.hidden.inner, heads[0].hidden.inner)


def test_rows_that_repeat_and_rows_without_a_direction_are_left_out():
    x, y = two_views()
    x[5], x[10:20], y[10:20] = 0.0, x[30], y[30]
    _, found = align_joint(x, y)
    assert found.pairs == 800 - 1 - 10


# What is written


@pytest.mark.parametrize("kind", ["trained", "deep"])
def test_a_head_that_is_read_again_maps_alike_and_by_blocks(kind, request, tmp_path):
    (a, _), found = request.getfixturevalue(kind)
    save_map(a, tmp_path / "a.safetensors", joint_notes(found))
    again, notes = read_map(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(again.transform(MINILM), a.transform(MINILM))
    assert (again.space, again.method, again.direction) == (a.space, "joint", "a_to_joint")
    out = np.empty((len(MINILM), a.dims[1]), np.float32)
    assert not RowMapper(again, MINILM.dtype).map(MINILM, out).any()
    np.testing.assert_allclose(out, a.transform(MINILM), atol=2e-6)
    assert notes.held_out["b_to_a.at_10"].value == found.after.retrieval.b_to_a.at_10.value


@pytest.mark.parametrize(
    "change",
    [
        {"unit": False},
        {"space": None},
        {"direction": "a_to_b"},
        {"method": "linear"},
        {"hidden": 63},
        {"hidden": 1 << 40},
        {"hidden": None, "method": "linear"},
        {"hidden": None},
        {"space": ""},
        {"rows": 10**400},
    ],
)
def test_a_head_that_contradicts_itself_is_damaged(deep, tmp_path, change):
    path = tmp_path / "a.safetensors"
    save_map(deep[0][0], path)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    described = json.loads(header["__metadata__"]["embaudit.map"]) | change
    header["__metadata__"]["embaudit.map"] = json.dumps(described)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    with pytest.raises(InputError, match="a damaged map"):
        load_map(path)


def test_a_row_at_the_mean_has_no_direction():
    x, y = two_views()
    a = align_joint(x, y, metric="euclidean")[0][0]
    assert a.scale == 2.0 ** round(np.log2(a.scale))
    at_mean = (a.affine.mean_x / a.scale)[None]
    still = replace(a, affine=replace(a.affine, mean_x=at_mean[0].astype(np.float32) * a.scale))
    out = np.ones((1, a.dims[1]), np.float32)
    assert not RowMapper(still, np.dtype(np.float64)).map(at_mean.astype(np.float32), out).any()
    assert (out == 0.0).all()


def test_neither_head_takes_its_place_before_both_are_written(closed, tmp_path):
    (a, b), found = closed
    path, other = tmp_path / "x.a.safetensors", tmp_path / "x.b.safetensors"
    path.write_bytes(b"as it was")
    other.mkdir()
    with pytest.raises(OutputError, match="could not be written"):
        save_heads((a, b), (path, other), joint_notes(found))
    assert path.read_bytes() == b"as it was"
    assert sorted(one.name for one in tmp_path.iterdir()) == [path.name, other.name]
    other.rmdir()
    save_heads((a, b), (path, other), joint_notes(found))
    assert (load_map(path).space, load_map(other).space) == (a.space, a.space)


# What is measured again


@pytest.fixture
def saved(closed, tmp_path):
    (a, b), found = closed
    for head, side in ((a, "a"), (b, "b")):
        save_map(head, tmp_path / f"joint.{side}.safetensors", joint_notes(found))
    return tmp_path


@pytest.mark.parametrize("side", ["a", "b"])
def test_heads_hold_on_the_rows_they_were_fitted_on(saved, closed, side):
    found = verify_joint(saved / f"joint.{side}.safetensors", MINILM, W2V)
    assert found.passed
    assert found.same_inputs
    assert found.recorded["a_to_b.at_1"].value == closed[1].after.retrieval.a_to_b.at_1.value
    assert found.maps == [str(saved / f"joint.{one}.safetensors") for one in "ab"]


def test_heads_fail_where_rows_no_longer_correspond(saved):
    found = verify_joint(saved / "joint.a.safetensors", MINILM, W2V[::-1])
    assert not found.passed
    assert "below the 0.7 that is asked" in found.fault
    assert not found.same_inputs


def test_heads_fail_where_retrieval_has_fallen(saved):
    noise = 0.6 * W2V.std() * np.random.default_rng(0).standard_normal(W2V.shape)
    moved = (W2V + noise).astype(np.float32)
    found = verify_joint(
        saved / "joint.a.safetensors",
        MINILM,
        moved,
        policy=embaudit.Policy(min_aligned_recall=0.05),
    )
    assert not found.passed
    assert "has fallen below the interval that was recorded" in found.fault


def test_few_pairs_are_held_against_what_few_were(saved):
    noise = 1.3 * W2V.std() * np.random.default_rng(0).standard_normal(W2V.shape)
    moved = (W2V + noise).astype(np.float32)
    path = saved / "joint.a.safetensors"
    recorded = {one.rows: one.held_out for one in read_map(path)[1].by_rows}
    assert list(recorded) == [2000, 256, 64]
    found = [recorded[rows]["a_to_b.at_1"].value for rows in recorded]
    assert found == sorted(found)
    for few in (70, 300):
        sound = verify_joint(path, MINILM[:few], W2V[:few])
        assert (sound.passed, sound.pairs) == (True, 64 if few == 70 else 256)
        assert sound.recorded["a_to_b.at_1"].value == recorded[sound.pairs]["a_to_b.at_1"].value
        assert not verify_joint(path, MINILM[:few], moved[:few]).passed
    with pytest.raises(InputError, match=r"42 distinct paired rows; .* at least 64"):
        verify_joint(path, MINILM[:42], W2V[:42])


def test_a_query_or_two_decide_nothing(saved):
    policy = embaudit.Policy(max_queries=1)
    found = verify_joint(saved / "joint.a.safetensors", MINILM, W2V, policy=policy)
    assert found.queries == 42


def test_heads_whose_numbers_were_changed_are_of_no_space(saved, closed):
    b = closed[0][1]
    save_map(
        replace(b, affine=replace(b.affine, matrix=2 * b.affine.matrix)),
        saved / "joint.b.safetensors",
    )
    with pytest.raises(InputError, match="leads to another space"):
        verify_joint(saved / "joint.a.safetensors", MINILM, W2V)


def test_images_that_no_float_holds_are_refused(saved, closed):
    heads = [
        replace(one, affine=replace(one.affine, matrix=1e60 * one.affine.matrix))
        for one in closed[0]
    ]
    for head, side in zip(heads, "ab", strict=True):
        save_map(replace(head, space=space_of(heads)), saved / f"joint.{side}.safetensors")
    with pytest.raises(InputError, match="is mapped beyond what float32 holds"):
        verify_joint(saved / "joint.a.safetensors", MINILM, W2V)


def test_the_other_head_is_asked_for(saved, closed):
    path = saved / "joint.a.safetensors"
    with pytest.raises(InputError, match="not the other head"):
        verify_joint(path, MINILM, W2V, other=path)
    (saved / "joint.b.safetensors").rename(saved / "elsewhere.safetensors")
    with pytest.raises(UsageError, match=r"its other is missing, expected as .*joint\.b"):
        verify_joint(path, MINILM, W2V)
    assert verify_joint(path, MINILM, W2V, other=saved / "elsewhere.safetensors").passed
    with pytest.raises(UsageError, match="its other is missing"):
        verify_joint(saved / "elsewhere.safetensors", MINILM, W2V)
    stranger = align_joint(MINILM[:1000], W2V[:1000])[0][1]
    save_map(stranger, saved / "elsewhere.safetensors", MapNotes())
    with pytest.raises(InputError, match="leads to another space"):
        verify_joint(path, MINILM, W2V, other=saved / "elsewhere.safetensors")


def test_a_head_is_no_map_between_both_models(saved):
    with pytest.raises(UsageError, match="verify_joint"):
        embaudit.verify(saved / "joint.a.safetensors", MINILM, W2V)


# The command line


def test_both_heads_are_written_and_applied_as_printed(tmp_path):
    a, b = SAMPLE_DATA / "minilm.npy", SAMPLE_DATA / "lsa.npy"
    fit = [*EMBAUDIT, "align", str(a), str(b), "--method", "joint", "-o", "x.safetensors"]
    found = run(fit, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "x.a.safetensors",
        "x.b.safetensors",
    ]
    commands = [
        line.split()[1:]
        for line in found.stdout.splitlines()
        if line.strip().startswith("embaudit apply")
    ]
    for command in commands:
        assert run([*EMBAUDIT, *command], cwd=tmp_path).returncode == 0
    u, v = (np.load(tmp_path / f"joint_{side}.npy") for side in "ab")
    assert reciprocal_rank(u[:500], v[:500]) > 0.8
    again = run([*EMBAUDIT, "verify", "x.b.safetensors", str(a), str(b), "--json"], cwd=tmp_path)
    assert again.returncode == 0
    assert json.loads(again.stdout)["passed"] is True
    refused = run(fit, cwd=tmp_path)
    assert refused.returncode == 2
    assert "x.a.safetensors: exists; pass --overwrite" in refused.stderr


def test_json_and_one_line(tmp_path):
    np.save(tmp_path / "a.npy", rows(300))
    np.save(tmp_path / "b.npy", rows(300, 9, 5))
    fit = [*EMBAUDIT, "align", "a.npy", "b.npy", "--method", "joint", "-o", "x.safetensors"]
    found = run([*fit, "--json"], cwd=tmp_path)
    assert found.returncode == 1
    told = json.loads(found.stdout)
    assert (told["method"], told["helps"], told["heads"]) == ("joint", False, "cca")
    quiet = run([*fit, "--quiet", "--force"], cwd=tmp_path)
    assert quiet.returncode == 0
    assert quiet.stdout.startswith("does not help: No shared space is worth having")
    assert quiet.stdout.count("\n") == 1
    assert (tmp_path / "x.a.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--heads", "linear"], "--heads linear: of a joint space only; pass --method joint"),
        (["--dim", "3"], "--dim 3: of a joint space only"),
        (["--method", "joint", "--heads", "cnn"], "--heads cnn: expected one of cca, linear"),
        (["--method", "joint", "--dim", "13"], "--dim 13: expected 1 to 12"),
        (["--method", "joint", "--dim", "0"], "--dim 0: expected 1 to 12"),
        (["--method", "joint", "--direction", "b_to_a"], "--direction b_to_a: a joint space"),
        (["--method", "joint", "-o", "x.npy"], "x.npy: maps are written as .safetensors"),
        (["--method", "joint", "-o", "x.safetensors/"], "maps are written as .safetensors"),
        (["--method", "join"], "expected one of auto, orthogonal, low-rank, linear, joint"),
    ],
)
def test_what_cannot_be_asked(tmp_path, options, message):
    np.save(tmp_path / "a.npy", rows(300))
    found = run(
        [*EMBAUDIT, "align", "a.npy", "a.npy", "-o", "x.safetensors", *options], cwd=tmp_path
    )
    assert found.returncode == 2
    assert message in found.stderr
    assert found.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_heads_that_would_be_one_file(tmp_path):
    np.save(tmp_path / "a.npy", rows(300))
    (tmp_path / "x.a.safetensors").touch()
    (tmp_path / "x.b.safetensors").symlink_to("x.a.safetensors")
    fit = [*EMBAUDIT, "align", "a.npy", "a.npy", "--method", "joint", "-o", "x.safetensors"]
    found = run([*fit, "--overwrite"], cwd=tmp_path)
    assert found.returncode == 2
    assert "x.b.safetensors: is the same file as x.a.safetensors" in found.stderr


@pytest.mark.parametrize("method", ["joint", "linear"])
def test_the_column_is_in_the_command_that_is_printed(tmp_path, method):
    x = rows(400)
    for name, vectors in (("a.parquet", x), ("-b.parquet", turned(x))):
        vectors = pa.FixedSizeListArray.from_arrays(vectors.ravel(), 12)
        pq.write_table(pa.table({"e": vectors, "f": vectors}), tmp_path / name)
    fit = [*EMBAUDIT, "align", "--column", "e", "--method", method, "-o", "x.safetensors", "--"]
    found = run([*fit, "-b.parquet", "a.parquet"], cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    printed = [line for line in found.stdout.splitlines() if "embaudit apply" in line]
    assert len(printed) == (2 if method == "joint" else 1)
    for line in printed:
        done = run([*EMBAUDIT, *shlex.split(line)[1:]], cwd=tmp_path)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dim", [2.0, "3", True])
def test_dimensions_are_whole_numbers(dim):
    with pytest.raises(UsageError, match="expected 1 to 12"):
        align_joint(rows(200), rows(200), dim=dim)


def test_align_names_the_function_for_joint_spaces():
    with pytest.raises(UsageError, match="align_joint"):
        embaudit.align(rows(200), rows(200), method="joint")


def test_training_without_pytorch_names_what_to_install(tmp_path):
    missing = tmp_path / "without"
    missing.mkdir()
    (missing / "torch.py").write_text("raise ImportError('not here')\n")
    np.save(tmp_path / "a.npy", rows(300))
    np.save(tmp_path / "b.npy", turned(rows(300)))
    plain = environment()
    env = plain | {"PYTHONPATH": f"{missing}:{plain['PYTHONPATH']}"}
    fit = [*EMBAUDIT, "align", "a.npy", "b.npy", "--method", "joint", "-o", "x.safetensors"]
    found = run([*fit, "--heads", "linear"], cwd=tmp_path, env=env)
    assert found.returncode == 2
    assert "pip install 'embaudit[train]'" in found.stderr
    assert run(fit, cwd=tmp_path, env=env).returncode == 0
