"""What recall becomes in a larger index: `--index-size`, and all rows that a sample stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from embaudit.datatypes import Mask, Rows
from embaudit.errors import UsageError
from embaudit.measures.neighbors import QueryResults
from embaudit.measures.retrieval import NeighbourSearch
from embaudit.result import Estimate, Projection
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage
from embaudit.stats.extrapolation import extrapolate
from embaudit.stats.intervals import Interval
from embaudit.streaming.corpus import Corpus

SHARES = (8, 4, 2)
"""Smaller indexes hold one row of this many; together they cost less than one search of all."""


@dataclass(frozen=True)
class Growth:
    """What the same queries find while the index grows to the rows at hand.

    Attributes
    ----------
    sizes : list of int
        Rows of each index, ascending.
    rows : list of QueryResults
        Of rows as queries, by size.
    asked : list of QueryResults
        Of the queries that the recalls rest on: `rows`, or those of real queries.
    """

    sizes: list[int]
    rows: list[QueryResults]
    asked: list[QueryResults]

    def continued(self, key: str, index_size: int, alpha: float) -> Interval:
        """Return a measure in a larger index, as real queries see it where they were asked it."""
        found = self.asked if key in self.asked[0].values else self.rows
        return _continued(found, self.sizes, key, index_size, alpha)


def refuse_projection(population: Population) -> None:
    """Refuse, before anything is searched, an index or a sample that these rows say nothing of.

    Raises
    ------
    UsageError
        When the index is smaller than the rows at hand, or too few rows are left to draw from.
    """
    wanted, n = population.options.index_size, population.n
    sampled_of = population.pair.sampled_of
    if wanted is not None and wanted < n:
        holder = "the files hold" if sampled_of is None else "the sample holds"
        raise UsageError(
            f"--index-size {wanted:,}: {holder} {n:,} distinct rows and their recalls are "
            "measured; pass a larger number"
        )
    fewest = SHARES[0] * (4 * population.options.k + 2)
    if n >= fewest:
        return
    if sampled_of is not None:
        raise UsageError(
            f"--sample {population.pair.rows:,}: a look at {sampled_of:,} rows through a sample "
            f"needs at least {fewest:,} distinct rows at k {population.options.k} and {n:,} were "
            "drawn; pass a larger --sample or a smaller --k"
        )
    if wanted is not None:
        raise UsageError(
            f"--index-size {wanted:,}: a projection at k {population.options.k} needs at least "
            f"{fewest:,} distinct rows and {n:,} are left; pass more rows or a smaller --k"
        )


def observe_growth(population: Population, retrieval: RetrievalStage) -> Growth | None:
    """Search nested subsamples of the corpus for the queries that the audit asked.

    The maps are those of the audit. Each smaller index is one more pass over both files that scores
    only its rows: an eighth, a quarter and a half.

    Returns
    -------
    Growth or None
        None where nothing could be searched.
    """
    search, results = retrieval.search, retrieval.results
    if search is None or results is None or retrieval.asked is None or retrieval.ask_in is None:
        return None
    sizes = [population.n // share for share in SHARES]
    rows = [*search_smaller(population, search, results.rows, sizes), results]
    asked = rows
    if population.pair.sampled_of is not None and retrieval.asked is not results:
        smaller = _smaller(population, search, sizes)
        asked = [*(retrieval.ask_in(index) for index in smaller), retrieval.asked]
    return Growth([*sizes, population.n], rows, asked)


def project(population: Population, growth: Growth, index_size: int) -> Projection:
    """Continue every recall of rows as queries to `index_size` rows."""
    options = population.options
    keys = list(growth.rows[-1].chance)
    alpha = 1.0 - options.policy.confidence
    ends = {key: _continued(growth.rows, growth.sizes, key, index_size, alpha) for key in keys}
    return Projection(
        index_size=index_size,
        n=population.n,
        k=options.k,
        queries=len(growth.rows[-1].rows),
        measures={
            key: Estimate(value=end.value, ci=(end.low, end.high)) for key, end in ends.items()
        },
        sizes=growth.sizes,
        observed={
            key: [float(results.values[key].mean()) for results in growth.rows] for key in keys
        },
    )


def _continued(
    found: list[QueryResults], sizes: list[int], key: str, index_size: int, alpha: float
) -> Interval:
    values = np.stack([results.values[key] for results in found])
    return extrapolate(values, np.array(sizes, np.float64), float(index_size), alpha)


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
    progress = population.options.progress
    return [index.run(queries, progress) for index in _smaller(population, search, sizes)]


def _smaller(
    population: Population, search: NeighbourSearch, sizes: list[int]
) -> Iterator[NeighbourSearch]:
    """Yield the searches of nested seeded subsamples of the corpus."""
    options = population.options
    order = np.random.default_rng([options.seed, 7]).permutation(population.order[:])
    for size in sizes:
        yield _within(search, order[:size], options.k)


def _within(search: NeighbourSearch, rows: Rows, k: int) -> NeighbourSearch:
    """Return the search of an index that holds `rows` alone."""
    kept: Mask = np.zeros(search.pair.rows, np.bool_)
    kept[rows] = True

    def index(corpus: Corpus) -> Corpus:
        return replace(corpus, kept=kept)

    return replace(search, a=index(search.a), b=index(search.b), ks=(k,))
