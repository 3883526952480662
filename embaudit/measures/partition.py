"""Contiguous parts of a file that behave differently, with tests that chance does not pass."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import Mask, Matrix, Rows, Vector

FALSE_ALARM = 1e-4
"""Chance that rows in random order show a part, over all parts that are tried."""
FEWEST_LOST = 6
MOST_PARTS = 8
BINS = 40
FEWEST_PER_BIN = 4
SHUFFLES = 400
CROSS_SHARE = 0.4
"""Agreement across the border of a part, relative to that within, below which both differ."""
CLEAR_AGREEMENT = 0.25


def lost_parts(lost: Mask, false_alarm: float = FALSE_ALARM) -> list[tuple[int, int]]:
    """Return the contiguous parts most of whose entries are lost while most others are not.

    A part of m entries with share s lost, where the share of all is p, is as unlikely in random
    order as ``exp(-m KL(s, p))`` (Hoeffding 1963, which holds without replacement); it counts
    when this is below `false_alarm` over the number of all parts.

    Parameters
    ----------
    lost : bool array, shape (m,)
        In the order of the file.

    Returns
    -------
    list of (start, stop)
        Positions in `lost`, ascending, half-open; each starts and ends with a lost entry.
    """
    found: list[tuple[int, int]] = []
    pieces = [(0, len(lost))]
    while pieces and len(found) < MOST_PARTS:
        low, high = pieces.pop()
        part = _densest(lost[low:high])
        if part is None:
            continue
        start, stop = low + part[0], low + part[1]
        inside, outside = float(lost[start:stop].mean()), _rest_share(lost, start, stop)
        unlikely = _log_evidence(lost, start, stop) > math.log(len(lost) ** 2 / 2 / false_alarm)
        if unlikely and inside > 0.5 and outside < 0.5 * inside:
            found.append((start, stop))
            pieces += [(low, start), (stop, high)]
    return sorted(found)


def _densest(lost: Mask) -> tuple[int, int] | None:
    """Return the part with the largest surplus of lost entries (Kadane), half of all being par."""
    if lost.sum() < FEWEST_LOST:
        return None
    gains = np.concatenate([[0.0], np.cumsum(np.where(lost, 1.0, -1.0))])
    lowest = np.minimum.accumulate(gains)
    stop = int((gains - lowest).argmax())
    start = int(gains[: stop + 1].argmin())
    # Of equal starts the last: a part does not begin with entries that cancel out.
    start = int(np.flatnonzero(gains[: stop + 1] == gains[start])[-1])
    return (start, stop) if stop - start >= FEWEST_LOST else None


def _rest_share(lost: Mask, start: int, stop: int) -> float:
    rest = len(lost) - (stop - start)
    return float(lost.sum() - lost[start:stop].sum()) / rest if rest else 0.0


def _log_evidence(lost: Mask, start: int, stop: int) -> float:
    """Return ``m KL(s, p)`` of a part."""
    share, overall = float(lost[start:stop].mean()), float(lost.mean())
    if share <= overall or overall == 0.0:
        return 0.0
    divergence = share * math.log(share / overall)
    if share < 1.0:
        divergence += (1.0 - share) * math.log((1.0 - share) / (1.0 - overall))
    return (stop - start) * divergence


@dataclass(frozen=True)
class Split:
    """A contiguous part of sampled rows that one space relates to the rest and the other does not.

    Attributes
    ----------
    start, stop : int
        Positions in the sample, half-open.
    within_part, within_rest, across : float
        How the inner products of both sides correlate: among rows of the part, among the others,
        and between the two.
    p_value : float
        Of the order of the rows, by shuffles.
    """

    start: int
    stop: int
    within_part: float
    within_rest: float
    across: float
    p_value: float


def split_by_geometry(a: Matrix, b: Matrix, seed: int) -> Split | None:
    """Return the part of a sample that was made by another model than the rest, if one is.

    Rows of one model keep their inner products with each other under any rotation, and lose those
    with rows of another model. Bins of neighbouring rows are tried as every contiguous part; the
    order of the bins is shuffled for the significance.

    Parameters
    ----------
    a, b : float64 arrays, shapes (m, p) and (m, q)
        Paired rows in the order of the file.
    seed : int
    """
    bins = min(BINS, len(a) // FEWEST_PER_BIN)
    if bins < 8:
        return None
    edges = np.linspace(0, len(a), bins + 1).astype(np.int64)
    k, other = _products_across(a, edges), _products_across(b, edges)
    sums = [_by_bins(product, edges) for product in (k * other, k * k, other * other)]
    best, start, stop = _most_apart(sums)
    part = _agreements(sums, start, stop)
    if part is None:
        return None
    within_part, within_rest, across = part
    clear = max(within_part, within_rest)
    if clear < CLEAR_AGREEMENT or across > CROSS_SHARE * min(within_rest, clear):
        return None
    generator = np.random.default_rng([seed, 9])
    above = 0
    for _ in range(SHUFFLES):
        order = generator.permutation(bins)
        shuffled = [matrix[np.ix_(order, order)] for matrix in sums]
        above += _most_apart(shuffled)[0] >= best
    p_value = (above + 1) / (SHUFFLES + 1)
    if above:
        return None
    return Split(int(edges[start]), int(edges[stop]), within_part, within_rest, across, p_value)


def _products_across(rows: Matrix, edges: Rows) -> Matrix:
    """Return the inner products of rows of different bins, each about the mean of its own bin.

    The means of two models may lie farther apart than the rows of either; about the mean of all
    rows they would outweigh every other product. Products within a bin share the mean that was
    taken, and count as zero.
    """
    sizes = np.diff(edges)
    bin_of = np.repeat(np.arange(len(sizes)), sizes)
    centred = rows - (np.add.reduceat(rows, edges[:-1], axis=0) / sizes[:, None])[bin_of]
    kernel: Matrix = centred @ centred.T
    kernel[bin_of[:, None] == bin_of] = 0.0
    return kernel


def _by_bins(matrix: Matrix, edges: Rows) -> Matrix:
    starts = edges[:-1]
    return np.asarray(np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1))


def _most_apart(sums: list[Matrix]) -> tuple[float, int, int]:
    """Return the largest contrast of a contiguous part of bins with the rest, and the part."""
    bins = len(sums[0])
    start, stop = np.triu_indices(bins, 1)
    stop = stop + 1
    inside, across, rest = zip(*(_regions(matrix, start, stop) for matrix in sums), strict=True)
    kept = (stop - start < bins) & (stop - start >= 1)
    within = _correlation([i + r for i, r in zip(inside, rest, strict=True)])
    share = (stop - start) / bins
    contrast = (within - _correlation(list(across))) * np.sqrt(share * (1.0 - share)) * kept
    at = int(contrast.argmax())
    return float(contrast[at]), int(start[at]), int(stop[at])


def _regions(matrix: Matrix, start: Rows, stop: Rows) -> tuple[Vector, Vector, Vector]:
    """Return the sums of a matrix within parts, across their borders, and outside."""
    corner = np.zeros((len(matrix) + 1, len(matrix) + 1))
    corner[1:, 1:] = matrix.cumsum(axis=0).cumsum(axis=1)
    inside = corner[stop, stop] - 2.0 * corner[start, stop] + corner[start, start]
    band = corner[stop, -1] - corner[start, -1]
    across = band - inside
    return inside, across, corner[-1, -1] - inside - 2.0 * across


def _correlation(sums: list[Vector]) -> Vector:
    product, first, second = sums
    size = np.sqrt(np.maximum(first, 0.0) * np.maximum(second, 0.0))
    return np.asarray(np.divide(product, size, out=np.zeros_like(product), where=size > 0.0))


def _agreements(sums: list[Matrix], start: int, stop: int) -> tuple[float, float, float] | None:
    at, to = np.array([start]), np.array([stop])
    regions = zip(*(_regions(matrix, at, to) for matrix in sums), strict=True)
    part, across, rest = (float(_correlation(list(region))[0]) for region in regions)
    return (part, rest, across) if stop - start < len(sums[0]) else None
