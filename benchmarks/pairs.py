"""Pairs of sets whose right verdict is known: real pairs and transformations of one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

Rows = NDArray[Any]
Sets = dict[str, Rows]
NAMES = ("minilm", "minilm_w8", "minilm_ft120", "w2v_seed1", "w2v_seed2", "lsa")
SAMPLE_DATA = Path(__file__).parent.parent / "sample_data"

GEOMETRY = {
    "columns_permuted",
    "columns_selected",
    "common_direction",
    "constant_offset",
    "constant_scale",
    "mean_removed",
    "noisy_copy",
    "not_normalised",
    "packed_bits",
    "projected",
    "quantised",
    "rotated",
    "same_axes",
    "sign_bits",
    "signs_flipped",
    "truncated",
    "value_grid",
    "zero_padded",
}
"""Findings that say what was done to the vectors."""


@dataclass(frozen=True)
class Case:
    """One pair.

    Attributes
    ----------
    group, name : str
    build : callable
        From the real sets to (a, b).
    expected : tuple of str
        Verdicts that are right; an inconclusive one is right where it is listed.
    options : dict
        Further arguments of `embaudit.compare`.
    causes : tuple of str
        Which of `GEOMETRY` are found, no other.
    """

    group: str
    name: str
    build: Callable[[Sets], tuple[Rows, Rows]]
    expected: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    causes: tuple[str, ...] = ()


def load(folder: Path = SAMPLE_DATA) -> Sets:
    """Return the real sets of a folder, rows in one order."""
    sets: Sets = {}
    for name in NAMES:
        if (folder / f"{name}.npy").exists():
            sets[name] = np.load(folder / f"{name}.npy").astype(np.float32)
        else:
            sets[name] = _by_id(folder / f"{name}.parquet", folder / "minilm.parquet")
    return sets


def _by_id(path: Path, order: Path) -> Rows:
    """Return the vectors of a Parquet file in the row order of another one."""
    table = pq.read_table(path)
    positions = {value: row for row, value in enumerate(table["id"].to_pylist())}
    wanted = [positions[value] for value in pq.read_table(order, columns=["id"])["id"].to_pylist()]
    return np.stack(table["embedding"].to_numpy())[wanted].astype(np.float32)


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def rotation(dim: int, seed: int = 1) -> Rows:
    """Return a random rotation, shape (dim, dim)."""
    return np.linalg.qr(_random(seed).standard_normal((dim, dim)))[0].astype(np.float32)


def plane_rotation(dim: int, degrees: float) -> Rows:
    """Return the rotation by one angle in every plane of two neighbouring axes."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.kron(np.eye(dim // 2), turn).astype(np.float32)


def _noisy(rows: Rows, strength: float) -> Rows:
    noise = _random(2).standard_normal(rows.shape, np.float32)
    return np.asarray(rows + strength * rows.std() * noise)


def _shuffled_part(rows: Rows, share: float) -> Rows:
    chosen = _random(3).choice(len(rows), round(share * len(rows)), replace=False)
    changed = rows.copy()
    changed[chosen] = rows[np.roll(chosen, 1)]
    return changed


def _replaced_part(rows: Rows, other: Rows, share: float) -> Rows:
    chosen = _random(4).choice(len(rows), round(share * len(rows)), replace=False)
    changed = rows.copy()
    changed[chosen] = other[chosen]
    return changed


def _collapsed_part(rows: Rows, share: float) -> Rows:
    chosen = _random(5).choice(len(rows), round(share * len(rows)), replace=False)
    changed = rows.copy()
    changed[chosen] = rows[0]
    return changed


def _int8(rows: Rows) -> Rows:
    return np.asarray(np.round(rows * (127.0 / np.abs(rows).max())), np.int8)


def _offset(dim: int, length: float) -> Rows:
    direction = _random(6).standard_normal(dim)
    return (length * direction / np.linalg.norm(direction)).astype(np.float32)


def _outlier(rows: Rows) -> Rows:
    changed = rows.copy()
    changed[17] += _offset(rows.shape[1], 40.0 * float(np.linalg.norm(rows, axis=1).mean()))
    return changed


def _with_empty_rows(rows: Rows, share: float) -> Rows:
    """Return rows most of which are one and the same vector, as for empty texts."""
    changed = rows.copy()
    chosen = _random(7).choice(len(rows), round(share * len(rows)), replace=False)
    changed[chosen] = rows[chosen[0]]
    return changed


