"""What recall becomes in a larger index: `--index-size`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from embaudit.datatypes import Mask, Rows
from embaudit.errors import UsageError
from embaudit.measures.neighbors import QueryResults
from embaudit.measures.retrieval import NeighbourSearch
from embaudit.result import Estimate, Projection
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage
from embaudit.stats.extrapolation import extrapolate
from embaudit.streaming.search import Corpus

SHARES = (8, 4, 2)
"""Smaller indexes hold one row of this many; together they cost less than one search of all."""


def refuse_index_size(population: Population) -> None:
    """Refuse, before anything is searched, an index that these rows say nothing about.

    Raises
    ------
    UsageError
        When the index is smaller than the rows at hand, or too few rows are left to draw from.
    """
    wanted, n = population.options.index_size, population.n
    if wanted is None:
        return
    if wanted < n:
        raise UsageError(
            f"--index-size {wanted:,}: the files hold {n:,} distinct rows and their recalls are "
            "measured; pass a larger number"
        )
    fewest = SHARES[0] * (4 * population.options.k + 2)
    if n < fewest:
        raise UsageError(
            f"--index-size {wanted:,}: a projection at k {population.options.k} needs at least "
            f"{fewest:,} distinct rows and {n:,} are left; pass more rows or a smaller --k"
        )


def project(
    population: Population, retrieval: RetrievalStage, index_size: int
) -> Projection | None:
    """Search nested subsamples of the corpus, and continue every recall to `index_size` rows.

    The queries are the rows that the audit asked, the maps those of the audit. Each smaller index
    is one more pass over both files that scores only its rows: an eighth, a quarter and a half.

    Returns
    -------
    Projection or None
        None where nothing could be searched.
    """
    options = population.options
    if retrieval.search is None or retrieval.results is None:
        return None
    sizes = [population.n // share for share in SHARES]
    smaller = search_smaller(population, retrieval.search, retrieval.results.rows, sizes)
    sizes, found = [*sizes, population.n], [*smaller, retrieval.results]
    measures: dict[str, Estimate] = {}
    observed: dict[str, list[float]] = {}
    for key in retrieval.results.chance:
        values = np.stack([results.values[key] for results in found])
        interval = extrapolate(
            values,
            np.array(sizes, np.float64),
            float(index_size),
            1.0 - options.policy.confidence,
        )
        measures[key] = Estimate(value=interval.value, ci=(interval.low, interval.high))
        observed[key] = [float(mean) for mean in values.mean(axis=1)]
    return Projection(
        index_size=index_size,
        n=population.n,
        k=options.k,
        queries=len(retrieval.results.rows),
        measures=measures,
        sizes=sizes,
        observed=observed,
    )


def search_smaller(
    population: Population, search: NeighbourSearch, queries: Rows, sizes: list[int]
) -> list[QueryResults]:
    """Return what the same queries find in nested seeded subsamples of the corpus.

    Parameters
    ----------
    queries : int64 array, shape (m,)
        Rows; none finds itself, whether it is in a subsample or not.
    sizes : list of int
        Rows of each subsample.
    """
    options = population.options
    order = np.random.default_rng([options.seed, 7]).permutation(population.order)
    return [
        _within(search, order[:size], options.k).run(queries, options.progress) for size in sizes
    ]


def _within(search: NeighbourSearch, rows: Rows, k: int) -> NeighbourSearch:
    """Return the search of an index that holds `rows` alone."""
    kept: Mask = np.zeros(search.pair.rows, np.bool_)
    kept[rows] = True

    def index(corpus: Corpus) -> Corpus:
        return replace(corpus, kept=kept)

    return replace(search, a=index(search.a), b=index(search.b), ks=(k,))
