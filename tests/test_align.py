"""Fitting a map and measuring it again: what is said, written and refused."""

from __future__ import annotations

import hashlib
import json
import shlex

import numpy as np
import pytest
from commands import EMBAUDIT, run
from oracles import rotation

import embaudit
from benchmarks.pairs import SAMPLE_DATA, load
from embaudit.datatypes import METHODS
from embaudit.errors import InputError, UsageError
from embaudit.maps.map_file import read_map, save_map
from embaudit.remedy.aligning import align
from embaudit.remedy.records import notes_of
from embaudit.remedy.verifying import verify

SETS = load()
W2V = SETS["w2v_seed1"], SETS["w2v_seed2"]


def rows(n=900, dim=16, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def unit(x):
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def turned(x, seed=1):
    return (x @ rotation(x.shape[1], np.random.default_rng(seed))).astype(np.float32)


@pytest.fixture(scope="module")
def w2v():
    return align(*W2V)


def figures(found):
    return {one.method: one for one in found.methods}


def test_what_is_recovered_on_real_models(w2v):
    fitted, found = w2v
    assert found.helps
    assert (found.method, found.grade, fitted.method) == ("linear", "good", "linear")
    assert found.before.recall.value < 0.01
    assert 0.88 < found.after.recall.value < 0.94
    assert found.after.mixed_index.value > 0.85
    assert found.after.cosine > 0.99 > 0.7 > found.random_cosine
    assert 0.80 < figures(found)["orthogonal"].recall.value < 0.90
    assert [one.chosen for one in found.methods] == [
        one.method == "linear" for one in found.methods
    ]
    assert (found.pairs, found.queries) == (1981, 990)


def test_the_recall_of_the_mapped_index_is_that_of_the_audit(w2v):
    _, found = w2v
    audited = embaudit.compare(*W2V).measures
    for method in ("orthogonal", "linear"):
        expected = audited[f"recall.a_to_b.{method}"].value
        assert figures(found)[method].recall.value == pytest.approx(expected, abs=0.02)
    # The mapped rows as a corpus and as queries: the same maps as in the first search.
    assert found.after.recall.value == pytest.approx(
        figures(found)[found.method].recall.value, abs=2e-3
    )


def test_a_mixed_index_of_mapped_rows_by_brute_force():
    a, b = rows(400, 8), None
    b = (turned(a) + 0.15 * rows(400, 8, 3)).astype(np.float32)
    fitted, _ = align(a, b, k=3, method="orthogonal")
    found = verify_saved(fitted, a, b, k=3)
    mapped, own = unit(fitted.transform(a)), unit(b)
    half = embaudit_half(a, b)
    shares = []
    for stored in (half, ~half):
        index = np.where(stored[:, None], mapped, own)
        scores, true = own @ index.T, own @ own.T
        np.fill_diagonal(scores, -np.inf)
        np.fill_diagonal(true, -np.inf)
        reached = np.sort(scores, axis=1)[:, -3]
        nearest = np.argsort(-true, axis=1)[:, :3]
        for i in range(len(a)):
            shares += [scores[i, j] >= reached[i] - 1e-9 for j in nearest[i] if stored[j]]
    assert found.now.mixed_index.value == pytest.approx(np.mean(shares), abs=0.03)
    recall = np.mean(
        [
            len(set(np.argsort(-found_by)[:3]) & set(np.argsort(-truth)[:3])) / 3
            for found_by, truth in zip(masked(mapped @ own.T), masked(own @ own.T), strict=True)
        ]
    )
    assert found.now.recall.value == pytest.approx(recall, abs=1e-9)


def masked(scores):
    scores = scores.copy()
    np.fill_diagonal(scores, -np.inf)
    return scores


def embaudit_half(a, b):
    from embaudit.stages.options import Options
    from embaudit.stages.population import populate

    return populate(embaudit.open_pair(a, b), Options.checked()).half


def verify_saved(fitted, a, b, k=10, notes=None, **options):
    import tempfile
    from pathlib import Path

    from embaudit.maps.map_file import MapNotes

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.safetensors"
        save_map(fitted, path, notes or MapNotes(k=k))
        return verify(path, a, b, **options)


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_a_rotation_is_undone_in_both_directions_under_every_metric(metric, direction):
    a = rows()
    fitted, found = align(a, turned(a), metric=metric, direction=direction, k=5)
    assert found.method == "orthogonal"
    assert found.grade == "excellent"
    assert found.after.recall.value > 0.999
    assert found.after.mixed_index.value > 0.99
    assert found.after.partner_found.value == 1.0
    assert figures(found)["orthogonal"].residual < 1e-6
    assert fitted.direction == found.direction == direction


def test_a_truncation_is_recovered():
    a = SETS["minilm"]
    _, found = align(a[:, :128], a)
    assert (found.a.dim, found.b.dim) == (128, 384)
    assert found.before.recall is None
    _, back = align(a, a[:, :128], metric="euclidean")
    assert back.after.recall.value >= 0.99
    # Under cosine the target's rows lose their norms, which no linear map does.
    _, back = align(a, a[:, :128])
    assert back.after.recall.value >= 0.95


def test_auto_takes_the_simplest_that_is_as_good():
    a = rows(1500, 12)
    sheared = (a @ np.random.default_rng(2).standard_normal((12, 12))).astype(np.float32)
    assert align(a, turned(a))[1].method == "orthogonal"
    assert align(a, sheared, metric="euclidean")[1].method == "linear"
    generator = np.random.default_rng(4)
    thin = a @ generator.standard_normal((12, 2)) @ generator.standard_normal((2, 12))
    flat = (thin + 1e-3 * generator.standard_normal(thin.shape)).astype(np.float32)
    fitted, found = align(a, flat, metric="euclidean")
    assert (found.method, fitted.rank) == ("low-rank", 2)
    assert figures(found)["low-rank"].rank == 2


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_is_named_is_taken(method):
    a = rows()
    fitted, found = align(a, turned(a), method=method, k=5)
    assert [one.method for one in found.methods] == [fitted.method] == [method]
    assert found.helps


def test_more_pairs_recover_more(w2v):
    _, found = w2v
    pairs = [point.pairs for point in found.curve]
    recalls = [point.recall.value for point in found.curve]
    assert pairs == sorted(pairs)
    assert pairs[-1] == 1486
    assert recalls == sorted(recalls)
    assert recalls[-1] - recalls[0] > 0.05


def test_a_map_that_does_not_help_says_so():
    _, found = align(rows(), rows(seed=1))
    assert not found.helps
    assert found.grade is None
    assert found.after.recall.value < 0.1
    # Nothing to gain: the vectors are comparable as they are.
    a = rows()
    _, found = align(a, (a + 0.01 * rows(seed=2)).astype(np.float32))
    assert found.after.recall.value > 0.9
    assert not found.helps


def test_fewer_pairs_than_dimensions():
    a = rows(150, 200)
    _, found = align(a, turned(a), k=3)
    assert found.pairs == 150
    assert {one.method for one in found.methods} == set(METHODS)
    with pytest.raises(InputError, match="12 distinct paired rows; a map and its measurement"):
        align(rows(12), rows(12, seed=1))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"method": "linaer"}, "--method linaer: .*did you mean 'linear'"),
        ({"direction": "a_to_c"}, "--direction a_to_c: expected one of a_to_b, b_to_a"),
        ({"k": 0}, "--k must be at least 1"),
    ],
)
def test_options_that_are_not_possible(options, complaint):
    with pytest.raises(UsageError, match=complaint):
        align(rows(), rows(), **options)


