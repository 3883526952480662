"""What may happen to a pair between two exports, each at a stated strength."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
Mask = NDArray[np.bool_]
Random = np.random.Generator


@dataclass(frozen=True)
class Sets:
    """A pair, and which of its rows were given another item's vector, or another model's.

    Attributes
    ----------
    a, b : float arrays, shapes (n, p) and (n, q)
    moved : bool array, shape (n,)
    """

    a: Rows
    b: Rows
    moved: Mask

    @classmethod
    def paired(cls, a: Rows, b: Rows) -> Sets:
        """Return a pair whose rows correspond."""
        return cls(a, b, np.zeros(len(a), np.bool_))


Change = Callable[[Sets, float, Random], Sets]


def _of_b(change: Callable[[Rows, float, Random], Rows]) -> Change:
    """Return the change that replaces b and moves no row."""
    return lambda sets, strength, random: Sets(
        sets.a, change(sets.b, strength, random).astype(np.float32), sets.moved
    )


def _of_rows(change: Callable[[Rows, Rows, Random], Rows]) -> Change:
    """Return the change that gives a share `strength` of the rows wrong vectors."""

    def apply(sets: Sets, strength: float, random: Random) -> Sets:
        count = round(strength * len(sets.b))
        chosen = np.sort(random.choice(len(sets.b), count, replace=False))
        changed, moved = sets.b.copy(), sets.moved.copy()
        changed[chosen] = change(sets.b, chosen, random)
        moved[chosen] = True
        return Sets(sets.a, changed, moved)

    return apply


def _rotation(dim: int, random: Random) -> Rows:
    return np.asarray(np.linalg.qr(random.standard_normal((dim, dim)))[0])


def _turned(rows: Rows, degrees: float, random: Random) -> Rows:
    """Rotate by one angle in every plane of a random basis; an odd last axis stays."""
    dim = rows.shape[1]
    basis, angle = _rotation(dim, random), np.deg2rad(degrees)
    turn = np.eye(dim)
    even = np.arange(0, dim - 1, 2)
    turn[even, even] = turn[even + 1, even + 1] = np.cos(angle)
    turn[even, even + 1], turn[even + 1, even] = -np.sin(angle), np.sin(angle)
    return np.asarray(rows @ (basis @ turn @ basis.T))


def _noised(rows: Rows, deviations: float, random: Random) -> Rows:
    return np.asarray(rows + deviations * rows.std() * random.standard_normal(rows.shape))


def _quantised(rows: Rows, bits: float, random: Random) -> Rows:
    """Round to signed integers of so many bits with one scale; one bit is the centred sign."""
    if bits == 1:
        return np.where(rows >= rows.mean(axis=0), 1.0, -1.0)
    most = 2 ** (int(bits) - 1) - 1
    return np.asarray(np.round(rows * (most / np.abs(rows).max())))


def _offset(rows: Rows, lengths: float, random: Random) -> Rows:
    direction = random.standard_normal(rows.shape[1])
    size = lengths * np.linalg.norm(rows, axis=1).mean() / np.linalg.norm(direction)
    return np.asarray(rows + size * direction)


def _stretched(rows: Rows, strength: float, random: Random) -> Rows:
    return np.asarray(rows * np.exp(strength * random.standard_normal(rows.shape[1])))


def _truncated(rows: Rows, share: float, random: Random) -> Rows:
    return rows[:, : max(2, round(share * rows.shape[1]))]


def _blanked(rows: Rows, share: float, random: Random) -> Rows:
    dim = rows.shape[1]
    keep = np.ones(dim)
    keep[random.choice(dim, round(share * dim), replace=False)] = 0.0
    return np.asarray(rows * keep)


def _permuted(rows: Rows, share: float, random: Random) -> Rows:
    dim = rows.shape[1]
    chosen = random.choice(dim, max(2, round(share * dim)), replace=False)
    order = np.arange(dim)
    order[chosen] = np.roll(chosen, 1)
    return rows[:, order]


def _flipped(rows: Rows, share: float, random: Random) -> Rows:
    dim = rows.shape[1]
    signs = np.ones(dim)
    signs[random.choice(dim, max(1, round(share * dim)), replace=False)] = -1.0
    return np.asarray(rows * signs)


def _whitened(rows: Rows, strength: float, random: Random) -> Rows:
    """Whiten by the symmetric root, or part of the way."""
    centred = rows - rows.mean(axis=0)
    values, basis = np.linalg.eigh(centred.T @ centred / len(rows))
    floor = 1e-6 * values.max()
    return np.asarray(centred @ (basis * np.maximum(values, floor) ** (-strength / 2.0)) @ basis.T)


def _with_outliers(rows: Rows, share: float, random: Random) -> Rows:
    """Throw rows 40 norms away: their vectors are useless, but theirs."""
    changed = rows.astype(np.float64)
    count = max(1, round(share * len(rows)))
    chosen = random.choice(len(rows), count, replace=False)
    far = random.standard_normal((count, rows.shape[1]))
    far *= 40.0 * np.linalg.norm(rows, axis=1).mean() / np.linalg.norm(far, axis=1, keepdims=True)
    changed[chosen] += far
    return changed


def _repeated(sets: Sets, times: float, random: Random) -> Sets:
    order = np.repeat(np.arange(len(sets.a)), int(times))
    return Sets(sets.a[order], sets.b[order], sets.moved[order])


def _lagged(sets: Sets, rows: float, random: Random) -> Sets:
    return Sets(sets.a, np.roll(sets.b, int(rows), axis=0), np.ones(len(sets.a), np.bool_))


CHANGES: dict[str, Change] = {
    "as it is": lambda sets, strength, random: sets,
    "turned by degrees": _of_b(_turned),
    "rotated at random": _of_b(lambda rows, _, random: rows @ _rotation(rows.shape[1], random)),
    "noise of deviations": _of_b(_noised),
    "rounded to bits": _of_b(_quantised),
    "offset of norms": _of_b(_offset),
    "times": _of_b(lambda rows, factor, _: rows * factor),
    "columns stretched by": _of_b(_stretched),
    "mean removed": _of_b(lambda rows, _, __: rows - rows.mean(axis=0)),
    "columns cut to share": _of_b(_truncated),
    "columns blanked, share": _of_b(_blanked),
    "columns permuted, share": _of_b(_permuted),
    "signs flipped, share": _of_b(_flipped),
    "whitened": _of_b(_whitened),
    "outlier rows, share": _of_b(_with_outliers),
    "rows repeated": _repeated,
    "rows shuffled, share": _of_rows(lambda rows, chosen, _: rows[np.roll(chosen, 1)]),
    "rows from a rotated model, share": _of_rows(
        lambda rows, chosen, random: rows[chosen] @ _rotation(rows.shape[1], random)
    ),
    "rows from noise, share": _of_rows(
        lambda rows, chosen, random: (
            rows.std() * random.standard_normal((len(chosen), rows.shape[1]))
        )
    ),
    "rows collapsed, share": _of_rows(lambda rows, chosen, _: rows[chosen[0]]),
    "rows lag by": _lagged,
    "every row moved": lambda sets, strength, random: Sets(
        sets.a, sets.b, np.ones(len(sets.a), np.bool_)
    ),
}
"""By name, ``(sets, strength, generator) -> sets``; the strength is what the name's end says."""
