"""The command line: what it prints where, and the status it exits with."""

import inspect
import json
import re
import shutil

import numpy as np
import pytest
import typer
from commands import APPEARANCE, EMBAUDIT, environment, run, run_code
from typer.testing import CliRunner

import embaudit
from embaudit.audit import compare as compare_sets
from embaudit.errors import InputError
from embaudit.report.formats import RENDERERS
from embaudit.result import Policy
from embaudit_cli.app import app
from embaudit_cli.compare import compare
from embaudit_cli.failures import OneLineErrors

ROWS, DIM = 300, 16


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch):
    for name in (*APPEARANCE, "EMBAUDIT_DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of small files with known verdicts against ``a.npy``."""
    path = tmp_path_factory.mktemp("vectors")
    random = np.random.default_rng(0)
    a = random.standard_normal((ROWS, DIM)).astype(np.float32)
    rotation = np.linalg.qr(random.standard_normal((DIM, DIM)))[0].astype(np.float32)
    invalid = a.copy()
    invalid[7, 0] = np.nan
    files = {
        "a": a,
        "near": a + 1e-4 * random.standard_normal(a.shape).astype(np.float32),
        "rotated": a @ rotation,
        "few": a[:30],
        "few_noisy": a[:30] + 0.1 * random.standard_normal((30, DIM)).astype(np.float32),
        "invalid": invalid,
        "shorter": a[:-1],
    }
    for name, matrix in files.items():
        np.save(path / f"{name}.npy", matrix)
    return path


@pytest.fixture
def embaudit_compare(folder, monkeypatch):
    """Return a function that runs ``embaudit compare`` in the folder of the files."""
    monkeypatch.chdir(folder)

    def invoke(*arguments):
        return CliRunner().invoke(app, ["compare", *arguments])

    return invoke


@pytest.mark.parametrize(
    ("b", "options", "status"),
    [
        ("near.npy", [], 0),
        ("rotated.npy", [], 1),
        ("rotated.npy", ["--require", "degraded"], 1),
        ("rotated.npy", ["--require", "align"], 0),
        ("rotated.npy", ["--require", "concatenate"], 0),
        ("rotated.npy", ["--exit-zero"], 0),
    ],
)
def test_status_is_the_gate(embaudit_compare, b, options, status):
    assert embaudit_compare("a.npy", b, "--quiet", *options).exit_code == status


def test_status_of_an_open_question_is_3(embaudit_compare):
    few = ("few.npy", "few_noisy.npy", "--quiet")
    assert embaudit_compare(*few).exit_code == 3
    assert embaudit_compare(*few, "--exit-zero").exit_code == 0


def test_report_goes_to_stdout_and_nothing_to_stderr(embaudit_compare):
    result = embaudit_compare("a.npy", "rotated.npy")
    assert "ALIGN" in result.stdout.splitlines()[2]
    assert result.stdout.count("\nRetrieval") == 1
    assert result.stderr == ""


def test_json_is_one_object_and_nothing_else(embaudit_compare):
    result = embaudit_compare("a.npy", "rotated.npy", "--json")
    document = json.loads(result.stdout)
    assert (document["verdict"], document["a"]["uri"]) == ("align", "a.npy")
    assert result.stderr == ""
    assert result.exit_code == 1


@pytest.mark.parametrize("option", ["--quiet", "--verbose"])
def test_json_stays_whole_beside_quiet_and_verbose(embaudit_compare, option):
    result = embaudit_compare("a.npy", "near.npy", "--json", option)
    assert len(json.loads(result.stdout)["measures"]) > 20


def test_json_output_to_a_dash_is_json(embaudit_compare):
    plain = json.loads(embaudit_compare("a.npy", "near.npy", "--json").stdout)
    dashed = json.loads(embaudit_compare("a.npy", "near.npy", "--output", "json=-").stdout)
    assert plain | {"timing": {}} == dashed | {"timing": {}}


def test_quiet_is_one_line(embaudit_compare):
    result = embaudit_compare("a.npy", "rotated.npy", "-q")
    (line,) = result.stdout.splitlines()
    assert line.startswith("align (")


def test_verbose_shows_every_measure(embaudit_compare):
    measures = json.loads(embaudit_compare("a.npy", "near.npy", "--json").stdout)["measures"]
    shown = embaudit_compare("a.npy", "near.npy", "-v").stdout
    assert [name for name in measures if name not in shown] == []


def test_output_files_are_written_beside_the_report(embaudit_compare, tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    result = embaudit_compare(
        "a.npy", "rotated.npy", "--output", f"json={first}", "--output", f"json={second}"
    )
    assert "align" in result.stdout
    assert json.loads(first.read_text())["verdict"] == "align"
    assert first.read_text() == second.read_text()


def test_options_reach_the_audit(embaudit_compare):
    options = {
        "--metric": "euclidean",
        "--k": "5",
        "--seed": "3",
        "--require": "align",
        "--min-recall": "0.8",
        "--min-aligned-recall": "0.6",
        "--max-mispaired": "0.05",
        "--min-matched": "0.5",
        "--confidence": "0.9",
        "--max-queries": "600",
    }
    flat = [word for pair in options.items() for word in pair]
    result = embaudit_compare(
        "a.npy", "near.npy", "--json", "--by-row", "--keep-duplicates", "--drop-invalid", *flat
    )
    document = json.loads(result.stdout)
    assert (document["metric"], document["k"], document["seed"]) == ("euclidean", 5, 3)
    assert document["policy"] == {
        "require": "align",
        "min_recall": 0.8,
        "min_aligned_recall": 0.6,
        "max_mispaired": 0.05,
        "min_matched": 0.5,
        "confidence": 0.9,
        "max_queries": 600,
    }


def test_any_number_of_threads_writes_the_same_bytes(embaudit_compare, tmp_path):
    written = []
    for threads in ("1", "2", "7"):
        path = tmp_path / f"{threads}.json"
        run = ("rotated.npy", "--output", f"json={path}", "--threads", threads, "-q")
        embaudit_compare("a.npy", *run)
        text = path.read_text()
        written.append(re.sub(r'"timing": \{[^}]*\}', "", text))
        assert text != written[-1]
    assert len(set(written)) == 1


def test_a_sample_is_said_in_one_line_and_in_json(folder, embaudit_compare, tmp_path):
    vectors = np.random.default_rng(1).standard_normal((2, 900, DIM)).astype(np.float32)
    for name, matrix in zip("ab", (vectors[0], vectors[0] + 1e-4 * vectors[1]), strict=True):
        np.save(tmp_path / f"{name}.npy", matrix)
    paths = [str(tmp_path / f"{name}.npy") for name in "ab"]
    table = tmp_path / "rows.csv"
    result = embaudit_compare(*paths, "--sample", "0.4k", "-q", "--output", f"rows={table}")
    (line,) = result.stdout.splitlines()
    assert "(a sample of 400 of 900 rows, k 10)" in line
    numbers = [int(row.split(",")[0]) for row in table.read_text().splitlines()[1:]]
    assert len(numbers) == len(set(numbers)) == 400
    assert max(numbers) > 400
    document = json.loads(embaudit_compare(*paths, "--sample", "400", "--json").stdout)
    assert document["sample"] == {"rows": 400, "of": 900}
    assert document["pairing"]["rows"] == 400
    assert json.loads(embaudit_compare(*paths, "--json").stdout)["sample"] is None


def test_drop_invalid_goes_on(embaudit_compare):
    refused = embaudit_compare("a.npy", "invalid.npy")
    assert refused.exit_code == 2
    assert "--drop-invalid" in refused.stderr
    assert embaudit_compare("a.npy", "invalid.npy", "--drop-invalid", "-q").exit_code == 0


def test_defaults_are_the_librarys():
    options = inspect.signature(compare).parameters
    for name, value in Policy().model_dump().items():
        assert options[name].default == value
    for name, parameter in inspect.signature(compare_sets).parameters.items():
        if name in options and parameter.default is not inspect.Parameter.empty:
            # --k takes several numbers, so its default is text.
            assert str(options[name].default) == str(parameter.default)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a.npy"], "Missing argument 'B' (see 'embaudit compare --help')"),
        (["a.npy", "near.npy", "--jsn"], "No such option: --jsn"),
        (["a.npy", "near.npy", "--k", "ten"], "--k ten: expected a whole number"),
        (["a.npy", "near.npy", "--k", "10,"], "--k 10,: expected a whole number"),
        (["a.npy", "near.npy", "--k", "10,0"], "--k must be at least 1, not 0"),
        (["a.npy", "near.npy", "--k", "10,100000"], "--k 100000 needs more than 100,000 rows"),
        (["a.npy", "near.npy", "--k"], "--k"),
        (["a.npy", "near.npy", "more.npy"], "unexpected extra argument"),
        (["a.npy", "near.npy", "-q", "-v"], "--quiet and --verbose contradict each other"),
        (["a.npy", "near.npy", "--metric", "cosin"], "did you mean"),
        (["a.npy", "near.npy", "--require", "algn"], "did you mean 'align'?"),
        (["a.npy", "near.npy", "--require", "mispaired"], "--require mispaired: expected one of"),
        (["a.npy", "near.npy", "--min-recall", "1.5"], "--min-recall 1.5: expected a number above"),
        (["a.npy", "near.npy", "--min-recall", "0"], "--min-recall 0.0: expected a number above 0"),
        (["a.npy", "near.npy", "--min-recall", "nan"], "--min-recall nan"),
        (["a.npy", "near.npy", "--min-aligned-recall", "-1"], "--min-aligned-recall -1.0"),
        (["a.npy", "near.npy", "--max-mispaired", "1"], "--max-mispaired 1.0"),
        (["a.npy", "near.npy", "--min-matched", "1.01"], "--min-matched 1.01"),
        (["a.npy", "near.npy", "--confidence", "1"], "--confidence 1.0: expected a number of at"),
        (["a.npy", "near.npy", "--max-queries", "0"], "--max-queries 0: expected a number that is"),
        (["a.npy", "near.npy", "--k", "0"], "--k"),
        (["a.npy", "near.npy", "--seed", "-1"], "--seed"),
        (["a.npy", "near.npy", "--threads", "0"], "--threads must be at least 1, not 0"),
        (["a.npy", "near.npy", "--threads", "two"], "--threads"),
        (["a.npy", "near.npy", "--sample", "some"], "--sample some: expected a whole number of"),
        (["a.npy", "near.npy", "--sample", "0.5"], "--sample 0.5: expected a whole number of"),
        (["a.npy", "near.npy", "--sample", "200"], "--sample 200: a look at 300 rows"),
        (["a.npy", "near.npy", "--column", "x"], "--column"),
        (["a.npy", "near.npy", "--output", "a.json"], "expected FORMAT=PATH"),
        (["a.npy", "near.npy", "--output", "jsn=a"], "unknown output format 'jsn'"),
        (["a.npy", "near.npy", "--output", "json=no/a"], "does not exist; create it first"),
        (["a.npy", "near.npy", "--output", "json=a.npy"], "would overwrite an input"),
        (
            ["a.npy", "near.npy", "--ids-a", "a.npy", "--ids-b", "i.txt", "--output", "json=i.txt"],
            "would overwrite an input",
        ),
        (["a.npy", "near.npy", "--on", "id"], "--on id: a.npy has no columns"),
        (["a.npy", "near.npy", "--ids-a", "a.npy"], "ids of shape (300, 16)"),
        (["a.npy", "near.npy", "--by-row", "--on", "id"], "--by-row contradicts"),
        (["a.npy", "near.npy", "--json", "--output", "json=-"], "only one output"),
        (["a.npy", "absent.npy"], "absent.npy"),
        (["a.npy", "shorter.npy"], "shorter.npy"),
        (["a.npy", "."], "."),
    ],
)
def test_mistakes_take_one_line_and_status_2(embaudit_compare, arguments, complaint):
    result = embaudit_compare("--exit-zero", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert complaint in line


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["compre"], "Did you mean 'compare'?"), (["--bogus"], "No such option: --bogus")],
)
def test_mistakes_before_the_command_take_one_line_too(arguments, complaint):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert complaint in line


