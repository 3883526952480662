"""The benchmark runner: its floor by hand, its data, its table, and tiny runs of the real thing."""

import json
import sys

import numpy as np
import pytest
from commands import environment, run

from benchmarks.cases import CASES
from benchmarks.cases.safety import reference
from benchmarks.floor import audit_moment_flops, floor_seconds, neighbour_flops, queries_asked
from benchmarks.generated import LOW_RANK, POWER_LAW, Structure, write_pair
from benchmarks.peers import map_rows
from benchmarks.results import BEGIN, DOCUMENT, END, Result, stored, write
from benchmarks.runs import RunError, compare, run_module

MARKED = f"before\n\n{BEGIN}\n{END}\n\nafter\n"


def benchmarks(*arguments, code=None):
    start = ["-m", "benchmarks"] if code is None else ["-c", code]
    return run([sys.executable, *start, *map(str, arguments)], env=environment())


def audit(n, dims, queries):
    """The parts of an audit's document that the floor is computed from."""
    return {
        "pairing": {"distinct_rows": n},
        "a": {"dim": dims[0]},
        "b": {"dim": dims[1]},
        "measures": {
            "neighbors.overlap": {"queries": queries},
            **{
                f"recall.{direction}.{kind}": {
                    "queries": queries if kind != "raw" or dims[0] == dims[1] else None
                }
                for direction in ("a_to_b", "b_to_a")
                for kind in ("raw", "orthogonal", "linear")
            },
        },
    }


# --- the floor ---------------------------------------------------------------------------------


def test_floor_of_equal_dimensions_counts_four_views_of_each_side():
    found = audit(1000, (6, 6), 50)
    assert queries_asked(found) == {"a": 200, "b": 200}
    assert audit_moment_flops(found) == 1000 * 12 * 12
    assert neighbour_flops(found) == 2 * (2 * 1000 * 6 * 200)
    assert floor_seconds(found, rate=1e6) == pytest.approx(0.144 + 4.8)


def test_floor_of_different_dimensions_counts_three_views_in_each_sides_own():
    found = audit(1000, (6, 10), 50)
    assert queries_asked(found) == {"a": 150, "b": 150}
    assert audit_moment_flops(found) == 1000 * 16 * 16
    assert neighbour_flops(found) == 2 * 1000 * 6 * 150 + 2 * 1000 * 10 * 150


# --- the data ----------------------------------------------------------------------------------


def written(folder, structure, rows, dim, dtype="float32"):
    paths = folder / f"{rows}_a.npy", folder / f"{rows}_b.npy"
    write_pair(structure, rows, dim, paths, dtype)
    assert sorted(path.name for path in folder.glob(f"{rows}_*")) == [path.name for path in paths]
    return tuple(np.load(path) for path in paths)


def test_power_law_sets_are_what_their_structure_says(tmp_path):
    a, b = written(tmp_path, POWER_LAW, 8_000, 192)
    distinct = len({x.tobytes() + y.tobytes() for x, y in zip(a, b, strict=True)})
    assert 1 - distinct / len(a) == pytest.approx(POWER_LAW.repeated, abs=0.005)
    assert np.linalg.norm(a - b) / np.linalg.norm(a) == pytest.approx(0.025, abs=0.005)
    directions = a / np.linalg.norm(a, axis=1, keepdims=True)
    assert np.linalg.norm(directions.mean(axis=0)) == pytest.approx(
        0.5 / np.hypot(1, 0.5), abs=0.03
    )
    assert np.log(np.linalg.norm(a, axis=1)).std() == pytest.approx(POWER_LAW.norms, abs=0.03)
    values = np.linalg.eigvalsh(np.cov(directions.T))
    assert values[-64:].sum() / values.sum() == pytest.approx(0.765, abs=0.02)


def test_low_rank_sets_have_unit_rows_of_few_directions(tmp_path):
    a, _ = written(tmp_path, LOW_RANK, 3_000, 192)
    assert np.linalg.norm(a, axis=1) == pytest.approx(1.0, abs=1e-5)
    values = np.linalg.svd(a, compute_uv=False) ** 2
    assert values[128:].sum() / values.sum() < 0.001


