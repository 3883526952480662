"""Stage 2: pass 1 and all that follows from the moments, maps included."""

from __future__ import annotations

from dataclasses import dataclass

from embaudit.datatypes import DIRECTIONS, Vector
from embaudit.maps.cross_fit import CrossFit, cross_fit
from embaudit.maps.fold_fit import Fold, FoldFit, Spaces, folds_at_once, folds_of, row_spaces
from embaudit.maps.held_out import HeldOut
from embaudit.maps.linear import PENALTIES
from embaudit.maps.penalties import Trial, Tuning, choose_penalties
from embaudit.maps.row_space import within
from embaudit.measures.cca import CCA, cca_over_folds, fold_cca
from embaudit.measures.cka import linear_cka
from embaudit.measures.outliers import CONCENTRATED, concentration
from embaudit.measures.procrustes import held_out_residual, in_sample
from embaudit.stages.ledger import Ledger
from embaudit.stages.population import Population
from embaudit.stats.moments import Moments, total
from embaudit.stats.parallel import ordered_map
from embaudit.streaming.fold_moments import FOLDS, FoldPlan, fold_moments

TUNING_ROWS = 1024
TUNING_VALUES = 1 << 21
"""Entries of the tuning rows of a side, from 2,048 dimensions on: mapped with every penalty they
would be the largest arrays of all."""
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
    correlations : float64 array, shape (c,), or None
        Held-out canonical correlations, as in `CCA`.
    """

    maps: CrossFit | None
    concentration: tuple[float, float]
    moments: Moments | None = None
    correlations: Vector | None = None


def measure_linear(population: Population, ledger: Ledger) -> LinearStage:
    """Run pass 1, fit the maps of all folds, and record every measure of the moments."""
    if population.n < FEWEST_ROWS:
        ledger.skip_family(FAMILIES, f"fewer than {FEWEST_ROWS} distinct rows")
        return LinearStage(None, (0.0, 0.0))
    options = population.options
    plan = FoldPlan.seeded(population.kept, options.seed)
    with ledger.stage("moments"):
        moments = population_moments(population, plan)
    with ledger.stage("maps"):
        concentrated, everything, spaces = _all_rows(moments, ledger)
        folds = judged_folds(population, plan, moments, spaces)
        penalties = folds.penalties()
        cca = _record_held_out(folds, penalties, population.n, ledger)
        chosen = {direction: PENALTIES[index] for direction, index in penalties.items()}
        folds.trials.clear()
        maps = cross_fit(folds.fits, chosen, plan.fold_of, folds.workers)
    return LinearStage(maps, concentrated, everything, cca.correlations if cca else None)


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
        options.plan.share,
    )


@dataclass(frozen=True)
class JudgedFolds:
    """What is fitted without each fold, and how it does on that fold.

    Attributes
    ----------
    tuning : Tuning
    fits : list of FoldFit
    trials : list of Trial
    cca : list of (rows, CCA) or None
    orthogonal : list of ((residual, total), (residual, total))
        Of the orthogonal maps of both directions.
    workers : int
        Folds that may be worked on together.
    """

    tuning: Tuning
    fits: list[FoldFit]
    trials: list[Trial]
    cca: list[tuple[int, CCA] | None]
    orthogonal: list[tuple[tuple[float, float], tuple[float, float]]]
    workers: int

    def penalties(self) -> dict[str, int]:
        """Return which of the penalties is chosen, by direction."""
        return choose_penalties(self.tuning, self.fits, self.trials, self.workers)


def judged_folds(
    population: Population, plan: FoldPlan, moments: list[Moments], spaces: Spaces
) -> JudgedFolds:
    """Fit everything without each fold, and judge it on that fold; `moments` is emptied.

    Tuning rows come from the end of the sampling order. Queries come from its beginning, so that
    they are no queries unless nearly every row is one.
    """
    options = population.options
    rows = population.order[-tuning_rows(population) :]
    tuning = Tuning(plan.fold_of(rows), population.prepared(rows), options.metric, options.seed)
    workers = folds_at_once(spaces, options.workers, options.plan.fold_bytes)
    judged = JudgedFolds(tuning, [], [], [], [], workers)
    options.progress.stage("maps", len(moments))

    def judge(
        fold: Fold,
    ) -> tuple[FoldFit, Trial, tuple[int, CCA] | None, list[tuple[float, float]]]:
        fit = FoldFit.of(fold.train(), spaces)
        rotated, errors = _held_out(fit, fold)
        return fit, tuning.trial(fit, rotated, fold.number), fold_cca(rotated), errors

    for fit, trial, cca, (forward, backward) in ordered_map(
        judge, folds_of(moments, spaces), workers
    ):
        judged.fits.append(fit)
        judged.trials.append(trial)
        judged.cca.append(cca)
        judged.orthogonal.append((forward, backward))
        options.progress.advance()
    return judged


def tuning_rows(population: Population) -> int:
    """Return how many rows, from the end of the sampling order, penalties are chosen on."""
    return min(TUNING_ROWS, TUNING_VALUES // max(population.dims), population.n // 2)


def _held_out(fit: FoldFit, fold: Fold) -> tuple[HeldOut, list[tuple[float, float]]]:
    """Return the rows of a fold as the fit sees them, and the errors of its orthogonal maps."""
    held_out = fold.held_out()
    forward, backward = fit.orthogonal
    errors = [forward.squared_error(held_out), backward.squared_error(held_out.swapped())]
    return HeldOut.of(fit, held_out), errors


def _all_rows(
    parts: list[Moments], ledger: Ledger
) -> tuple[tuple[float, float], Moments | None, Spaces]:
    """Record what all rows say together.

    Returns
    -------
    concentration : (float, float)
    moments : Moments or None
        Of all rows, where a few of them carry the sums.
    spaces : (RowSpace, RowSpace)
        That the rows span.
    """
    everything = total(parts)
    cka, n = linear_cka(everything), everything.n
    ledger.put("cka.linear", cka.debiased, NO_VARIANCE, n=n, p_value=cka.p_value)
    ledger.put("cka.linear.biased", cka.biased, NO_VARIANCE, n=n)
    concentrated = concentration(everything)
    scatter = everything.scatter()
    spaces = row_spaces(scatter)
    residual, angle = in_sample(within(scatter, *spaces)) or (None, None)
    ledger.put("procrustes.residual.in_sample", residual, NO_VARIANCE, n=n)
    ledger.put("procrustes.angular", angle, NO_VARIANCE, n=n)
    return concentrated, everything if max(concentrated) > CONCENTRATED else None, spaces


def _record_held_out(
    folds: JudgedFolds, penalties: dict[str, int], n: int, ledger: Ledger
) -> CCA | None:
    for side, direction in enumerate(DIRECTIONS):
        residual = held_out_residual(errors[side] for errors in folds.orthogonal)
        ledger.put(f"procrustes.residual.{direction}", residual, NO_VARIANCE, n=n)
        unexplained = held_out_residual(
            (trial.errors[side, penalties[direction]], trial.totals[side]) for trial in folds.trials
        )
        r2 = None if unexplained is None else 1.0 - unexplained
        ledger.put(f"linear.r2.{direction}", r2, NO_VARIANCE, n=n)
    cca = cca_over_folds(folds.cca)
    ledger.put("cca.mean", cca.mean if cca else None, NO_VARIANCE, n=n)
    ledger.put("cca.svcca", cca.svcca if cca else None, NO_VARIANCE, n=n)
    ledger.put("cca.pwcca", cca.pwcca if cca else None, NO_VARIANCE, n=n)
    return cca
