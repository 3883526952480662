"""What the user should know besides the verdict."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from embaudit.advice.causes import causes
from embaudit.advice.context import Context, percent
from embaudit.advice.finding import counted_rows, finding
from embaudit.advice.slices import about_slices
from embaudit.datatypes import Metric, Verdict
from embaudit.measures.neighbors import OVERLAP, RAW, recall_id
from embaudit.result import Finding

WORST_ROWS = 10
MOST_SUSPECTS = 1000
"""Rows listed in the JSON document."""

SAME_NEIGHBOURS = 0.95

SEVERITIES = ("error", "warning", "info")

SAYS_LESS = {
    "quantised": ("value_grid",),
    "sign_bits": ("value_grid",),
    "packed_bits": ("value_grid",),
    "zero_padded": ("constant_columns",),
}
"""Findings that the cause has made superfluous, on the same side."""


def findings(context: Context) -> list[Finding]:
    """Return what the user should know besides the verdict, most severe first."""
    found = [
        *_about_sample(context),
        *_about_source(context),
        *_about_rows(context),
        *_about_pairing(context),
        *_about_verdict(context),
        *_about_rerun(context),
        *_about_metrics(context),
        *about_slices(context),
        *causes(context),
    ]
    told = {(name, _side(one)) for one in found for name in SAYS_LESS.get(one.id, ())}
    kept = [one for one in found if (one.id, _side(one)) not in told]
    return sorted(kept, key=lambda found_one: SEVERITIES.index(found_one.severity))


def _side(found: Finding) -> object:
    return (found.model_extra or {}).get("side")


def _about_sample(context: Context) -> Iterator[Finding]:
    """Say what a sample is blind to."""
    if context.sampled is None:
        return
    yield finding(
        "warning",
        "sampled",
        f"Only {context.sampled} were drawn (seed {context.options.seed}). Recalls are against an "
        f"index of {context.pair.rows:,} rows and fall with a larger one; NaN, zero and repeated "
        "rows, lags and blocks outside the sample are not seen. Run without --sample before you "
        "rely on the verdict.",
        rows=context.pair.rows,
        of=context.pair.sampled_of,
    )


def _about_source(context: Context) -> Iterator[Finding]:
    if context.same_source:
        yield finding(
            "warning",
            "same_source",
            f"{context.a.uri} is compared with itself: the verdict says nothing about two sets.",
        )
    elif context.evidence.identical:
        yield finding("info", "identical", "Both sides hold the same bytes.")


def _about_rows(context: Context) -> Iterator[Finding]:
    pairing = context.pairing
    for name, side, unmatched in (
        ("a", context.a, pairing.only_in_a),
        ("b", context.b, pairing.only_in_b),
    ):
        if unmatched:
            yield finding(
                "info",
                "unmatched_rows",
                f"{side.uri}: {counted_rows(unmatched)} of {side.rows:,} without a partner left "
                "out.",
                side=name,
                rows=unmatched,
            )
    if context.evidence.matched_fraction < context.options.policy.min_matched:
        yield finding(
            "warning",
            "few_matched",
            f"Only {percent(context.evidence.matched_fraction)} of the smaller side's ids meet; "
            f"below {percent(context.options.policy.min_matched)} the verdict is never safe.",
            matched_fraction=context.evidence.matched_fraction,
        )
    if context.evidence.without_partner > 0.0:
        yield finding(
            "warning",
            "without_partner",
            f"{percent(context.evidence.without_partner)} of the rows have no partner to find: a "
            "vector on one side only, or repetitions that differ between the sides.",
            share=context.evidence.without_partner,
        )
    repeated = pairing.rows - pairing.dropped_rows - pairing.distinct_rows
    if context.options.keep_duplicates:
        repeated = 0
    if repeated > 0:
        what = "row repeats" if repeated == 1 else "rows repeat"
        yield finding(
            "info",
            "joint_duplicates",
            f"{repeated:,} {what} an earlier row on both sides and "
            f"{'is' if repeated == 1 else 'are'} set aside; --keep-duplicates keeps them.",
            rows=repeated,
        )
    for name, side in (("a", context.a), ("b", context.b)):
        if side.nonfinite_rows:
            yield finding(
                "warning",
                "nonfinite_rows",
                f"{side.uri}: {counted_rows(side.nonfinite_rows)} with NaN or inf dropped.",
                side=name,
                rows=side.nonfinite_rows,
            )
        if side.zero_rows and context.options.metric is Metric.COSINE:
            yield finding(
                "warning",
                "zero_rows",
                f"{side.uri}: {counted_rows(side.zero_rows)} without direction (all zero) dropped.",
                side=name,
                rows=side.zero_rows,
            )
    for name, side in (("a", context.a), ("b", context.b)):
        if side.constant_columns:
            yield finding(
                "warning",
                "constant_columns",
                f"{side.uri}: {side.constant_columns:,} of {side.dim:,} columns hold one value in "
                f"{context.every_row}; they may be padding or a damaged export.",
                side=name,
                columns=side.constant_columns,
            )
        if side.value_levels is not None:
            yield finding(
                "info",
                "value_grid",
                f"{side.uri}: the {side.dtype} values lie on a grid of {side.value_levels} levels: "
                "likely quantised vectors.",
                side=name,
                levels=side.value_levels,
            )


def _about_pairing(context: Context) -> Iterator[Finding]:
    mispairing = context.retrieval.mispairing
    if mispairing is None:
        return
    if mispairing.fraction.low > context.options.policy.max_mispaired and not mispairing.flat:
        yield finding(
            "info",
            "weakly_related",
            "Many partners rank badly, but ranks decline towards the tail: the spaces are weakly "
            "related rather than mispaired.",
            apparent_fraction=mispairing.fraction.value,
        )
    if context.decision.reason == "mispaired":
        yield _mispaired_rows(context)


def _mispaired_rows(context: Context) -> Finding:
    mispairing, without = context.retrieval.mispairing, context.retrieval.without_suspects
    assert mispairing is not None, "the verdict rests on it"
    suspects = mispairing.likely_mispaired
    worst = [int(row) for row in suspects[:WORST_ROWS]]
    names = [context.pair.name(row) for row in worst]
    if worst:
        message = (
            f"{len(suspects):,} of {len(mispairing.rows):,} sampled rows rank more than "
            f"{percent(mispairing.threshold)} of random rows above their partner; the worst are "
            f"rows {', '.join(names)}."
        )
    else:
        message = (
            "Every row is close to its partner but hardly any is its partner's best match, as "
            "when one file lags by a row."
        )
    if without is not None and worst:
        message += f" Without the suspect rows the verdict would be {without.verdict}."
    return finding(
        "error",
        "mispaired_rows",
        message,
        worst_rows=[context.pair.stored_row(row) for row in worst],
        worst_ids=names if context.pair.ids is not None else None,
        suspects=len(suspects),
        suspect_rows=[context.pair.stored_row(row) for row in np.sort(suspects[:MOST_SUSPECTS])],
        sampled=len(mispairing.rows),
        verdict_without_suspects=str(without.verdict) if without else None,
    )


def _about_verdict(context: Context) -> Iterator[Finding]:
    decision, evidence = context.decision, context.evidence
    needed = 1.0 - context.options.policy.max_mispaired
    if decision.reason == "rows_lost" and context.lowest_partners_found < needed:
        share = context.lowest_partners_found
        yield finding(
            "warning",
            "rows_lost",
            f"{100 * share:.4g}% of the queried rows find their own partner; at least "
            f"{100 * needed:.4g}% must, by the lower bound.",
            found=share,
        )
    if decision.reason == "few_rows_to_fit":
        yield finding(
            "warning",
            "few_rows_to_fit",
            f"{evidence.fit_rows} rows to fit a map on; about {evidence.wanted_rows} are needed "
            "before a bad map counts as evidence.",
            fit_rows=evidence.fit_rows,
        )
    if decision.verdict is Verdict.ALIGN:
        yield finding(
            "info",
            "mixing_not_measured",
            "The recall is for mapped queries in an index of the other side alone; mixing mapped "
            "with native rows in one index is not measured here.",
        )
    files = context.query_files
    if evidence.identical or not context.asked:
        return
    if files is not None:
        yield finding(
            "info",
            "real_queries",
            f"Recalls and mixed indexes are of {context.asked:,} of {files.rows:,} queries in "
            f"{files.a} and {files.b}, each against {context.every_row}; intervals cover queries "
            "to come.",
            queries=context.asked,
        )
        return
    some = ""
    if context.queries < evidence.rows:
        some = f"{context.queries:,} of "
    yield finding(
        "info",
        "rows_as_queries",
        f"Recalls come from {some}{evidence.rows:,} rows as queries, each against "
        f"{context.every_row}: the verdict is for queries that look like rows. Others: --queries-a "
        "and --queries-b.",
        queries=context.queries,
    )


def _about_rerun(context: Context) -> Iterator[Finding]:
    """Say how the loss compares with that between two runs of A."""
    if context.rerun is None:
        return
    rerun = context.rerun
    if rerun.verdict is not Verdict.SAFE:
        yield finding(
            "warning",
            "rerun_differs",
            f"Two runs of A are themselves {rerun.verdict}: no B can do better than its model does "
            "against itself.",
            verdict=str(rerun.verdict),
        )
    key = recall_id("a_to_b", RAW)
    key = key if rerun.measures[key].difference is not None else OVERLAP
    found = rerun.measures[key]
    if found.difference is None or found.floor is None:
        return
    lost = f"{percent(found.difference)} of the neighbours are lost"
    if found.multiple is None:
        message = f"{lost}; two runs of A lose none."
    else:
        message = (
            f"{lost}, {found.multiple:.3g} times the {percent(found.floor)} between two runs of A."
        )
    yield finding("info", "noise_floor", message, measure=key, multiple=found.multiple)


def _about_metrics(context: Context) -> Iterator[Finding]:
    """Say whether the choice among the metrics of vector search matters for this pair."""
    chosen = str(context.options.metric)
    others = [row for row in context.sample.metric_rows if row.metric in set(Metric) - {chosen}]
    if not others:
        return
    side, row = min(
        (("AB"[index], row) for row in others for index in (0, 1)),
        key=lambda view: (view[1].agreement_a, view[1].agreement_b)["AB".index(view[0])],
    )
    kept = row.agreement_a if side == "A" else row.agreement_b
    if kept >= SAME_NEIGHBOURS:
        message = (
            f"The choice of metric hardly matters: cosine, dot and euclidean share at least "
            f"{percent(kept)} of their neighbours within A and within B."
        )
    else:
        message = (
            f"The choice of metric matters: {row.metric} keeps {percent(kept)} of the {chosen} "
            f"neighbours within {side}. Audit with the metric you search with."
        )
    yield finding("info", "metric_choice", message, least_agreement=kept, metric=row.metric)