@pytest.mark.parametrize(
    "changes", [{"min_recall": 1.5}, {"min_recall": "high"}, {"max_queries": 2.5}, {"require": []}]
)
def test_policy_of_the_library_refuses_the_same_with_one_line(changes):
    option = next(iter(changes)).replace("_", "-")
    with pytest.raises(embaudit.UsageError, match=rf"\A--{option} .*: expected [^\n]*\Z"):
        Policy.model_validate(changes)


def test_policy_is_checked_again_after_a_copy():
    with pytest.raises(embaudit.UsageError, match="--max-queries 0"):
        Policy().model_copy(update={"max_queries": 0}).checked()
    assert Policy(min_recall=0.8).checked() == Policy(min_recall=0.8)


failing = typer.Typer(cls=OneLineErrors)


@failing.command()
def fail(kind: str) -> None:
    """Fail in one of the ways a command can."""
    raise {
        "input": InputError("a\x1b[2J.npy: broken\nin two lines"),
        "memory": MemoryError("Unable to allocate 74.5 GiB"),
        "no-memory": MemoryError(),
        "disk": OSError(28, "No space left on device", "out.json"),
        "plain-os": OSError("odd"),
        "eof": EOFError("ends early"),
        "bug": ZeroDivisionError("division by zero"),
    }[kind]


