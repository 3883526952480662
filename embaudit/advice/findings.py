"""What the user should know besides the verdict."""

from __future__ import annotations

from collections.abc import Iterator

from embaudit.advice.causes import causes
from embaudit.advice.context import Context, percent
from embaudit.advice.finding import finding
from embaudit.datatypes import Metric, Verdict
from embaudit.result import Finding

WORST_ROWS = 10
LISTED_RANGES = 8
CONCENTRATED = 20.0
"""Fourth moment of the row norms over the squared second one, above which a few rows carry both."""

SAME_NEIGHBOURS = 0.95

SEVERITIES = ("error", "warning", "info")


def findings(context: Context) -> list[Finding]:
    """Return what the user should know besides the verdict, most severe first."""
    found = [
        *_about_source(context),
        *_about_rows(context),
        *_about_pairing(context),
        *_about_verdict(context),
        *_about_metrics(context),
        *causes(context),
    ]
    return sorted(found, key=lambda found_one: SEVERITIES.index(found_one.severity))


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
                f"{side.uri}: {_rows(unmatched)} of {side.rows:,} without a partner left out.",
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
                f"{side.uri}: {_rows(side.nonfinite_rows)} with NaN or inf dropped.",
                side=name,
                rows=side.nonfinite_rows,
            )
        if side.zero_rows and context.options.metric is Metric.COSINE:
            yield finding(
                "warning",
                "zero_rows",
                f"{side.uri}: {_rows(side.zero_rows)} without direction (all zero) dropped.",
                side=name,
                rows=side.zero_rows,
            )
    for name, side in (("a", context.a), ("b", context.b)):
        if side.constant_columns:
            yield finding(
                "warning",
                "constant_columns",
                f"{side.uri}: {side.constant_columns:,} of {side.dim:,} columns hold one value in "
                "every row; they may be padding or a damaged export.",
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
    sides = zip("ab", (context.a, context.b), context.linear.concentration, strict=True)
    for name, side, value in sides:
        if value > CONCENTRATED:
            yield finding(
                "warning",
                "few_rows_carry_the_sums",
                f"{side.uri}: a few rows of very large norm carry the variance; CKA, Procrustes "
                "and R² describe those rows, recall does not depend on them.",
                side=name,
                concentration=value,
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
    if context.two_populations is not None:
        ranges, share = context.two_populations
        listed = ", ".join(f"{low:,} to {high:,}" for low, high in ranges[:LISTED_RANGES])
        yield finding(
            "warning",
            "two_populations",
            f"{percent(share)} of the queries find nothing while most find nearly all "
            f"({'rows ' + listed if ranges else 'spread over the file'}): those rows look like "
            "another model's vectors; re-embed them.",
            share=share,
            ranges=ranges,
        )


def _mispaired_rows(context: Context) -> Finding:
    mispairing, without = context.retrieval.mispairing, context.retrieval.without_suspects
    assert mispairing is not None, "the verdict rests on it"
    suspects = mispairing.suspects
    worst = [int(row) for row in suspects[:WORST_ROWS]]
    names = [context.pair.name(row) for row in worst]
    if worst:
        message = (
            f"{len(suspects):,} of {len(mispairing.rows):,} sampled rows rank their partner in the "
            f"worse half; the worst are rows {', '.join(names)}."
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
        sampled=len(mispairing.rows),
        verdict_without_suspects=str(without.verdict) if without else None,
    )


def _about_verdict(context: Context) -> Iterator[Finding]:
    decision, evidence = context.decision, context.evidence
    if decision.reason == "rows_lost":
        share = context.lowest_partners_found
        needed = 100.0 * (1.0 - context.options.policy.max_mispaired)
        yield finding(
            "warning",
            "rows_lost",
            f"{100 * share:.4g}% of the queried rows find their own partner; at least "
            f"{needed:.4g}% must, by the lower bound.",
            found=share,
        )
    if decision.reason == "few_rows_to_fit":
        yield finding(
            "warning",
            "few_rows_to_fit",
            f"{evidence.fit_rows} rows to fit a map on; about {2 * max(evidence.dims)} are needed "
            "before a bad map counts as evidence.",
            fit_rows=evidence.fit_rows,
        )
    if decision.verdict is Verdict.CONCATENATE and context.same_axes:
        yield finding(
            "warning",
            "same_axes",
            "Direct search is far above chance and no map does better: the axes agree. "
            "Re-embedding one side will serve better than concatenating.",
        )
    if decision.verdict is Verdict.ALIGN:
        yield finding(
            "info",
            "mixing_not_measured",
            "The recall is for mapped queries in an index of the other side alone; mixing mapped "
            "with native rows in one index is not measured here.",
        )
    if not evidence.identical and 0 < context.queries < evidence.rows:
        yield finding(
            "info",
            "sampled_queries",
            f"Recalls come from {context.queries:,} of {evidence.rows:,} rows as queries, each "
            "against every row; intervals cover the rest.",
            queries=context.queries,
        )


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


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
