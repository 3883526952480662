"""The gate as JUnit XML, which CI servers show beside their tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from embaudit.report.baseline import why
from embaudit.report.plain import printable
from embaudit.report.terminal import one_line
from embaudit.report.wording import gate

if TYPE_CHECKING:
    from embaudit.checking import Checked
    from embaudit.report.gate_sheet import GateSheet
    from embaudit.result import Audit


def render(audit: Audit) -> str:
    """Return one suite with a test case for the gate, without a final newline.

    What is not met is a failure; so is what the data cannot decide.
    """
    return _document([_case(f"{audit.a.uri} and {audit.b.uri}", audit)])


def render_gate(found: GateSheet) -> str:
    """Return one suite with a test case for the gate."""
    answer = found.answer
    case = _named(answer.subject, answer.seconds, "embaudit.verify")
    if not answer.passed:
        told = printable(answer.sentence)
        failure = {"type": answer.word, "message": told}
        ElementTree.SubElement(case, "failure", failure).text = told
    ElementTree.SubElement(case, "system-out").text = answer.line()
    return _document([case])


def render_checks(checked: Sequence[Checked]) -> str:
    """Return one suite with a test case for each pair; one that cannot be compared is an error."""
    return _document(
        [_error(one) if one.audit is None else _case(one.name, one.audit) for one in checked]
    )


def _document(cases: Sequence[ElementTree.Element]) -> str:
    totals = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": "0",
        "time": f"{sum(float(case.get('time', '0')) for case in cases):.3f}",
    }
    root = ElementTree.Element("testsuites", totals)
    ElementTree.SubElement(root, "testsuite", totals | {"name": "embaudit"}).extend(cases)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'


def _case(name: str, audit: Audit) -> ElementTree.Element:
    wanted, answer = gate(audit)
    case = _named(f"{name}: {wanted}", audit.timing.get("total", 0.0))
    properties = ElementTree.SubElement(case, "properties")
    for key, measure in audit.measures.items():
        if measure.value is not None:
            value = f"{measure.value:.6g}"
            ElementTree.SubElement(properties, "property", {"name": key, "value": value})
    if answer != "met":
        failure = ElementTree.SubElement(
            case, "failure", {"type": str(audit.verdict), "message": printable(why(audit))}
        )
        steps = [one_line(audit), audit.recommendation.action, *audit.recommendation.commands]
        failure.text = "\n".join(map(printable, steps))
    ElementTree.SubElement(case, "system-out").text = one_line(audit)
    return case


def _error(one: Checked) -> ElementTree.Element:
    case = _named(one.name, 0.0)
    message = printable(one.error or "not compared")
    ElementTree.SubElement(case, "error", {"type": "error", "message": message}).text = message
    return case


def _named(name: str, seconds: float, suite: str = "embaudit.compare") -> ElementTree.Element:
    return ElementTree.Element(
        "testcase",
        {"classname": suite, "name": printable(name), "time": f"{seconds:.3f}"},
    )
