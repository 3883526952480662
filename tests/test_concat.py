"""Vectors of several models as one file."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import EMBAUDIT, run
from hypothesis import given, settings
from hypothesis import strategies as st

import embaudit
from benchmarks.pairs import SAMPLE_DATA
from embaudit.data.embedding_set import ArraySet
from embaudit.datatypes import Metric
from embaudit.errors import InputError, UsageError
from embaudit.remedy.joined_rows import JoinedRows, gains_of, principal
from embaudit.remedy.joining import concat

RNG = np.random.default_rng(0)
A = RNG.standard_normal((300, 6)).astype(np.float32)
B = (5 * RNG.standard_normal((300, 9))).astype(np.float32)
C = (0.2 * RNG.standard_normal((300, 4)) + 1).astype(np.float64)


def unit(x):
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def table(path, vectors, ids, **columns):
    values = pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1])
    pq.write_table(pa.table({"id": ids, "embedding": values, **columns}), path, row_group_size=77)
    return path


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_each_set_has_its_weight_in_the_average_inner_product(tmp_path, metric):
    found = concat([A, B, C], tmp_path / "out.npy", weights=[1, 2, 5], metric=metric)
    joined = np.load(tmp_path / "out.npy").astype(np.float64)
    assert joined.shape == (300, 19)
    assert found.weights == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    parts = joined[:, :6], joined[:, 6:15], joined[:, 15:]
    shares = [np.square(part).sum(axis=1).mean() for part in parts]
    assert shares == pytest.approx(found.weights, rel=1e-5)
    for part, source in zip(parts, (A, B, C), strict=True):
        assert np.abs(unit(part) - unit(source)).max() < 1e-5
    if metric == "cosine":
        assert np.abs(np.linalg.norm(joined, axis=1) - 1).max() < 1e-6
        similarity = sum(
            weight * unit(source) @ unit(source).T
            for weight, source in zip(found.weights, (A, B, C), strict=True)
        )
        assert np.abs(joined @ joined.T - similarity).max() < 1e-5


def test_what_is_kept_of_each_neighbourhood_by_brute_force(tmp_path):
    def nearest(x, k=5):
        scores = unit(x) @ unit(x).T
        np.fill_diagonal(scores, -np.inf)
        return np.argsort(-scores, axis=1)[:, :k]

    found = concat([A, B], tmp_path / "out.npy", weights=[3, 1], k=5)
    joined = nearest(np.load(tmp_path / "out.npy"))
    for one, source in zip(found.sets, (A, B), strict=True):
        both = zip(joined, nearest(source), strict=True)
        share = np.mean([len(set(x) & set(y)) / 5 for x, y in both])
        assert one.kept.value == pytest.approx(share, abs=1e-6)
    assert found.sets[0].kept.value > found.sets[1].kept.value


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1000),
    dim=st.integers(1, 9),
    metric=st.sampled_from(list(Metric)),
)
def test_principal_components_are_the_best_of_their_number(seed, dim, metric):
    generator = np.random.default_rng(seed)
    parts = [generator.standard_normal((40, width)) + 0.5 for width in (4, 5)]
    squares = [float(np.square(part).sum(axis=1).mean()) for part in parts]
    sets = [ArraySet(part) for part in parts]
    plain = JoinedRows(sets, metric, gains_of(squares, [1, 1], metric))
    projection = principal(plain, dim)
    reduced = JoinedRows(sets, metric, gains_of(squares, [1, 1], metric), projection)
    whole, few = (rows.take(np.arange(40)).astype(np.float64) for rows in (plain, reduced))
    assert few.shape == (40, dim)
    if metric is Metric.EUCLIDEAN:
        whole -= whole.mean(axis=0)
    u, s, _ = np.linalg.svd(whole, full_matrices=False)
    best = (u[:, :dim] * s[:dim]) @ (u[:, :dim] * s[:dim]).T
    assert np.abs(few @ few.T - best).max() < 1e-4
    assert projection.kept == pytest.approx(np.square(s[:dim]).sum() / np.square(s).sum())


def test_joined_by_ids_in_any_order(tmp_path):
    ids = np.array([f"r{i}" for i in range(300)])
    order, other = RNG.permutation(300)[:280], RNG.permutation(300)[:290]
    sources = [
        table(tmp_path / "a.parquet", A, ids, year=np.arange(300)),
        table(tmp_path / "b.parquet", B[order], ids[order]),
        table(tmp_path / "c.parquet", C[other].astype(np.float32), ids[other]),
    ]
    found = concat(sources, tmp_path / "out.parquet", on="id")
    common = np.intersect1d(order, other)
    written = pq.read_table(tmp_path / "out.parquet")
    assert written.schema.names == ["id", "embedding", "year"]
    assert written["id"].to_pylist() == ids[common].tolist()
    assert written["year"].to_pylist() == common.tolist()
    assert (found.by, found.rows) == ("id", len(common))
    joined = np.array(written["embedding"].to_pylist())
    expected = np.hstack([unit(x[common]) for x in (A, B, C)]) / np.sqrt(3)
    assert np.abs(joined - expected).max() < 1e-6
    named = concat(
        [A, B[order], C[other]], tmp_path / "named.npy", ids=[ids, ids[order], ids[other]]
    )
    assert np.abs(np.load(tmp_path / "named.npy") - expected).max() < 1e-6
    assert named.by == "id"


def test_rows_without_numbers_are_refused_or_left_out(tmp_path):
    holed = B.copy()
    holed[[3, 40], 2] = np.nan, np.inf
    with pytest.raises(InputError, match=r"2 rows with NaN or inf, first row 3; .*--drop-invalid"):
        concat([A, holed], tmp_path / "out.npy")
    found = concat([A, holed], tmp_path / "out.npy", drop_invalid=True)
    kept = np.delete(np.arange(300), [3, 40])
    assert found.rows == 298
    clean = concat([A[kept], B[kept]], tmp_path / "clean.npy")
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "clean.npy").read_bytes()
    assert clean.sets[0].kept == found.sets[0].kept


def test_zero_rows_are_zero_blocks(tmp_path):
    holed = A.copy()
    holed[7] = 0
    concat([holed, B], tmp_path / "out.npy")
    joined = np.load(tmp_path / "out.npy")
    assert not joined[7, :6].any()
    assert np.linalg.norm(joined[7]) == pytest.approx(np.sqrt(0.5), rel=1e-6)


def labelled(tmp_path):
    """Two sets that each tell a half of what the label says, and one of noise."""
    generator = np.random.default_rng(3)
    first, second = generator.integers(0, 3, 900), generator.integers(0, 3, 900)
    noise = generator.standard_normal((3, 900, 8))
    tells = np.eye(3)
    one = (noise[0] + 4 * np.pad(tells[first], ((0, 0), (0, 5)))).astype(np.float32)
    other = (noise[1] + 4 * np.pad(tells[second], ((0, 0), (5, 0)))).astype(np.float32)
    label = [
        None if i % 50 == 0 else f"{x}{y}"
        for i, (x, y) in enumerate(zip(first, second, strict=True))
    ]
    path = table(
        tmp_path / "a.parquet", one, np.arange(900), label=label, first=first, same=["x"] * 900
    )
    return path, other, noise[2].astype(np.float32)


def test_labels_that_both_sets_tell_a_half_of(tmp_path):
    a, b, noise = labelled(tmp_path)
    found = concat([a, b], tmp_path / "out.npy", labels="label")
    probe = found.probe
    assert (probe.labels, probe.classes, probe.rows) == ("label", 9, 882)
    assert probe.joined.value > 0.8
    assert all(0.25 < part.value < 0.45 for part in probe.parts)
    low, high = probe.gain.ci
    assert 0.3 < low < probe.gain.value < high
    # Noise tells nothing: the interval of its gain holds 0 or less.
    nothing = concat([a, noise], tmp_path / "out.npy", labels="label", overwrite=True).probe
    assert nothing.best == 0
    assert nothing.gain.ci[0] <= 0


def test_weights_by_labels(tmp_path):
    a, b, noise = labelled(tmp_path)
    found = concat([a, noise], tmp_path / "out.npy", labels="first", weights="auto")
    assert found.weights[0] > 0.5
    # Rows that chose the weights do not judge them.
    assert found.probe.rows in (449, 450, 451)
    assert (
        concat(
            [a, b], tmp_path / "out.npy", labels="label", weights="auto", overwrite=True
        ).probe.joined.value
        > 0.75
    )


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"weights": [1]}, UsageError, "1 weights for 2 sets"),
        ({"weights": [1, -1]}, UsageError, "expected positive finite numbers"),
        ({"weights": [1e308, 1e308]}, UsageError, "expected positive finite numbers"),
        ({"weights": [1, "x"]}, UsageError, "expected a number for each set"),
        ({"confidence": 2}, UsageError, "--confidence 2: expected a number"),
        ({"ids": "ids.npy"}, UsageError, "ids of each set, in a list"),
        ({"dim": 2.5}, UsageError, "--dim 2.5: expected 1 to 15"),
        ({"weights": "auto"}, UsageError, "needs --labels"),
        ({"weights": "atuo"}, UsageError, "expected numbers with commas between, or auto"),
        ({"dim": 0}, UsageError, "--dim 0: expected 1 to 15"),
        ({"dim": 16}, UsageError, "--dim 16: expected 1 to 15"),
        ({"labels": "topic"}, UsageError, "has no columns"),
        ({"ids": [["a"]]}, UsageError, "1 files for 2 sets"),
        ({"ids": [["a"], ["b"]], "by_row": True}, UsageError, "contradicts"),
    ],
)
def test_options_that_are_not_possible(tmp_path, options, error, complaint):
    with pytest.raises(error, match=complaint):
        concat([A, B], tmp_path / "out.npy", **options)
    assert list(tmp_path.iterdir()) == []


def test_sets_that_cannot_be_joined(tmp_path):
    a, _, _ = labelled(tmp_path)
    for sources, options, complaint in (
        ([A, B[:100]], {}, "has 300, .* has 100; join them by ids"),
        ([A, np.zeros((300, 3), np.float32)], {}, "all 300 rows are zero, NaN or inf"),
        ([a, np.ones((900, 2), np.float32)], {"labels": "lable"}, "did you mean 'label'"),
        (
            [a, np.ones((900, 2), np.float32)],
            {"labels": "same"},
            "1 of the 1 values in column 'same'",
        ),
    ):
        with pytest.raises(InputError, match=complaint):
            concat(sources, tmp_path / "out.npy", **options)
    with pytest.raises(UsageError, match="at least two sets"):
        concat([A], tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()


def test_the_command(tmp_path):
    for name in ("minilm.parquet", "lsa.npy"):
        (tmp_path / name).write_bytes((SAMPLE_DATA / name).read_bytes())
    words = (*EMBAUDIT, "concat", "minilm.parquet", "lsa.npy", "-o", "both.parquet")
    done = run([*words, "--labels", "section", "--dim", "100", "--json"], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["rows"], document["dim"]) == (2000, 100)
    assert 0.5 < document["variance_kept"] < 1
    assert document["probe"]["joined"]["value"] > 0.5
    written = pq.read_schema(tmp_path / "both.parquet")
    assert written.names == ["id", "section", "embedding"]
    again = run(list(words), cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == "error: both.parquet: exists; pass --overwrite to replace it\n"
    done = run([*words, "--overwrite", "--weights", "1,x"], cwd=tmp_path)
    assert done.stderr.startswith("error: --weights 1,x: expected a number for each set")
    done = run([*words, "--overwrite", "--weights", "3,1", "--dtype", "float16"], cwd=tmp_path)
    assert done.returncode == 0
    assert "Kept" in done.stdout
    assert embaudit.open_set(tmp_path / "both.parquet").dtype == np.float16


def test_nothing_is_left_where_something_cannot_be_measured(tmp_path):
    a, _, _ = labelled(tmp_path)
    (tmp_path / "out.npy").write_bytes(b"before")
    with pytest.raises(InputError, match="column 'same'"):
        concat(
            [a, np.ones((900, 2), np.float32)], tmp_path / "out.npy", labels="same", overwrite=True
        )
    assert (tmp_path / "out.npy").read_bytes() == b"before"


def test_rows_without_neighbours_are_joined_all_the_same(tmp_path):
    for count in (1, 30):
        ones = np.ones((count, 3), np.float32)
        found = concat([ones, 2 * ones], tmp_path / "out.npy", overwrite=True)
        assert [one.kept for one in found.sets] == [None, None]
        assert np.load(tmp_path / "out.npy").shape == (count, 6)


def test_inputs_are_not_overwritten(tmp_path):
    ids = [f"{i}" for i in range(300)]
    paths = {name: tmp_path / f"{name}.npy" for name in ("a", "b", "ids_a", "ids_b")}
    for name, values in (("a", A), ("b", B), ("ids_a", np.array(ids)), ("ids_b", np.array(ids))):
        np.save(paths[name], values)
    named = [paths["ids_a"], paths["ids_b"]]
    for name in ("b", "ids_b"):
        with pytest.raises(UsageError, match="would overwrite an input"):
            concat([paths["a"], paths["b"]], paths[name], ids=named, overwrite=True)
    held = embaudit.open_set(paths["b"])
    with pytest.raises(UsageError, match="would overwrite an input"):
        concat([A, held], paths["b"], overwrite=True)


def test_the_row_that_is_named_is_that_of_the_file(tmp_path):
    ids = np.arange(300)
    holed = B.copy()
    holed[0, 1] = np.nan
    order = np.roll(ids, 70)
    with pytest.raises(InputError, match="1 row with NaN or inf, first row 0;"):
        concat([A, holed], tmp_path / "out.npy", ids=[ids, order])


def test_entries_that_are_finite_are_not_called_invalid(tmp_path):
    for factor in (1e200, 1e-200):
        with pytest.raises(InputError, match="rescale the vectors"):
            concat([A.astype(np.float64) * factor, B], tmp_path / "out.npy")


def test_labels_of_other_types_are_refused(tmp_path):
    a, b, _ = labelled(tmp_path)
    whole = pq.read_table(a)
    scores = whole.append_column("score", pa.array(np.linspace(0, 1, 900)))
    blank = scores.append_column("blank", pa.array(["", "x", "y"] * 300))
    pq.write_table(blank, a)
    with pytest.raises(InputError, match="'score' of labels has type double; expected text"):
        concat([a, b], tmp_path / "out.npy", labels="score")
    found = concat([a, b], tmp_path / "out.npy", labels="blank")
    assert (found.probe.classes, found.probe.rows) == (2, 600)
