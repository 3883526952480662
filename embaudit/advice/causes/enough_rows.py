"""How many rows or queries would decide."""

from __future__ import annotations

import math
from collections.abc import Iterator

from embaudit.advice.context import Context, percent
from embaudit.advice.finding import finding
from embaudit.datatypes import Verdict
from embaudit.measures.learning import FARTHEST
from embaudit.result import Finding
from embaudit.stats.enough import trials_to_clear, trials_to_prove
from embaudit.streaming.fold_moments import FOLDS
from embaudit.verdict import ROWS_PER_DIMENSION, Answer, Recall, reaches


def rows_to_fit(dims: tuple[int, int]) -> int:
    """Return the distinct rows from which a bad map counts as evidence."""
    return ROWS_PER_DIMENSION * max(dims) * FOLDS // (FOLDS - 1) + FOLDS


def enough_rows(context: Context) -> Iterator[Finding]:
    """Yield, for an inconclusive pair, how many rows or queries would decide."""
    if context.decision.verdict is not Verdict.INCONCLUSIVE:
        return
    reason = context.decision.reason
    if reason == "too_few_rows":
        yield _rows_needed(context, 4 * context.options.k + 2, "neighbours can be judged")
    if context.evidence.few_rows and context.row_causes.curve is not None:
        yield from _for_a_map(context)
    if reason == "rows_lost":
        yield from _for_partners(context)
    if reason == "straddles":
        yield from _for_recalls(context)


def _rows_needed(context: Context, rows: int, why: str) -> Finding:
    return finding(
        "info",
        "rows_needed",
        f"From {rows:,} distinct paired rows {why}; here are {context.evidence.rows:,}.",
        rows=rows,
    )


def _for_a_map(context: Context) -> Iterator[Finding]:
    """Say what maps recover with more rows, and when a bad one is evidence."""
    curve, wanted = context.row_causes.curve, context.options.policy.min_aligned_recall
    assert curve is not None, "asked before"
    least, last = rows_to_fit(context.evidence.dims), curve.points[-1][0]
    shown = ", ".join(f"{recall:.2f} at {rows:,}" for rows, recall in curve.points)
    there = min(least, FARTHEST * last)
    reached = curve.rows_for(wanted)
    outlook = f"about {curve.at(there):.2f} is to be expected at {there:,}"
    if reached is None:
        outlook += f", and {wanted:g} not within {FARTHEST} times these rows"
    elif reached > last:
        outlook += f", and {wanted:g} from about {_rounded(reached):,}"
    message = (
        f"From {least:,} distinct paired rows a bad map is evidence; here are "
        f"{context.evidence.rows:,}. The best map recovers {shown} rows, on unseen rows; {outlook}."
    )
    yield finding(
        "info",
        "rows_needed",
        message,
        rows=least,
        rows_for_a_map=reached,
        curve=curve.points,
        expected_recall=curve.at(there),
    )


def _for_partners(context: Context) -> Iterator[Finding]:
    """Say how many rows prove the share of partners found, if it stays what it is."""
    policy = context.options.policy
    needed = 1.0 - policy.max_mispaired
    found = min(context.evidence.partners.values(), key=lambda share: share.value)
    rows = trials_to_prove(found.value, needed, 1.0 - policy.confidence)
    if rows is None or rows <= context.queries:
        return
    yield finding(
        "info",
        "rows_needed",
        f"If {percent(found.value)} of the rows keep finding their partner, about "
        f"{_rounded(rows):,} queried rows prove {percent(needed)}; {context.queries:,} of "
        f"{context.evidence.rows:,} rows were queries.",
        rows=rows,
        queries=rows,
    )


def _for_recalls(context: Context) -> Iterator[Finding]:
    """Say how many queries move the recalls off the thresholds they straddle."""
    policy, evidence = context.options.policy, context.evidence
    asked: list[tuple[Recall, float]] = [
        (recall, policy.min_recall)
        for recall in (
            *(recall for (_, kind), recall in evidence.recalls.items() if kind == "raw"),
            *evidence.mixed.values(),
        )
    ]
    asked += [(recall, policy.min_aligned_recall) for recall in evidence.recalls.values()]
    needed = [
        (trials_to_clear(recall.corrected, limit, context.asked), recall.corrected.value, limit)
        for recall, limit in asked
        if reaches(recall.corrected, limit) is Answer.OPEN
    ]
    known = [(queries, value, limit) for queries, value, limit in needed if queries is not None]
    if not known:
        return
    queries, value, limit = max(known)
    message = (
        f"A recall of {value:.3f}, corrected for chance, is too near to the {limit:g} asked for: "
        f"about {_rounded(queries):,} queries would tell them apart"
    )
    all_are_too_few = queries > context.asked + context.retrieval.unasked
    if all_are_too_few and context.query_files is None and context.sampled is None:
        message += f", more than the {context.evidence.rows:,} rows; asking all of them is exact"
    yield finding("info", "rows_needed", f"{message}.", queries=queries)


def _rounded(number: int) -> int:
    """Return a number rounded up to two digits: a prediction has no more."""
    unit = int(10 ** max(0, math.floor(math.log10(number)) - 1))
    return -(-number // unit) * unit
