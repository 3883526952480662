"""Settings from a file: found, checked with their lines, overridden by the command line."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import EMBAUDIT, environment, run, run_code
from oracles import rotation

from embaudit.checking import check_pair
from embaudit.configuration import Configuration, configuration
from embaudit.errors import UsageError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).standard_normal((400, 8)).astype(np.float32)
    np.save("a.npy", x)
    np.save("same.npy", x + np.float32(0.001))
    np.save("turned.npy", (x @ rotation(8, np.random.default_rng(1))).astype(np.float32))
    return tmp_path


PAIRS = """
min-recall = 0.8
k = [10, 5]

[pairs.same]
a = "a.npy"
b = "same.npy"

[pairs."two words"]
a = "a.npy"
b = "turned.npy"
require = "align"
"""


def test_settings_are_found_with_their_lines(folder):
    (folder / "embaudit.toml").write_text(PAIRS)
    found = configuration()
    assert str(found.path) == "embaudit.toml"
    assert found.settings["min_recall"].value == 0.8
    assert found.settings["min_recall"].place == "embaudit.toml:2"
    assert list(found.pairs) == ["same", "two words"]
    assert found.of_pair("two words")["require"].place == "embaudit.toml:12"
    assert found.of_pair("same")["k"].value == [10, 5]


def test_the_nearest_file_counts_and_its_own_folder_is_where_paths_begin(folder, monkeypatch):
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[tool.embaudit]\nseed = 3\n'
        '[tool.embaudit.pairs.one]\na = "a.npy"\nb = "x.parquet::new"\n'
    )
    below = folder / "deep" / "er"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    # A file of other things does not hide the one above it.
    (below.parent / "pyproject.toml").write_text('[project]\nname = "y"\n')
    found = configuration()
    assert found.settings["seed"].place.endswith("pyproject.toml:4")
    assert found.pairs["one"]["a"].value.replace("\\", "/") == "../../a.npy"
    assert found.pairs["one"]["b"].value.replace("\\", "/") == "../../x.parquet::new"
    (below / "embaudit.toml").write_text("seed = 4\n")
    assert configuration().settings["seed"].value == 4
    assert configuration(folder / "pyproject.toml").settings["seed"].value == 3


def test_without_a_file_nothing_is_set(folder):
    assert configuration() == Configuration()
    # A file of others is not looked at: it may be a template.
    (folder / "pyproject.toml").write_text("[project]\nname = {{ name }}\n")
    assert configuration() == Configuration()
    (folder / "pyproject.toml").write_text("[tool.embaudit\n")
    with pytest.raises(UsageError, match=r"pyproject\.toml: not valid TOML"):
        configuration()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "min_recal = 1",
            r"toml:1: unknown setting 'min_recal' \(did you mean 'min_recall'",
        ),
        ("pair = 1", r"unknown setting 'pair' \(did you mean 'pairs'"),
        ("[pairs.x]\na='a'\nb='b'\nrequired='safe'", r":4: unknown setting 'required' .*'require'"),
        ("\nk = 'ten'", ":2: k: expected a whole number or a list of them, found 'ten'"),
        ("k = [1.5]", "k: expected a whole number"),
        ("seed = true", "seed: expected a whole number, found 'True'"),
        ("min_recall = '1'", "min_recall: expected a number"),
        ("[pairs.x]\na = 'a.npy'", "pair x: b is missing"),
        ("[pairs.x]\na = 1\nb = 'b'", ":2: a: expected text"),
        ("[pairs.x]\na='a'\nb='b'\nby_row = 1", ":4: by_row: expected true or false"),
        ("[pairs.x]\na='a'\nb=\"b\\u0000\"", ":3: b: no path has a NUL character"),
        ("pairs = 3", "pairs: expected a table for each"),
        ("[pairs]\nx = 3", "pairs: expected a table for each"),
        ("a = ", "not valid TOML"),
        ("\ufffe = 1", "not valid TOML"),
        ("x = " + "[" * 5000, "not valid TOML"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(folder, text, complaint):
    (folder / "embaudit.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=complaint) as caught:
        configuration()
    assert "\n" not in str(caught.value)
    done = run([*EMBAUDIT, "compare", "a.npy", "same.npy"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_refused(folder):
    done = run([*EMBAUDIT, "--config", "none.toml", "check"])
    assert done.returncode == 2
    assert "none.toml: No such file or directory; check --config" in done.stderr


def test_the_command_line_wins(folder):
    (folder / "embaudit.toml").write_text('min_recall = 0.8\nk = [5, 3]\nmetric = "euclidean"\n')
    compare = [*EMBAUDIT, "compare", "a.npy", "same.npy", "--json"]
    found = json.loads(run(compare).stdout)
    assert (found["policy"]["min_recall"], found["k"], found["metric"]) == (0.8, 5, "euclidean")
    assert list(found["measures_at_k"]) == ["3"]
    found = json.loads(run([*compare, "--min-recall", "0.7", "--k", "4"]).stdout)
    assert (found["policy"]["min_recall"], found["k"]) == (0.7, 4)
    aligned = run([*EMBAUDIT, "align", "a.npy", "turned.npy", "-o", "m.safetensors", "--json"])
    assert json.loads(aligned.stdout)["k"] == 5


def test_what_is_in_force_is_printed_with_where_it_stands(folder):
    (folder / "embaudit.toml").write_text(PAIRS)
    lines = run([*EMBAUDIT, "config"]).stdout.splitlines()
    told = {line.split()[0]: line.split()[-1] for line in lines}
    assert told["min_recall"] == "embaudit.toml:2"
    assert told["seed"] == "default"
    assert told["pairs.same.a"] == "embaudit.toml:6"


def test_all_pairs_are_checked_and_the_worst_decides(folder):
    file = folder / "embaudit.toml"
    file.write_text(PAIRS)
    done = run([*EMBAUDIT, "check"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()[1:3]] == ["met", "met"]
    file.write_text(PAIRS + '\n[pairs.lost]\na = "a.npy"\nb = "turned.npy"\n')
    done = run([*EMBAUDIT, "check"])
    assert done.returncode == 1
    assert "lost: An orthogonal map" in done.stdout.replace("\n", " ")
    file.write_text(PAIRS + '\n[pairs.gone]\na = "a.npy"\nb = "gone.npy"\n')
    done = run([*EMBAUDIT, "check", "--json"])
    assert done.returncode == 2
    pairs = json.loads(done.stdout)["pairs"]
    assert pairs["same"]["verdict"] == "safe"
    assert pairs["gone"] == {"error": "gone.npy: no such file; check the path"}
    one = run([*EMBAUDIT, "check", "same", "--quiet"])
    assert one.returncode == 0
    assert one.stdout.startswith("same: safe (400 rows, k 10): ")
    wrong = run([*EMBAUDIT, "check", "sam"])
    assert wrong.returncode == 2
    assert "did you mean 'same'" in wrong.stderr


def test_one_run_of_all_pairs_has_many_forms(folder):
    (folder / "embaudit.toml").write_text(
        PAIRS + '\n[pairs."<b>|x"]\na = "a.npy"\nb = "turned.npy"\n'
        '\n[pairs.gone]\na = "a.npy"\nb = "gone.npy"\n'
    )
    forms = {"markdown": "c.md", "junit": "c.xml", "json": "c.json"}
    asked = [word for name, file in forms.items() for word in ("--output", f"{name}={file}")]
    done = run([*EMBAUDIT, "check", *asked, "--output", "github=-"])
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stdout.splitlines() if line.startswith("::error ")]
    assert len(errors) == 2
    assert errors[0].startswith(
        "::error file=embaudit.toml,line=15,title=embaudit%2C <b>|x%3A align"
    )
    assert errors[1].startswith(
        "::error file=embaudit.toml,line=19,title=embaudit%2C gone%3A error"
    )
    assert "::notice file=embaudit.toml,line=12,title=embaudit%2C two words" in done.stdout
    suite = ElementTree.parse(folder / "c.xml").getroot()
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["4", "1", "1"]
    markdown = (folder / "c.md").read_text(encoding="utf-8")
    assert markdown.startswith("### ❌ embaudit: 2 of 4 pairs met\n")
    assert r"| ❌ | &lt;b&gt;\|x | align | required safe: not met |" in markdown
    assert "| ❌ | gone | error | gone.npy: no such file; check the path |" in markdown
    pairs = json.loads((folder / "c.json").read_text(encoding="utf-8"))["pairs"]
    assert list(pairs) == ["same", "two words", "<b>|x", "gone"]
    for refused in ("rows=c.csv", "json=a.npy"):
        wrong = run([*EMBAUDIT, "check", "--output", refused])
        assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_a_pair_has_its_own_baseline(folder):
    accepted = ["compare", "a.npy", "turned.npy", "--output", "json=old.json"]
    assert run([*EMBAUDIT, *accepted]).returncode == 1
    (folder / "embaudit.toml").write_text(
        '[pairs.x]\na = "a.npy"\nb = "turned.npy"\nbaseline = "old.json"\n'
    )
    done = run([*EMBAUDIT, "check"])
    assert done.returncode == 0, done.stdout
    assert "no worse than accepted: met" in done.stdout


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (MemoryError("Unable to allocate 9 TiB"), "not enough memory: Unable to allocate 9 TiB"),
        (OSError(5, "Input/output error", "a.npy"), "a.npy: Input/output error"),
    ],
)
def test_a_pair_that_the_system_fails_hides_no_other(folder, monkeypatch, failure, told):
    """No machine can be made to fail so in every environment; the failure is raised here."""
    (folder / "embaudit.toml").write_text(PAIRS)

    def failing(*_arguments, **_options):
        raise failure

    monkeypatch.setattr("embaudit.checking.compare", failing)
    checked = check_pair("same", configuration().of_pair("same"))
    assert (checked.error, checked.exit_code, checked.line) == (told, 2, 6)


def test_without_pairs_there_is_nothing_to_check(folder):
    done = run([*EMBAUDIT, "check"])
    assert done.returncode == 2
    assert "add [pairs.NAME] with a and b" in done.stderr


def test_reading_settings_imports_nothing_heavy():
    code = "import sys, embaudit.configuration; print(*sys.modules)"
    loaded = run_code(code).stdout.split()
    assert not {"numpy", "pydantic", "rich", "pyarrow"} & set(loaded)


def test_outputs_of_the_settings_are_written_beside_their_file(folder, monkeypatch):
    text = 'output = ["markdown=out.md", "junit=out.xml"]\n' + PAIRS
    (folder / "embaudit.toml").write_text(text)
    below = folder / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    assert run([*EMBAUDIT, "check", "--quiet"], cwd=below).returncode == 0
    assert (folder / "out.md").read_text(encoding="utf-8").startswith("### ✅ embaudit: 2 of 2")
    assert ElementTree.parse(folder / "out.xml").getroot().get("tests") == "2"
    for name in ("out.md", "out.xml"):
        (folder / name).unlink()
    # What is asked for on the command line comes in their place.
    given = ["compare", "../a.npy", "../same.npy", "--quiet", "--output", "json=given.json"]
    assert run([*EMBAUDIT, *given], cwd=below).returncode == 0
    assert (below / "given.json").exists()
    assert not (folder / "out.md").exists()
    assert run([*EMBAUDIT, *given[:4]], cwd=below).returncode == 0
    assert (folder / "out.md").read_text(encoding="utf-8").startswith("### ✅ embaudit: safe")
    shown = run([*EMBAUDIT, "config"], cwd=below).stdout
    line = next(line for line in shown.splitlines() if line.startswith("output"))
    assert "markdown=../out.md junit=../out.xml" in line.replace("\\", "/")
    # The output of other commands is another thing.
    assert run([*EMBAUDIT, "show", "given.json", "--quiet"], cwd=below).returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("output = 3", "embaudit.toml:1: output: expected text or a list of texts"),
        ("output = []", "embaudit.toml:1: output: expected text or a list of texts"),
        ('output = "htm=x.html"', "unknown output format 'htm'"),
        ('output = "html"', "expected FORMAT=PATH"),
        (
            '[pairs.x]\na = "a.npy"\nb = "same.npy"\noutput = "json=x.json"',
            "embaudit.toml:4: output: of all pairs together; set it above the pairs",
        ),
    ],
)
def test_outputs_that_mean_nothing_are_refused(folder, text, said):
    (folder / "embaudit.toml").write_text(text + "\n")
    done = run([*EMBAUDIT, "compare", "a.npy", "same.npy"], cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_name_is_set_once(folder):
    (folder / "embaudit.toml").write_text("min_recall = 0.99\nmin-recall = 0.01\n")
    with pytest.raises(UsageError, match=r"embaudit\.toml:2: min_recall: set at embaudit\.toml:1"):
        configuration()


def test_a_byte_order_mark_and_carriage_returns_are_no_matter(folder):
    (folder / "embaudit.toml").write_bytes(b"\xef\xbb\xbf" + PAIRS.replace("\n", "\r\n").encode())
    assert configuration().settings["min_recall"].place == "embaudit.toml:2"


def test_exit_zero_of_check_pardons_what_is_not_met_and_no_error(folder):
    pair = '[pairs.{}]\na = "a.npy"\nb = "{}.npy"\n'
    (folder / "embaudit.toml").write_text(pair.format("x", "turned"))
    assert run([*EMBAUDIT, "check", "--quiet"], cwd=folder).returncode == 1
    assert run([*EMBAUDIT, "check", "--quiet", "--exit-zero"], cwd=folder).returncode == 0
    (folder / "embaudit.toml").write_text(pair.format("x", "turned") + pair.format("y", "gone"))
    assert run([*EMBAUDIT, "check", "--quiet", "--exit-zero"], cwd=folder).returncode == 2


def annotated(done):
    """Return file and line of the first annotation."""
    found = re.match(r"::\w+ file=([^,]*),line=(\d+),", done.stdout)
    return found and (found[1], int(found[2]))


def test_an_annotation_stands_at_the_setting_that_failed(folder, monkeypatch):
    x = np.load("a.npy")
    noise = np.random.default_rng(7).standard_normal(x.shape).astype(np.float32)
    np.save("noisy.npy", x + np.float32(0.1) * noise)
    pair = '[pairs.x]\na = "a.npy"\nb = "noisy.npy"\nrequire = "safe"\n'
    (folder / "embaudit.toml").write_text("seed = 1\nmin_recall = 0.995\n" + pair)
    check = [*EMBAUDIT, "check", "--output", "github=-"]
    degraded = run(check)
    assert "degraded" in degraded.stdout
    assert annotated(degraded) == ("embaudit.toml", 2)
    # Of a comparison without a file of pairs it is the setting that no option has overridden.
    compare = [*EMBAUDIT, "compare", "a.npy", "noisy.npy", "--output", "github=-"]
    assert annotated(run(compare)) == ("embaudit.toml", 2)
    assert annotated(run([*compare, "--min-recall", "0.995"])) is None
    assert run([*compare, "--output", "json=old.json"]).returncode == 1
    assert annotated(run([*compare, "--baseline", "old.json"])) is None
    # GitHub looks from the root of the checkout.
    below = folder / "below"
    below.mkdir()
    inside = environment(GITHUB_WORKSPACE=str(folder))
    assert annotated(run(check, cwd=below)) == ("../embaudit.toml", 2)
    assert annotated(run(check, cwd=below, env=inside)) == ("embaudit.toml", 2)
    outside = environment(GITHUB_WORKSPACE=str(below))
    assert annotated(run(check, cwd=below, env=outside)) == ("../embaudit.toml", 2)


def test_a_broken_file_does_not_hide_what_was_written_before(folder):
    made = run([*EMBAUDIT, "compare", "a.npy", "same.npy", "--output", "json=a.json", "--quiet"])
    assert made.returncode == 0
    (folder / "embaudit.toml").write_text("bogus = 1\n")
    assert run([*EMBAUDIT, "show", "a.json", "--quiet"]).returncode == 0
    assert run([*EMBAUDIT, "schema"]).returncode == 0
    assert run([*EMBAUDIT, "compare", "a.npy", "same.npy"]).returncode == 2


def test_the_json_of_all_pairs_is_shown_in_every_form(folder):
    (folder / "embaudit.toml").write_text(PAIRS + '[pairs.gone]\na = "a.npy"\nb = "gone.npy"\n')
    forms = {"markdown": "c.md", "junit": "c.xml", "html": "c.html", "json": "c.json"}
    asked = [word for name, file in forms.items() for word in ("--output", f"{name}={file}")]
    done = run([*EMBAUDIT, "check", *asked])
    assert done.returncode == 2
    for name, file in forms.items():
        shown = run([*EMBAUDIT, "show", "c.json", "--format", name], encoding="utf-8")
        assert shown.stdout == (folder / file).read_text(encoding="utf-8")
    assert run([*EMBAUDIT, "show", "c.json"]).stdout == done.stdout
    document = json.loads((folder / "c.json").read_text(encoding="utf-8"))
    document["pairs"]["same"]["verdict"] = "unrelated"
    (folder / "odd.json").write_text(json.dumps(document))
    odd = run([*EMBAUDIT, "show", "odd.json"])
    assert (odd.returncode, odd.stderr.count("\n")) == (2, 1)
