"""The pair in groups: the same numbers as a search of each group, and groups that differ named."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import EMBAUDIT, run
from test_report import shown

import embaudit
from benchmarks.pairs import SAMPLE_DATA, load, rotation
from embaudit.datatypes import Metric
from embaudit.errors import UsageError
from embaudit.result import Audit
from embaudit.stats.ranks import Partners

SETS = load()
MINILM = SAMPLE_DATA / "minilm.parquet"
SECTIONS = np.array(pq.read_table(MINILM, columns=["section"])["section"].to_pylist())
LARGEST = 20


def rows(n=600, dim=12, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def blurred(x, strength=0.01, seed=9):
    return (x + strength * np.random.default_rng(seed).standard_normal(x.shape)).astype(np.float32)


def stored(folder, vectors, name="a.parquet", **columns):
    """Write vectors and columns as Parquet and return the path."""
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    pq.write_table(pa.table({**columns, "embedding": values}), folder / name, row_group_size=500)
    return folder / name


def by_name(audit):
    return {group.name: group for group in audit.slices.groups}


def found(audit):
    return {finding.id: finding for finding in audit.findings}


def brute_recall(queries, corpus, k=10):
    """Recall of every row of `queries` in `corpus` by a full search, own row left out."""
    queries, corpus = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, corpus))
    lists = []
    for vectors in (queries, corpus):
        scores = vectors @ corpus.T
        np.fill_diagonal(scores, -np.inf)
        lists.append(np.argpartition(-scores, k, axis=1)[:, :k].tolist())
    pairs = zip(*lists, strict=True)
    return np.array([len({*found} & {*true}) / k for found, true in pairs])


@pytest.fixture(scope="module")
def sliced():
    return embaudit.compare(
        MINILM, SETS["minilm_ft120"], slice_by="section", keep_duplicates=True, by_row=True
    )


def test_every_group_has_the_recall_of_a_full_search(sliced):
    a, b = SETS["minilm"].astype(float), SETS["minilm_ft120"].astype(float)
    expected = {"a_to_b": brute_recall(a, b), "b_to_a": brute_recall(b, a)}
    cosine = np.einsum("ij,ij->i", a, b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    checked = 0
    for name, group in by_name(sliced).items():
        members = name == SECTIONS
        if group.kind != "value":
            continue
        assert group.rows == group.queries == members.sum()
        for direction, values in expected.items():
            recall = group.recalls[f"recall.{direction}.raw"]
            assert recall.value == pytest.approx(values[members].mean(), abs=0.01)
            assert recall.ci[0] <= values[members].mean() <= recall.ci[1]
        assert group.partner_cosine.value == pytest.approx(cosine[members].mean(), abs=1e-6)
        checked += 1
    assert checked == LARGEST


def test_groups_come_worst_first_and_hold_every_row(sliced):
    slices = sliced.slices
    lowest = [min(group.recalls[key].value for key in slices.judged) for group in slices.groups]
    assert lowest == sorted(lowest)
    assert sum(group.rows for group in slices.groups) == slices.whole.rows == 2000
    assert [group.kind for group in slices.groups].count("other") == 1
    assert slices.intervals == len(slices.groups) * (len(slices.judged) + 1)


def test_slices_change_nothing_else(tmp_path):
    path = stored(tmp_path, rows(700), label=np.arange(700) % 5)
    plain, cut = (
        embaudit.compare(path, blurred(rows(700), 0.2), slice_by=column)
        for column in (None, "label")
    )
    assert plain.slices is None
    with_slices, without = cut.to_dict(), plain.to_dict()
    for document in (with_slices, without):
        del document["slices"], document["timing"], document["findings"]
    assert with_slices == without


def test_slices_survive_json(sliced):
    again = Audit.model_validate_json(sliced.to_json())
    assert again.to_json() == sliced.to_json()
    assert json.loads(sliced.to_json())["slices"]["column"] == "section"


def test_the_section_whose_rows_come_from_another_model_is_named_first():
    other = SETS["minilm"].copy()
    other[SECTIONS == "perl"] = SETS["lsa"][SECTIONS == "perl"]
    audit = embaudit.compare(MINILM, other, slice_by="section")
    assert audit.verdict == "mispaired"
    first, second = audit.slices.groups[:2]
    assert first.name == "perl"
    assert set(first.differs) == {"below_whole", "mispaired"}
    assert first.partner_cosine.ci[1] < 0.3 < second.partner_cosine.value
    assert found(audit)["slice_differs"].groups == ["perl"]


def test_a_small_bad_section_is_named_while_the_whole_passes():
    other = SETS["minilm_w8"].copy()
    misc = SECTIONS == "misc"
    other[misc] = other[misc] @ rotation(384)
    policy = embaudit.Policy(max_mispaired=0.05, min_recall=0.8)
    audit = embaudit.compare(MINILM, other, policy=policy, slice_by="section")
    assert audit.verdict == "safe"
    worst = audit.slices.groups[0]
    assert (worst.name, worst.rows) == ("misc", 32)
    assert set(worst.differs) == {"below_policy", "below_whole", "mispaired"}
    assert found(audit)["slice_differs"].groups == ["misc"]


def test_a_bad_group_of_few_rows_is_found_beyond_the_sample(tmp_path):
    x = rows(9000, 24)
    labels = np.where(np.arange(9000) % 150 == 7, "rare", "common")
    y = blurred(x)
    rare = np.flatnonzero(labels == "rare")
    y[rare] = y[np.roll(rare, 1)]
    audit = embaudit.compare(stored(tmp_path, x, kind=labels), y, slice_by="kind")
    plain = embaudit.compare(x, y)
    assert audit.verdict == plain.verdict == "safe"
    groups = by_name(audit)
    assert audit.slices.groups[0].name == "rare"
    assert groups["rare"].queries == groups["rare"].rows == 60
    sampled = audit.slices.whole.queries
    assert sampled - 60 < groups["common"].queries < sampled
    assert set(groups["rare"].differs) == {"below_policy", "below_whole", "mispaired"}
    assert groups["rare"].mispaired_fraction.ci[1] == 1.0
    assert not groups["common"].differs
    finding = found(audit)["slice_differs"]
    assert finding.severity == "warning"
    assert "rare (60 rows) recall 0.0" in finding.message
    assert "Slices by kind" in shown(audit)


def test_groups_drawn_at_random_do_not_differ(tmp_path):
    x = rows(500, 12)
    y = blurred(x, 0.15)
    alarms = 0
    for seed in range(8):
        labels = np.random.default_rng(seed).integers(0, 12, 500)
        path = stored(tmp_path, x, f"{seed}.parquet", label=labels)
        audit = embaudit.compare(path, y, slice_by="label")
        alarms += "slice_differs" in found(audit)
    assert alarms <= 1


def test_any_number_of_threads_gives_the_same_slices(tmp_path):
    x = rows(5000, 8)
    path = stored(tmp_path, x, size=np.arange(5000.0) ** 2)
    one, three = (
        embaudit.compare(path, blurred(x, 0.1), slice_by="size", threads=threads).slices
        for threads in (1, 3)
    )
    assert one == three
    assert {group.kind for group in one.groups} == {"range"}


def test_a_join_slices_the_rows_that_met(tmp_path):
    x = rows(600)
    labels = np.array(["x", "y", "z"])[np.arange(600) % 3]
    order = np.random.default_rng(3).permutation(600)[:550]
    a = stored(tmp_path, x, id=np.arange(600), label=labels)
    b = stored(tmp_path, blurred(x)[order], "b.parquet", id=order, other=labels[order])
    for column, side in (("label", "a"), ("other", "b")):
        slices = embaudit.compare(a, b, on="id", slice_by=column).slices
        assert slices.side == side
        counts = {group.name: group.rows for group in slices.groups}
        assert counts == {name: int((labels[order] == name).sum()) for name in "xyz"}


def test_other_dimensions_have_mapped_numbers_only(tmp_path):
    x = rows(900)
    path = stored(tmp_path, x, label=np.arange(900) % 2)
    slices = embaudit.compare(path, x @ rotation(12)[:, :9], slice_by="label").slices
    for group in slices.groups:
        assert all(not key.endswith(".raw") for key in group.recalls)
        assert group.partner_cosine.value is None
        assert group.partner_cosine_mapped.value > 0.5


def test_groups_too_small_to_measure_say_so(tmp_path):
    labels = np.array(["few"] * 19 + ["many"] * 581)
    audit = embaudit.compare(stored(tmp_path, rows(), label=labels), rows(), slice_by="label")
    few = audit.slices.groups[-1]
    assert (few.name, few.rows, few.queries) == ("few", 19, 0)
    assert few.reason == "fewer than 20 distinct rows"
    assert few.recalls == {}
    small = embaudit.compare(
        stored(tmp_path, rows(30), label=labels[:30]), blurred(rows(30)), slice_by="label"
    )
    assert {group.reason for group in small.slices.groups} == {
        "too few distinct rows are left to measure anything"
    }
    assert "Slices by label" in shown(small)


def test_the_command_slices_and_names_the_nearest_column(tmp_path):
    stored(tmp_path, rows(), label=np.arange(600) % 2)
    np.save(tmp_path / "b.npy", blurred(rows()))
    command = [*EMBAUDIT, "compare", "a.parquet", "b.npy", "--json", "--slice-by"]
    done = run([*command, "label"], cwd=tmp_path)
    assert done.returncode == 0
    assert [group["rows"] for group in json.loads(done.stdout)["slices"]["groups"]] == [300, 300]
    refused = run([*command, "lable"], cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "error: a.parquet: no column 'lable' to slice by (did you mean 'label'?); there are label\n"
    )


def test_files_without_columns_are_refused():
    with pytest.raises(UsageError, match=r"--slice-by section: .* have no columns"):
        embaudit.compare(SETS["minilm"], SETS["minilm_w8"], slice_by="section")


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_the_section_fits_whatever_the_names(tmp_path, encoding):
    names = ["\x1b[2Jred\nline", "a" * 300, "größe →", "=cmd|x", "plain"]
    labels = [names[row % 5] for row in range(600)]
    path = stored(tmp_path, rows(), **{"co\x1blumn " * 9: labels})
    audit = embaudit.compare(path, blurred(rows()), slice_by="co\x1blumn " * 9)
    for width in (72, 80, 100):
        text = shown(audit, width, encoding, verbose=True)
        section = text[text.index("\nSlices by") + 1 :].split("\n\n")[0]
        assert "\x1b" not in section
        assert all(len(line) <= width for line in section.splitlines())
        assert section.count("\n") >= 7


@pytest.mark.parametrize("metric", list(Metric))
def test_ranks_against_a_pool_count_the_nearer_rows_of_the_pool(metric):
    vectors, targets, pool = rows(40, 6).astype(float), blurred(rows(40, 6), 1.5), rows(100, 6, 4)
    partners = Partners(targets.astype(float), metric, pool.astype(float))
    ranks = partners.ranks(vectors, np.random.default_rng(0))
    for row, rank in enumerate(ranks):
        scores = []
        for other in (targets[row], *pool):
            if metric is Metric.EUCLIDEAN:
                scores.append(-np.linalg.norm(vectors[row] - other))
            else:
                scores.append(vectors[row] @ other / np.linalg.norm(other))
        nearer = sum(score > scores[0] for score in scores[1:])
        # One row of the pool is left out, and the rank lies within its step.
        assert nearer - 1 <= rank * 100 <= nearer + 1
