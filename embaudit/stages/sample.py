"""Stage 3: measures of pairs of rows, on one seeded sample."""

from __future__ import annotations

import numpy as np

from embaudit.measures.cka import rbf_cka
from embaudit.measures.distances import paired_cosine, rsa
from embaudit.measures.metric_table import compare_metrics
from embaudit.result import MetricRow
from embaudit.stages.ledger import Ledger
from embaudit.stages.population import Population

SAMPLE_ROWS = 1000
FAMILIES = ("cka.rbf", "rsa.", "partner.cosine")
EQUAL_DISTANCES = "all distances of a side are equal"


def measure_sample(population: Population, ledger: Ledger) -> list[MetricRow]:
    """Record RBF CKA, RSA and paired cosine; return the pair as every metric sees it."""
    options, pair, scan = population.options, population.pair, population.scan
    rows = np.sort(population.order[: min(SAMPLE_ROWS, population.n)])
    n = len(rows)
    if n <= max(3, options.k + 1):
        ledger.skip_family(FAMILIES, f"only {n} distinct rows are left")
        return []
    options.progress.stage("sample", 1)
    with ledger.stage("sample"):
        stored_a, stored_b = pair.a.take(rows), pair.b.take(rows)
        a, b = scan.a.preparation.rows(stored_a), scan.b.preparation.rows(stored_b)
        ledger.put("cka.rbf", rbf_cka(a, b), EQUAL_DISTANCES, n=n)
        ledger.put("rsa.spearman", rsa(a, b, options.metric), EQUAL_DISTANCES, n=n)
        if population.same_dim:
            partners, random = paired_cosine(a, b, np.random.default_rng([options.seed, 5]))
            for name, values in (("raw", partners), ("random", random)):
                ledger.put(f"partner.cosine.{name}", float(values.mean()), n=n)
                ledger.put(f"partner.cosine.{name}.q05", float(np.quantile(values, 0.05)), n=n)
        else:
            ledger.skip_family(("partner.cosine",), "the dimensions differ")
        table = compare_metrics(stored_a.astype(np.float64), stored_b.astype(np.float64), options.k)
    options.progress.advance()
    return [
        MetricRow(
            metric=str(row.metric),
            overlap=row.overlap,
            recall_a_to_b=row.recall_a_to_b,
            recall_b_to_a=row.recall_b_to_a,
            rsa=row.rsa,
            n=n,
            k=options.k,
        )
        for row in table
    ]
