"""All causes that rows are to blame for, each asked for only where its answer can matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Verdict
from embaudit.measures.learning import LearningCurve, learning_curve
from embaudit.measures.order import Order
from embaudit.measures.outliers import CONCENTRATED, Outliers, outliers
from embaudit.measures.repeats import Repeats, fewest_repeats, one_sided_repeats
from embaudit.stages.ledger import Ledger
from embaudit.stages.linear import LinearStage
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage
from embaudit.stages.row_causes.look import Look
from embaudit.stages.row_causes.order import find_order
from embaudit.stages.row_causes.parts import Parts, find_parts
from embaudit.stages.sample import SampleStage
from embaudit.stats.hashing import Hashes

CURVE_ROWS = 1024
"""Rows a learning curve is measured on; more than 1,000 dimensions take seconds."""
ANOTHER_PART = np.uint64(0x9E3779B97F4A7C15)
"""Changes the hashes of a part; any number of many bits would do."""


@dataclass(frozen=True)
class RowCauses:
    """What rows are to blame for; None or empty where nothing is seen, or nothing was looked for.

    Attributes
    ----------
    order : Order or None
    parts : Parts or None
    repeats : list of Repeats
    outliers : Outliers or None
    curve : LearningCurve or None
        What maps recover with more rows, where there are too few.
    """

    order: Order | None = None
    parts: Parts | None = None
    repeats: tuple[Repeats, ...] = ()
    outliers: Outliers | None = None
    curve: LearningCurve | None = None


def measure_row_causes(
    population: Population,
    linear: LinearStage,
    sample: SampleStage,
    retrieval: RetrievalStage,
    ledger: Ledger,
) -> RowCauses:
    """Look for rows that explain the verdict.

    The order of sampled rows says nothing about that of the files, and is not looked at.

    Reads some blocks of rows; every row once more where rows may be out of order, are searched for
    elsewhere, or carry the sums, and where many repeat and the verdict is not `safe`.
    """
    if retrieval.evidence.identical or linear.maps is None:
        return RowCauses()
    with ledger.stage("causes"):
        look = Look(population, linear, sample, retrieval)
        order = find_order(look) if population.pair.sampled_of is None else None
        parts = find_parts(look) if order is None else None
        return RowCauses(
            order=order,
            parts=parts,
            repeats=_repeats(look, parts) if order is None else (),
            outliers=_outliers(look),
            curve=_curve(look),
        )


def _repeats(look: Look, parts: Parts | None) -> tuple[Repeats, ...]:
    """Return the vectors of one side that stand for rows whose partners differ.

    Partners of two models differ whatever their items: rows of a part are compared with each
    other alone.
    """
    population = look.population
    most = max(side.duplicate_rows for side in (population.scan.a, population.scan.b))
    if look.verdict is Verdict.SAFE or most < fewest_repeats(population.pair.rows):
        return ()
    usable_a, usable_b = population.scan.usable(population.options.metric)
    usable = usable_a & usable_b
    a, b = (_by_part(hashes, parts) for hashes in look.hashes)
    sides = (
        one_sided_repeats("a", a, b, usable, look.take_b),
        one_sided_repeats("b", b, a, usable, look.take_a),
    )
    return tuple(side for side in sides if side is not None)


def _outliers(look: Look) -> Outliers | None:
    """Return the rows that carry the sums, where the fourth moments say that some do."""
    moments = look.linear.moments
    if moments is None or max(look.linear.concentration) <= CONCENTRATED:
        return None
    population = look.population
    return outliers(
        population.pair,
        population.kept,
        (population.scan.a.preparation, population.scan.b.preparation),
        moments,
        population.options.workers,
    )


def _curve(look: Look) -> LearningCurve | None:
    """Return what maps recover at several numbers of rows, where there are too few to tell."""
    evidence = look.retrieval.evidence
    if look.verdict is not Verdict.INCONCLUSIVE or not evidence.few_rows:
        return None
    options = look.population.options
    rows = np.sort(look.population.order[:CURVE_ROWS])
    return learning_curve(
        look.take_a(rows), look.take_b(rows), options.metric, options.k, options.seed
    )


def _by_part(hashes: Hashes, parts: Parts | None) -> Hashes:
    """Return hashes that differ between the parts and the others, and stay within each."""
    changed = hashes.copy()
    for part in () if parts is None else parts.parts:
        changed[part.first : part.last + 1] ^= ANOTHER_PART
    return changed
