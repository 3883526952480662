"""Sign bits packed eight to a byte: bytes that are no numbers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from embaudit.datatypes import Matrix, Stored
from embaudit.measures.distances import spearman

BYTES = {"int8", "uint8"}
PLANES = 8
SAME_BITS = 0.90
"""Share of bits that must be the signs of the other side's values. Independent bits agree on 0.5;
sign bits of 8-bit weights against the full ones on 0.98, of a fine-tuned model on 0.86."""
INFORMATIVE = (0.05, 0.95)
"""A column outside this share of positive values agrees with any constant bit."""
INDEPENDENT = 0.2
"""Mean |phi| of two bits of one byte. Sign bits of real models reach 0.13; the top bits of
quantised values 0.5 to 1."""
BALANCED = (0.1, 0.9)
COMMON = 0.1
"""Share of the most common byte of a column, on average: 0.01 to 0.08 for sign bits of sentence
models, more where values are clipped at two deviations or less."""
NOT_ALIKE = 0.25
"""Pairs of rows that differ in fewer of their bits are near-duplicates, alike in every bit."""
BOTH_HALVES = 0.1
"""Spearman correlation of distances by the low and by the high four bits: 0.13 to 0.45 for sign
bits of sentence models and word vectors, at most 0.05 for quantised values whose bits are
independent, since their low bits are noise."""
ALIKE = 0.5
"""How well the distances by one plane follow those by the rest, the worst plane against the best:
0.65 to 0.81 for sign bits, up to 0.35 for several small numbers in one byte."""
FEWEST_PARTNERS = 20
FEWEST_ROWS = 100
FEWEST_COLUMNS = 4
PAIRS = 8192


@dataclass(frozen=True)
class Packing:
    """How bits were packed.

    Attributes
    ----------
    agreement : float
        Share of the bits that are the signs of the other side's values.
    order : "big" or "little"
        Which bit of a byte comes first.
    offset : bool
        Bytes stored as int8 after 128 was taken from them.
    """

    agreement: float
    order: Literal["big", "little"]
    offset: bool


def packed_signs(stored: Stored, values: Stored) -> Packing | None:
    """Return how the bits of `stored` hold the signs of `values`, None where they do not.

    A bit may also say whether a value is above its column's median.

    Parameters
    ----------
    stored : int8 or uint8 array, shape (s, ceil(p / 8))
    values : array, shape (s, p)
        The same items, row by row.
    """
    dim = values.shape[1]
    if stored.dtype.name not in BYTES or stored.shape[1] != -(-dim // PLANES):
        return None
    if len(stored) < FEWEST_PARTNERS:
        return None
    wide = values.astype(np.float64)
    found = [
        Packing(share, order, offset)
        for above in (wide > 0.0, wide > np.median(wide, axis=0))
        for order in ("big", "little")
        for offset in (False, True)
        if (share := _agreement(_bits(stored, order, offset)[:, :dim], above)) >= SAME_BITS
    ]
    return max(found, key=lambda packing: packing.agreement, default=None)


def looks_packed(stored: Stored) -> bool:
    """Say whether the bytes of a sample are eight bits each rather than numbers.

    The bits of one byte are as good as independent and balanced, no byte is common, and the
    distances of rows by the low four bits correlate with those by the high four, and by every bit
    with those by the others: the low bits of a number are noise beside the high ones.

    Parameters
    ----------
    stored : array, shape (s, d)
        Distinct seeded rows; anything but int8 and uint8 is not packed.
    """
    if stored.dtype.name not in BYTES or len(stored) < FEWEST_ROWS:
        return False
    codes = stored.view(np.uint8)
    planes = np.stack([codes >> np.uint8(bit) & np.uint8(1) for bit in range(PLANES)])
    shares = planes.mean(axis=1)
    low, high = BALANCED
    if not low <= float(shares.mean(axis=1).min()) <= float(shares.mean(axis=1).max()) <= high:
        return False
    share, ends = _commonest(codes)
    if share > COMMON or _dependence(planes, shares) > INDEPENDENT:
        return False
    distances = _plane_distances(codes, ends)
    return distances is not None and _planes_tell_alike(distances)


def _bits(stored: Stored, order: Literal["big", "little"], offset: bool) -> NDArray[np.uint8]:
    codes = stored.view(np.uint8) ^ np.uint8(0x80 if offset else 0)
    return np.unpackbits(codes, axis=1, bitorder=order)


def _agreement(bits: NDArray[np.uint8], above: NDArray[np.bool_]) -> float:
    """Return the share of equal bits over the columns that say something; 0 where few do."""
    low, high = INFORMATIVE
    share = above.mean(axis=0)
    telling = (share >= low) & (share <= high)
    if 2 * int(telling.sum()) < len(telling):
        return 0.0
    return float((bits[:, telling] == above[:, telling]).mean())


def _commonest(codes: NDArray[np.uint8]) -> tuple[float, NDArray[np.bool_]]:
    """Return the mean share of a column's most common byte, and where its two commonest stand."""
    share = 0.0
    ends = np.empty(codes.shape, np.bool_)
    for column in range(codes.shape[1]):
        counts = np.bincount(codes[:, column], minlength=256)
        share += int(counts.max()) / codes.size
        ends[:, column] = np.isin(codes[:, column], np.argsort(-counts, kind="stable")[:2])
    return share, ends


def _dependence(planes: NDArray[np.uint8], shares: Matrix) -> float:
    """Return the largest |phi| of two planes, averaged over columns."""
    deviation = np.sqrt(shares * (1.0 - shares))
    largest = 0.0
    for first, second in combinations(range(PLANES), 2):
        varies = (deviation[first] > 0.0) & (deviation[second] > 0.0)
        if not varies.any():
            return 1.0
        both = (planes[first] & planes[second]).mean(axis=0) - shares[first] * shares[second]
        phi = both[varies] / (deviation[first] * deviation[second])[varies]
        largest = max(largest, float(np.abs(phi).mean()))
    return largest


def _plane_distances(codes: NDArray[np.uint8], ends: NDArray[np.bool_]) -> Matrix | None:
    """Return how often random rows differ in each plane, shape (8, pairs); None for too few.

    Entries at the two commonest bytes of a column are left out: a clipped value says the same with
    all of its bits. So are equal bytes: rows that share a part agree there in every plane, whatever
    the bytes mean.
    """
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, len(codes), (2, PAIRS))
    differing = codes[first] ^ codes[second]
    counted = (differing != 0) & ~(ends[first] | ends[second])
    differing[~counted] = 0
    columns = np.maximum(counted.sum(axis=1), 1)
    planes = [(differing >> np.uint8(bit) & np.uint8(1)).sum(axis=1) for bit in range(PLANES)]
    distances = np.stack(planes) / columns
    apart = (distances.sum(axis=0) > NOT_ALIKE * PLANES) & (columns >= FEWEST_COLUMNS)
    return distances[:, apart] if int(apart.sum()) >= FEWEST_ROWS else None


def _planes_tell_alike(distances: Matrix) -> bool:
    """Say whether the low bits follow the high ones, and every bit the others about as well."""
    low, high = distances[: PLANES // 2].sum(axis=0), distances[PLANES // 2 :].sum(axis=0)
    if (spearman(low, high) or 0.0) < BOTH_HALVES:
        return False
    rest = distances.sum(axis=0)
    follows = [spearman(plane, rest - plane) or 0.0 for plane in distances]
    return min(follows) >= ALIKE * max(follows)
