"""One plain sentence: why this verdict."""

from __future__ import annotations

import math

from embaudit.advice.context import NOTABLE_SHARE, Context, percent
from embaudit.datatypes import DIRECTIONS
from embaudit.stages.linear import FEWEST_ROWS
from embaudit.verdict import best_map

ARROWS = {"a_to_b": "A to B", "b_to_a": "B to A"}


def summary(context: Context) -> str:
    """Return one plain sentence: why this verdict."""
    writers = {
        "identical": _identical,
        "too_few_rows": _too_few_rows,
        "mispaired": _mispaired,
        "unrelated": _unrelated,
        "silent_chance": _silent_chance,
        "meets_policy": _meets_policy,
        "few_matched": _few_matched,
        "without_partner": _without_partner,
        "rows_lost": _rows_lost,
        "loss_without_map": _loss_without_map,
        "map_recovers": _map_recovers,
        "no_map": _no_map,
        "few_rows_to_fit": _few_rows_to_fit,
        "straddles": _straddles,
        "sample": _sample,
    }
    written = writers[context.decision.reason](context)
    return written if context.sampled is None else f"On a sample of {context.sampled}: {written}"


def _identical(context: Context) -> str:
    return "Both sides hold the same bytes, so their vectors may be compared directly."


def _too_few_rows(context: Context) -> str:
    fewest = max(4 * context.options.k + 2, FEWEST_ROWS)
    return (
        f"Only {context.evidence.rows} distinct rows are left; at k = {context.options.k} at least "
        f"{fewest} are needed to say anything."
    )


def _mispaired(context: Context) -> str:
    fraction = context.pairing.mispaired_fraction
    if fraction.value is None or fraction.ci is None or fraction.value <= NOTABLE_SHARE:
        share = context.lowest_partners_found
        return (
            f"Neighbourhoods agree, but only {percent(share)} of the rows find their own partner: "
            "rows of A and B do not describe the same items."
        )
    low, high = fraction.ci
    return (
        f"About {percent(fraction.value)} of the rows do not correspond to their partner "
        f"({percent(low)} to {percent(high)}); fix the pairing before judging the vectors."
    )


def _unrelated(context: Context) -> str:
    if context.row_causes.order is not None:
        return (
            "Rows do not correspond as they are paired: B holds the rows of A in another order, or "
            "some rows later."
        )
    return (
        "No trace of row correspondence: partners rank like random rows under every map, and "
        "rows have no neighbours in common beyond chance."
    )


def _silent_chance(context: Context) -> str:
    chance = max(recall.chance for recall in context.evidence.recalls.values())
    return (
        f"Random rows already reach a recall of {chance:.2f}, because so many rows tie or one row "
        "is everybody's neighbour; recall says nothing here."
    )


def _meets_policy(context: Context) -> str:
    lowest = context.lowest_raw
    share = "all" if lowest == 1.0 else f"at least {math.floor(100.0 * lowest)}%"
    return (
        f"Searching one side with the other's vectors returns {share} of the right neighbours, in "
        "both directions and in a mixed index, and rows find their partners."
    )


def _few_matched(context: Context) -> str:
    return (
        "Rows that have a partner agree, but only "
        f"{percent(context.evidence.matched_fraction)} of the smaller side's ids meet; "
        f"{percent(context.options.policy.min_matched)} must."
    )


def _without_partner(context: Context) -> str:
    return (
        f"The other rows agree, but {percent(context.evidence.without_partner)} of the rows have "
        "no partner to find: their vector is zero or invalid on one side, or repeats one that "
        "differs between the sides."
    )


def _rows_lost(context: Context) -> str:
    share = context.lowest_partners_found
    needed = 1.0 - context.options.policy.max_mispaired
    if share >= needed:
        return (
            f"{100 * share:.4g}% of {context.queries:,} queried rows find their partner; that "
            f"does not prove, at {percent(context.options.policy.confidence)} confidence, that "
            f"{100 * needed:.4g}% of such rows do."
        )
    return (
        f"Neighbourhoods agree, but only {percent(share)} of the rows certainly find their own "
        "partner; the rest may be near-duplicates or rows that do not correspond."
    )


def _loss_without_map(context: Context) -> str:
    raw = min(context.evidence.recalls[d, "raw"].plain.value for d in DIRECTIONS)
    mixed = min(recall.plain.value for recall in context.evidence.mixed.values())
    mixing = (
        "a mixed index works as well"
        if mixed >= raw - 0.05
        else f"a mixed index returns {percent(mixed)}"
    )
    return (
        f"The axes agree but the vectors are noisier: direct search returns {percent(raw)} of the "
        f"right neighbours, no map does better, and {mixing}."
    )


def _map_recovers(context: Context) -> str:
    direction, kind, recall = context.best_chosen
    direct = context.evidence.recalls.get((direction, "raw"))
    before = f"{percent(direct.plain.value)} directly" if direct else "dimensions differ"
    article = "an" if kind == "orthogonal" else "a"
    return (
        f"{article.capitalize()} {kind} map fitted on paired rows brings {ARROWS[direction]} and "
        f"recovers {percent(recall.plain.value)} of the neighbours on unseen rows ({before})."
    )


def _no_map(context: Context) -> str:
    best = max(best_map(context.evidence, d)[1].plain.value for d in DIRECTIONS)
    raw = [context.evidence.recalls.get((d, "raw")) for d in DIRECTIONS]
    direct = [recall.plain.value for recall in raw if recall is not None]
    lead = f"direct search returns {percent(max(direct))}" if direct else "dimensions differ"
    return (
        f"The spaces hold different information: {lead}, and the best map recovers only "
        f"{percent(best)} of the neighbours on unseen rows."
    )


def _few_rows_to_fit(context: Context) -> str:
    evidence = context.evidence
    return (
        f"Only {evidence.fit_rows} rows are left to fit a map on and about {evidence.wanted_rows} "
        "are needed at this dimension; with few rows a good map is proof, a bad map is not."
    )


def _straddles(context: Context) -> str:
    names = " or ".join(str(candidate) for candidate in context.decision.candidates)
    return (
        f"The data do not decide between {names} at {percent(context.options.policy.confidence)} "
        "confidence."
    )


def _sample(context: Context) -> str:
    names = " or ".join(str(candidate) for candidate in context.decision.candidates)
    return (
        f"Whether all rows are {names} is open, for recall falls as an index grows and a "
        f"projection to {context.pair.sampled_of:,} rows does not settle what is asked; run "
        "without --sample."
    )
