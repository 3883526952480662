"""A quick look at some of the rows: what enters, what is said, and what is never said."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_report import shown

import embaudit
from benchmarks.pairs import load, rotation
from embaudit.data.embedding_set import ArraySet
from embaudit.datatypes import Verdict
from embaudit.errors import InputError, UsageError
from embaudit.report import notebook, terminal
from embaudit.result import Sample

SETS = load()
W8 = SETS["minilm"], SETS["minilm_w8"]
DRAWN = 600


def rows(n=2000, dim=12, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def noisy(x, strength, seed=9):
    return (x + strength * np.random.default_rng(seed).standard_normal(x.shape)).astype(np.float32)


def drawn_rows(a, b, sample=DRAWN, seed=0):
    pair = embaudit.open_pair(a, b, sample=sample, seed=seed)
    return pair.stored_rows(np.arange(pair.rows))


def found(audit):
    return {finding.id: finding for finding in audit.findings}


def document(audit):
    return audit.to_dict() | {"timing": None}


@pytest.fixture(scope="module")
def audit():
    return embaudit.compare(*W8, sample=DRAWN)


# --- what enters -------------------------------------------------------------------------------


def test_the_sample_is_all_that_enters(audit):
    chosen = drawn_rows(*W8)
    assert audit.sample == Sample(rows=DRAWN, of=2000)
    assert (audit.pairing.rows, audit.pairing.by) == (DRAWN, "row")
    assert (audit.a.rows, audit.b.rows) == (2000, 2000)
    alone = embaudit.compare(W8[0][chosen], W8[1][chosen])
    for key, measure in audit.measures.items():
        assert measure.value == pytest.approx(alone.measures[key].value, abs=1e-9), key
    assert (audit.a.norm_min, audit.a.norm_max) == (alone.a.norm_min, alone.a.norm_max)


def test_the_draw_is_uniform_without_replacement_and_seeded():
    a = rows(50, 3)
    times = np.zeros(50)
    for seed in range(400):
        chosen = drawn_rows(a, a, 20, seed)
        assert (np.diff(chosen) > 0).all()
        times[chosen] += 1
    # 160 expected; the deviation of a binomial is 9.8.
    assert 115 < times.min() <= times.max() < 205
    assert np.array_equal(drawn_rows(a, a, 20, 3), drawn_rows(a, a, 20, 3))
    assert not np.array_equal(drawn_rows(a, a, 20, 3), drawn_rows(a, a, 20, 4))


@pytest.mark.parametrize("written", [2000, "2k", "1M"])
def test_as_many_rows_as_there_are_is_no_sample(written):
    a, b = rows(), noisy(rows(), 0.1)
    whole = embaudit.compare(a, b, sample=written)
    assert whole.sample is None
    assert document(whole) == document(embaudit.compare(a, b))


def test_any_number_of_threads_draws_and_says_the_same(audit):
    assert document(embaudit.compare(*W8, sample="0.6k", threads=3)) == document(audit)


def test_rows_outside_are_not_looked_at():
    a, b = rows(), noisy(rows(), 0.1)
    outside = np.setdiff1d(np.arange(2000), drawn_rows(a, b))
    a[outside[7]] = np.nan
    assert embaudit.compare(a, b, sample=DRAWN).a.nonfinite_rows == 0
    inside = drawn_rows(a, b)[:2]
    a[inside] = np.nan
    first = ", ".join(map(str, inside))
    with pytest.raises(InputError, match=f"2 sampled rows hold NaN or inf, first at row {first};"):
        embaudit.compare(a, b, sample=DRAWN)


class Watched(ArraySet):
    """A set that notes how many rows are taken from it, and how often it is read from the start."""

    taken = 0
    passes = 0

    def blocks(self, spans, slots=1):
        self.passes += 1
        return super().blocks(spans, slots)

    def gather(self, rows):
        self.taken += len(rows)
        return super().gather(rows)


def test_a_small_sample_is_read_once_and_alone():
    a, b = Watched(rows()), Watched(noisy(rows(), 0.1))
    embaudit.compare(a, b, sample=DRAWN)
    assert (a.taken, a.passes) == (b.taken, b.passes) == (DRAWN, 0)


def test_a_large_sample_stays_on_disk_and_reads_the_same(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", rows(3000))
    held = embaudit.open_pair(tmp_path / "a.npy", rows(3000, seed=1), sample=1000)
    monkeypatch.setattr("embaudit.data.reordered.HELD_BYTES", 0)
    read = embaudit.open_pair(tmp_path / "a.npy", rows(3000, seed=1), sample=1000)
    assert type(held.a) is not type(read.a)
    for one, other in ((held.a, read.a), (held.b, read.b)):
        spans = [(0, 300), (300, 1000)]
        for block, same in zip(one.blocks(spans), other.blocks(spans), strict=True):
            assert np.array_equal(block, same)


# --- row numbers are those of the files --------------------------------------------------------


def stored(folder, name, vectors, ids):
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    pq.write_table(pa.table({"id": ids, "embedding": values}), folder / name)
    return folder / name


def cosine(x, y):
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


@pytest.mark.parametrize("by", ["row", "id"])
def test_rows_are_named_by_where_they_are_stored(tmp_path, by):
    a, b = rows(), noisy(rows(), 0.3)
    ids = np.arange(2000) + 70_000
    options = {}
    if by == "id":
        order = np.random.default_rng(1).permutation(2000)[:1900]
        b = b[order]
        paths = stored(tmp_path, "a.parquet", a, ids), stored(tmp_path, "b.parquet", b, ids[order])
        options = {"on": "id"}
    else:
        paths = a, b
    tables = []
    found = embaudit.compare(*paths, sample=DRAWN, rows=tables.append, **options)
    assert (found.pairing.rows, found.sample.of) == (DRAWN, 1900 if by == "id" else 2000)
    assert found.pairing.only_in_a == (100 if by == "id" else 0)
    (table,) = tables
    assert len(table) == DRAWN
    assert len(np.unique(table.row_a)) == DRAWN
    assert table.row_a.max() > DRAWN
    for place in range(0, DRAWN, 50):
        row_a, row_b = table.row_a[place], table.row_b[place]
        here = cosine(a[row_a].astype(float), b[row_b].astype(float))
        assert table.numbers["cosine_raw"][place] == pytest.approx(here, abs=1e-6)
        if by == "id":
            assert table.ids[place] == ids[row_a]
    for worst in found.worst:
        assert worst.row_a in table.row_a
        assert worst.id == (ids[worst.row_a] if by == "id" else None)


def test_findings_name_stored_rows():
    a, b = W8[0], W8[1].copy()
    wrong = np.arange(1200, 1500)
    b[wrong] = b[np.roll(wrong, 7)]
    seen = found(embaudit.compare(a, b, sample=1200))["mispaired_rows"]
    assert len(seen.suspect_rows) > 100
    assert np.isin(seen.suspect_rows, wrong).mean() > 0.9
    assert str(seen.worst_rows[0]) in seen.message


# --- what is never said ------------------------------------------------------------------------


def test_equal_bytes_of_a_sample_are_no_proof():
    a = rows()
    b = a.copy()
    b[np.setdiff1d(np.arange(2000), drawn_rows(a, b))[:900]] = rows(900, seed=5)
    audit = embaudit.compare(a, b, sample=DRAWN)
    assert "identical" not in found(audit)
    assert audit.measures["recall.a_to_b.raw"].queries > 0
    assert "On a sample of 600 of 2,000 rows" in audit.summary
    assert embaudit.compare(a, b).verdict is not Verdict.SAFE


def test_one_file_given_twice_is_still_seen(tmp_path):
    np.save(tmp_path / "a.npy", rows())
    assert "same_source" in found(
        embaudit.compare(tmp_path / "a.npy", tmp_path / "a.npy", sample=DRAWN)
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("strength", [0.05, 0.08, 0.1, 0.4])
def test_what_all_rows_are_stays_possible(strength, seed):
    a = rows(4000, 24, seed)
    b = noisy(a, strength, seed + 50)
    whole = embaudit.compare(a, b, seed=seed)
    part = embaudit.compare(a, b, sample=500, seed=seed)
    assert set(whole.candidates) & set(part.candidates)
    assert part.verdict is not Verdict.SAFE or whole.verdict is Verdict.SAFE


def test_recall_that_an_index_of_all_rows_may_lose_is_left_open():
    a = rows(40_000, 24)
    b = noisy(a, 0.06)
    audit = embaudit.compare(a, b, sample=400)
    assert audit.measures["recall.a_to_b.raw"].value > 0.9
    assert audit.verdict is Verdict.INCONCLUSIVE
    assert Verdict.SAFE in audit.candidates
    assert len(audit.candidates) > 1
    assert audit.exit_code() == 3
    assert "run without --sample" in audit.summary
    assert audit.projection.index_size == 40_000


def test_a_recall_that_all_queries_show_is_not_exact(audit):
    small = embaudit.compare(*W8, sample=400)
    measure = small.measures["recall.a_to_b.raw"]
    assert measure.queries == 400
    assert measure.ci[0] < measure.value < measure.ci[1]


def test_expected_recall_is_that_of_all_rows(audit):
    assert audit.verdict is Verdict.SAFE
    assert audit.projection.index_size == 2000
    lowest = min(
        estimate.value
        for key, estimate in audit.projection.measures.items()
        if key.endswith(".raw")
    )
    assert audit.recommendation.expected_recall == pytest.approx(lowest)


def test_the_order_of_sampled_rows_says_nothing():
    a, b = W8
    shifted = np.roll(b, 3, axis=0)
    assert "lagged_rows" in found(embaudit.compare(a, shifted))
    seen = embaudit.compare(a, shifted, sample=1200)
    assert seen.verdict is Verdict.UNRELATED
    assert not {"lagged_rows", "shuffled_rows", "moved_blocks"} & set(found(seen))


def test_align_holds_on_a_sample():
    a = SETS["minilm"]
    audit = embaudit.compare(a, a @ rotation(a.shape[1], 1), sample=1500)
    assert audit.verdict is Verdict.ALIGN
    assert audit.recommendation.map == "orthogonal"


# --- refusals, and other questions -------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "options", "complaint"),
    [
        ("some", {}, r"--sample some: expected a whole number of rows"),
        (0, {}, r"--sample 0: expected a whole number of rows"),
        (10, {}, r"--k 10 needs more than 10 rows and 10 rows of .* are sampled"),
        (335, {}, r"--sample 335: .* needs at least 336 distinct rows at k 10 and 335 were drawn"),
        (400, {"index_size": 399}, r"--index-size 399: the sample holds 400 distinct rows"),
    ],
)
def test_what_no_sample_can_answer_is_refused(sample, options, complaint):
    with pytest.raises(UsageError, match=complaint):
        embaudit.compare(rows(), rows(), sample=sample, **options)


def test_a_pair_of_no_rows_is_not_drawn():
    with pytest.raises(UsageError, match="sample=0: expected at least 1 row"):
        embaudit.open_pair(rows(), rows(), sample=0)


def test_a_sample_of_one_vector_is_refused():
    a = rows()
    a[drawn_rows(a, a, 400)] = 1.0
    with pytest.raises(InputError, match="all 400 sampled rows hold the same vector"):
        embaudit.compare(a, rows(seed=1), sample=400)


def test_a_larger_index_is_projected_to_from_the_sample():
    audit = embaudit.compare(*W8, sample=DRAWN, index_size="1M")
    assert (audit.projection.index_size, audit.projection.n) == (1_000_000, DRAWN)


def test_real_queries_search_the_sample():
    a, b = W8
    audit = embaudit.compare(
        a[:1500], b[:1500], queries_a=a[1500:], queries_b=b[1500:], sample=DRAWN
    )
    assert (audit.queries.rows, audit.pairing.rows) == (500, DRAWN)
    assert audit.verdict in (Verdict.SAFE, Verdict.INCONCLUSIVE)
    assert "On a sample of 600 of 1,500 rows" in audit.summary


def test_a_rerun_is_sampled_alike():
    a, b = W8
    audit = embaudit.compare(a, b, rerun=noisy(a, 0.001), sample=DRAWN)
    assert audit.rerun.measures["recall.a_to_b.raw"].floor is not None
    same = embaudit.compare(a, noisy(a, 0.001), sample=DRAWN)
    lost = 1 - same.measures["neighbors.overlap"].value
    assert audit.rerun.measures["neighbors.overlap"].floor == pytest.approx(lost, abs=1e-9)


def test_groups_are_those_of_the_sampled_rows(tmp_path):
    a, b = W8
    section = np.where(np.arange(2000) % 3 == 0, "first", "other")
    values = pa.FixedSizeListArray.from_arrays(pa.array(a.ravel()), a.shape[1])
    pq.write_table(pa.table({"section": section, "embedding": values}), tmp_path / "a.parquet")
    audit = embaudit.compare(tmp_path / "a.parquet", b, slice_by="section", sample=DRAWN)
    chosen = drawn_rows(*W8)
    sizes = {group.name: group.rows for group in audit.slices.groups}
    assert sizes["first"] == (section[chosen] == "first").sum()
    assert sum(sizes.values()) == DRAWN


# --- it is said everywhere ---------------------------------------------------------------------


def test_every_rendering_says_that_it_is_a_sample(audit):
    part = "a sample of 600 of 2,000 rows"
    report = shown(audit)
    assert part in report.splitlines()[4]
    assert part in terminal.one_line(audit)
    assert part in notebook.render(audit)
    assert part in audit.summary
    assert part in repr(audit)
    assert "600 rows paired by position, drawn from 2,000" in report
    assert found(audit)["sampled"].severity == "warning"
    assert json.loads(audit.to_json())["sample"] == {"rows": 600, "of": 2000}


def test_the_command_that_is_advised_takes_all_rows(tmp_path):
    for name, vectors in zip("ab", W8, strict=True):
        np.save(tmp_path / f"{name}.npy", vectors)
    audit = embaudit.compare(tmp_path / "a.npy", tmp_path / "b.npy", sample=DRAWN)
    assert audit.recommendation.commands
    assert all("--sample" not in command for command in audit.recommendation.commands)


def in_groups(size, noise, spread=0.05, count=12_000, dim=16):
    """Return rows in shuffled groups of near-duplicates, and a noisy copy."""
    generator = np.random.default_rng(3)
    centres = np.repeat(generator.standard_normal((count // size, dim)), size, axis=0)
    a = centres + spread * generator.standard_normal(centres.shape)
    a = a[generator.permutation(count)]
    return a.astype(np.float32), noisy(a, noise)


@pytest.mark.parametrize(("size", "noise", "k"), [(40, 0.05, 1), (60, 0.05, 10), (40, 0.3, 2)])
def test_groups_that_a_sample_holds_few_of_leave_open_what_all_rows_are(size, noise, k):
    a, b = in_groups(size, noise)
    whole = embaudit.compare(a, b, k=k)
    part = embaudit.compare(a, b, k=k, sample=1000)
    assert whole.verdict is Verdict.CONCATENATE
    assert part.verdict is Verdict.INCONCLUSIVE
    assert whole.verdict in part.candidates


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_near_duplicates_are_told_under_every_metric(metric):
    with_groups = embaudit.compare(*in_groups(4, 0.0001), metric=metric, k=2, sample=4000)
    without = embaudit.compare(*in_groups(1, 0.0001), metric=metric, k=2, sample=4000)
    assert without.verdict is Verdict.SAFE
    assert with_groups.verdict is Verdict.INCONCLUSIVE
