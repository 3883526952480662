"""What the documents say is what the tool does."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
from commands import EMBAUDIT, run, run_code

import embaudit
from benchmarks.pairs import CASES
from embaudit.measures.catalogue import SPECS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXIT_CODES = {
    ("minilm.npy", "minilm_w8.npy"): 0,
    ("w2v_seed1.npy", "w2v_seed2.npy"): 1,
    ("minilm.npy", "lsa.npy"): 1,
    ("minilm.parquet", "minilm_ft120.parquet"): 1,
}


def shell_lines(text):
    """Return the indented lines that are commands."""
    return [line.strip() for line in text.splitlines() if re.match(r" {4}\S", line)]


COMPARISONS = [
    shlex.split(part)
    for line in shell_lines(README)
    for part in re.split(r"&&|\|", line)
    if "embaudit compare sample_data" in part
]


def test_the_readme_shows_the_promised_commands():
    first = "pip install . && embaudit compare sample_data/minilm.npy sample_data/minilm_w8.npy"
    commands = shell_lines(README)
    assert next(line for line in commands if "embaudit compare" in line) == first
    assert "pip install -e '.[dev]' && pytest" in commands
    shown = {tuple(word[len("sample_data/") :] for word in words[2:4]) for words in COMPARISONS}
    assert shown == set(EXIT_CODES)


@pytest.mark.parametrize("words", COMPARISONS, ids=" ".join)
def test_readme_commands_run(words, tmp_path):
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    done = run([*EMBAUDIT, *words[1:]], cwd=tmp_path)
    pair = tuple(word[len("sample_data/") :] for word in words[2:4])
    assert done.returncode == (0 if "--exit-zero" in words else EXIT_CODES[pair]), done.stderr
    assert done.stderr == ""


def test_the_commands_page_is_that_of_the_app():
    """``python docs/make_cli.py`` writes it anew."""
    page = runpy.run_path(str(ROOT / "docs" / "make_cli.py"))["render"]()
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == page


def test_the_report_in_the_readme_is_what_is_printed():
    shown = re.search(r"```text\n(.*?)```", README, re.DOTALL).group(1)
    done = run([*EMBAUDIT, *COMPARISONS[0][1:]], cwd=ROOT)
    assert done.stdout.startswith(shown)


def test_the_remedies_in_the_readme_run_and_print_what_is_shown(tmp_path):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    printed = ""
    for line in shell_lines(README):
        if line.startswith(("embaudit align", "embaudit apply", "embaudit concat")):
            done = run([*EMBAUDIT, *shlex.split(line)[1:]], cwd=tmp_path)
            assert (done.returncode, done.stderr) == (0, "")
            printed += done.stdout
    _, shown = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    assert shown in printed


def test_readme_python_runs():
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    comments = re.findall(r"# (.+)", code)
    done = run_code(code, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert [printed[0], *printed[2:]] == comments


def test_links_lead_somewhere():
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (document.parent / target).exists(), target


def test_every_measure_is_explained():
    text = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
    for spec in SPECS:
        assert f"`{spec.id}`" in text, spec.id


def test_every_finding_is_explained():
    text = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    sources = (ROOT / "embaudit" / "advice").rglob("*.py")
    source = "".join(path.read_text(encoding="utf-8") for path in sources)
    identifiers = re.findall(r'\bfinding\(\s*"[a-z]+",\s*"([a-z_]+)"', source)
    assert len(identifiers) > 10
    for identifier in identifiers:
        assert f"`{identifier}`" in text, identifier


def test_the_verdict_table_has_every_known_pair():
    text = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    table = text.split("<!-- table: begin -->")[1].split("<!-- table: end -->")[0]
    rows = [line for line in table.splitlines() if re.match(r"\| (?!pair)", line)]
    assert len(rows) == len(CASES)
    for case, row in zip(CASES, rows, strict=True):
        _, name, verdict, *_ = (cell.strip() for cell in row.split("|"))
        assert name.startswith(case.name)
        assert verdict.split(" ")[0] in case.expected


def test_the_policy_of_the_documents_is_the_default():
    text = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    policy = embaudit.Policy()
    for name in ("min_recall", "min_aligned_recall", "max_mispaired"):
        assert re.search(rf"`{name}` \({getattr(policy, name):.2f}\)", text), name


def test_the_version_is_one():
    assert run([*EMBAUDIT, "--version"]).stdout == f"embaudit {embaudit.__version__}\n"
    assert f"## {embaudit.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