def _slow_sequence(rows: int, dim: int) -> Rows:
    """Return a smooth path: neighbours in time are neighbours in space."""
    generator = _random(8)
    time = np.arange(rows)[:, None] / rows
    phase = 2 * np.pi * generator.random(dim)
    return np.sin(2 * np.pi * time * generator.uniform(1, 20, dim) + phase).astype(np.float32)


def _one_hot(rows: int, categories: int) -> Rows:
    return np.eye(categories, dtype=np.float32)[_random(9).integers(0, categories, rows)]


def _noise(rows: int, dim: int, seed: int) -> Rows:
    return _random(seed).standard_normal((rows, dim)).astype(np.float32)


def _pair(a: str, b: str) -> Callable[[Sets], tuple[Rows, Rows]]:
    return lambda sets: (sets[a], sets[b])


def _of(change: Callable[[Rows], Rows]) -> Callable[[Sets], tuple[Rows, Rows]]:
    return lambda sets: (sets["minilm"], change(sets["minilm"]))


def _lagged_path(sets: Sets) -> tuple[Rows, Rows]:
    path = _slow_sequence(2001, 32)
    return path[:-1], path[1:]


def _shuffled_one_hot(sets: Sets) -> tuple[Rows, Rows]:
    codes = _one_hot(2000, 8)
    return codes, codes[_random(10).permutation(2000)]


def _text_and_codes(sets: Sets) -> tuple[Rows, Rows]:
    """Return text vectors and a few noisy category codes that depend on them weakly."""
    rows = sets["minilm"]
    codes = (rows @ rotation(rows.shape[1])[:, :6]).argmax(axis=1)
    spread = 0.3 * _random(11).standard_normal((len(rows), 6)).astype(np.float32)
    return rows, np.eye(6, dtype=np.float32)[codes] + spread


PAIRS = "real pairs"
CHANGES = "minilm against a changed copy"
TRAPS = "pairs that fool simpler rules"