@pytest.mark.parametrize("structure", [LOW_RANK, POWER_LAW])
def test_smaller_sets_are_the_beginning_of_larger_ones(tmp_path, structure):
    small, large = (written(tmp_path, structure, rows, 1024) for rows in (3_000, 6_000))
    for few, many in zip(small, large, strict=True):
        np.testing.assert_array_equal(few, many[:3_000])


def test_what_stops_the_writing_leaves_no_file(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_pair(LOW_RANK, 10, 4, (tmp_path / "a.npy", tmp_path / "absent" / "b.npy"))
    assert not list(tmp_path.iterdir())


# --- the floor of a map ------------------------------------------------------------------------


@pytest.mark.parametrize(("threads", "dtype"), [(1, "float32"), (2, "float16"), (3, "float32")])
def test_the_floor_of_a_map_writes_every_product(tmp_path, monkeypatch, threads, dtype):
    monkeypatch.setattr(map_rows, "BLOCK_BYTES", 4 * 8 * 7)
    rows, _ = written(tmp_path, LOW_RANK, 100, 8)
    output = tmp_path / "mapped.npy"
    found = map_rows.carry(tmp_path / "100_a.npy", output, threads, dtype)
    assert 0.0 < found["flush"] < found["seconds"]
    mapped = np.load(output)
    assert mapped.dtype == dtype
    np.testing.assert_allclose(mapped, rows @ map_rows.drawn_matrix(8), rtol=2e-3, atol=1e-3)


# --- the reference -----------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (100.0, 1e8)])
def test_reference_is_the_definition_on_square_matrices(tmp_path, mean, scale):
    structure = Structure("any", "", None, 0.9, 0.5, norms=0.0, mean=mean, scale=scale)
    a, b = written(tmp_path, structure, 60, 5)
    found = reference(a, b)
    x, y = (side.astype(np.float64) / scale for side in (a, b))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    n = len(x)

    def hsic(k, m):
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        totals = k.sum() * m.sum() / ((n - 1) * (n - 2))
        return np.trace(k @ m) + totals - 2 / (n - 2) * (k @ m).sum()

    k, m = x @ x.T, y @ y.T
    assert found.cka == pytest.approx(hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m)), rel=1e-9)
    cosine = np.linalg.norm(x.T @ y, "nuc") / (np.linalg.norm(x) * np.linalg.norm(y))
    assert found.angle == pytest.approx(np.arccos(cosine), rel=1e-9)


# --- the table ---------------------------------------------------------------------------------


def result(name, value="1.20 x", stages=(), command="python -m benchmarks --all"):
    made_by = {"command": command, "on": "2026-01-01", "processor": "one"}
    return Result(name, "how | fast", "<= 2 x", value, True, "so", [*stages], [2e11], made_by)


def test_writing_twice_changes_nothing_and_keeps_the_text_around(tmp_path):
    document = tmp_path / "README.md"
    document.write_text(MARKED)
    stage = {"stage": "moments", "seconds": 3.0, "floor": 2.0, "bound": "the product"}
    for _ in range(2):
        write(document, {"help": result("help", stages=[stage])}, CASES)
        text = document.read_text()
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert "| `help` | how \\| fast | 1.20 x | <= 2 x | yes |" in text
        assert "| moments | 3.00 | 2.00 | 1.50 | the product |" in text
        assert text.count(BEGIN) == text.count("`help` |") == 1


def test_rows_of_cases_that_did_not_run_stay_with_what_made_them(tmp_path):
    document = tmp_path / "README.md"
    document.write_text(MARKED)
    write(document, {"sample": result("sample"), "gone": result("gone")}, CASES)
    write(document, {"help": result("help", "9.99 x", command="another")}, CASES)
    assert list(stored(document)) == ["help", "sample"]
    text = document.read_text()
    assert text.index("9.99 x") < text.index("1.20 x")
    assert "Made by `another`: on 2026-01-01; processor one. Cases: `help`." in text
    assert "processor one. Cases: `sample`." in text
    assert "gone" not in text


def test_the_table_in_the_repository_is_rendered_from_its_results(tmp_path):
    text = DOCUMENT.read_text(encoding="utf-8")
    copy = tmp_path / "README.md"
    copy.write_text(text, encoding="utf-8")
    write(copy, stored(DOCUMENT), CASES)
    assert copy.read_text(encoding="utf-8").split(END)[1] == text.split(END)[1]
    assert set(stored(DOCUMENT)) == set(CASES)
    assert copy.read_text(encoding="utf-8") == text