def test_the_same_at_any_number_of_threads():
    a = rows(700)
    b = (turned(a) + 0.2 * rows(700, seed=5)).astype(np.float32)
    documents = []
    for threads in (1, 3):
        fitted, found = align(a, b, threads=threads, method="linear")
        document = found.to_dict()
        assert 1e-7 < document.pop("timing")["query"] < 0.1
        documents.append((document, fitted.affine.matrix.tobytes()))
    assert documents[0] == documents[1]


# --- the commands --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("aligned")
    for name, vectors in zip("ab", W2V, strict=True):
        np.save(place / f"{name}.npy", vectors)
    np.save(place / "other.npy", rows(2000, 128))
    return place


def embaudit_in(folder, *words):
    return run([*EMBAUDIT, *words], cwd=folder)


def test_a_map_is_written_applied_and_verified(folder):
    done = embaudit_in(folder, "align", "a.npy", "b.npy", "-o", "map.safetensors", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["helps"] is True
    assert document["a"]["sha256"] == hashlib.sha256((folder / "a.npy").read_bytes()).hexdigest()
    fitted, notes = read_map(folder / "map.safetensors")
    assert (fitted.rows, notes.k, notes.penalty) == (1981, 10, 1e-4)
    assert notes.held_out["recall"].value == pytest.approx(
        document["after"]["recall"]["value"], 1e-4
    )
    assert [one.uri for one in notes.inputs] == ["a.npy", "b.npy"]

    done = embaudit_in(folder, "apply", "map.safetensors", "a.npy", "-o", "mapped.npy")
    assert (done.returncode, done.stderr) == (0, "")
    recall = embaudit.compare(folder / "mapped.npy", folder / "b.npy").measures
    assert recall["recall.a_to_b.raw"].value > 0.9
    assert recall["mixed_index.b.raw"].value > 0.88

    done = embaudit_in(folder, "verify", "map.safetensors", "a.npy", "b.npy")
    assert (done.returncode, done.stderr) == (0, "")
    assert "MAP HOLDS" in done.stdout
    assert "nothing new is learnt" in done.stdout
    done = embaudit_in(folder, "verify", "map.safetensors", "other.npy", "b.npy", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["fault"] == (
        "recall, 0.000 corrected for chance, is below the 0.7 that is asked"
    )


def test_a_map_that_does_not_help_is_not_written_unless_forced(folder):
    words = ("align", "other.npy", "b.npy", "-o", "useless.safetensors")
    done = embaudit_in(folder, *words)
    assert (done.returncode, done.stderr) == (1, "")
    assert "NO MAP HELPS" in done.stdout
    assert "--force" in done.stdout
    assert not (folder / "useless.safetensors").exists()
    assert embaudit_in(folder, *words, "--force", "-q").returncode == 0
    assert (folder / "useless.safetensors").exists()


def test_outputs_that_may_not_be_written(folder):
    (folder / "there.safetensors").write_bytes(b"before")
    for words, complaint in (
        (("-o", "a.npy"), "a.npy: maps are written as .safetensors; rename the file"),
        (("-o", "there.safetensors"), "there.safetensors: exists; pass --overwrite to replace it"),
        (("-o", "no/map.safetensors"), "does not exist; create it first"),
        ((), "Missing option '--output'"),
    ):
        done = embaudit_in(folder, "align", "a.npy", "b.npy", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert complaint in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_fall_below_what_was_recorded_fails(w2v, tmp_path):
    fitted, found = w2v
    a, b = W2V
    noisy = (b + 0.5 * b.std() * rows(*b.shape, 7)).astype(np.float32)
    fallen = verify_saved(fitted, a, noisy, notes=notes_of(found), policy=low_policy())
    assert not fallen.passed
    assert "fallen below the interval that was recorded" in fallen.fault
    held = verify_saved(fitted, a, b, notes=notes_of(found), policy=low_policy())
    assert held.passed
    assert held.recorded == found.after.recall


def low_policy():
    return embaudit.Policy(min_aligned_recall=0.1)


def test_of_more_pairs_than_it_was_fitted_on_as_many_are_measured():
    a = rows(3000, 10)
    b = (turned(a) + 0.1 * rows(3000, 10, 4)).astype(np.float32)
    fitted, found = align(a[:800], b[:800])
    for seed in range(5):
        again = verify_saved(fitted, a, b, notes=notes_of(found), seed=seed)
        assert (again.pairs, again.fitted_on) == (800, 800)
        # What is drawn stands for pairs to come: its interval has a width.
        assert again.passed
        assert again.now.recall.ci[0] < again.now.recall.value
        assert not again.same_inputs


def test_what_a_map_cannot_be_measured_on(w2v):
    fitted, _ = w2v
    for pair, complaint in (
        ((SETS["minilm"], W2V[1]), "dimension 384; the map takes 128"),
        ((W2V[0], SETS["minilm"]), "dimension 384; the map leads to 128"),
        (
            (W2V[0][:20], W2V[1][:20]),
            "20 distinct paired rows; .* can be held against at least 42",
        ),
    ):
        with pytest.raises(InputError, match=complaint):
            verify_saved(fitted, *pair)


@pytest.mark.parametrize(
    ("a", "b", "options", "names"),
    [
        ("w2v_seed1.npy", "w2v_seed2.npy", {}, ["align", "apply", "compare"]),
        (
            "w2v_seed1.npy",
            "w2v_seed2.npy",
            {"metric": "euclidean", "seed": 3, "k": 7, "min_aligned_recall": 0.6},
            ["align", "apply", "compare"],
        ),
        ("minilm.parquet", "minilm_ft120.parquet", {"on": "id"}, ["align", "apply", "compare"]),
        (
            "minilm.parquet",
            "minilm_ft120.parquet",
            {"on": "id", "min_aligned_recall": 0.95},
            ["concat"],
        ),
        ("minilm.npy", "lsa.npy", {"min_aligned_recall": 0.3}, ["align", "apply", "compare"]),
        ("minilm.npy", "holed.npy", {"drop_invalid": True}, ["concat"]),
    ],
)
def test_the_advice_of_an_audit_runs_as_printed(tmp_path, a, b, options, names):
    for name in {a, b} - {"holed.npy"}:
        (tmp_path / name).write_bytes((SAMPLE_DATA / name).read_bytes())
    holed = SETS["lsa"].astype(np.float32)
    holed[3, 5] = np.nan
    np.save(tmp_path / "holed.npy", holed)
    policy = {name: options[name] for name in ("min_aligned_recall",) if name in options}
    asked = {name: value for name, value in options.items() if name not in policy}
    audit = embaudit.compare(
        str(tmp_path / a), str(tmp_path / b), policy=embaudit.Policy(**policy), **asked
    )
    advice = audit.recommendation
    assert [line.split()[1] for line in advice.commands] == names
    for line in advice.commands:
        done = run([*EMBAUDIT, *shlex.split(line)[1:]], cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), line
    if names == ["concat"]:
        joined = np.load(tmp_path / "joined.npy")
        assert joined.shape == (audit.pairing.rows - audit.pairing.dropped_rows, 768)
        assert np.abs(np.linalg.norm(joined, axis=1) - 1).max() < 1e-5


def test_arrays_have_no_command():
    for pair in (W2V, (SETS["minilm"], SETS["lsa"])):
        assert embaudit.compare(*pair).recommendation.commands == []


def test_norms_whose_squares_float32_loses():
    a = rows()
    b = turned(a)
    far = (a.astype(np.float64) * 1e19).astype(np.float32)
    fitted, found = align(far, b, k=5)
    assert found.after.recall.value > 0.999
    assert verify_saved(fitted, far, b, k=5).now.recall.value > 0.999


def test_pairs_that_repeat_do_not_hide_a_fall():
    a = rows(600)
    b = (turned(a) + 0.1 * rows(600, seed=3)).astype(np.float32)
    fitted, found = align(a, b)
    fresh = rows(600, seed=8)
    drifted = (turned(fresh) + 0.35 * rows(600, seed=9)).astype(np.float32)
    plain = verify_saved(fitted, fresh, drifted, notes=notes_of(found))
    again = np.repeat(np.arange(600), 4)
    repeated = verify_saved(fitted, fresh[again], drifted[again], notes=notes_of(found))
    assert plain.pairs == repeated.pairs == 600
    assert repeated.now.recall.value == pytest.approx(plain.now.recall.value, abs=1e-9)
    assert not plain.passed
    assert not repeated.passed


def test_a_map_fitted_on_few_pairs_is_measured_on_enough():
    a = rows(600)
    fitted = embaudit.fit_map(a[:40], turned(a)[:40])
    found = verify_saved(fitted, a, turned(a))
    assert (found.fitted_on, found.pairs) == (40, 42)


def test_few_pairs_are_held_against_what_few_were(w2v, tmp_path):
    fitted, found = w2v
    path = tmp_path / "map.safetensors"
    save_map(fitted, path, notes_of(found))
    recorded = {one.rows: one.held_out["recall"] for one in read_map(path)[1].by_rows}
    assert list(recorded) == [1981, 256, 64]
    assert recorded[64].value > recorded[1981].value
    assert verify(path, W2V[0][:300], W2V[1][:300]).recorded.value == recorded[256].value
    assert verify(path, W2V[0][:300], W2V[1][:300]).passed
    noise = 0.25 * W2V[1].std() * np.random.default_rng(0).standard_normal(W2V[1].shape)
    worse = verify(path, W2V[0][:300], (W2V[1] + noise).astype(np.float32)[:300])
    assert worse.now.recall.value > 0.7
    assert not worse.passed
    with pytest.raises(InputError, match="at least 64"):
        verify(path, W2V[0][:50], W2V[1][:50])


def test_recall_in_a_smaller_index_is_that_of_rows_that_are_few(w2v):
    _, found = w2v
    fewer = [point for point in found.smaller_indexes if point.rows == 256]
    some = np.random.default_rng(0).permutation(1981)[:1200]
    _, half = align(W2V[0][some], W2V[1][some], method="linear")
    again = [point for point in half.smaller_indexes if point.rows == 256]
    assert again[0].recall.value == pytest.approx(fewer[0].recall.value, abs=0.03)