CASES = (
    Case(
        PAIRS, "minilm, minilm_w8", _pair("minilm", "minilm_w8"), ("safe",), causes=("noisy_copy",)
    ),
    Case(PAIRS, "minilm, minilm_ft120", _pair("minilm", "minilm_ft120"), ("align",)),
    Case(
        PAIRS,
        "w2v_seed1, w2v_seed2",
        _pair("w2v_seed1", "w2v_seed2"),
        ("align",),
        causes=("common_direction",),
    ),
    Case(PAIRS, "minilm, lsa", _pair("minilm", "lsa"), ("concatenate",)),
    Case(
        PAIRS,
        "minilm, w2v_seed1",
        _pair("minilm", "w2v_seed1"),
        ("concatenate",),
        causes=("common_direction",),
    ),
    Case(
        CHANGES,
        "random rotation",
        _of(lambda x: x @ rotation(x.shape[1])),
        ("align",),
        causes=("rotated",),
    ),
    Case(
        CHANGES,
        "permuted columns",
        _of(lambda x: x[:, _random(1).permutation(x.shape[1])]),
        ("align",),
        causes=("columns_permuted",),
    ),
    Case(
        CHANGES,
        "flipped signs",
        _of(lambda x: x * _random(1).choice([-1, 1], x.shape[1]).astype(np.float32)),
        ("align",),
        causes=("signs_flipped",),
    ),
    Case(CHANGES, "times 3", _of(lambda x: 3 * x), ("safe",), causes=("constant_scale",)),
    Case(
        CHANGES,
        "times 3",
        _of(lambda x: 3 * x),
        ("align",),
        {"metric": "euclidean"},
        causes=("constant_scale",),
    ),
    Case(
        CHANGES,
        "plus a constant of length 6",
        _of(lambda x: x + _offset(x.shape[1], 6)),
        ("align",),
        causes=(
            "constant_offset",
            "common_direction",
        ),
    ),
    Case(
        CHANGES,
        "mean removed",
        _of(lambda x: x - x.mean(axis=0)),
        ("align",),
        causes=("mean_removed",),
    ),
    Case(
        CHANGES,
        "every plane by 5 degrees",
        _of(lambda x: x @ plane_rotation(x.shape[1], 5)),
        ("safe",),
        causes=("rotated",),
    ),
    Case(
        CHANGES,
        "every plane by 15 degrees",
        _of(lambda x: x @ plane_rotation(x.shape[1], 15)),
        ("align",),
        causes=("rotated",),
    ),
    Case(CHANGES, "int8 with one scale", _of(_int8), ("safe",), causes=("quantised",)),
    Case(
        CHANGES,
        "sign bits only",
        _of(lambda x: np.sign(x) + (x == 0)),
        ("degraded", "inconclusive"),
        causes=("sign_bits",),
    ),
    Case(
        CHANGES,
        "noise of 0.1 deviations",
        _of(lambda x: _noisy(x, 0.1)),
        ("safe",),
        causes=("noisy_copy",),
    ),
    Case(
        CHANGES,
        "noise of 0.3 deviations",
        _of(lambda x: _noisy(x, 0.3)),
        ("degraded",),
        causes=("noisy_copy",),
    ),
    Case(
        CHANGES, "first 128 columns", _of(lambda x: x[:, :128]), ("align",), causes=("truncated",)
    ),
    Case(
        CHANGES, "10% of the rows shuffled", _of(lambda x: _shuffled_part(x, 0.1)), ("mispaired",)
    ),
    Case(
        CHANGES,
        "10% of the rows rotated",
        _of(lambda x: _replaced_part(x, x @ rotation(x.shape[1]), 0.1)),
        ("mispaired",),
    ),
    Case(
        CHANGES,
        "5% of the rows from another model",
        lambda sets: (
            sets["minilm"],
            _replaced_part(sets["minilm"], sets["lsa"], 0.05),
        ),
        ("mispaired",),
    ),
    Case(
        CHANGES,
        "5% of one side collapsed",
        _of(lambda x: _collapsed_part(x, 0.05)),
        ("mispaired", "inconclusive", "degraded"),
    ),
    Case(
        CHANGES,
        "all rows shuffled",
        _of(lambda x: x[_random(12).permutation(len(x))]),
        ("unrelated",),
    ),
    Case(CHANGES, "shifted by one row", _of(lambda x: np.roll(x, 1, axis=0)), ("unrelated",)),
    Case(
        CHANGES,
        "independent noise",
        _of(lambda x: _noise(len(x), x.shape[1], 13)),
        ("unrelated",),
    ),
    Case(CHANGES, "the same vectors", _of(np.copy), ("safe",)),
    Case(
        TRAPS,
        "150 rows of minilm and lsa, 20 times each",
        lambda sets: (np.repeat(sets["minilm"][:150], 20, 0), np.repeat(sets["lsa"][:150], 20, 0)),
        ("inconclusive",),
    ),
    Case(
        TRAPS,
        "two independent sets of 200 rows, 15 times each",
        lambda sets: (np.repeat(_noise(200, 64, 1), 15, 0), np.repeat(_noise(200, 64, 2), 15, 0)),
        ("unrelated", "inconclusive"),
    ),
    Case(
        TRAPS,
        "minilm and minilm_w8, 20 times each",
        lambda sets: (np.repeat(sets["minilm"], 20, 0), np.repeat(sets["minilm_w8"], 20, 0)),
        ("safe",),
        causes=("noisy_copy",),
    ),
    Case(
        TRAPS,
        "97% empty rows, the rest rotated",
        lambda sets: (
            _with_empty_rows(sets["minilm"], 0.97),
            _with_empty_rows(sets["minilm"], 0.97) @ rotation(sets["minilm"].shape[1]),
        ),
        ("align", "inconclusive"),
    ),
    Case(
        TRAPS,
        "97% empty rows, the rest shuffled",
        lambda sets: (
            _with_empty_rows(sets["minilm"], 0.97),
            _with_empty_rows(sets["minilm"], 0.97)[_random(14).permutation(len(sets["minilm"]))],
        ),
        ("unrelated", "mispaired", "inconclusive"),
    ),
    Case(
        TRAPS,
        "one-hot rows, shuffled",
        _shuffled_one_hot,
        ("inconclusive", "unrelated"),
        causes=("value_grid",),
    ),
    Case(
        TRAPS,
        "slow sequence, lagged by a row",
        _lagged_path,
        ("mispaired",),
        {"metric": "euclidean"},
    ),
    Case(
        TRAPS,
        "text and weak category codes",
        _text_and_codes,
        ("concatenate", "inconclusive"),
    ),
    Case(TRAPS, "one row shifted by 40 norms", _of(_outlier), ("safe",)),
    Case(
        TRAPS,
        "one row shifted by 40 norms",
        _of(_outlier),
        ("safe",),
        {"metric": "euclidean"},
    ),
)
