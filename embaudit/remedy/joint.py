"""Two heads into one shared space: fitted, trained and measured: `align --method joint`."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from embaudit.data.id_files import IdSource
from embaudit.data.join import open_pair
from embaudit.data.sources import Source
from embaudit.datatypes import HEADS, JOINT, Heads, Metric, Progress, Rows
from embaudit.errors import UsageError
from embaudit.joint_space import BothWays, HeadFigures, JointAlignment
from embaudit.maps.map_file import Held, MapNotes
from embaudit.remedy.aligning import check_choice, require_rows
from embaudit.remedy.checksums import described, noted
from embaudit.remedy.joint_figures import flat, retrieval, sight, unit_set, worse_way
from embaudit.remedy.joint_fitting import Fitting, JointMaps, Recipe, contrastive_of
from embaudit.remedy.kept import kept
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
    if dim is not None and (isinstance(dim, bool) or not 1 <= dim <= widest):
        raise UsageError(f"--dim {dim}: expected 1 to {widest}, the smaller of both dimensions")
    if heads != "cca":
        # Said before the work, not after it.
        contrastive_of(0, options)
    ledger = Ledger()
    with single_threaded_blas(), ledger.stage("total"):
        with ledger.stage("scan"):
            population = populate(pair, options)
        require_rows(population)
        return _aligned(Fitting.of(population, dim or widest, ledger), heads, ledger)


def _aligned(fitting: Fitting, heads: Heads, ledger: Ledger) -> tuple[JointMaps, JointAlignment]:
    """Choose, measure, and fit on all rows."""
    population = fitting.population
    options, pair = population.options, population.pair
    queries = fitting.rows([MEASURED], QUERIES)
    with ledger.stage("maps"):
        final, measured, figures = _closed_form(fitting, queries)
    found = [figures]
    if heads != "cca":
        with ledger.stage("training"):
            final, measured, figures = _trained(fitting, heads, (final, measured), figures, queries)
        found.append(figures)
    with ledger.stage("neighbours"):
        joint = fitting.mapped(measured)
        stored = unit_set(pair.a), unit_set(pair.b)
        raw = retrieval(population, stored, queries) if population.same_dim else None
        before, after = sight(stored, queries, raw), sight(joint, queries, figures.retrieval)
        kept_a, kept_b = (
            kept(mapped, own, options, queries[:KEPT_QUERIES])
            for mapped, own in zip(joint, (pair.a, pair.b), strict=True)
        )
    space = _space(final)
    a, b = (replace(head, space=space) for head in final)
    sides = described(pair)
    return (a, b), JointAlignment(
        embaudit_version=__version__,
        method=JOINT,
        heads=heads,
        dim=a.dims[1],
        metric=options.metric,
        k=options.k,
        seed=options.seed,
        helps=_helps(raw, figures.retrieval, population.n, options.policy),
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
        timing=ledger.timing,
    )


def _closed_form(fitting: Fitting, queries: Rows) -> tuple[JointMaps, JointMaps, HeadFigures]:
    """Return the heads of all rows, those that are measured, and what these recover."""
    recipe = fitting.recipe(FITTING, fitting.rows([CHOOSING], JUDGED))
    measured = fitting.closed_form(UNMEASURED, recipe)
    figures = HeadFigures(
        heads="cca",
        retrieval=retrieval(fitting.population, fitting.mapped(measured), queries),
        penalty=recipe.penalty,
        power=recipe.power,
    )
    return fitting.closed_form(EVERY, recipe), measured, figures


def _trained(
    fitting: Fitting,
    heads: Heads,
    start: tuple[JointMaps, JointMaps],
    figures: HeadFigures,
    queries: Rows,
) -> tuple[JointMaps, JointMaps, HeadFigures]:
    """Return the same three of heads trained further, for the epochs that were best elsewhere."""
    final, measured = start
    hidden = HIDDEN_FACTOR * final[0].dims[1] if heads == "hidden" else 0
    recipe = Recipe(figures.penalty, figures.power)
    judged = fitting.rows([CHOOSING], JUDGED)
    best = fitting.until_best(FITTING, fitting.closed_form(FITTING, recipe), hidden, judged)
    again = fitting.for_epochs(UNMEASURED, measured, hidden, best.epochs)
    last = fitting.for_epochs(EVERY, final, hidden, best.epochs)
    update = {
        "heads": heads,
        "retrieval": retrieval(fitting.population, fitting.mapped(again.heads), queries),
        "epochs": best.epochs,
        "temperature": last.temperature,
        "hidden": hidden or None,
        "trained_on": last.pairs,
    }
    return last.heads, again.heads, figures.model_copy(update=update)


def _helps(before: BothWays | None, after: BothWays, n: int, policy: Policy) -> bool:
    reached = worse_way(after, n)
    gained = before is None or reached - worse_way(before, n) > NOTABLE_GAIN
    return reached >= policy.min_aligned_recall and gained


def _space(heads: JointMaps) -> str:
    """Return the SHA-256 of both heads' numbers: what says that they belong together."""
    found = hashlib.sha256()
    for head in heads:
        tensors = [head.affine.matrix, head.affine.mean_x]
        if head.hidden is not None:
            tensors += [head.hidden.skip, head.hidden.inner, head.hidden.bias, head.hidden.outer]
        for tensor in tensors:
            found.update(np.ascontiguousarray(tensor, "<f8").data)
    return found.hexdigest()


def joint_notes(found: JointAlignment) -> MapNotes:
    """Return what a head's file says of the rows and figures behind it."""
    chosen = found.figures[-1]
    held_out = {
        name: Held(value=estimate.value, ci=estimate.ci)
        for name, estimate in flat(chosen.retrieval).items()
        if estimate.value is not None
    }
    return MapNotes(
        inputs=noted([found.a, found.b]), k=found.k, penalty=chosen.penalty, held_out=held_out
    )
