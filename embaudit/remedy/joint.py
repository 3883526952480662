"""Two heads into one shared space: fitted, trained and measured: `align --method joint`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from embaudit.data.id_files import IdSource
from embaudit.data.join import open_pair
from embaudit.data.sources import Source
from embaudit.datatypes import HEADS, JOINT, Heads, Metric, Progress, Rows
from embaudit.errors import UsageError
from embaudit.joint_space import (
    FIRST,
    BothWays,
    HeadFigures,
    JointAlignment,
    SharedIndexPoint,
)
from embaudit.maps.fitted import space_of
from embaudit.remedy.aligning import check_choice, require_rows
from embaudit.remedy.checksums import described
from embaudit.remedy.joint_figures import retrieval, retrievals, sight, unit_set, worse_way
from embaudit.remedy.joint_fitting import CanonicalRecipe, Fitting, JointMaps, contrastive_of
from embaudit.remedy.kept import kept
from embaudit.remedy.records import index_sizes
from embaudit.result import Policy
from embaudit.stages.ledger import Ledger
from embaudit.stages.options import Options
from embaudit.stages.population import populate
from embaudit.stats.parallel import single_threaded_blas
from embaudit.streaming.fold_moments import FOLDS
from embaudit.verdict import NOTABLE_GAIN
from embaudit.version import __version__

QUERIES = 2048
KEPT_QUERIES = 1024
JUDGED = 2048
"""Pairs that heads are chosen by."""
HIDDEN_FACTOR = 2
"""Hidden units for each dimension of the shared space."""
MEASURED, CHOOSING = 0, 1
"""The fold that measures, and the one that chooses; others fit what is chosen from."""
EVERY = tuple(range(FOLDS))
UNMEASURED = tuple(fold for fold in EVERY if fold != MEASURED)
FITTING = tuple(fold for fold in UNMEASURED if fold != CHOOSING)


def align_joint(
    a: Source,
    b: Source,
    *,
    heads: Heads = "cca",
    dim: int | None = None,
    on: str | None = None,
    ids_a: IdSource | None = None,
    ids_b: IdSource | None = None,
    by_row: bool = False,
    column: str | None = None,
    metric: Metric | str = Metric.COSINE,
    k: int = 10,
    policy: Policy | None = None,
    drop_invalid: bool = False,
    keep_duplicates: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    threads: int | None = None,
) -> tuple[JointMaps, JointAlignment]:
    """Fit two heads that take both models into one shared space, where partners meet.

    A quarter of the rows chooses penalty, weighing and number of epochs, another measures what
    heads that were fitted on all other rows recover; the heads returned are fitted on all rows.

    Parameters
    ----------
    heads : "cca", "linear" or "hidden"
        Regularised canonical correlations, in closed form; or those trained further with a
        contrastive loss, as linear maps or with one hidden layer. Training needs PyTorch, the extra
        ``train``.
    dim : int, optional
        Of the shared space; default is the smaller of both dimensions.
    policy : Policy, optional
        Its `min_aligned_recall` says which space helps, `confidence` what intervals hold.
    a, b, on, ids_a, ids_b, by_row, column, metric, k, drop_invalid, keep_duplicates, seed, \
