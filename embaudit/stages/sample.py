"""Stage 3: measures of pairs of rows, on one seeded sample."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from embaudit.datatypes import Matrix, Rows, Stored, Vector
from embaudit.measures.cka import gaussian_kernel, rbf_cka
from embaudit.measures.distances import (
    average_ranks,
    dissimilarities,
    paired_cosine,
    rank_correlation,
    squared_distances,
)
from embaudit.measures.metric_table import compare_metrics
from embaudit.result import MetricRow
from embaudit.stages.ledger import Ledger
from embaudit.stages.population import SAMPLE_ROWS, Population
from embaudit.stats.parallel import ordered_map

METRIC_ROWS = 500
"""Rows of the metric table; manhattan has no fast product."""
MOST_LEVELS = 256
GRID_VALUES = 1 << 17
GRID_REPEATS = 16
"""Values looked at for each distinct one before they count as a grid."""
FAMILIES = ("cka.rbf", "rsa.", "partner.cosine")
EQUAL_DISTANCES = "all distances of a side are equal"


@dataclass(frozen=True)
class SampleStage:
    """What is said besides the measures.

    Attributes
    ----------
    rows : int64 array, shape (s,)
        The sampled rows.
    stored : (array, array)
        Their vectors as stored, shapes (s, p) and (s, q).
    metric_rows : list of MetricRow
        The pair as every metric sees it.
    levels : (int or None, int or None)
        Number of distinct values of each side where they lie on a grid of few.
    """

    rows: Rows
    stored: tuple[Stored, Stored]
    metric_rows: list[MetricRow]
    levels: tuple[int | None, int | None]


def measure_sample(population: Population, ledger: Ledger) -> SampleStage:
    """Record RBF CKA, RSA and paired cosine; compare the metrics; look for a grid of values."""
    options, pair, scan = population.options, population.pair, population.scan
    rows = population.order[: min(SAMPLE_ROWS, population.n)]
    n = len(rows)
    stored_a, stored_b = pair.a.take(rows), pair.b.take(rows)
    if n <= max(3, options.k + 1):
        ledger.skip_family(FAMILIES, f"only {n} distinct rows are left")
        return SampleStage(rows, (stored_a, stored_b), [], (None, None))
    options.progress.stage("sample", 1)
    with ledger.stage("sample"):
        a, b = scan.a.preparation.rows(stored_a), scan.b.preparation.rows(stored_b)

        def pairs_of(side: Matrix) -> tuple[Vector | None, Vector]:
            squared = squared_distances(side)
            ranks = average_ranks(dissimilarities(side, squared, options.metric))
            return gaussian_kernel(squared), ranks

        sides = ordered_map(pairs_of, (a, b), options.workers)
        (kernel_a, ranks_a), (kernel_b, ranks_b) = sides
        ledger.put("cka.rbf", rbf_cka(kernel_a, kernel_b, n), EQUAL_DISTANCES, n=n)
        ledger.put("rsa.spearman", rank_correlation(ranks_a, ranks_b), EQUAL_DISTANCES, n=n)
        if population.same_dim:
            partners, random = paired_cosine(a, b, np.random.default_rng([options.seed, 5]))
            for name, values in (("raw", partners), ("random", random)):
                ledger.put(f"partner.cosine.{name}", float(values.mean()), n=n)
                ledger.put(f"partner.cosine.{name}.q05", float(np.quantile(values, 0.05)), n=n)
        else:
            ledger.skip_family(("partner.cosine",), "the dimensions differ")
        few = slice(0, max(METRIC_ROWS, 4 * options.k))
        table = compare_metrics(
            stored_a[few].astype(np.float64),
            stored_b[few].astype(np.float64),
            str(options.metric),
            options.k,
            options.workers,
        )
        used = len(stored_a[few])
    options.progress.advance()
    metric_rows = [
        MetricRow.model_validate({**asdict(row), "n": used, "k": options.k}) for row in table
    ]
    levels = (_levels(stored_a), _levels(stored_b))
    return SampleStage(rows, (stored_a, stored_b), metric_rows, levels)


def _levels(stored: Stored) -> int | None:
    """Return the number of distinct values where each occurs often, None elsewhere."""
    values = stored.ravel()[:GRID_VALUES]
    levels = len(np.unique(values))
    return levels if levels <= MOST_LEVELS and GRID_REPEATS * levels <= len(values) else None
