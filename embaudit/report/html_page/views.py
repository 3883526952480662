"""What the HTML page shows of one audit, as its template asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embaudit.figures import FEWEST_LAID_OUT
from embaudit.report import baseline, sections, worst_rows
from embaudit.report.chapters import (
    FINDINGS,
    MEASURES,
    NEXT,
    RETRIEVAL,
    SLICES,
    TIME,
    WORST_ROWS,
    chapters,
)
from embaudit.report.evidence import queries_asked
from embaudit.report.formats import MOST_LAYOUTS
from embaudit.report.glyphs import UNICODE
from embaudit.report.html_page.charts import Chart, charts
from embaudit.report.html_page.panels import Panels, panels
from embaudit.report.html_page.tables import as_html
from embaudit.report.html_page.tracks import Track, group_tracks, recall_tracks
from embaudit.report.page import Page
from embaudit.report.plain import count, level, percent
from embaudit.report.wording import Answer, advised, gate, sampled

if TYPE_CHECKING:
    from embaudit.result import Audit

PAGE = Page(UNICODE, "utf-8", width=1000)
"""As wide as any table: the page itself scrolls what does not fit."""
SIGNS: dict[Answer, str] = {
    "met": UNICODE.met,
    "not met": UNICODE.missed,
    "undecided": UNICODE.open,
}


@dataclass(frozen=True)
class Section:
    """A table or some lines under a heading.

    Attributes
    ----------
    title : str
    remark : str
    html : str
        Escaped.
    folded : bool
        Shown only when it is asked for.
    """

    title: str
    remark: str
    html: str
    folded: bool = False


@dataclass(frozen=True)
class View:
    """What the template shows of one audit.

    Attributes
    ----------
    key : str
        Distinguishes its elements from those of others on the page.
    name : str or None
        Of a pair among several.
    audit : Audit
    """

    key: str
    name: str | None
    audit: Audit
    with_layouts: bool = True

    @property
    def colour(self) -> str:
        """Return the class of the verdict's colour."""
        return sections.VERDICT_STYLES[self.audit.verdict]

    @property
    def frame(self) -> str:
        """Return the class of the colour of the gate's answer."""
        return sections.ANSWER_STYLES[gate(self.audit)[1]]

    @property
    def sign(self) -> str:
        """Return the verdict's sign."""
        return UNICODE.verdicts[self.audit.verdict]

    @property
    def meaning(self) -> str:
        """Return what the verdict asks for, or between what it is open."""
        return sections.MEANINGS.get(self.audit.verdict) or " or ".join(self.audit.candidates)

    @property
    def gate(self) -> tuple[str, Answer, str]:
        """Return what is required, whether it is met, and the sign of the answer."""
        wanted, answer = gate(self.audit)
        return wanted, answer, SIGNS[answer]

    @property
    def facts(self) -> list[str]:
        """Return what was compared, and how."""
        audit = self.audit
        queries = queries_asked(audit)
        kind = "queries" if audit.queries is None else "real queries"
        found = [
            sampled(audit),
            count(audit.pairing.distinct_rows, "distinct row"),
            str(audit.metric),
            f"k {audit.k}",
            None if queries is None else f"{queries:,} {kind}",
        ]
        return [fact for fact in found if fact is not None]

    @property
    def advice(self) -> str:
        """Return which map, where to and how good, in one line."""
        return PAGE.join(advised(self.audit.recommendation))

    @property
    def interval(self) -> str:
        """Return what the intervals are."""
        return f"{level(self.audit.policy.confidence)} interval"

    @property
    def recalls(self) -> list[Track]:
        """Return the recalls on their tracks."""
        return list(recall_tracks(self.audit))

    @property
    def groups(self) -> list[Track]:
        """Return the recall of each slice on its track."""
        return [] if self.audit.slices is None else list(group_tracks(self.audit.slices))

    @property
    def panels(self) -> Panels | None:
        """Return both spaces as planes."""
        if self.audit.layouts is None or not self.with_layouts:
            return None
        return panels(self.audit, self.audit.layouts)

    @property
    def why(self) -> str:
        """Return why the gate answers as it does."""
        return baseline.why(self.audit)

    @property
    def no_planes(self) -> str:
        """Return why both spaces are not drawn."""
        if self.audit.pairing.distinct_rows < FEWEST_LAID_OUT:
            return "Too few rows to draw both spaces as planes."
        if self.name is not None:
            return f"Both spaces are drawn as planes for the first {MOST_LAYOUTS} pairs alone."
        return (
            "Both spaces as planes are not part of this audit: embaudit compare A B --output "
            "html=FILE adds them, from Python layouts=True."
        )

    @property
    def charts(self) -> list[Chart]:
        """Return the charts."""
        return list(charts(self.audit))

    @property
    def sections(self) -> list[Section]:
        """Return the tables below the pictures."""
        return list(_sections(self.audit))


def _sections(audit: Audit) -> Iterator[Section]:
    """Yield every chapter that the page does not draw itself."""
    folded = {SLICES, MEASURES, TIME}
    if not worst_rows.says_something(audit):
        folded.add(WORST_ROWS)
    for chapter in chapters(PAGE, audit, verbose=True):
        if chapter.name not in (RETRIEVAL, FINDINGS, NEXT):
            yield Section(
                chapter.heading,
                chapter.remark or "",
                as_html(chapter.parts, heads=chapter.heads, labels=chapter.labels),
                chapter.name in folded,
            )
    yield Section("Asked", "", as_html(_asked(audit)), folded=True)


def _asked(audit: Audit) -> Iterator[Any]:
    """Yield the policy and the version, in a line."""
    from rich.text import Text

    policy = audit.policy
    yield Text(
        PAGE.join(
            [
                f"require {policy.require}",
                f"recall {policy.min_recall:g}",
                f"mapped recall {policy.min_aligned_recall:g}",
                f"at most {percent(policy.max_mispaired)} mispaired",
                f"at least {percent(policy.min_matched)} matched",
                f"confidence {level(policy.confidence)}",
                f"at most {policy.max_queries:,} queries",
                f"seed {audit.seed}",
                f"embaudit {audit.embaudit_version}",
            ]
        )
    )
