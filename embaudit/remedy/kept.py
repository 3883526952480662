"""What other rows of the same items keep of a set's neighbourhoods."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.pair import Pair
from embaudit.datatypes import DIRECTIONS, Rows, SilentProgress
from embaudit.errors import InputError
from embaudit.measures.neighbors import OVERLAP
from embaudit.remedy.mapped_search import OneWay
from embaudit.result import Estimate
from embaudit.stages.options import Options
from embaudit.stages.population import populate
from embaudit.stats.intervals import mean_interval

QUERIES = 1024


def kept(
    rows: EmbeddingSet, part: EmbeddingSet, options: Options, queries: Rows | None = None
) -> Estimate | None:
    """Return the share of each row's nearest in a set that are its nearest in other rows too.

    Parameters
    ----------
    rows, part : EmbeddingSet
        Row i of both is one item.
    options : Options
    queries : int64 array, shape (m,), optional
        Rows to ask; default is a sample.

    Returns
    -------
    Estimate or None
        None where rows have no neighbours: all one vector, or too few.
    """
    with suppress(InputError):
        population = populate(Pair(rows, part), options)
        if queries is None:
            queries = population.order[:QUERIES]
        queries = queries[population.kept[queries]]
        if population.n >= 4 * options.k + 2 and len(queries):
            search = replace(OneWay(population, DIRECTIONS[0]).stored(), across=False)
            found = search.run(queries, SilentProgress())
            alpha = 1.0 - options.policy.confidence
            interval = mean_interval(found.values[OVERLAP], population.n, alpha)
            return Estimate.of(interval)
    return None
