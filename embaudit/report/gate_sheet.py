"""A report that answers a gate with yes or no, for every form it is written in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from embaudit.report.plain import encodable, printable
from embaudit.report.sheet import Sheet, badge, headed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embaudit.report.page import Page
    from embaudit.report.sheet import Placed
    from embaudit.result import Document


class GateSheet(Sheet):
    """A report of what was measured against what is asked."""

    @property
    @abstractmethod
    def document(self) -> Document:
        """The whole result."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """What was measured, as typed."""

    @property
    @abstractmethod
    def passed(self) -> bool:
        """Whether it reaches what is asked."""

    @property
    @abstractmethod
    def word(self) -> str:
        """The answer, as ``map holds``."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Of what kind it is."""

    @property
    @abstractmethod
    def facts(self) -> list[str]:
        """What the answer rests on."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """The answer and why."""

    @property
    @abstractmethod
    def remarks(self) -> list[str]:
        """What else there is to know."""

    @property
    @abstractmethod
    def seconds(self) -> float:
        """How long it took."""

    @abstractmethod
    def sections(self, page: Page) -> Iterator[tuple[str, str, Iterable[RenderableType]]]:
        """Yield title, remark and tables of what was measured."""

    def line(self, encoding: str = "utf-8") -> str:
        """Return the answer and why, in one line that `encoding` can carry."""
        word = "passed" if self.passed else "failed"
        return encodable(printable(f"{word}: {self.sentence}"), encoding)

    def parts(self, page: Page) -> Iterator[Placed]:
        """Yield the answer, then the sections."""
        yield 0, badge(page, self.passed, "green", self.word.upper(), self.kind, self.facts)
        yield 0, page.text(self.sentence)
        for remark in self.remarks:
            yield 0, page.text(remark)
        for title, remark, tables in self.sections(page):
            yield from headed(title, tables, remark or None)
