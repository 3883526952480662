"""How what the measures sum up is distributed."""

from __future__ import annotations

import numpy as np

from embaudit.answers.judged import Judged, judged
from embaudit.datatypes import DIRECTIONS, Matrix, Vector
from embaudit.figures import Cosines, Distributions, PartnerRanks
from embaudit.measures.distances import paired_cosine
from embaudit.measures.neighbors import RAW
from embaudit.measures.pairing import View
from embaudit.stages.linear import LinearStage
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage
from embaudit.stages.sample import SampleStage

MOST_DIRECTIONS = 256
COSINE_BINS = 40
RANK_BINS = 20


def measure_distributions(
    population: Population, linear: LinearStage, sample: SampleStage, retrieval: RetrievalStage
) -> Distributions | None:
    """Collect distributions from what the stages hold; no file is read again.

    Shown are the stored vectors, where the dimensions are equal, and the map that recalls most.

    Returns
    -------
    Distributions or None
        None where too few rows are left to rank any.
    """
    if retrieval.ranks is None or retrieval.results is None or linear.maps is None:
        return None
    policy = population.options.policy
    kinds = judged(retrieval, policy.min_recall, policy.min_aligned_recall)
    views = _views(kinds, retrieval, population.same_dim)
    spectrum = np.empty(0) if linear.correlations is None else linear.correlations
    places = np.arange(len(spectrum))
    if len(places) > MOST_DIRECTIONS:
        places = np.linspace(0, len(spectrum) - 1, MOST_DIRECTIONS).round().astype(np.int64)
    ranks = retrieval.ranks.scores.ranks
    vectors = [
        side.preparation.rows(stored)
        for side, stored in zip((population.scan.a, population.scan.b), sample.stored, strict=True)
    ]
    cosines = []
    for view in views:
        direction, kind = view
        source, target = vectors if direction == "a_to_b" else vectors[::-1]
        if kind != RAW:
            source = linear.maps.transform(direction, kind, sample.rows, source)
        cosines.append(_cosines(view, source, target, population.options.seed))
    return Distributions(
        canonical_correlations=spectrum[places].tolist(),
        canonical_directions=len(spectrum),
        cosines=cosines,
        partner_ranks=[
            PartnerRanks.model_validate(
                {
                    "direction": view[0],
                    "map": view[1],
                    "n": len(ranks[view]),
                    "counts": _counts(ranks[view], RANK_BINS, 0.0, 1.0),
                }
            )
            for view in views
        ],
    )


def _views(judged: Judged, retrieval: RetrievalStage, same_dim: bool) -> list[View]:
    """Return stored vectors, where they apply, and the map that recalls most.

    Of an advised map the direction that is advised: the other may not lead anywhere.
    """
    mapped: list[View] = [view for view in judged.views if view[1] != RAW] or [
        (direction, judged.better_map[direction]) for direction in DIRECTIONS
    ]
    best = max(mapped, key=lambda view: retrieval.evidence.recalls[view].corrected.value)
    return [(best[0], RAW), best] if same_dim else [best]


def _cosines(view: View, source: Matrix, target: Matrix, seed: int) -> Cosines:
    partners, random = paired_cosine(source, target, np.random.default_rng([seed, 5]))
    low = float(min(partners.min(), random.min()))
    high = max(float(max(partners.max(), random.max())), low + 1e-6)
    return Cosines.model_validate(
        {
            "direction": view[0],
            "map": view[1],
            "n": len(partners),
            "low": low,
            "high": high,
            "partners_mean": float(partners.mean()),
            "random_mean": float(random.mean()),
            "partners": _counts(partners, COSINE_BINS, low, high),
            "random": _counts(random, COSINE_BINS, low, high),
        }
    )


def _counts(values: Vector, bins: int, low: float, high: float) -> list[int]:
    return [int(count) for count in np.histogram(values, bins, (low, high))[0]]
