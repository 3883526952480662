"""Measuring two heads again, on pairs they were not fitted on: `embaudit verify` of joint maps."""

from __future__ import annotations

import os

from embaudit.data.id_files import IdSource
from embaudit.data.join import open_pair
from embaudit.data.sources import Source
from embaudit.datatypes import JOINT, JOINT_DIRECTIONS, Progress
from embaudit.destinations import other_head
from embaudit.errors import InputError, UsageError
from embaudit.joint_space import FIRST, BothWays, JointVerification
from embaudit.maps.fitted import FittedMap, space_of
from embaudit.maps.map_file import MapNotes, read_map
from embaudit.remedy.applying import check_norms, check_source
from embaudit.remedy.checksums import described
from embaudit.remedy.joint_figures import figures, name_of, retrieval, sight, worse_way
from embaudit.remedy.mapped_set import MappedSet
from embaudit.remedy.verifying import comparable, fallen_below, same_inputs
from embaudit.result import Estimate, Policy
from embaudit.stages.ledger import Ledger
from embaudit.stages.options import Options
from embaudit.stages.population import populate
from embaudit.stats.parallel import single_threaded_blas
from embaudit.version import __version__

FEWEST = 4 * FIRST[-1] + 2


def verify_joint(
    path: str | os.PathLike[str],
    a: Source,
    b: Source,
    *,
    other: str | os.PathLike[str] | None = None,
    on: str | None = None,
    ids_a: IdSource | None = None,
    ids_b: IdSource | None = None,
    by_row: bool = False,
    column: str | None = None,
    policy: Policy | None = None,
    drop_invalid: bool = False,
    keep_duplicates: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    threads: int | None = None,
) -> JointVerification:
    """Say whether the heads of a shared space still let partners meet, on pairs of today.

    As many pairs are drawn as a figure was recorded among, as `verify` does.

    Parameters
    ----------
    path : path
        One of the heads that `embaudit align --method joint` wrote.
    a, b : path, array or EmbeddingSet
        Paired rows of the same two models, A's first.
    other : path, optional
        The other head; default is the file beside `path` that was written with it.
    policy : Policy, optional
        Its `min_aligned_recall` must be reached, its `max_queries` bounds the work.
    on, ids_a, ids_b, by_row, column, drop_invalid, keep_duplicates, seed, progress, threads
        As of `embaudit.compare`.

    Raises
    ------
    EmbauditError
        InputError for damaged maps, heads of different spaces, sets of other dimensions, too few
        rows; UsageError where the other head is not told.
    """
    heads, paths, notes = _heads(os.fsdecode(path), None if other is None else os.fsdecode(other))
    options = Options.checked(
        metric=heads[0].metric,
        policy=policy,
        drop_invalid=drop_invalid,
        keep_duplicates=keep_duplicates,
        seed=seed,
        progress=progress,
        threads=threads,
    )
    pair = open_pair(a, b, on=on, ids_a=ids_a, ids_b=ids_b, by_row=by_row, column=column)
    stored = pair.a, pair.b
    for head, side in zip(heads, stored, strict=True):
        check_source(head, side)
    ledger = Ledger()
    with single_threaded_blas(), ledger.stage("total"):
        population, held_out = comparable(populate(pair, options), heads[0], notes, FEWEST)
        queries = population.order[: max(options.policy.max_queries, FEWEST)]
        for head, side in zip(heads, stored, strict=True):
            check_norms(head, side, side.take(queries))
        joint = MappedSet(pair.a, [heads[0]]), MappedSet(pair.b, [heads[1]])
        found = retrieval(population, joint, queries, endless=True)
        now = sight(joint, queries, found)
    recorded = {name: Estimate(value=held.value, ci=held.ci) for name, held in held_out.items()}
    fault = _fault(found, worse_way(found, population.n), recorded, options.policy)
    sides = described(pair)
    return JointVerification(
        embaudit_version=__version__,
        maps=list(paths),
        method=JOINT,
        dim=heads[0].dims[1],
        metric=options.metric,
        seed=seed,
        passed=fault is None,
        fault=fault,
        min_aligned_recall=options.policy.min_aligned_recall,
        a=sides[0],
        b=sides[1],
        pairs=population.n,
        fitted_on=heads[0].rows,
        queries=len(queries),
        now=now,
        recorded=recorded,
        same_inputs=same_inputs(notes, sides),
        timing=ledger.timing,
    )


def _heads(
    path: str, other: str | None
) -> tuple[tuple[FittedMap, FittedMap], tuple[str, str], MapNotes]:
    """Return A's head and B's, their paths, and what is noted beside them."""
    beside = other or other_head(path)
    if beside is None or not os.path.exists(beside):
        where = "" if beside is None else f", expected as {beside}"
        raise UsageError(f"{path}: one of two heads; its other is missing{where}")
    found = {path: read_map(path), beside: read_map(beside)}
    by_direction = {fitted.direction: one for one, (fitted, _) in found.items()}
    if set(by_direction) != set(JOINT_DIRECTIONS):
        raise InputError(f"{beside}: not the other head of the space that {path} leads to")
    paths = by_direction["a_to_joint"], by_direction["b_to_joint"]
    (a, notes), (b, _) = (found[one] for one in paths)
    if not a.space == b.space == space_of((a, b)) or a.metric is not b.metric:
        raise InputError(f"{beside}: leads to another space than {path}; fit them together")
    return (a, b), paths, notes


def _fault(
    found: BothWays, reached: float, recorded: dict[str, Estimate], policy: Policy
) -> str | None:
    """Return why heads no longer do, None where they do."""
    if reached < policy.min_aligned_recall:
        return (
            f"R@{FIRST[-1]} of the worse direction, {reached:.3f} corrected for chance, is below "
            f"the {policy.min_aligned_recall:g} that is asked"
        )
    for (direction, first), now in figures(found).items():
        low = fallen_below(now, recorded.get(name_of(direction, first)))
        if low is not None:
            return (
                f"R@{first} from {direction[0].upper()} to {direction[-1].upper()} has fallen "
                f"below the interval that was recorded, from {low:.3f}"
            )
    return None
