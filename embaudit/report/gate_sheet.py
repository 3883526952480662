"""A report that answers a gate with yes or no, for every form it is written in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embaudit.report.plain import encodable, printable
from embaudit.report.sheet import Sheet, badge, headed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.report.page import Page
    from embaudit.report.sheet import Placed
    from embaudit.result import Document


@dataclass(frozen=True)
class Answer:
    """Whether something reaches what is asked of it, and why.

    Attributes
    ----------
    document : Document
        The whole result.
    subject : str
        What was measured, as typed.
    passed : bool
    word : str
        The answer, as ``map holds``.
    kind : str
        Of what kind the subject is.
    sentence : str
        The answer and why.
    facts : list of str
        What it rests on.
    seconds : float
        How long it took.
    remarks : list of str
        What else there is to know.
    """

    document: Document
    subject: str
    passed: bool
    word: str
    kind: str
    sentence: str
    facts: list[str]
    seconds: float
    remarks: list[str] = field(default_factory=list)

    def line(self, encoding: str = "utf-8") -> str:
        """Return the answer and why, in one line that `encoding` can carry."""
        word = "passed" if self.passed else "failed"
        return encodable(printable(f"{word}: {self.sentence}"), encoding)


class GateSheet(Sheet):
    """A report of what was measured against what is asked."""

    def __init__(self, answer: Answer, fold: bool = False) -> None:
        super().__init__(fold)
        self.answer = answer

    @abstractmethod
    def sections(self, page: Page) -> Iterator[tuple[str, str, Iterable[RenderableType]]]:
        """Yield title, remark and tables of what was measured."""

    def parts(self, page: Page) -> Iterator[Placed]:
        """Yield the answer, then the sections."""
        answer = self.answer
        yield 0, badge(page, answer.passed, "green", answer.word.upper(), answer.kind, answer.facts)
        yield 0, page.text(answer.sentence)
        for remark in answer.remarks:
            yield 0, page.text(remark)
        for title, remark, tables in self.sections(page):
            yield from headed(title, tables, remark or None)
