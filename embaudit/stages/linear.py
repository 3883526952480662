"""Stage 2: pass 1 and all that follows from the moments, maps included."""

from __future__ import annotations

from dataclasses import dataclass

from embaudit.datatypes import DIRECTIONS
from embaudit.maps.cross_fit import CrossFit, choose_penalties, fit_folds
from embaudit.maps.row_space import within
from embaudit.measures.cca import cross_fitted_cca
from embaudit.measures.cka import linear_cka
from embaudit.measures.outliers import concentration
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
    moments : Moments or None
        Of all rows; None like `maps`.
    concentration : (float, float)
        ``n sum |x~|^4 / (sum |x~|^2)^2`` of both sides: about 1 to 3, up to n when a few rows
        carry the sums.
    """

    maps: CrossFit | None
    moments: Moments | None
    concentration: tuple[float, float]


def measure_linear(population: Population, ledger: Ledger) -> LinearStage:
    """Run pass 1, fit the maps of all folds, and record every measure of the moments."""
    if population.n < FEWEST_ROWS:
        ledger.skip_family(FAMILIES, f"fewer than {FEWEST_ROWS} distinct rows")
        return LinearStage(None, None, (0.0, 0.0))
    options = population.options
    plan = FoldPlan.seeded(population.kept, options.seed)
    with ledger.stage("moments"):
        moments = population_moments(population, plan)
    options.progress.stage("maps", 1)
    with ledger.stage("maps"):
        everything = total(moments)
        maps = cross_fit(population, plan, moments)
        _record_in_sample(everything, maps, ledger)
        _record_held_out(maps, population.n, options.workers, ledger)
    options.progress.advance()
    return LinearStage(maps, everything, concentration(everything))


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


def cross_fit(population: Population, plan: FoldPlan, moments: list[Moments]) -> CrossFit:
    """Fit the maps and choose the ridge penalties on rows from the end of the sampling order.

    Queries come from its beginning, so tuning rows are no queries unless nearly every row is one.
    """
    options = population.options
    fits = fit_folds(moments, options.workers)
    tuning = population.order[-min(TUNING_ROWS, population.n // 2) :]
    penalties = choose_penalties(
        fits,
        plan.fold_of(tuning),
        *population.prepared(tuning),
        options.metric,
        options.seed,
    )
    return CrossFit(fits, plan.fold_of, penalties)


def _record_in_sample(moments: Moments, maps: CrossFit, ledger: Ledger) -> None:
    n = moments.n
    cka = linear_cka(moments)
    ledger.put("cka.linear", cka.debiased, NO_VARIANCE, n=n, p_value=cka.p_value)
    ledger.put("cka.linear.biased", cka.biased, NO_VARIANCE, n=n)
    scatter = within(moments.scatter(), *maps.fits[0].spaces)
    residual, angle = in_sample(scatter) or (None, None)
    ledger.put("procrustes.residual.in_sample", residual, NO_VARIANCE, n=n)
    ledger.put("procrustes.angular", angle, NO_VARIANCE, n=n)


def _record_held_out(maps: CrossFit, n: int, workers: int, ledger: Ledger) -> None:
    for direction in DIRECTIONS:
        held_out = [
            fit.held_out if direction == "a_to_b" else fit.held_out.swapped() for fit in maps.fits
        ]
        residual = held_out_residual(maps.maps(direction, "orthogonal"), held_out)
        ledger.put(f"procrustes.residual.{direction}", residual, NO_VARIANCE, n=n)
        unexplained = held_out_residual(maps.maps(direction, "linear"), held_out)
        r2 = None if unexplained is None else 1.0 - unexplained
        ledger.put(f"linear.r2.{direction}", r2, NO_VARIANCE, n=n)
    cca = cross_fitted_cca(maps.fits, workers)
    ledger.put("cca.mean", cca.mean if cca else None, NO_VARIANCE, n=n)
    ledger.put("cca.svcca", cca.svcca if cca else None, NO_VARIANCE, n=n)
    ledger.put("cca.pwcca", cca.pwcca if cca else None, NO_VARIANCE, n=n)