# --- runs --------------------------------------------------------------------------------------


def test_a_run_has_its_document_its_seconds_and_its_peak(tmp_path):
    a, b = tmp_path / "a.npy", tmp_path / "b.npy"
    write_pair(LOW_RANK, 60, 8, (a, b))
    found = run_module("benchmarks.peers.by_hand", a, b, "--k", 3)
    assert found.document["recall.a_to_b.raw"] > 0.9
    assert found.seconds > 0.1
    assert 30 << 20 < found.peak < 2 << 30


def test_a_run_that_fails_says_what_the_process_said(tmp_path):
    with pytest.raises(RunError, match=r"embaudit_cli: exit 2: .*absent\.npy"):
        compare(tmp_path / "absent.npy", tmp_path / "absent.npy")


# --- the command -------------------------------------------------------------------------------


def test_list_has_a_row_for_every_case():
    done = benchmarks("--list")
    assert done.returncode == 0
    rows = [line.split()[0] for line in done.stdout.splitlines()[: len(CASES)]]
    assert rows == list(CASES)


def test_tiny_runs_are_written_as_they_come(tmp_path):
    document, data = tmp_path / "README.md", tmp_path / "data"
    document.write_text(MARKED)
    names = ("command-1m-power-law", "exact-mean")
    chosen = [word for name in names for word in ("--case", name)]
    done = benchmarks(*chosen, "--reduced", "--repeats", 1, "--folder", data, "--write", document)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(data.iterdir())
    found = stored(document)
    assert list(found) == [*names]
    command = found["command-1m-power-law"]
    assert command.value.endswith("x floor")
    assert "(run at 2,000 x 48)" in command.measures
    assert {"moments", "neighbours", "whole command"} <= {row["stage"] for row in command.stages}
    assert len(command.rates) == 2
    assert found["exact-mean"].met
    assert json.loads((tmp_path / "results.json").read_text()).keys() == set(names)
    assert "python -m benchmarks --case command-1m-power-law" in document.read_text()
    assert str(tmp_path) not in document.read_text()


def test_faiss_is_asked_what_the_audit_asked(tmp_path):
    document = tmp_path / "README.md"
    document.write_text(MARKED)
    done = benchmarks(
        *("--case", "neighbours-low-rank", "--reduced", "--repeats", 1, "--write", document)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    detail = stored(document)["neighbours-low-rank"].detail
    assert "faiss's lists of 40" in detail
    assert "2,048 query vectors a side" in detail


def test_a_file_is_carried_over_in_turns_with_its_floor(tmp_path):
    document, data = tmp_path / "README.md", tmp_path / "data"
    document.write_text(MARKED)
    names = ("apply", "apply-float16")
    chosen = [word for name in names for word in ("--case", name)]
    done = benchmarks(*chosen, "--reduced", "--repeats", 1, "--folder", data, "--write", document)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(data.iterdir())
    for name in names:
        found = stored(document)[name]
        assert found.value.endswith("x floor")
        assert "s the last wait for the disk; peak" in found.detail


def test_an_absent_peer_is_named_and_the_next_case_runs(tmp_path):
    without_faiss = (
        "import runpy, sys; sys.modules['faiss'] = None; "
        "runpy.run_module('benchmarks', run_name='__main__', alter_sys=True)"
    )
    done = benchmarks(
        *("--case", "neighbours-low-rank", "--case", "help", "--reduced", "--repeats", 1),
        code=without_faiss,
    )
    assert done.returncode == 1
    assert "neighbours-low-rank: FAILED: RunError: needs faiss-cpu: pip install" in done.stdout
    assert "'embaudit[bench]'" in done.stdout
    assert "help: " in done.stdout.split("FAILED")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--case", "help", "--reduced", "--write"), "at the sizes of the cases"),
        (("--case", "help", "--repeats", 1, "--write"), "medians of at least 3"),
        (("--case", "help", "--keep"), "--keep needs --folder"),
        (("--case", "memory", "--rows", 10**12), "GB are free; pass --folder"),
        ((), "required"),
    ],
)
def test_options_that_cannot_be_are_refused(arguments, said):
    done = benchmarks(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
