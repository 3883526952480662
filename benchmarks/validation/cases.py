"""The pairs: models crossed with changes, at sizes from 60 to 20,000 rows."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from benchmarks.validation.changes import CHANGES, Sets
from benchmarks.validation.sources import vectors


@dataclass(frozen=True)
class Case:
    """One pair of sets.

    Attributes
    ----------
    world, a, b : str
        Items, and the models that made the sides.
    rows : int
    change : str
        What happened to the pair, a key of `CHANGES`, at `strength`.
    metric : str
    """

    world: str
    a: str
    b: str
    rows: int
    change: str = "as it is"
    strength: float = 0.0
    metric: str = "cosine"

    @property
    def name(self) -> str:
        """Return a line that tells this case from all others."""
        models = self.a if self.a == self.b else f"{self.a} → {self.b}"
        change = "" if self.change == "as it is" else f", {self.change}"
        change += f" {self.strength:g}" if self.strength else ""
        metric = "" if self.metric == "cosine" else f", {self.metric}"
        return f"{self.world}: {models}{change}{metric}, n {self.rows}"

    def build(self) -> Sets:
        """Return the sets, the same at every call."""
        a, b = (vectors(self.world, model, self.rows) for model in (self.a, self.b))
        random = np.random.default_rng(zlib.crc32(self.name.encode()))
        return CHANGES[self.change](Sets.paired(a, b), self.strength, random)


PAIRS_OF_PACKAGES = (
    ("minilm", "minilm_w8"),
    ("minilm", "minilm_ft120"),
    ("minilm_w8", "minilm_ft120"),
    ("w2v_seed1", "w2v_seed2"),
    ("minilm", "lsa"),
    ("minilm", "w2v_seed1"),
    ("lsa", "w2v_seed2"),
)
PAIRS_OF_DIGITS = (
    ("net", "net, epoch 31"),
    ("net", "net, epoch 33"),
    ("net", "net, epoch 60"),
    ("net", "net, epoch 2"),
    ("net", "net, other seed"),
    ("net", "net, wide"),
    ("net", "net, narrow"),
    ("net", "net, parity"),
    ("net", "net, copy"),
    ("net, copy", "net, copy, other seed"),
    ("net, copy", "features"),
    ("net", "features"),
    ("features", "pca"),
    ("features", "centred"),
    ("features", "pca8"),
    ("features", "projection"),
    ("projection", "projection2"),
    ("features", "projection256"),
    ("pca16", "nmf"),
    ("features", "nmf"),
    ("features", "rbf"),
    ("rbf", "rbf2"),
    ("pca16", "kernel pca"),
)
PAIRS_OF_SMALL_SETS = (
    ("cells", "net", "net, other seed"),
    ("cells", "net", "net, epoch 33"),
    ("cells", "features", "pca8"),
    ("cells", "net, copy", "net, copy, other seed"),
    ("wines", "net", "net, other seed"),
    ("wines", "net", "net, epoch 31"),
    ("wines", "features", "pca"),
    ("wines", "features", "pca8"),
    ("patients", "net", "net, other seed"),
    ("patients", "features", "net, copy"),
    ("patients", "features", "projection"),
)
CHANGES_OF_COPIES: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("turned by degrees", (2, 5, 8, 12, 20)),
    ("rotated at random", (0,)),
    ("noise of deviations", (0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)),
    ("rounded to bits", (8, 4, 1)),
    ("offset of norms", (0.05, 0.3, 1, 6)),
    ("times", (3,)),
    ("columns stretched by", (0.05, 0.3)),
    ("mean removed", (0,)),
    ("columns cut to share", (0.9, 0.5, 0.2)),
    ("columns blanked, share", (0.03, 0.2)),
    ("columns permuted, share", (0.05, 1)),
    ("signs flipped, share", (0.03, 0.5)),
    ("whitened", (0.1, 1)),
    ("outlier rows, share", (0.0005, 0.01)),
    ("rows repeated", (4,)),
    ("rows shuffled, share", (0.01, 0.04, 0.1, 0.4, 1)),
    ("rows from a rotated model, share", (0.01, 0.05, 0.5)),
    ("rows from noise, share", (0.1,)),
    ("rows collapsed, share", (0.05,)),
    ("rows lag by", (1,)),
)
SIZES = (60, 120, 250, 500, 1000, 1797)
ACROSS_SIZES = (
    Case("digits", "net", "net, epoch 31", 0),
    Case("digits", "net", "net, other seed", 0),
    Case("digits", "pca16", "pca16", 0, "rotated at random"),
    Case("digits", "features", "features", 0, "noise of deviations", 0.1),
    Case("digits", "features", "features", 0, "noise of deviations", 0.6),
    Case("digits", "net, copy", "net, copy", 0, "rows shuffled, share", 0.1),
    Case("digits", "features", "features", 0, "rows shuffled, share", 1),
    Case("noise", "1x64", "2x64", 0, "every row moved"),
)
FEW = (
    Case("digits", "features", "features", 60, "rows shuffled, share", 0.1),
    Case("digits", "net, narrow", "net, narrow", 80, "rows shuffled, share", 0.05),
    Case("patients", "features", "features", 60, "rows shuffled, share", 0.3),
    Case("packages", "w2v_seed1", "w2v_seed1", 100, "rows shuffled, share", 0.2),
    Case("patients", "features", "features", 150, "rows shuffled, share", 0.2),
    Case("digits", "net", "net", 150, "rows from a rotated model, share", 0.1),
    Case("cells", "net", "net", 150, "rows shuffled, share", 0.5),
    Case("patients", "features", "features", 80, "noise of deviations", 0.05),
    Case("wines", "net", "net", 90, "turned by degrees", 5),
    Case("cells", "features", "features", 100, "rounded to bits", 4),
)
LARGE = (
    Case("digits", "net", "net, epoch 31", 5000),
    Case("digits", "net", "net, other seed", 5000),
    Case("digits", "net", "net, wide", 5000),
    Case("digits", "pca16", "pca16", 5000, "rows shuffled, share", 0.03),
    Case("digits", "net, copy", "net, copy", 5000, "rounded to bits", 8),
    Case("digits", "features", "features", 5000, "noise of deviations", 0.2),
    Case("digits", "pca16", "pca16", 20_000, "rotated at random"),
    Case("digits", "net", "net, epoch 31", 20_000),
    Case("digits", "pca16", "pca16", 20_000, "rows shuffled, share", 0.03),
    Case("digits", "net, narrow", "pca8", 20_000),
)
METRICS = (
    Case("packages", "w2v_seed1", "w2v_seed1", 2000, "times", 3, "euclidean"),
    Case("packages", "w2v_seed1", "w2v_seed1", 2000, "times", 3, "dot"),
    Case("packages", "w2v_seed1", "w2v_seed2", 2000, metric="euclidean"),
    Case("packages", "w2v_seed1", "w2v_seed2", 2000, metric="dot"),
    Case("digits", "features", "features", 1797, "offset of norms", 0.3, "euclidean"),
    Case("digits", "features", "features", 1797, "noise of deviations", 0.1, "euclidean"),
    Case("digits", "net", "net, epoch 33", 1797, metric="dot"),
    Case("digits", "net", "net", 1797, "turned by degrees", 5, "dot"),
    Case("digits", "pca", "features", 1797, metric="euclidean"),
    Case("digits", "features", "features", 1797, "rows shuffled, share", 0.1, "euclidean"),
)
INDEPENDENT = (
    Case("noise", "1x32", "2x32", 1500, "every row moved"),
    Case("noise", "1x32 stretched", "2x32 stretched", 1500, "every row moved"),
    Case("noise", "1x256", "2x256", 200, "every row moved"),
    Case("noise", "1x48", "2x16", 1500, "every row moved"),
)


def _copies(world: str, model: str, rows: int) -> list[Case]:
    return [
        Case(world, model, model, rows, change, strength)
        for change, strengths in CHANGES_OF_COPIES
        for strength in strengths
    ]


def _all() -> tuple[Case, ...]:
    cases = [Case("packages", a, b, 2000) for a, b in PAIRS_OF_PACKAGES]
    cases += [Case("digits", a, b, 1797) for a, b in PAIRS_OF_DIGITS]
    sizes = {"cells": 569, "wines": 178, "patients": 442}
    cases += [Case(world, a, b, sizes[world]) for world, a, b in PAIRS_OF_SMALL_SETS]
    cases += _copies("digits", "net", 1797)
    cases += _copies("packages", "w2v_seed1", 1500)
    cases += [
        Case(case.world, case.a, case.b, rows, case.change, case.strength)
        for case in ACROSS_SIZES
        for rows in SIZES
    ]
    cases += [*FEW, *METRICS, *INDEPENDENT, *LARGE]
    return tuple(dict.fromkeys(cases))


CASES = _all()

REDUCED = (
    Case("wines", "net", "net, epoch 31", 178),
    Case("wines", "net", "net", 178, "rotated at random"),
    Case("digits", "features", "features", 400, "noise of deviations", 0.05),
    Case("digits", "features", "features", 400, "noise of deviations", 0.6),
    Case("digits", "features", "features", 400, "offset of norms", 6),
    Case("digits", "features", "features", 400, "rounded to bits", 8),
    Case("digits", "features", "features", 400, "columns cut to share", 0.9),
    Case("digits", "features", "features", 600, "rows shuffled, share", 0.1),
    Case("digits", "features", "features", 600, "rows shuffled, share", 1),
    Case("digits", "features", "features", 600, "rows from a rotated model, share", 0.1),
    Case("digits", "features", "features", 120, "noise of deviations", 0.6),
    Case("digits", "features", "features", 400, "noise of deviations", 1.0),
    Case("digits", "pca16", "pca16", 60, "rotated at random"),
    Case("digits", "features", "features", 400, "times", 3, "euclidean"),
    Case("noise", "1x16", "2x16", 400, "every row moved"),
)
"""A few of them, for tests: seconds, and every verdict once."""
