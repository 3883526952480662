"""Pairs of NPY files of a stated structure: the same items, stored with independent noise.

A block depends on the seed and its first row alone: sets of n and 2n rows share their first n, and
any number of threads writes the same bytes. Items are drawn afresh for every row; noise is a window
of one drawn bank at a seeded place, each row with a seeded sign, since drawing it took most of the
time.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from scipy.fft import dct

from embaudit.stats.parallel import single_threaded_blas, worker_count

Block = NDArray[np.float32]
BLOCK_BYTES = 8 << 20
"""Rows of one block in float32; a few such arrays are alive in every thread."""
BANK = 4
"""Blocks of noise to choose from."""
BASIS, ITEMS, NOISE = 9, 7, 5
"""First words of the seeds."""


@dataclass(frozen=True)
class Structure:
    """What the vectors of a pair are like.

    Attributes
    ----------
    name, about : str
    rank : int or None
        Directions that the items vary in; None for all of them.
    decay : float
        Direction i has variance proportional to ``i ** -decay``.
    noise : float
        Deviation of the noise, as a share of the deviation of the items.
    repeated : float
        Share of rows that repeat the row before, on both sides; at most 0.5.
    norms : float or None
        Deviation of the logarithm of the row norms; None for unit rows.
    mean : float
        Size of every entry of the common mean, in deviations of the items.
    scale : float
        Multiplies everything.
    """

    name: str
    about: str
    rank: int | None
    decay: float
    noise: float
    repeated: float = 0.0
    norms: float | None = None
    mean: float = 0.0
    scale: float = 1.0


LOW_RANK = Structure(
    "low-rank", "rank 128, variances 1/i, plus noise of 2%; unit rows", 128, 1.0, 0.02
)
POWER_LAW = Structure(
    "power-law",
    "variances i^-0.9 in all dimensions (80% in the first third of 768), a common mean of half a "
    "deviation, norms that vary by a fifth, 2% exact repeats, noise of 2%",
    None,
    0.9,
    0.02,
    repeated=0.02,
    norms=0.2,
    mean=0.5,
)


def pair_bytes(rows: int, dim: int, dtype: str = "float32") -> int:
    """Return the size of both files, headers apart."""
    return 2 * rows * dim * np.dtype(dtype).itemsize


def write_pair(
    structure: Structure, rows: int, dim: int, paths: tuple[Path, Path], dtype: str = "float32"
) -> None:
    """Write both files; an interrupted run leaves none of these names behind."""
    parts = tuple(path.with_suffix(".part") for path in paths)
    try:
        files = [_reserved(part, rows, dim, dtype) for part in parts]
        _fill(structure, files)
        for part, path in zip(parts, paths, strict=True):
            part.rename(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _reserved(path: Path, rows: int, dim: int, dtype: str) -> np.memmap[Any, Any]:
    """Map a new file whose blocks are on the disk: a full disk would kill who writes to it."""
    file = open_memmap(path, "w+", np.dtype(dtype), (rows, dim))
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, path.stat().st_size)
    return file


def _fill(structure: Structure, files: list[np.memmap[Any, Any]]) -> None:
    """Write the rows of both files, equal shapes (rows, dim)."""
    rows, dim = files[0].shape
    rank = min(structure.rank or dim, dim)
    generator = np.random.default_rng([BASIS, dim])
    basis = _basis(generator, rank, dim, structure.decay)
    mean = structure.mean * generator.choice(np.array([-1, 1], np.float32), dim)
    step = max(1, BLOCK_BYTES // (4 * dim))
    bank = np.random.default_rng([NOISE, dim]).standard_normal(BANK * step * dim, np.float32)

    def write(start: int) -> None:
        draw = np.random.default_rng([ITEMS, start])
        whole = draw.standard_normal((step, rank), np.float32) @ basis
        norms = np.exp((structure.norms or 0.0) * draw.standard_normal((step, 1), np.float32))
        repeats = 1 + 2 * np.flatnonzero(draw.random(step // 2) < 2.0 * structure.repeated)
        for side, file in enumerate(files):
            noise = _noise(bank, step, dim, [NOISE, side, start])
            block = whole + np.float32(structure.noise) * noise
            block += mean
            block *= norms
            if structure.norms is None:
                squares = np.einsum("ij,ij->i", block, block)
                block /= np.sqrt(squares)[:, None]
            block *= np.float32(structure.scale)
            block[repeats] = block[repeats - 1]
            file[start : start + step] = block[: rows - start]

    with single_threaded_blas(), ThreadPoolExecutor(worker_count()) as pool:
        for _ in pool.map(write, range(0, rows, step)):
            pass
    for file in files:
        # Pages that are still to be written would reach the disk during what is timed.
        file.flush()


def _basis(generator: np.random.Generator, rank: int, dim: int, decay: float) -> Block:
    """Return directions whose mixtures have entries of deviation 1, shape (rank, dim).

    Cosines with their columns shuffled and signs drawn: orthogonal like a random rotation, at
    4,096 dimensions without its minute of decomposition.
    """
    variances = np.arange(1, rank + 1, dtype=np.float64) ** -decay
    cosines = dct(np.eye(dim), norm="ortho", axis=0)[:rank, generator.permutation(dim)]
    scales = np.sqrt(dim * variances / variances.sum())[:, None]
    return np.asarray(cosines * scales * generator.choice([-1.0, 1.0], dim), np.float32)


def _noise(bank: NDArray[Any], rows: int, dim: int, seed: list[int]) -> Block:
    generator = np.random.default_rng(seed)
    start = int(generator.integers(len(bank) - rows * dim + 1))
    signs = generator.choice(np.array([-1, 1], np.float32), (rows, 1))
    return np.asarray(bank[start : start + rows * dim].reshape(rows, dim) * signs, np.float32)