@failing.command()
def other() -> None:
    """Be a second command, so that the first keeps its name."""


@pytest.mark.parametrize(
    ("kind", "status", "line"),
    [
        ("input", 2, "error: a\\x1b[2J.npy: broken in two lines"),
        ("memory", 2, "error: not enough memory: Unable to allocate 74.5 GiB"),
        ("no-memory", 2, "error: not enough memory: the system refused to give more"),
        ("disk", 2, "error: out.json: No space left on device"),
        ("plain-os", 2, "error: odd"),
        (
            "eof",
            70,
            "internal error: EOFError: ends early (re-run with EMBAUDIT_DEBUG=1 for the traceback)",
        ),
        (
            "bug",
            70,
            "internal error: ZeroDivisionError: division by zero "
            "(re-run with EMBAUDIT_DEBUG=1 for the traceback)",
        ),
    ],
)
def test_every_failure_is_one_line_with_its_status(kind, status, line):
    result = CliRunner().invoke(failing, ["fail", kind])
    assert (result.exit_code, result.stderr, result.stdout) == (status, f"{line}\n", "")


def test_debug_variable_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("EMBAUDIT_DEBUG", "1")
    result = CliRunner().invoke(failing, ["fail", "bug"])
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("internal error: ZeroDivisionError")
    assert result.exit_code == 70


