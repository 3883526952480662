"""Stage 2: pass 1 and all that follows from the moments, maps included."""

from __future__ import annotations

from dataclasses import dataclass

from embaudit.datatypes import DIRECTIONS
from embaudit.maps.cross_fit import (
    CrossFit,
    FoldFit,
    FoldSums,
    choose_penalties,
    cross_fit,
    fit_folds,
    fold_workers,
)
from embaudit.measures.cca import cross_fitted_cca
from embaudit.measures.cka import linear_cka
from embaudit.measures.outliers import CONCENTRATED, concentration
from embaudit.measures.procrustes import held_out_residual, in_sample
from embaudit.stages.ledger import Ledger
from embaudit.stages.population import Population
from embaudit.stats.moments import Moments, total
from embaudit.streaming.fold_moments import FOLDS, FoldPlan, fold_moments

TUNING_ROWS = 1024
FEWEST_ROWS = 2 * FOLDS
FAMILIES = ("cka.linear", "procrustes.", "linear.", "cca.")
NO_VARIANCE = "a side has no variance, or one row has nearly all of it"


@dataclass(frozen=True)
class LinearStage:
    """What later stages need.

    Attributes
    ----------
    maps : CrossFit or None
        None where too few rows are left to fit any.
    concentration : (float, float)
        ``n sum |x~|^4 / (sum |x~|^2)^2`` of both sides: about 1 to 3, up to n when a few rows
        carry the sums.
    moments : Moments or None
        Of all rows, where a few rows carry the sums.
    """

    maps: CrossFit | None
    concentration: tuple[float, float]
    moments: Moments | None = None


def measure_linear(population: Population, ledger: Ledger) -> LinearStage:
    """Run pass 1, fit the maps of all folds, and record every measure of the moments."""
    if population.n < FEWEST_ROWS:
        ledger.skip_family(FAMILIES, f"fewer than {FEWEST_ROWS} distinct rows")
        return LinearStage(None, (0.0, 0.0))
    options = population.options
    plan = FoldPlan.seeded(population.kept, options.seed)
    with ledger.stage("moments"):
        moments = population_moments(population, plan)
    options.progress.stage("maps", 1)
    with ledger.stage("maps"):
        concentrated, everything = _all_rows(moments, ledger)
        sums = FoldSums(moments)
        workers = fold_workers(sums, options.workers)
        _record_in_sample(sums, ledger)
        fits = fit_folds(sums, workers)
        _record_cca(fits, sums, workers, ledger)
        penalties = tuned_penalties(population, plan, fits, sums, workers)
        maps = cross_fit(fits, penalties, plan.fold_of, workers)
        _record_held_out(maps, sums, ledger)
    options.progress.advance()
    return LinearStage(maps, concentrated, everything)


def population_moments(population: Population, plan: FoldPlan) -> list[Moments]:
    """Run pass 1: the moments of the kept rows of every fold."""
    options, scan = population.options, population.scan
    return fold_moments(
        population.pair,
        population.kept,
        scan.a.preparation,
        scan.b.preparation,
        plan,
        options.workers,
        options.progress,
    )


def tuned_penalties(
    population: Population, plan: FoldPlan, fits: list[FoldFit], sums: FoldSums, workers: int
) -> dict[str, float]:
    """Choose the ridge penalties on rows from the end of the sampling order.

    Queries come from its beginning, so tuning rows are no queries unless nearly every row is one.
    """
    options = population.options
    tuning = population.order[-min(TUNING_ROWS, population.n // 2) :]
    return choose_penalties(
        fits,
        sums,
        plan.fold_of(tuning),
        population.prepared(tuning),
        options.metric,
        options.seed,
        workers,
    )


def _all_rows(parts: list[Moments], ledger: Ledger) -> tuple[tuple[float, float], Moments | None]:
    """Record CKA; return the concentration of both sides, and the moments where it is large."""
    everything = total(parts)
    cka, n = linear_cka(everything), everything.n
    ledger.put("cka.linear", cka.debiased, NO_VARIANCE, n=n, p_value=cka.p_value)
    ledger.put("cka.linear.biased", cka.biased, NO_VARIANCE, n=n)
    concentrated = concentration(everything)
    return concentrated, everything if max(concentrated) > CONCENTRATED else None


def _record_in_sample(sums: FoldSums, ledger: Ledger) -> None:
    n = sums.everything.n
    residual, angle = in_sample(sums.everything) or (None, None)
    ledger.put("procrustes.residual.in_sample", residual, NO_VARIANCE, n=n)
    ledger.put("procrustes.angular", angle, NO_VARIANCE, n=n)


def _record_cca(fits: list[FoldFit], sums: FoldSums, workers: int, ledger: Ledger) -> None:
    n = sums.everything.n
    cca = cross_fitted_cca(fits, sums, workers)
    ledger.put("cca.mean", cca.mean if cca else None, NO_VARIANCE, n=n)
    ledger.put("cca.svcca", cca.svcca if cca else None, NO_VARIANCE, n=n)
    ledger.put("cca.pwcca", cca.pwcca if cca else None, NO_VARIANCE, n=n)


def _record_held_out(maps: CrossFit, sums: FoldSums, ledger: Ledger) -> None:
    n = sums.everything.n
    for direction in DIRECTIONS:

        def errors(kind: str, direction: str = direction) -> float | None:
            held_out = (sums.of(fold) for fold in range(len(sums)))
            if direction == "b_to_a":
                held_out = (one.swapped() for one in held_out)
            return held_out_residual(maps.maps[direction, kind], held_out)

        ledger.put(f"procrustes.residual.{direction}", errors("orthogonal"), NO_VARIANCE, n=n)
        unexplained = errors("linear")
        r2 = None if unexplained is None else 1.0 - unexplained
        ledger.put(f"linear.r2.{direction}", r2, NO_VARIANCE, n=n)
