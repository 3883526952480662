"""The report for a person: what it says, in which order, and where it can be shown."""

import io

import pytest
from commands import run_code
from rich.console import Console
from sample_audits import sample_audit, side

from embaudit.datatypes import Verdict
from embaudit.report.evidence import RETRIEVAL, SIMILARITY
from embaudit.report.formats import RENDERERS
from embaudit.report.formats import render as render_format
from embaudit.report.terminal import one_line, render
from embaudit.result import Audit, Estimate, Finding, Measure, Policy, Recommendation

VERDICTS = list(Verdict)


def shown(audit: Audit, width: int = 80, encoding: str = "utf-8", **options: bool) -> str:
    """Return the report as a console of that width and encoding shows it, without colour."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict", newline="\n")
    console = Console(file=stream, width=width, color_system=None, legacy_windows=False)
    console.print(render(audit, **options), crop=False)
    stream.flush()
    return raw.getvalue().decode(encoding)


def changed(audit: Audit, id_: str, **fields: object) -> Audit:
    """Return `audit` with one measure changed."""
    measure = audit.measures[id_].model_copy(update=fields)
    return audit.model_copy(update={"measures": audit.measures | {id_: measure}})


def line_of(text: str, *words: str) -> str:
    """Return the first line that holds all `words`."""
    return next(line for line in text.splitlines() if all(word in line for word in words))


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("width", [80, 120])
def test_every_verdict_is_named_first_and_explained_next(verdict, width):
    audit = sample_audit(verdict)
    lines = shown(audit, width).splitlines()
    assert verdict.value.upper() in lines[2]
    assert "5,873 distinct rows · cosine · k 10 · 2,048 queries" in lines[4]
    told = " ".join(lines[7:10])
    assert audit.summary.split(".")[0] in told


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("width", [80, 100, 120])
def test_lines_fit_the_console_and_end_without_spaces(verdict, width):
    for line in shown(sample_audit(verdict), width).splitlines():
        assert line == line.rstrip()
        assert len(line) <= width or line.lstrip().startswith("embaudit ")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_sections_keep_their_order(verdict):
    text = shown(sample_audit(verdict), verbose=True)
    titles = ["Compared", "Retrieval", "Similarity", "Data", "Next", "Measures", "Time"]
    starts = [text.index(f"\n{title}") for title in titles]
    assert starts == sorted(starts)


def test_evidence_shows_value_interval_chance_and_standing():
    line = line_of(shown(sample_audit(Verdict.ALIGN)), "orthogonal map")
    assert line.split()[2:6] == ["0.853", "0.848\N{EN DASH}0.858", "0.002", "✔"]


@pytest.mark.parametrize(
    ("ci", "sign"), [((0.91, 0.93), "✔"), ((0.85, 0.89), "✘"), ((0.89, 0.91), "?")]
)
def test_standing_follows_the_interval(ci, sign):
    audit = changed(sample_audit(Verdict.SAFE), "recall.a_to_b.raw", value=sum(ci) / 2, ci=ci)
    assert sign in line_of(shown(audit), "A in B", "as stored")


def test_what_is_asked_rises_with_chance():
    # 0.91 is (0.91 - 0.5) / 0.5 = 0.82 after correction for a chance of one half.
    audit = changed(
        sample_audit(Verdict.SAFE), "recall.a_to_b.raw", value=0.91, ci=(0.905, 0.915), chance=0.5
    )
    assert "✘" in line_of(shown(audit), "A in B", "as stored")


def test_bar_is_as_long_as_the_value():
    audit = sample_audit(Verdict.SAFE)
    half = changed(audit, "neighbors.overlap", value=0.5, ci=(0.49, 0.51))
    bar = line_of(shown(half), "neighbours shared").split()[-1]
    assert set(bar) == {"━", "─"}
    assert abs(bar.count("━") - bar.count("─")) <= 1


@pytest.mark.parametrize("width", range(72, 101, 4))
@pytest.mark.parametrize(("value", "crosses"), [(0.699, False), (0.701, True), (0.78, True)])
def test_bar_crosses_the_mark_where_the_value_does(value, crosses, width):
    audit = changed(
        sample_audit(Verdict.ALIGN),
        "recall.a_to_b.linear",
        value=value,
        ci=(value, value),
        chance=0.0,
    )
    bar = line_of(shown(audit, width), "linear map", "exact").split()[-1]
    before, after = bar.split("┃")
    assert ("━" in after) == crosses
    assert "─" not in before or not crosses


def test_value_beyond_the_bar_is_drawn_full_or_empty():
    audit = sample_audit(Verdict.SAFE)
    beyond = changed(audit, "neighbors.overlap", value=-0.2, ci=None)
    bar = line_of(shown(beyond), "neighbours shared").split()[-1]
    assert "━" not in bar


def test_missing_value_is_a_dash_and_its_reason_is_verbose():
    audit = sample_audit(Verdict.CONCATENATE)
    line = line_of(shown(audit), "A in B", "as stored")
    assert line.split()[-3:] == ["\N{EM DASH}"] * 3
    assert "dimensions differ" not in shown(audit)
    assert "dimensions differ: 384 and 128" in shown(audit, verbose=True)


def test_every_measure_missing_still_renders():
    audit = sample_audit(Verdict.INCONCLUSIVE)
    nothing = {
        name: Measure(value=None, reason="too few rows", title=name, better="higher")
        for name in audit.measures
    }
    unknown = audit.pairing.model_copy(update={"mispaired_fraction": Estimate()})
    text = shown(
        audit.model_copy(update={"measures": nothing, "pairing": unknown, "metrics": []}),
        verbose=True,
    )
    assert "nan" not in text.lower()
    assert "mispaired" not in text
    assert text.count("too few rows") == len(nothing)


def test_verbose_holds_every_measure_id_metric_and_stage():
    audit = sample_audit(Verdict.DEGRADED)
    text = shown(audit, verbose=True)
    for name in (*audit.measures, *audit.timing, *(row.metric for row in audit.metrics)):
        assert name in text
    assert "cka.linear" not in shown(audit)


def test_negative_zero_has_no_sign():
    audit = sample_audit(Verdict.UNRELATED)
    assert audit.measures["cka.linear"].value == -0.0002
    assert "-0.000" not in shown(audit)


@pytest.mark.parametrize("confidence", [0.9, 0.999, 0.99999])
def test_table_fits_every_confidence(confidence):
    text = shown(sample_audit(Verdict.SAFE, policy=Policy(confidence=confidence)))
    assert f"{100 * confidence:g}% interval" in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text


def test_exact_value_says_so():
    audit = changed(sample_audit(Verdict.SAFE), "recall.a_to_b.raw", value=0.98, ci=(0.98, 0.98))
    assert "exact" in line_of(shown(audit), "A in B", "as stored")


def test_healthy_data_takes_one_line_and_noteworthy_data_is_counted():
    audit = sample_audit(Verdict.SAFE)
    assert "every row is paired; none is zero, non-finite or repeated" in shown(audit)
    sick = audit.model_copy(
        update={
            "a": side("a.npy", 384, normalized=True, zero_rows=1),
            "b": side("b.npy", 384, normalized=True, nonfinite_rows=12, duplicate_rows=1200),
            "pairing": audit.pairing.model_copy(
                update={"by": "id", "only_in_a": 3, "only_in_b": 4, "dropped_rows": 12}
            ),
        }
    )
    text = shown(sick)
    assert "every row is paired" not in text
    for remark in (
        "1 row of A all zero",
        "12 rows of B with NaN or infinity",
        "1,200 rows of B repeating an earlier one",
        "3 rows only in A",
        "4 rows only in B",
        "12 rows left out",
        "paired by id",
    ):
        assert remark in text


@pytest.mark.parametrize(
    ("verdict", "require", "answer"),
    [
        ("safe", "safe", "required safe: met"),
        ("align", "safe", "required safe: not met"),
        ("align", "align", "required align or better: met"),
        ("inconclusive", "safe", "required safe: undecided"),
        ("inconclusive", "degraded", "required degraded or better: met"),
    ],
)
def test_gate_is_answered_beside_the_verdict(verdict, require, answer):
    audit = sample_audit(Verdict(verdict), policy=Policy(require=require))
    assert answer in shown(audit).splitlines()[2]


def test_open_verdict_names_its_candidates():
    assert "safe or degraded" in shown(sample_audit(Verdict.INCONCLUSIVE)).splitlines()[2]


@pytest.mark.parametrize(("count", "intervals"), [(1, True), (2, True), (3, False)])
def test_recalls_at_other_k_stand_beside_those_that_decide(count, intervals):
    audit = sample_audit(Verdict.ALIGN)
    recalls = {name: m for name, m in audit.measures.items() if m.queries is not None}
    values = dict(zip((1, 100, 500), (0.123, 0.456, 0.789), strict=True))
    at_k = {
        str(k): {
            name: measure.model_copy(update={"value": value, "ci": (value, value), "k": k})
            for name, measure in recalls.items()
        }
        for k, value in list(values.items())[:count]
    }
    text = shown(audit.model_copy(update={"measures_at_k": at_k}))
    section = text[text.index("Other k") : text.index("Similarity")]
    assert "k 10 decides" in section
    line = line_of(section, "B in A", "as stored")
    assert [f"{value:.3f}" in line for value in values.values()] == [True] * count + [False] * (
        3 - count
    )
    assert ("exact" in line) == intervals
    assert "Other k" not in shown(audit)


def test_commands_stay_on_one_line():
    audit = sample_audit(Verdict.ALIGN)
    (command,) = audit.recommendation.commands
    assert len(command) > 80
    assert command in [line.strip() for line in shown(audit).splitlines()]


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252", "latin-1"])
@pytest.mark.parametrize("verdict", VERDICTS)
def test_other_encodings_get_ascii(verdict, encoding):
    text = shown(sample_audit(verdict), encoding=encoding, verbose=True)
    assert text.isascii()
    assert verdict.value.upper() in text.splitlines()[2]


def test_text_that_the_console_cannot_show_is_escaped():
    audit = sample_audit(
        Verdict.SAFE,
        summary="Größe → gleich",
        a=side("データ.npy", 384, normalized=True),
        recommendation=Recommendation(action="ok", commands=["embaudit compare データ.npy b.npy"]),
    )
    assert "データ.npy" in shown(audit)
    text = shown(audit, encoding="cp1252")
    assert "Größe \\u2192 gleich" in text
    assert "\\u30c7\\u30fc\\u30bf.npy" in text


def test_names_from_outside_cannot_move_the_cursor_or_style_the_report():
    evil = "\x1b[2Jx\r\n[bold red]y\x07.npy"
    audit = sample_audit(
        Verdict.SAFE,
        a=side(evil, 384, normalized=True),
        findings=[Finding(id="f", severity="warning", message=f"see {evil}")],
        summary=f"about {evil}",
    )
    for text in (shown(audit), one_line(audit)):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\r" not in text
    assert "[bold red]" in one_line(audit)
    assert "[bold red]" in shown(audit)
    assert len(one_line(audit).splitlines()) == 1


def test_long_path_is_shown_whole():
    path = "/data/" + "a-very-long-folder-name/" * 8 + "vectors.npy"
    audit = sample_audit(Verdict.SAFE, a=side(path, 384, normalized=True))
    letters = "".join(shown(audit).split())
    for piece in range(0, len(path) - 20, 10):
        assert path[piece : piece + 10] in letters


def test_colour_only_repeats_what_words_and_signs_say():
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=80,
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
        _environ={},
    )
    console.print(render(sample_audit(Verdict.MISPAIRED)), crop=False)
    coloured = stream.getvalue()
    assert "\x1b[1;7;31m ✘ MISPAIRED " in coloured
    assert "\x1b[38;" not in coloured  # the user's palette, never fixed colours
    assert "\x1b[2m" not in coloured  # dim text is unreadable on some themes


@pytest.mark.parametrize("verdict", VERDICTS)
def test_one_line_is_the_verdict_and_why(verdict):
    audit = sample_audit(verdict)
    assert one_line(audit) == f"{verdict.value} (5,873 rows, k 10): {audit.summary}"


def test_one_line_fits_the_encoding():
    audit = sample_audit(Verdict.SAFE, summary="Größe → gleich")
    assert one_line(audit, "cp1252") == "safe (5,873 rows, k 10): Größe \\u2192 gleich"


def test_json_format_is_the_document():
    audit = sample_audit(Verdict.SAFE)
    assert render_format(audit, "json") == audit.to_json()


@pytest.mark.parametrize("name", RENDERERS)
def test_every_registered_format_renders(name):
    assert "safe" in render_format(sample_audit(Verdict.SAFE), name)


def test_evidence_is_what_the_audit_measures():
    from embaudit.measures.catalogue import SPEC

    shown_ids = {line.id for line in RETRIEVAL} | {id_ for row in SIMILARITY for id_ in row.ids}
    assert shown_ids <= set(SPEC)


def test_report_knows_nothing_of_how_it_was_measured():
    code = (
        "import sys, pkgutil, importlib, embaudit.report as report\n"
        "for module in pkgutil.walk_packages(report.__path__, 'embaudit.report.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(*sys.modules)"
    )
    loaded = run_code(code).stdout.split()
    assert "embaudit.report.terminal" in loaded
    known = ("embaudit.measures", "embaudit.stats", "embaudit.audit", "embaudit.maps", "numpy")
    assert not [name for name in loaded if name.startswith(known)]
