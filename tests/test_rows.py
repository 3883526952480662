"""Single rows: their numbers, their order, and the files they are written to."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import EMBAUDIT, run
from hypothesis import example, given
from hypothesis import strategies as st
from sample_audits import sample_audit
from test_report import shown
from test_slices import blurred, brute_recall, rows, stored

import embaudit
from benchmarks.pairs import SAMPLE_DATA, load
from embaudit.datatypes import Verdict
from embaudit.errors import UsageError
from embaudit.report.outputs import Destination, Outputs, parse_outputs, write_outputs
from embaudit.report.row_files import RISKY, csv_text, render
from embaudit.result import Audit, WorstRow
from embaudit.row_table import NUMBERS, RowTable

SETS = load()


def audited(a, b, **options):
    """Return the audit and its table of rows."""
    tables = []
    audit = embaudit.compare(a, b, rows=tables.append, **options)
    (table,) = tables
    return audit, table


def table_of(ids, count=None):
    """Return a table of rows with these ids."""
    size = len(ids) if count is None else count
    numbers = {name: np.linspace(0, 1, size) for name in NUMBERS}
    numbers["cosine_raw"] = np.full(size, np.nan)
    return RowTable(np.arange(size), np.arange(size) + 5, ids, numbers, {"k": "10"})


@pytest.fixture(scope="module")
def fine_tuned():
    return audited(SETS["minilm"], SETS["minilm_ft120"], keep_duplicates=True)


def test_numbers_are_those_of_each_row(fine_tuned):
    _, table = fine_tuned
    a, b = (SETS[name].astype(float) for name in ("minilm", "minilm_ft120"))
    assert sorted(table.row_a.tolist()) == list(range(2000))
    assert table.row_b.tolist() == table.row_a.tolist()
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.einsum("ij,ij->i", a, b) / norms
    np.testing.assert_allclose(table.numbers["cosine_raw"], cosine[table.row_a], atol=1e-9)
    for direction, expected in (("a_to_b", brute_recall(a, b)), ("b_to_a", brute_recall(b, a))):
        values = table.numbers[f"recall_{direction}_raw"]
        asked = ~np.isnan(values)
        assert asked.sum() == 512
        agree = np.isclose(values[asked], expected[table.row_a[asked]])
        assert agree.mean() > 0.98  # a tie may fall either way
    own = table.numbers["neighbors_shared"]
    assert np.nanmean(own) == pytest.approx(
        fine_tuned[0].measures["neighbors.overlap"].value, abs=1e-9
    )
    assert table.notes["map_a_to_b"] == "linear"


def test_rows_come_worst_first(fine_tuned):
    _, table = fine_tuned
    asked = ~np.isnan(table.numbers["recall_a_to_b_mapped"])
    suspect = table.numbers["partner_rank"] > 0.5
    kept = table.numbers["recall_a_to_b_mapped"] + table.numbers["recall_b_to_a_mapped"]
    rest = kept[~suspect & asked]
    assert (np.diff(rest) >= 0).all()
    assert not asked[asked.sum() + suspect.sum() :].any()


def test_swapped_rows_are_the_worst():
    moved = np.arange(100, 250)
    b = SETS["minilm"].copy()
    b[moved] = b[np.roll(moved, 1)]
    audit, table = audited(SETS["minilm"], b)
    assert audit.verdict == "mispaired"
    assert set(table.row_a[:30].tolist()) <= set(moved.tolist())
    assert [row.row_a for row in audit.worst] == table.row_a[:10].tolist()
    assert all(row.partner_rank > 0.9 for row in audit.worst)
    assert "Worst rows" in shown(audit)


def test_the_audit_holds_the_ten_worst_and_survives_json(fine_tuned):
    audit, table = fine_tuned
    assert len(audit.worst) == 10
    assert Audit.model_validate_json(audit.to_json()).to_json() == audit.to_json()
    document = json.loads(audit.to_json())["worst"]
    assert list(document[0]) == ["row_a", "row_b", "id", *NUMBERS]
    for place, row in enumerate(document):
        assert row["row_a"] == table.row_a[place]
        assert row["partner_rank"] == pytest.approx(table.numbers["partner_rank"][place], rel=1e-5)


def test_asking_for_rows_changes_nothing_else():
    plain = embaudit.compare(rows(), blurred(rows()))
    asked, _ = audited(rows(), blurred(rows()))
    assert plain.to_dict() | {"timing": {}} == asked.to_dict() | {"timing": {}}


@pytest.mark.parametrize("kind", ["text", "integer", "bytes"])
@pytest.mark.parametrize("parts", [False, True])
def test_rows_that_were_joined_have_ids_and_both_positions(tmp_path, kind, parts):
    make = {"text": "item {}".format, "integer": int, "bytes": lambda n: f"b{n}".encode()}[kind]
    shown_id = {"text": "item {}".format, "integer": int, "bytes": "b{}".format}[kind]
    x, order = rows(1200), np.random.default_rng(1).permutation(1200)[:1100]
    if parts:
        a = tmp_path / "parts"
        a.mkdir()
        for number in range(3):
            part = slice(400 * number, 400 * number + 400)
            ids = pa.array([make(row) for row in range(part.start, part.stop)])
            stored(a, x[part], f"{number}.parquet", id=ids)
    else:
        a = stored(tmp_path, x, id=pa.array([make(row) for row in range(1200)]))
    ids_b = pa.array([make(row) for row in order.tolist()])
    b = stored(tmp_path, blurred(x)[order], "b.parquet", id=ids_b)
    audit, table = audited(a, b, on="id")
    assert len(table) == 1100
    assert table.ids == [shown_id(row) for row in table.row_a.tolist()]
    assert order[table.row_b].tolist() == table.row_a.tolist()
    assert audit.worst[0].id == table.ids[0]


def test_ids_may_come_from_elsewhere():
    ids = [f"#{row}" for row in range(600)]
    _, table = audited(rows(), blurred(rows()), ids_a=ids, ids_b=ids)
    assert table.ids == [f"#{row}" for row in table.row_a.tolist()]


def test_other_dimensions_and_too_few_rows():
    audit, table = audited(rows(900), rows(900)[:, :7])
    assert np.isnan(table.numbers["cosine_raw"]).all()
    assert np.isnan(table.numbers["recall_a_to_b_raw"]).all()
    assert not np.isnan(table.numbers["cosine_mapped"]).any()
    assert audit.worst[0].cosine_raw is None
    few, nothing = audited(rows(30), blurred(rows(30)))
    assert (few.worst, len(nothing)) == ([], 0)
    assert csv_text(nothing).startswith("row_a,row_b,partner_rank")


# --- files -------------------------------------------------------------------------------------


@given(st.text(max_size=12))
@example("=1+1")
@example("\t=1")
@example(" @x")
@example("'quoted")
@example('"=cmd|/C calc"')
@example("-12")
@example("a,b\n=c")
def test_no_id_is_a_formula_and_every_id_can_be_restored(text):
    lines = csv_text(table_of([text]))
    (_, row) = csv.reader(io.StringIO(lines, newline=""))
    cell = row[0]
    assert cell.lstrip()[:1] not in {*RISKY}
    assert cell[:1] not in {"\t", "\r", "\n"}
    assert cell.removeprefix("'") == text


def test_csv_leaves_out_what_was_not_measured():
    lines = csv_text(table_of([-3, 7])).splitlines()
    assert lines[0] == ",".join(["id", "row_a", "row_b", *NUMBERS])
    assert lines[1].startswith("-3,0,5,0,,0,")
    assert len(lines) == 3


@pytest.mark.parametrize("ids", [["=a", "b"], [-1, 2], [1, 2**64 - 1], None])
def test_parquet_keeps_every_value(ids):
    table = table_of(ids, 2) if ids is None else table_of(ids)
    read = pq.read_table(pa.BufferReader(render(table, ".parquet")))
    if ids is not None:
        assert read["id"].to_pylist() == ids
    assert read["row_b"].to_pylist() == [5, 6]
    assert read["partner_rank"].to_pylist() == [0.0, 1.0]
    assert read["cosine_raw"].null_count == 2
    assert json.loads(read.schema.metadata[b"embaudit"]) == {"k": "10"}


def test_rows_are_written_with_the_other_outputs_or_not_at_all(tmp_path):
    specs = [f"json={tmp_path / 'a.json'}", f"rows={tmp_path / 'r.PARQUET'}"]
    outputs = parse_outputs([*specs, f"rows={tmp_path / 'r.csv'}"])
    assert outputs.want_rows
    assert not parse_outputs(specs[:1]).want_rows
    write_outputs(sample_audit(Verdict.SAFE), outputs.files, table_of(["x"]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "r.PARQUET", "r.csv"]
    assert pq.read_table(tmp_path / "r.PARQUET")["id"].to_pylist() == ["x"]
    assert (tmp_path / "r.csv").read_text().count("\n") == 2
    (tmp_path / "r.csv").unlink()
    with pytest.raises(UsageError, match="no rows to write"):
        write_outputs(sample_audit(Verdict.SAFE), [Destination("rows", tmp_path / "r.csv")])
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize(("name", "shown_as"), [("r.xlsx", "'.xlsx'"), ("r", "without a suffix")])
def test_other_suffixes_are_refused(tmp_path, name, shown_as):
    with pytest.raises(UsageError, match=r"rows are written as \.parquet or \.csv") as caught:
        parse_outputs([f"rows={tmp_path / name}"])
    assert shown_as in str(caught.value)


def test_rows_to_standard_output_are_csv():
    assert parse_outputs(["rows=-"]) == Outputs((), "rows")
    files = [str(SAMPLE_DATA / f"minilm{name}.parquet") for name in ("", "_ft120")]
    done = run([*EMBAUDIT, "compare", *files, "--on", "id", "--output", "rows=-", "--exit-zero"])
    assert (done.returncode, done.stderr) == (0, "")
    header, *lines = csv.reader(io.StringIO(done.stdout))
    assert header[:3] == ["id", "row_a", "row_b"]
    assert len(lines) == 2000


# --- the report --------------------------------------------------------------------------------


def worst(**changes):
    return [WorstRow(row_a=1, row_b=2, partner_rank=0.97, cosine_raw=0.1, **changes)] * 3


@pytest.mark.parametrize("verdict", list(Verdict))
def test_worst_rows_are_shown_where_they_help(verdict):
    audit = sample_audit(verdict, worst=worst())
    assert ("Worst rows" in shown(audit)) == (verdict not in {"safe", "unrelated"})
    assert "Worst rows" in shown(audit, verbose=True)
    assert "Worst rows" not in shown(sample_audit(verdict), verbose=True)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_worst_rows_fit_whatever_their_ids(encoding):
    for name in ("\x1b[2J\n" * 40, "größe → x", 10**18, "plain"):
        audit = sample_audit(Verdict.MISPAIRED, worst=worst(id=name))
        for width in (72, 100):
            text = shown(audit, width, encoding)
            section = text[text.index("\nWorst rows") + 1 :].split("\n\n")[0]
            assert "\x1b" not in section
            assert all(len(line) <= width for line in section.splitlines())
