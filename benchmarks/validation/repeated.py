"""What only repetition shows: coverage of intervals, errors at a threshold, errors of the p-value.

The files stay, and with them the truth; what is drawn again is the sample of queries, the folds and
the halves of the mixed index, by the seed. For the p-value the data are drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import embaudit
from benchmarks.validation.changes import CHANGES, Sets
from benchmarks.validation.sources import independent, vectors
from benchmarks.validation.truth import Truth, measure
from embaudit.measures.cka import linear_cka
from embaudit.stats.moments import Moments

Rows = NDArray[Any]
AT_ONCE = 50
LEVEL = 0.05
BISECTIONS = 14


@dataclass(frozen=True)
class Setting:
    """A pair of which `draws` samples are taken.

    Attributes
    ----------
    name : str
    model : str
        Of the digits; the other side is its copy, changed.
    rows : int
    change : str
    strength : float
    queries : int
        The most that an audit may spend.
    draws : int
    """

    name: str
    model: str
    rows: int
    change: str
    strength: float
    queries: int
    draws: int


@dataclass(frozen=True)
class Batch:
    """Some of the draws of a setting, a job for one process."""

    setting: Setting
    first: int
    count: int


COVERAGE = tuple(
    Setting(name, "pca16", 200, change, strength, queries, 500)
    for queries in (32, 100)
    for name, change, strength in (
        ("near 1", "noise of deviations", 0.03),
        ("high", "noise of deviations", 0.2),
        ("middling", "noise of deviations", 1.0),
        ("near 0", "rotated at random", 0.0),
        ("a tenth shuffled", "rows shuffled, share", 0.1),
    )
)
MEASURES: dict[str, Callable[[Truth], float]] = {
    "recall.a_to_b.raw": lambda true: true.plain["raw ab"],
    "recall.b_to_a.raw": lambda true: true.plain["raw ba"],
    "mixed_index.a.raw": lambda true: true.plain["mixed a"],
    "mixed_index.b.raw": lambda true: true.plain["mixed b"],
    "neighbors.overlap": lambda true: true.overlap,
    "partner.found.a_to_b.raw": lambda true: true.found["ab"],
    "partner.found.b_to_a.raw": lambda true: true.found["ba"],
    "mispaired_fraction": lambda true: true.moved,
}
"""The intervals that are checked, and the truth of each."""

TARGET = 0.898
"""True recall of the pairs at the threshold: within 0.01 below 0.90, where errors are likeliest."""
THRESHOLD = (
    Setting("noise", "pca16", 1000, "noise of deviations", 0.3, 16_384, 100),
    Setting("turned", "features", 1000, "turned by degrees", 30.0, 16_384, 100),
    Setting("offset", "pca16", 1000, "offset of norms", 1.0, 16_384, 100),
    Setting("noise", "pca16", 1000, "noise of deviations", 0.3, 512, 100),
)
"""The strength is the largest that is tried."""


@dataclass(frozen=True)
class Counts:
    """How often an interval held the truth, by measure.

    Attributes
    ----------
    true, held, width : dict of str to float
    draws : int
    """

    true: dict[str, float]
    held: dict[str, int]
    width: dict[str, float]
    draws: int

    def plus(self, other: Counts) -> Counts:
        """Return the counts of both."""
        return Counts(
            self.true,
            {key: held + other.held[key] for key, held in self.held.items()},
            {key: width + other.width[key] for key, width in self.width.items()},
            self.draws + other.draws,
        )


def batches(settings: tuple[Setting, ...]) -> Iterator[Batch]:
    """Cut the draws into jobs."""
    for setting in settings:
        for first in range(0, setting.draws, AT_ONCE):
            yield Batch(setting, first, min(AT_ONCE, setting.draws - first))


def _sets(setting: Setting, strength: float) -> Sets:
    rows = vectors("digits", setting.model, setting.rows)
    random = np.random.default_rng(21)
    return CHANGES[setting.change](Sets.paired(rows, rows), strength, random)


@cache
def _known(setting: Setting) -> tuple[Sets, Truth]:
    sets = _sets(setting, setting.strength)
    return sets, measure(sets.a, sets.b, sets.moved)


def coverage(batch: Batch) -> Counts:
    """Count the draws of a batch whose intervals hold the truth."""
    with threadpool_limits(limits=1):
        sets, true = _known(batch.setting)
        policy = embaudit.Policy(max_queries=batch.setting.queries)
        values = {key: of(true) for key, of in MEASURES.items()}
        held, width = dict.fromkeys(MEASURES, 0), dict.fromkeys(MEASURES, 0.0)
        for seed in range(batch.first, batch.first + batch.count):
            audit = embaudit.compare(sets.a, sets.b, policy=policy, seed=seed, threads=1)
            for key, value in values.items():
                fraction = audit.pairing.mispaired_fraction.ci
                ci = fraction if key == "mispaired_fraction" else audit.measures[key].ci
                assert ci is not None
                held[key] += ci[0] - 1e-9 <= value <= ci[1] + 1e-9
                width[key] += ci[1] - ci[0]
    return Counts(values, held, width, batch.count)


@cache
def _at_threshold(setting: Setting) -> tuple[Sets, Truth]:
    """Return the pair whose true recall, at its smallest, is just below what is asked."""
    low, high = 0.0, setting.strength
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        sets = _sets(setting, middle)
        true = measure(sets.a, sets.b, sets.moved)
        if true.direct >= TARGET:
            low = middle
        else:
            high = middle
    return sets, true


@dataclass(frozen=True)
class Verdicts:
    """Verdicts of repeated audits of one pair.

    Attributes
    ----------
    setting : Setting
    direct, partners : float
        The truth.
    said : dict of str to int
    """

    setting: Setting
    direct: float
    partners: float
    said: dict[str, int]


def at_threshold(setting: Setting) -> Verdicts:
    """Audit a pair just below the threshold again and again."""
    said: dict[str, int] = {}
    with threadpool_limits(limits=1):
        sets, true = _at_threshold(setting)
        policy = embaudit.Policy(max_queries=setting.queries)
        for seed in range(setting.draws):
            audit = embaudit.compare(sets.a, sets.b, policy=policy, seed=seed, threads=1)
            said[str(audit.verdict)] = said.get(str(audit.verdict), 0) + 1
    return Verdicts(setting, true.direct, true.partners, said)


@dataclass(frozen=True)
class Independent:
    """Data without any relation, drawn `draws` times."""

    shape: str
    rows: int
    dims: tuple[int, int]
    draws: int = 600


INDEPENDENT = tuple(
    Independent(shape, rows, dims)
    for shape in ("isotropic", "stretched", "two directions carry nearly all", "heavy tails")
    for rows, dims in ((100, (16, 16)), (400, (64, 32)), (100, (256, 256)))
)


def _draw(case: Independent, side: int, draw: int) -> Rows:
    dim = case.dims[side]
    seed = 2 * draw + side
    if case.shape in ("isotropic", "stretched"):
        stretched = " stretched" if case.shape == "stretched" else ""
        return independent(f"{seed}x{dim}{stretched}", case.rows)
    random = np.random.default_rng([seed, 1])
    rows: Rows = random.standard_normal((case.rows, dim))
    if case.shape == "heavy tails":
        return rows / np.sqrt(random.chisquare(3, (case.rows, 1)) / 3)
    rows[:, 2:] *= 0.02
    return rows


def type_one(case: Independent) -> float:
    """Return the share of draws in which the p-value of CKA is at most 0.05."""
    rejected = 0
    with threadpool_limits(limits=1):
        for draw in range(case.draws):
            x, y = (_draw(case, side, draw).astype(np.float64) for side in (0, 1))
            moments = Moments(x.mean(axis=0), y.mean(axis=0))
            moments.update(x, y)
            p_value = linear_cka(moments).p_value
            rejected += p_value is not None and p_value <= LEVEL
    return rejected / case.draws
