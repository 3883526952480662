"""What to do next."""

from __future__ import annotations

from embaudit.advice.causes.enough_rows import rows_to_fit
from embaudit.advice.command import align, concat, repeat
from embaudit.advice.context import Context, stored_recalls
from embaudit.datatypes import DIRECTIONS, Verdict
from embaudit.measures.order import Order
from embaudit.result import Recommendation
from embaudit.verdict import grade


def recommendation(context: Context) -> Recommendation:
    """Return what to do next; the commands run as printed."""
    writers = {
        Verdict.SAFE: _compare_directly,
        Verdict.DEGRADED: _accept_the_loss,
        Verdict.ALIGN: _fit_a_map,
        Verdict.CONCATENATE: _keep_apart,
        Verdict.MISPAIRED: _fix_the_pairing,
        Verdict.UNRELATED: _check_the_files,
        Verdict.INCONCLUSIVE: _settle,
    }
    order = context.row_causes.order
    if order is not None:
        return _restore_the_order(context, order)
    if context.decision.reason == "sample":
        return Recommendation(
            action="Compare all rows: run without --sample, or draw a larger one.",
            commands=repeat(context, sample=None),
        )
    return writers[context.decision.verdict](context)


def _restore_the_order(context: Context, order: Order) -> Recommendation:
    if order.kind == "lag":
        return Recommendation(
            action="Bring the rows back into step: find the row that is missing or too many where "
            "the lag begins, or join by id, then compare again."
        )
    if context.pair.by == "id":
        return Recommendation(
            action="Check the ids: rows with one id hold different items; write them again with "
            "the vectors, then compare again."
        )
    return Recommendation(
        action="Restore the row order by joining on ids (--on, or --ids-a and --ids-b), then "
        "compare again."
    )


def _compare_directly(context: Context) -> Recommendation:
    commands = repeat(context, sample=None)
    recalls = stored_recalls(context.lasting) if len(context.lasting.mixed) == 2 else []
    return Recommendation(
        action="Compare the vectors directly and mix them in one index."
        + _below(commands, "keeps it so in CI"),
        expected_recall=min((recall.plain.value for recall in recalls), default=None),
        commands=commands,
    )


def _below(commands: list[str], does: str) -> str:
    """Return the sentence about a command, where there is one: arrays in memory have none."""
    return f" The command below {does}." if commands else ""


def _accept_the_loss(context: Context) -> Recommendation:
    raw = [context.lasting.recalls[direction, "raw"] for direction in DIRECTIONS]
    cures = {
        "few_matched": "Bring the missing rows together, or lower --min-matched.",
        "without_partner": "Embed the rows without a vector again, then compare again.",
    }
    if context.decision.reason in cures:
        return Recommendation(
            action=cures[context.decision.reason],
            expected_recall=min(recall.plain.value for recall in raw),
        )
    commands = repeat(context, require="degraded", sample=None)
    return Recommendation(
        action="Compare directly if the loss is acceptable, else store more precise vectors; a map "
        "would not help." + _below(commands, "accepts the loss in CI"),
        expected_recall=min(recall.plain.value for recall in raw),
        commands=commands,
    )


def _fit_a_map(context: Context) -> Recommendation:
    direction, kind, _ = context.best_chosen
    recall = context.lasting.recalls[direction, kind]
    both = len(context.decision.chosen or {}) == 2
    target = "the other side's index" if both else f"{direction[-1].upper()}'s index"
    article = "an" if kind == "orthogonal" else "a"
    fit = align(context, direction, kind)
    commands = [*fit, *repeat(context, require="align", sample=None)]
    below = " The commands below do it; the last one accepts a map in CI." if commands else ""
    return Recommendation.model_validate(
        {
            "action": f"Do not compare the stored vectors directly. Fit {article} {kind} map on "
            f"paired rows and search {target} with mapped queries.{below}",
            "map": kind,
            "direction": "both" if both else direction,
            "grade": grade(recall.corrected.value),
            "expected_recall": recall.plain.value,
            "commands": commands,
        }
    )


def _keep_apart(context: Context) -> Recommendation:
    if context.same_axes:
        return Recommendation(
            action="Re-embed one side: the axes agree, so one model made both, but too little of "
            "the neighbourhoods is left."
        )
    commands = concat(context)
    return Recommendation(
        action="Keep the two apart: search them separately and fuse the rankings, concatenate the "
        "vectors, or re-embed everything with one model." + _below(commands, "concatenates them"),
        commands=commands,
    )


def _fix_the_pairing(context: Context) -> Recommendation:
    parts = context.row_causes.parts
    if parts is not None and False in (parts.lost_paired, *(part.paired for part in parts.parts)):
        return Recommendation(
            action="Look at the ids and inputs of the rows that do not correspond: restore their "
            "order, embed them again or drop them, then compare again."
        )
    if parts is not None:
        return Recommendation(
            action="Re-embed the rows that look like another model's vectors, then compare again."
            if parts.known
            else "Re-embed the rows of one of the two models, then compare again."
        )
    return Recommendation(
        action="Restore the row order or drop the rows that do not correspond, then compare again."
    )


def _check_the_files(context: Context) -> Recommendation:
    return Recommendation(
        action="Check that both files hold the same items in the same order: shuffled rows, a "
        "wrong file or a lag of some rows look like this."
    )


def _settle(context: Context) -> Recommendation:
    """Say what would decide."""
    reason = context.decision.reason
    if reason == "too_few_rows":
        return Recommendation(action="Compare more rows, or ask for fewer neighbours with --k.")
    if reason == "few_rows_to_fit":
        rows = rows_to_fit(context.evidence.dims)
        larger = "" if context.sampled is None else ": pass a larger --sample, or none"
        return Recommendation(action=f"Compare at least {rows:,} distinct paired rows{larger}.")
    if reason == "silent_chance":
        return Recommendation(
            action="Leave repeated, empty or one-hot rows out on both sides and compare again."
        )
    if reason == "rows_lost" and context.decision.open and context.queries == context.evidence.rows:
        return Recommendation(
            action="Compare more rows, or say with --max-mispaired how many may be lost."
        )
    if reason == "rows_lost":
        return Recommendation(
            action="Look at the rows that do not find their partner: drop near-duplicates or fix "
            "the pairing, then compare again."
        )
    if context.decision.open and context.retrieval.unasked:
        more = context.asked + min(3 * context.asked, context.retrieval.unasked)
        return Recommendation(
            action="Spend more queries.", commands=repeat(context, max_queries=more)
        )
    if context.query_files is not None:
        return Recommendation(action="Give more queries, or decide what recall you need.")
    return Recommendation(action="Compare more rows, or decide what recall you need.")
