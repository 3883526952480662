"""Project recall to sizes that can be measured, and count how often the interval holds.

``python -m benchmarks.projection`` searches nested subsamples of every pair up to a quarter and an
eighth of its rows, projects each recall to all rows and compares with what is found there;
``--data FOLDER`` uses another folder with the same file names, ``--seeds N`` more samples.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.pairs import SAMPLE_DATA, Rows, Sets, load, plane_rotation
from embaudit.answers.index_size import search_smaller
from embaudit.data.join import open_pair
from embaudit.measures.retrieval import NeighbourSearch
from embaudit.stages.ledger import Ledger
from embaudit.stages.linear import measure_linear
from embaudit.stages.options import Options
from embaudit.stages.population import Population, populate
from embaudit.stages.retrieval import measure_retrieval
from embaudit.stats.extrapolation import extrapolate
from embaudit.stats.parallel import single_threaded_blas

REACHES = (4, 8)
"""How many times larger the index is than the largest subsample."""
SUBSAMPLES = (8, 4, 2, 1)
QUERIES = 512
TRUTH_QUERIES = 2048
ALPHA = 0.05
K = 10

PAIRS: dict[str, Callable[[Sets], tuple[Rows, Rows]]] = {
    "minilm, minilm_w8": lambda sets: (sets["minilm"], sets["minilm_w8"]),
    "minilm, minilm_ft120": lambda sets: (sets["minilm"], sets["minilm_ft120"]),
    "w2v_seed1, w2v_seed2": lambda sets: (sets["w2v_seed1"], sets["w2v_seed2"]),
    "minilm, lsa": lambda sets: (sets["minilm"], sets["lsa"]),
    "minilm, w2v_seed1": lambda sets: (sets["minilm"], sets["w2v_seed1"]),
    "minilm, noise 0.3": lambda sets: _noisy(sets["minilm"], 0.3),
    "minilm, noise 1": lambda sets: _noisy(sets["minilm"], 1.0),
    "w2v_seed1, noise 0.5": lambda sets: _noisy(sets["w2v_seed1"], 0.5),
    "lsa, noise 0.5": lambda sets: _noisy(sets["lsa"], 0.5),
    "minilm, signs": lambda sets: (sets["minilm"], np.sign(sets["minilm"]) + 0.5),
    "minilm, 15 degrees": lambda sets: (sets["minilm"], sets["minilm"] @ plane_rotation(384, 15)),
    "minilm, 64 columns": lambda sets: (sets["minilm"], sets["minilm"][:, :64]),
    "generated, noise 0.5": lambda sets: _noisy(generated(len(sets["minilm"])), 0.5),
}
"""Recalls from 0 to 1."""


def generated(rows: int) -> Rows:
    """Return rows whose directions matter less and less, as those of trained models."""
    generator = np.random.default_rng(1)
    scales = np.arange(1, 65) ** -0.5
    return (generator.standard_normal((rows, 64)) * scales).astype(np.float32)


def _noisy(rows: Rows, strength: float) -> tuple[Rows, Rows]:
    noise = np.random.default_rng(2).standard_normal(rows.shape, np.float32)
    return rows, np.asarray(rows + strength * rows.std() * noise)


def _prepared(a: Rows, b: Rows, seed: int) -> tuple[Population, NeighbourSearch]:
    options = Options.checked(k=K, seed=seed)
    population = populate(open_pair(a, b), options)
    ledger = Ledger()
    linear = measure_linear(population, ledger)
    search = measure_retrieval(population, linear.maps, ledger).search
    assert search is not None, "enough rows"
    return population, search


def projections(a: Rows, b: Rows, seed: int) -> Iterator[tuple[int, str, float, bool]]:
    """Yield reach, measure, absolute error of the projection, and whether its interval holds."""
    population, search = _prepared(a, b, seed)
    n, progress = population.n, population.options.progress
    truth = search.run(population.order[:TRUTH_QUERIES], progress)
    for reach in REACHES:
        sizes = [n // (reach * part) for part in SUBSAMPLES]
        if sizes[0] < 4 * K + 2:
            continue
        found = search_smaller(population, search, population.order[:QUERIES], sizes)
        for key in truth.chance:
            values = np.stack([results.values[key] for results in found])
            interval = extrapolate(values, np.array(sizes, np.float64), n, ALPHA)
            # To three decimals, as the report prints them: recalls of 0 have bounds above it.
            true, low, high = (
                round(value, 3)
                for value in (float(truth.values[key].mean()), interval.low, interval.high)
            )
            yield reach, key, abs(interval.value - true), low <= true <= high


def main() -> int:
    """Print coverage and error by pair, and in all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SAMPLE_DATA)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    sets = load(arguments.data)
    everything: dict[int, list[tuple[float, bool]]] = {reach: [] for reach in REACHES}
    for name, build in PAIRS.items():
        a, b = build(sets)
        cells: dict[int, list[tuple[float, bool]]] = {reach: [] for reach in REACHES}
        with single_threaded_blas():
            for seed in range(arguments.seeds):
                for reach, _, error, holds in projections(a, b, seed):
                    cells[reach].append((error, holds))
        print(f"{name:24}", *(_shown(reach, cells[reach]) for reach in REACHES), flush=True)
        for reach in REACHES:
            everything[reach] += cells[reach]
    print(f"{'all':24}", *(_shown(reach, everything[reach]) for reach in REACHES))
    return 0


def _shown(reach: int, cells: list[tuple[float, bool]]) -> str:
    if not cells:
        return f"{reach}x: too few rows"
    errors, holds = zip(*cells, strict=True)
    return f"{reach}x: {sum(holds)} of {len(cells)} hold, error {np.mean(errors):.3f}  "


if __name__ == "__main__":
    sys.exit(main())