def test_failed_write_keeps_the_report_and_exits_2(folder, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        "import os, sys\n"
        "from embaudit_cli.app import app\n"
        "def lose_the_folder_once_the_work_begins(event, args):\n"
        "    if event == 'import' and args[0] == 'embaudit.audit': os.rmdir(sys.argv[1])\n"
        "sys.addaudithook(lose_the_folder_once_the_work_begins)\n"
        "app(['compare', 'a.npy', 'near.npy', '-q', '--output', f'json={sys.argv[1]}/x.json'])\n"
    )
    done = run_code(code, str(gone), cwd=folder)
    assert done.returncode == 2
    assert done.stdout.startswith("safe (")
    assert "could not be written (No such file or directory)" in done.stderr


def test_version_and_help():
    version = CliRunner().invoke(app, ["--version"])
    assert (version.exit_code, version.stdout) == (0, f"embaudit {embaudit.__version__}\n")
    overview = CliRunner().invoke(app, ["--help"])
    assert overview.exit_code == 0
    assert "compare" in overview.stdout
    assert CliRunner().invoke(app, []).exit_code == 2


def test_help_names_every_option_group_format_and_an_example():
    result = CliRunner().invoke(app, ["compare", "--help"], env={"COLUMNS": "100"})
    words = ["Rows", "Search", "Gate", "Output", "Examples", "Exit status", *RENDERERS]
    words += ["embaudit compare old.npy new.npy"]
    words += [
        "--" + name.replace("_", "-")
        for name in inspect.signature(compare).parameters
        if name not in ("a", "b", "context")
    ]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    assert [word for word in words if word not in plain] == []


