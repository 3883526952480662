"""The gate as JUnit XML, which CI servers show beside their tests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from embaudit.report.plain import printable
from embaudit.report.terminal import one_line
from embaudit.report.wording import gate

if TYPE_CHECKING:
    from embaudit.result import Audit


def render(audit: Audit) -> str:
    """Return one suite with a test case for the gate, without a final newline.

    What is not met is a failure; so is what the data cannot decide.
    """
    wanted, answer = gate(audit)
    seconds = f"{audit.timing.get('total', 0.0):.3f}"
    met = answer == "met"
    totals = {"tests": "1", "failures": "0" if met else "1", "errors": "0", "skipped": "0"}
    root = ElementTree.Element("testsuites", totals | {"time": seconds})
    suite = ElementTree.SubElement(
        root, "testsuite", totals | {"name": "embaudit", "time": seconds}
    )
    properties = ElementTree.SubElement(suite, "properties")
    for key, measure in audit.measures.items():
        if measure.value is not None:
            value = f"{measure.value:.6g}"
            ElementTree.SubElement(properties, "property", {"name": key, "value": value})
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": "embaudit.compare",
            "name": printable(f"{audit.a.uri} and {audit.b.uri}: {wanted}"),
            "time": seconds,
        },
    )
    if not met:
        failure = ElementTree.SubElement(
            case, "failure", {"type": str(audit.verdict), "message": printable(audit.summary)}
        )
        steps = [one_line(audit), audit.recommendation.action, *audit.recommendation.commands]
        failure.text = "\n".join(map(printable, steps))
    ElementTree.SubElement(case, "system-out").text = one_line(audit)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