progress, threads
        As of `embaudit.compare`; `k` counts the neighbours of which a share is kept.

    Returns
    -------
    (FittedMap, FittedMap)
        A's head and B's. What they map to has length 1.
    JointAlignment

    Raises
    ------
    EmbauditError
        InputError for sources that cannot be paired, or with too few rows; UsageError for
        impossible options, and where PyTorch is not installed.
    """
    check_choice("--heads", heads, HEADS)
    options = Options.checked(
        metric=metric,
        k=k,
        policy=policy,
        drop_invalid=drop_invalid,
        keep_duplicates=keep_duplicates,
        seed=seed,
        progress=progress,
        threads=threads,
    )
    pair = open_pair(a, b, on=on, ids_a=ids_a, ids_b=ids_b, by_row=by_row, column=column)
    widest = min(pair.a.dim, pair.b.dim)
    whole = isinstance(dim, int | np.integer) and not isinstance(dim, bool)
    if dim is not None and not (whole and 1 <= dim <= widest):
        raise UsageError(f"--dim {dim}: expected 1 to {widest}, the smaller of both dimensions")
    if heads != "cca":
        # Said before the work, not after it.
        contrastive_of(0, options)
    ledger = Ledger()
    with single_threaded_blas(), ledger.stage("total"):
        with ledger.stage("scan"):
            population = populate(pair, options)
        require_rows(population, max(options.k, FIRST[-1]))
        return _aligned(Fitting.of(population, int(dim or widest), ledger), heads, ledger)


def _aligned(fitting: Fitting, heads: Heads, ledger: Ledger) -> tuple[JointMaps, JointAlignment]:
    """Choose, measure, and fit on all rows."""
    population = fitting.population
    options, pair = population.options, population.pair
    queries = fitting.rows([MEASURED], QUERIES)
    with ledger.stage("maps"):
        made = _closed_form(fitting, queries)
    found = [made.figures]
    if heads != "cca":
        with ledger.stage("training"):
            made = _trained(fitting, heads, made, queries)
        found.append(made.figures)
    with ledger.stage("neighbours"):
        joint = fitting.mapped(made.measured)
        stored = unit_set(pair.a), unit_set(pair.b)
        raw = retrieval(population, stored, queries) if population.same_dim else None
        before, after = sight(stored, queries, raw), sight(joint, queries, made.figures.retrieval)
        kept_a, kept_b = (
            kept(mapped, own, options, queries[:KEPT_QUERIES])
            for mapped, own in zip(joint, (pair.a, pair.b), strict=True)
        )
    space = space_of(made.final)
    a, b = (replace(head, space=space) for head in made.final)
    sides = described(pair)
    return (a, b), JointAlignment(
        embaudit_version=__version__,
        method=JOINT,
        heads=heads,
        dim=a.dims[1],
        metric=options.metric,
        k=options.k,
        seed=options.seed,
        helps=_helps(raw, made.figures.retrieval, population.n, options.policy),
        min_aligned_recall=options.policy.min_aligned_recall,
        a=sides[0],
        b=sides[1],
        pairs=population.n,
        queries=len(queries),
        figures=found,
        before=before,
        after=after,
        kept_a=kept_a,
        kept_b=kept_b,
        smaller_indexes=made.smaller,
        timing=ledger.timing,
    )


@dataclass(frozen=True)
class _Made:
    """Heads, and what is told of them.

    Attributes
    ----------
    final : (FittedMap, FittedMap)
        Of all rows.
    measured : (FittedMap, FittedMap)
        That have not seen the rows that measure.
    figures : HeadFigures
    smaller : list of SharedIndexPoint
    """

    final: JointMaps
    measured: JointMaps
    figures: HeadFigures
    smaller: list[SharedIndexPoint]


def _closed_form(fitting: Fitting, queries: Rows) -> _Made:
    recipe = fitting.recipe(FITTING, fitting.rows([CHOOSING], JUDGED))
    measured = fitting.closed_form(UNMEASURED, recipe)
    found, smaller = _retrieved(fitting, measured, queries)
    figures = HeadFigures(heads="cca", retrieval=found, penalty=recipe.penalty, power=recipe.power)
    return _Made(fitting.closed_form(EVERY, recipe), measured, figures, smaller)


def _trained(fitting: Fitting, heads: Heads, start: _Made, queries: Rows) -> _Made:
    """Return heads trained further, for the epochs that were best elsewhere."""
    hidden = HIDDEN_FACTOR * start.final[0].dims[1] if heads == "hidden" else 0
    recipe = CanonicalRecipe(start.figures.penalty, start.figures.power)
    judged = fitting.rows([CHOOSING], JUDGED)
    best = fitting.until_best(FITTING, fitting.closed_form(FITTING, recipe), hidden, judged)
    again = fitting.for_epochs(UNMEASURED, start.measured, hidden, best.epochs)
    last = fitting.for_epochs(EVERY, start.final, hidden, best.epochs)
    found, smaller = _retrieved(fitting, again.heads, queries)
    update = {
        "heads": heads,
        "retrieval": found,
        "epochs": best.epochs,
        "temperature": last.temperature,
        "hidden": hidden or None,
        "trained_on": last.pairs,
    }
    return _Made(last.heads, again.heads, start.figures.model_copy(update=update), smaller)


def _retrieved(
    fitting: Fitting, heads: JointMaps, queries: Rows
) -> tuple[BothWays, list[SharedIndexPoint]]:
    sizes = index_sizes(fitting.population.n, 4 * FIRST[-1] + 2)
    return retrievals(fitting.population, fitting.mapped(heads), queries, sizes)


def _helps(before: BothWays | None, after: BothWays, n: int, policy: Policy) -> bool:
    reached = worse_way(after, n)
    stored = 0.0 if before is None else worse_way(before, n)
    return reached >= policy.min_aligned_recall and reached - stored > NOTABLE_GAIN