@pytest.mark.parametrize("arguments", [[], ["compare", "--help"], ["compare", "--nope"]])
def test_start_imports_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from embaudit_cli.app import app\n"
        "try: app(sys.argv[1:]) if len(sys.argv) > 1 else None\n"
        "except SystemExit: pass\n"
        "sys.stdout = sys.__stdout__\n"
        "print('LOADED', *sys.modules)"
    )
    loaded = run_code(code, *arguments).stdout.rpartition("LOADED")[2].split()
    assert "embaudit_cli.compare" in loaded
    heavy = ("numpy", "scipy", "sklearn", "pyarrow", "embaudit.result", "embaudit.datatypes")
    assert [name for name in loaded if name.startswith(heavy)] == []
    assert "click" not in loaded


def test_report_survives_a_code_page(folder):
    done = run(
        [*EMBAUDIT, "compare", "a.npy", "rotated.npy", "-v"],
        cwd=folder,
        env=environment(PYTHONIOENCODING="cp1252:strict"),
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "ALIGN" in done.stdout
    assert "|" in done.stdout
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in done.stdout


def test_json_is_utf8_whatever_the_terminal(folder):
    name = "données.npy"
    shutil.copyfile(folder / "a.npy", folder / name)
    try:
        done = run(
            [*EMBAUDIT, "compare", name, "near.npy", "--json"],
            cwd=folder,
            env=environment(PYTHONIOENCODING="ascii", PYTHONUTF8="1"),
            text=False,
        )
    finally:
        (folder / name).unlink()
    assert json.loads(done.stdout.decode("utf-8"))["a"]["uri"] == name


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colour_follows_the_environment(embaudit_compare, monkeypatch, variables, coloured):
    for name, value in ({"TERM": "xterm"} | variables).items():
        monkeypatch.setenv(name, value)
    assert ("32m" in embaudit_compare("a.npy", "near.npy").stdout) == coloured


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("compare a b --met", ["--metric"]),
        ("compare a b --metric ", ["cosine", "dot", "euclidean"]),
        ("compare a b --metric e", ["euclidean"]),
        ("compare a b --require ", ["safe", "degraded", "align", "concatenate"]),
        ("compare a b --output j", ["json=", "junit="]),
        ("comp", ["compare"]),
    ],
)
def test_the_shell_is_told_how_a_word_goes_on(typed, offered):
    completing = {
        "_EMBAUDIT_COMPLETE": "complete_bash",
        "COMP_WORDS": f"embaudit {typed}",
        "COMP_CWORD": str(typed.count(" ") + 1),
    }
    code = "from embaudit_cli.app import app; app(prog_name='embaudit')"
    done = run_code(code, env=environment(**completing))
    assert done.stdout.split() == offered


def test_several_k_are_reported_and_the_first_decides(embaudit_compare):
    several = json.loads(embaudit_compare("a.npy", "near.npy", "--k", "10,1,50", "--json").stdout)
    alone = json.loads(embaudit_compare("a.npy", "near.npy", "--json").stdout)
    assert several["k"] == alone["k"] == 10
    assert list(several["measures_at_k"]) == ["1", "50"]
    assert alone["measures_at_k"] == {}
    for key in ("verdict", "measures", "metrics", "summary"):
        assert several[key] == alone[key], key
    assert "--k 10,1,50" in several["recommendation"]["commands"][0]
