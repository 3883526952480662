"""Moments against their floor, neighbours against faiss: stages alone, as the audit times them."""

from __future__ import annotations

import statistics
from functools import partial

from benchmarks.cases.case import Bench, Case, Outcome, Size, mebibytes, spread
from benchmarks.floor import audit_moment_flops, neighbour_flops, queries_asked
from benchmarks.generated import LOW_RANK, POWER_LAW, Structure, pair_bytes
from benchmarks.runs import Run, RunError, run_module
from embaudit.stats.topk import candidates_for

K = 10
MOMENTS = 1.35
NEIGHBOURS = 1.0


def moments(bench: Bench, size: Size) -> Outcome:
    """Hold the stage's seconds against its symmetric product."""
    with bench.pair(LOW_RANK, size) as (a, b):
        timed = bench.timed(a, b)
    seconds = [each.run.document["timing"]["moments"] for each in timed]
    ratios = [
        found * each.rate / audit_moment_flops(each.run.document)
        for found, each in zip(seconds, timed, strict=True)
    ]
    flops = audit_moment_flops(timed[0].run.document)
    detail = f"{LOW_RANK.name}; {spread(seconds)} s for {flops / 1e12:.2f} TFLOP, reading included"
    return Outcome(f"{spread(ratios)} x floor", statistics.median(ratios) <= MOMENTS, detail)


def neighbours(structure: Structure, bench: Bench, size: Size) -> Outcome:
    """Hold the stage's seconds against faiss, in turns, with as many query vectors."""
    lists = (candidates_for(K), K)
    theirs: list[Run] = []
    with bench.pair(structure, size) as (a, b):

        def ask_faiss(run: Run) -> None:
            asked = queries_asked(run.document)
            if asked["a"] != asked["b"] or asked["a"] % 4:
                raise RunError(f"expected four views of each side, found {asked}")
            theirs.append(
                run_module(
                    "benchmarks.peers.faiss_knn",
                    *(a, b, "--queries", asked["a"] // 4),
                    *("--threads", bench.threads, "--lists", *lists),
                )
            )

        timed = bench.timed("--k", str(K), a, b, between=ask_faiss)
    ours = [each.run.document["timing"]["neighbours"] for each in timed]
    by_list = {
        length: [peer.document["seconds"][str(length)] for peer in theirs] for length in lists
    }
    ratios = {
        length: [mine / their for mine, their in zip(ours, found, strict=True)]
        for length, found in by_list.items()
    }
    flops = neighbour_flops(timed[0].run.document)
    floor = statistics.median(flops / each.rate for each in timed)
    detail = (
        f"{structure.name}; {spread(ours)} s, reading and both halves' lists included, against "
        f"{spread(by_list[lists[0]])} s for faiss's lists of {lists[0]}, as many as are kept here; "
        f"of {K}: {spread(by_list[K])} s, {spread(ratios[K])} x; all products "
        f"{floor:.2f} s; {queries_asked(timed[0].run.document)['a']:,} query vectors a side; "
        f"faiss holds all rows, {mebibytes(max(run.peak for run in theirs))}"
    )
    value = f"{spread(ratios[lists[0]])} x faiss"
    return Outcome(value, statistics.median(ratios[lists[0]]) <= NEIGHBOURS, detail)


CASES = (
    Case(
        name="moments",
        measures="moment stage alone against its floor, 400,000 x 768",
        target=f"<= {MOMENTS} x floor",
        size=Size(400_000, 768),
        reduced=Size(2_000, 48),
        disk=lambda size: pair_bytes(size.rows, size.dim),
        minutes=3,
        run=moments,
    ),
    *(
        Case(
            name=f"neighbours-{structure.name}",
            measures=f"neighbour stage alone against faiss `knn`, 200,000 x 768, {structure.name}",
            target=f"<= {NEIGHBOURS} x faiss",
            size=Size(200_000, 768),
            reduced=Size(2_000, 48),
            disk=lambda size: pair_bytes(size.rows, size.dim),
            minutes=4,
            run=partial(neighbours, structure),
            needs=("faiss",),
        )
        for structure in (LOW_RANK, POWER_LAW)
    ),
)
