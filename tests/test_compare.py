"""The whole comparison from Python, on real embeddings and on inputs that try to fool it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embaudit
from benchmarks.pairs import CASES, GEOMETRY, SAMPLE_DATA, load, rotation
from embaudit.errors import InputError, UsageError
from embaudit.measures.catalogue import SPECS
from embaudit.result import Audit

SETS = load()
RANDOM = np.random.default_rng(5)


def rows(n=400, dim=12, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def blurred(x, strength=0.01, seed=9):
    noise = np.random.default_rng(seed).standard_normal(x.shape)
    return (x + strength * noise).astype(np.float32)


def value(audit, key):
    return audit.measures[key].value


def label(case):
    return f"{case.name} {case.options.get('metric', '')}".strip().replace(" ", "-")


@pytest.mark.parametrize("case", CASES, ids=label)
def test_known_pairs_get_the_right_verdict(case):
    a, b = case.build(SETS)
    audit = embaudit.compare(a, b, **case.options)
    assert audit.verdict in case.expected, audit.summary
    assert {one.id for one in audit.findings} & GEOMETRY == set(case.causes)


# --- measured values ---------------------------------------------------------------------------

# Independent slow measurements of the textbook definitions on the first 2,000 rows.


def textbook(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    cross = a.T @ b
    norms = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    nuclear = np.linalg.svd(cross, compute_uv=False).sum()
    return {
        "cka.linear.biased": np.linalg.norm(cross) ** 2 / norms,
        "procrustes.angular": np.arccos(nuclear / np.linalg.norm(a) / np.linalg.norm(b)),
    }


@pytest.mark.parametrize(
    ("a", "b"), [("minilm", "minilm_ft120"), ("w2v_seed1", "w2v_seed2"), ("minilm", "w2v_seed1")]
)
def test_textbook_values_on_the_stored_matrix(a, b):
    audit = embaudit.compare(SETS[a], SETS[b], metric="euclidean", keep_duplicates=True)
    for key, expected in textbook(SETS[a].astype(float), SETS[b].astype(float)).items():
        assert value(audit, key) == pytest.approx(expected, abs=1e-6)


def brute_recall(queries, corpus, truth_of, k=10):
    """Recall of every row as query, rows of unit length, own row left out."""

    def nearest(x, y):
        scores = x @ y.T
        np.fill_diagonal(scores, -np.inf)
        return np.argsort(-scores, axis=1)[:, :k]

    found, truth = nearest(queries, corpus), nearest(truth_of, corpus)
    return np.mean([len(set(f) & set(t)) / k for f, t in zip(found, truth, strict=True)])


def test_recall_is_that_of_a_full_search():
    a, b = (
        x / np.linalg.norm(x, axis=1, keepdims=True) for x in (SETS["minilm"], SETS["minilm_ft120"])
    )
    audit = embaudit.compare(a, b, keep_duplicates=True)
    for key, expected in (
        ("recall.a_to_b.raw", brute_recall(a, b, b)),
        ("recall.b_to_a.raw", brute_recall(b, a, a)),
    ):
        low, high = audit.measures[key].ci
        assert low - 0.005 <= expected <= high + 0.005


# --- properties --------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1000),
    dim=st.integers(2, 20),
    metric=st.sampled_from(["cosine", "dot", "euclidean"]),
)
def test_a_set_against_its_copy_is_perfect(seed, dim, metric):
    x = rows(300, dim, seed)
    audit = embaudit.compare(x, blurred(x, 0.0), metric=metric, seed=seed)
    assert audit.verdict == "safe"
    for key in ("recall.a_to_b.raw", "mixed_index.b.raw", "partner.found.b_to_a.raw", "cka.linear"):
        assert value(audit, key) == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), dim=st.integers(4, 20))
def test_a_rotated_copy_needs_the_orthogonal_map(seed, dim):
    x = rows(600, dim, seed)
    audit = embaudit.compare(x, x @ rotation(dim, seed), metric="euclidean")
    assert audit.verdict == "align"
    assert audit.recommendation.map == "orthogonal"
    assert value(audit, "recall.a_to_b.orthogonal") == pytest.approx(1.0, abs=1e-3)
    assert value(audit, "procrustes.residual.a_to_b") == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_independent_noise_is_at_chance(seed):
    audit = embaudit.compare(rows(900, 12, seed), rows(900, 12, seed + 100), seed=seed)
    assert audit.verdict == "unrelated"
    for key in ("recall.a_to_b.raw", "recall.a_to_b.linear", "neighbors.overlap"):
        low, high = audit.measures[key].ci
        assert low <= 10 / 899 <= high
        assert audit.measures[key].chance == pytest.approx(10 / 899, abs=0.01)
    assert abs(value(audit, "cka.linear")) < 0.01
    assert abs(value(audit, "cca.mean")) < 0.1


# --- the contract ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def audit():
    return embaudit.compare(
        SAMPLE_DATA / "minilm.npy", SAMPLE_DATA / "minilm_ft120.parquet", by_row=True
    )


def test_every_measure_has_a_value_or_a_reason():
    small = [
        (rows(45), blurred(rows(45))),
        (rows(20), rows(20, seed=1)),
        (rows(12), rows(12, 5, 1)),
    ]
    tiny = [(rows(n, 3), rows(n, 3, 1)) for n in (2, 3, 4, 5, 7)]
    for a, b in (*small, *tiny):
        measured = embaudit.compare(a, b, k=1)
        assert list(measured.measures) == [spec.id for spec in SPECS]
        for measure in measured.measures.values():
            assert (measure.value is None) == (measure.reason is not None)


def test_json_is_deterministic_at_any_thread_count():
    a, b = rows(3000, 40), blurred(rows(3000, 40), 0.5)
    documents = []
    for threads in (1, 2, 5):
        document = embaudit.compare(a, b, threads=threads).to_dict()
        document.pop("timing")
        documents.append(json.dumps(document))
    assert len(set(documents)) == 1


def test_each_k_is_reported_with_its_own_interval_and_chance():
    a = rows()
    audit = embaudit.compare(a, blurred(a, 0.3), k=(5, 1, 399), policy=embaudit.Policy())
    found = {k: audit.measures_at_k[k]["recall.a_to_b.raw"] for k in ("1", "399")}
    assert {k: measure.k for k, measure in found.items()} == {"1": 1, "399": 399}
    assert found["1"].value <= value(audit, "recall.a_to_b.raw") < found["399"].value == 1.0
    assert found["1"].chance < 0.01 < 0.99 < found["399"].chance
    assert set(audit.measures_at_k["1"]) == {
        key for key, measure in audit.measures.items() if measure.k is not None
    }
    assert embaudit.compare(a, blurred(a, 0.3), k=[5, 1, 5]).measures_at_k.keys() == {"1"}


def test_k_beyond_the_distinct_rows_has_a_reason():
    a = np.concatenate([rows(100), rows(100)])
    b = np.concatenate([blurred(rows(100))] * 2)
    audit = embaudit.compare(a, b, k=(5, 150))
    assert audit.pairing.distinct_rows == 100
    reasons = {measure.reason for measure in audit.measures_at_k["150"].values()}
    assert reasons == {"only 100 distinct rows"}
    few = embaudit.compare(rows(12), blurred(rows(12)), k=(5, 2))
    assert {m.value for m in few.measures_at_k["2"].values()} == {None}


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("scale", [1e-27, 1e27])
def test_the_largest_and_smallest_norms_are_measured(metric, scale):
    a = rows().astype(np.float64) * scale
    audit = embaudit.compare(a, blurred(rows()).astype(np.float64) * scale, metric=metric)
    assert audit.verdict == "safe"
    assert embaudit.compare(a, a, k=np.int64(5)).k == 5


def test_arrays_have_no_command_below():
    audit = embaudit.compare(rows(), blurred(rows()))
    assert audit.recommendation.commands == []
    assert "below" not in audit.recommendation.action


def test_the_seed_changes_the_sample():
    a, b = rows(3000, 20), blurred(rows(3000, 20), 0.3)
    first, second = (embaudit.compare(a, b, seed=seed) for seed in (0, 1))
    assert value(first, "recall.a_to_b.raw") != value(second, "recall.a_to_b.raw")


def test_numbers_have_six_significant_digits(audit):
    recall = audit.to_dict()["measures"]["cka.linear"]["value"]
    assert recall == float(f"{recall:.6g}")
    assert "NaN" not in audit.to_json()


def test_json_parses_back_into_the_audit(audit):
    assert Audit.model_validate_json(audit.to_json()).to_json() == audit.to_json()


def test_an_audit_shows_its_verdict_at_a_prompt(audit):
    shown = repr(audit)
    assert str(audit) == shown
    assert shown.startswith(f"<Audit {audit.verdict}: {audit.summary} (2,000 rows")
    assert "\n" not in shown


def test_uri_is_as_given(audit):
    assert audit.a.uri == str(SAMPLE_DATA / "minilm.npy")


# --- refusals ----------------------------------------------------------------------------------


def refusal(a, b, **options):
    with pytest.raises((InputError, UsageError)) as caught:
        embaudit.compare(a, b, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def with_bad_rows(*positions, bad=np.nan):
    x = rows()
    x[list(positions), 3] = bad
    return x


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_invalid_rows_are_refused_by_name(bad, tmp_path):
    path = tmp_path / "bad.npy"
    np.save(path, with_bad_rows(7, 31, 99, 200, bad=bad))
    message = refusal(rows(), path)
    for part in ("bad.npy", "4 rows", "7, 31, 99", "--drop-invalid"):
        assert part in message


def test_invalid_rows_can_be_dropped():
    bad = with_bad_rows(7, 31)
    dropped = embaudit.compare(bad, blurred(rows()), drop_invalid=True)
    assert dropped.verdict == "safe"
    assert dropped.pairing.distinct_rows == 398
    assert dropped.pairing.dropped_rows == 2
    assert dropped.a.nonfinite_rows == 2
    assert {"nonfinite_rows", "without_partner"} <= set(findings(dropped))


def test_zero_rows_are_dropped_under_cosine_only():
    x, y = rows(), blurred(rows())
    x[5] = 0
    cosine, euclidean = (
        embaudit.compare(x, y, metric=metric) for metric in ("cosine", "euclidean")
    )
    assert (cosine.pairing.distinct_rows, euclidean.pairing.distinct_rows) == (399, 400)
    assert cosine.a.zero_rows == 1
    assert "zero_rows" in [finding.id for finding in cosine.findings]


@pytest.mark.parametrize(
    ("a", "b", "options", "parts"),
    [
        (rows(), rows(399), {}, ["400", "399"]),
        (rows(), np.zeros((400, 12)), {}, ["zero"]),
        (rows(), np.ones((400, 12)), {}, ["same vector"]),
        (rows() * 1e29, rows() * 1e31, {}, ["norms from", "expected 1e-30 to 1e+30"]),
        (rows(), rows(), {"k": "10"}, ["--k '10': expected a whole number"]),
        (rows(), rows(), {"k": [10, 1.5]}, ["--k 1.5: expected a whole number"]),
        (rows(), rows(), {"k": True}, ["--k True: expected a whole number"]),
        (rows(), rows(), {"seed": 1.5}, ["--seed 1.5: expected a whole number"]),
        (rows(), rows(), {"threads": 0}, ["--threads must be at least 1, not 0"]),
        (rows(), rows(), {"threshold": "x"}, ["--threshold 'x': expected a number"]),
        ("", rows(), {}, ["an empty path"]),
        (rows(), rows().astype(float) * 1e200, {}, ["norms from", "expected 1e-30 to 1e+30"]),
        (rows(), rows().astype(float) * 1e-200, {"metric": "dot"}, ["norms from", "rescale"]),
        (rows(10), rows(10, seed=1), {"k": 10}, ["--k 10", "10"]),
        (rows(), rows(), {"k": 0}, ["--k", "at least 1"]),
        (rows(), rows(), {"metric": "cosin"}, ["--metric cosin", "cosine", "did you mean"]),
        (rows(), rows(), {"seed": -1}, ["--seed"]),
        (rows(), rows(), {"column": "x"}, ["--column"]),
        (rows()[0], rows(), {}, ["1-D"]),
        (rows()[None], rows(), {}, ["3-D"]),
        (rows().astype(object), rows(), {}, ["objects"]),
        (rows().astype(str), rows(), {}, ["dtype"]),
        (rows().astype(complex), rows(), {}, ["complex"]),
        (rows(0), rows(0), {}, ["no rows"]),
        (rows(5, 0), rows(5, 0), {}, ["dimension 0"]),
    ],
)
def test_what_cannot_be_compared(a, b, options, parts):
    message = refusal(a, b, **options)
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("min_recall", 1.5),
        ("min_aligned_recall", 0.0),
        ("max_mispaired", -0.1),
        ("min_matched", 2.0),
        ("confidence", 1.0),
        ("max_queries", 0),
    ],
)
def test_policy_out_of_range(name, bad):
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} {bad}"):
        embaudit.Policy(**{name: bad})


# --- rows without a partner ---------------------------------------------------------------------


def test_rows_that_are_zero_on_one_side_are_never_safe():
    x, w8 = SETS["minilm"].copy(), SETS["minilm_w8"]
    for share, verdict in ((0.01, "safe"), (0.05, "degraded")):
        a = x.copy()
        a[: int(share * len(a))] = 0
        audit = embaudit.compare(a, w8)
        assert audit.verdict == verdict, audit.summary
        assert findings(audit)["without_partner"].share == pytest.approx(share)


def test_dropped_invalid_rows_have_no_partner():
    audit = embaudit.compare(with_bad_rows(*range(100)), blurred(rows()), drop_invalid=True)
    assert audit.verdict == "degraded"
    assert "no partner" in audit.summary


@pytest.mark.parametrize(("differ", "verdict"), [(True, "degraded"), (False, "safe")])
def test_repetitions_must_find_their_partner(differ, verdict):
    a, b = SETS["minilm"].copy(), SETS["minilm_w8"].copy()
    a[:500] = a[0]
    b[:500] = -b[7] if differ else b[0]
    assert embaudit.compare(a, b).verdict == verdict


# --- never safe --------------------------------------------------------------------------------


def test_the_same_file_twice_is_safe_and_says_so():
    path = SAMPLE_DATA / "lsa.npy"
    twice = embaudit.compare(path, path)
    assert twice.verdict == "safe"
    assert [f.id for f in twice.findings if f.severity == "warning"] == ["same_source"]


def test_equal_files_of_two_names_are_identical(tmp_path):
    np.save(tmp_path / "copy.npy", np.load(SAMPLE_DATA / "lsa.npy"))
    copy = embaudit.compare(SAMPLE_DATA / "lsa.npy", tmp_path / "copy.npy")
    assert copy.verdict == "safe"
    assert "identical" in [finding.id for finding in copy.findings]


def test_identical_files_of_few_distinct_rows_are_not_safe():
    few = np.repeat(rows(11), 10, axis=0)
    assert embaudit.compare(few, few.copy()).verdict == "inconclusive"
    assert embaudit.compare(few, few.copy(), keep_duplicates=True).verdict == "inconclusive"
    enough = np.repeat(rows(12), 10, axis=0)
    assert embaudit.compare(enough, enough.copy()).verdict == "safe"


def test_nearly_identical_files_need_enough_rows():
    for n, expected in ((41, "inconclusive"), (400, "safe")):
        x = rows(n)
        assert embaudit.compare(x, blurred(x)).verdict == expected


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_collinear_rows_are_never_safe(metric):
    direction = rows(1, 8)
    a, b = (RANDOM.uniform(1, 2, (300, 1)) * direction for _ in range(2))
    assert embaudit.compare(a, b, metric=metric).verdict != "safe"


@pytest.mark.parametrize("dim", [1, 2])
def test_low_dimensions_work(dim):
    x = rows(500, dim)
    verdicts = {
        embaudit.compare(x, blurred(x, 1e-5), metric=m).verdict for m in ("dot", "euclidean")
    }
    assert verdicts <= {"safe", "inconclusive"}


@pytest.mark.parametrize(
    ("scale_a", "scale_b"), [(1e-25, 1e-25), (1e25, 1e25), (1e-12, 1e12), (1.0, 1e10)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scales_do_not_change_a_cosine_audit(scale_a, scale_b, dtype):
    x, y = rows(), blurred(rows(), 0.05)
    plain = embaudit.compare(x, y)
    scaled = embaudit.compare((x * scale_a).astype(dtype), (y * scale_b).astype(dtype))
    assert scaled.verdict == plain.verdict == "safe"
    for key in ("recall.a_to_b.raw", "cka.linear", "recall.a_to_b.linear"):
        assert value(scaled, key) == pytest.approx(value(plain, key), abs=2e-3)


def test_a_large_common_mean_keeps_its_digits():
    x = rows(600, 16)
    shifted = (x.astype(np.float64) + 300.0).astype(np.float64)
    audit = embaudit.compare(
        shifted, blurred(x, 0.01).astype(np.float64) + 300.0, metric="euclidean"
    )
    plain = embaudit.compare(x, blurred(x, 0.01), metric="euclidean")
    assert audit.verdict == plain.verdict == "safe"
    for key in ("recall.a_to_b.raw", "neighbors.overlap", "cka.linear"):
        assert value(audit, key) == pytest.approx(value(plain, key), abs=1e-3)


# --- what explains the verdict -----------------------------------------------------------------


def findings(audit):
    return {finding.id: finding for finding in audit.findings}


def test_mispaired_rows_are_listed_and_the_rest_judged():
    x = SETS["minilm"].copy()
    moved = np.arange(100, 300)
    x[moved] = x[np.roll(moved, 1)]
    audit = embaudit.compare(SETS["minilm"], x)
    assert audit.verdict == "mispaired"
    found = findings(audit)["mispaired_rows"]
    assert set(found.worst_rows) <= set(moved.tolist())
    assert found.verdict_without_suspects == "safe"
    low, high = audit.pairing.mispaired_fraction.ci
    assert low <= 0.1 <= high


def test_a_half_migrated_file_names_its_rows():
    b = SETS["minilm"].copy()
    b[1400:1700] = b[1400:1700] @ rotation(384)
    audit = embaudit.compare(SETS["minilm"], b)
    assert audit.verdict == "mispaired"
    ranges = findings(audit)["two_populations"].ranges
    assert len(ranges) == 1
    low, high = ranges[0]
    assert 1400 <= low < 1440
    assert 1660 < high < 1700


def test_a_few_heavy_rows_are_reported():
    x, y = rows(1000, 16), blurred(rows(1000, 16))
    y[3] *= 500
    audit = embaudit.compare(x, y, metric="euclidean")
    assert findings(audit)["few_rows_carry_the_sums"].side == "b"
    assert "few_rows_carry_the_sums" not in findings(embaudit.compare(x, blurred(x)))


@pytest.mark.parametrize(("n", "dim"), [(200, 300), (60, 90)])
def test_fewer_rows_than_dimensions(n, dim):
    x = rows(n, 20) @ rows(20, dim, 1)
    audit = embaudit.compare(x, x @ rotation(dim))
    assert audit.verdict == "align"
    assert value(audit, "procrustes.residual.a_to_b") < 0.01
    apart = embaudit.compare(rows(n, dim), rows(n, dim, 1))
    assert apart.verdict == "inconclusive"
    assert value(apart, "procrustes.residual.a_to_b") > 0.9


def test_constant_columns_are_counted():
    x, y = rows(), blurred(rows())
    y[:, [2, 7]] = 0.5
    audit = embaudit.compare(x, y)
    assert (audit.a.constant_columns, audit.b.constant_columns) == (0, 2)
    assert findings(audit)["constant_columns"].side == "b"


def test_a_grid_of_values_is_named():
    x = SETS["minilm"]
    rounded = (np.round(x * 400) / 400).astype(np.float32)
    audit = embaudit.compare(x, rounded)
    assert audit.a.value_levels is None
    assert audit.b.value_levels == findings(audit)["quantised"].levels <= 256
    turned = embaudit.compare(x @ rotation(384), rounded)
    assert turned.b.value_levels == findings(turned)["value_grid"].levels
    signs = embaudit.compare(x, np.sign(x) + (x == 0))
    assert signs.b.value_levels == 2
    assert embaudit.compare(rows(45, 2), blurred(rows(45, 2))).a.value_levels is None


def test_noisy_axes_are_re_embedded_not_concatenated():
    x = SETS["minilm"]
    noise = np.random.default_rng(3).standard_normal(x.shape)
    audit = embaudit.compare(x, (x + 1.2 * x.std() * noise).astype(np.float32))
    assert audit.verdict == "concatenate"
    assert "same_axes" in findings(audit)
    assert "Re-embed" in audit.recommendation.action


def test_joint_duplicates_are_set_aside_unless_kept():
    x = np.repeat(rows(300), 2, axis=0)
    y = np.repeat(blurred(rows(300)), 2, axis=0)
    apart, kept = (embaudit.compare(x, y, keep_duplicates=keep) for keep in (False, True))
    assert (apart.pairing.distinct_rows, kept.pairing.distinct_rows) == (300, 300)
    assert (apart.measures["cka.linear"].n, kept.measures["cka.linear"].n) == (300, 600)
    assert findings(apart)["joint_duplicates"].rows == 300
    assert apart.a.duplicate_rows == 300


# --- what more queries do ----------------------------------------------------------------------


def test_queries_double_until_decided():
    x = rows(3000, 24)
    close = blurred(x, 0.09)
    straddling = embaudit.compare(x, close)
    recall = value(straddling, "recall.a_to_b.raw")
    policy = embaudit.Policy(min_recall=round(recall, 3))
    decided = embaudit.compare(x, close, policy=policy)
    queries = decided.measures["recall.a_to_b.raw"].queries
    assert queries > 512
    limited = embaudit.compare(x, close, policy=policy.model_copy(update={"max_queries": 512}))
    assert limited.verdict == "inconclusive"
    assert "safe" in limited.candidates
    assert limited.exit_code() == 3


@pytest.mark.parametrize("strength", [1e-5, 1e-4, 3e-4])
def test_a_nearly_perfect_recall_is_no_less_certain_than_a_perfect_one(strength):
    x = rows(4000, 32)
    audit = embaudit.compare(x, blurred(x, strength), policy=embaudit.Policy(max_queries=256))
    assert audit.verdict == "safe"


def test_all_rows_as_queries_leave_no_interval():
    audit = embaudit.compare(rows(300), blurred(rows(300), 0.3))
    measure = audit.measures["recall.a_to_b.raw"]
    assert measure.queries == 300
    assert measure.ci == (measure.value, measure.value)


# --- exit codes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "candidates", "require", "expected"),
    [
        ("safe", ["safe"], "safe", 0),
        ("degraded", ["degraded"], "safe", 1),
        ("degraded", ["degraded"], "degraded", 0),
        ("align", ["align"], "degraded", 1),
        ("align", ["align"], "align", 0),
        ("concatenate", ["concatenate"], "concatenate", 0),
        ("mispaired", ["mispaired"], "concatenate", 1),
        ("unrelated", ["unrelated"], "concatenate", 1),
        ("inconclusive", ["safe", "degraded"], "safe", 3),
        ("inconclusive", ["safe", "degraded"], "degraded", 0),
        ("inconclusive", ["align", "concatenate"], "degraded", 1),
        ("inconclusive", ["mispaired", "unrelated"], "concatenate", 1),
    ],
)
def test_exit_codes(audit, verdict, candidates, require, expected):
    changed = audit.model_copy(
        update={
            "verdict": embaudit.Verdict(verdict),
            "candidates": list(map(embaudit.Verdict, candidates)),
        }
    )
    assert changed.exit_code(require) == expected


def test_sets_can_be_opened_once_and_compared_often():
    a = embaudit.open_set(Path(SAMPLE_DATA) / "w2v_seed1.npy")
    for other, expected in (("w2v_seed2", "align"), ("w2v_seed1", "safe")):
        assert embaudit.compare(a, SAMPLE_DATA / f"{other}.npy").verdict == expected


def test_cases_are_distinct():
    assert len({(case.name, str(case.options)) for case in CASES}) == len(CASES)
    assert replace(CASES[0]) == CASES[0]
