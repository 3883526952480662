"""Changes to the bytes of a file: blind ones, and ones that know numbers, JSON and text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MOST_CHANGES = 4
"""One on top of another within a mutant."""
LARGEST_GROWTH = 1 << 16
"""Bytes that a mutant may be longer than its original: claims are to be large, not files."""
EDGE = 96
"""Bytes at both ends of a file where headers and footers are."""

EDGES_OF_INTEGERS = (
    *(0, 1, 2, 3, 7, 8, 63, 64, 255, 256, 65_535, 65_536, 65_537),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
    *(1 << 27, 1 << 28, 1 << 30, 10**6, 10**9, 10**12),
)
"""Numbers at which counters, offsets and products of them overflow, and large but possible ones."""

JSON_VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "x", "\u0000", "\ud800", "a\nb\u001b[31m", [], {}, [[]], [None]),
    *(-1, 0, 1, 2**31, 2**63, 2**64, 10**30, -(10**30), 1e308, -1e308, 1e-320, 0.5, "0", "1e9"),
    *(float("nan"), float("inf"), float("-inf"), [0, 0], [1] * 70, {"": {}}, "F32", "I64"),
)
TEXTS = (
    *('"', "'", "[", "]", "{", "}", "=", "#", "\n", "\r", "\t", "\0", ".", ",", "-", "\u2028"),
    *("nan", "inf", "-inf", "1e999", "0x", "9" * 30, "1979-05-27", "true", '"""', "[[a]]", "::"),
    *("\ufeff", "\x1b[2J", "é", "a.b.c = 1\n", "[pairs]\n", "[pairs.x]\n", "k = [1, []]\n"),
)


def blind(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Return `data` after one to four changes that know nothing of its format.

    Parameters
    ----------
    data : bytes
    rng : random.Random
        Everything is drawn from it.
    others : sequence of bytes
        Files whose pieces may be put in.
    """
    changed = bytearray(data)
    for _ in range(rng.randint(1, MOST_CHANGES)):
        rng.choice(CHANGES)(changed, rng)
        if others and rng.random() < 0.05:
            _splice(changed, rng, rng.choice(others))
    return bytes(changed[: len(data) + LARGEST_GROWTH])


def _place(data: bytearray, rng: Random) -> int:
    """Return a position, as likely as not near one of the ends."""
    if not data:
        return 0
    if rng.random() < 0.5:
        return rng.randrange(len(data))
    near = rng.randrange(min(EDGE, len(data)))
    return near if rng.random() < 0.5 else len(data) - 1 - near


def _stretch(data: bytearray, rng: Random) -> slice:
    start = _place(data, rng)
    return slice(start, min(len(data), start + rng.choice((1, 2, 4, 8, 16, 64, 256, 4096))))


def _flip(data: bytearray, rng: Random) -> None:
    for _ in range(rng.randint(1, 8) if data else 0):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _set_byte(data: bytearray, rng: Random) -> None:
    if data:
        data[_place(data, rng)] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))


def _set_integer(data: bytearray, rng: Random) -> None:
    """Write a number of 2, 4 or 8 bytes: one at an edge, or a neighbour of what is there."""
    width, order = rng.choice((2, 4, 8)), rng.choice(("little", "little", "big"))
    start = _place(data, rng)
    there = bytes(data[start : start + width])
    number = rng.choice(EDGES_OF_INTEGERS)
    if rng.random() < 0.5:
        number = int.from_bytes(there, "little" if order == "little" else "big")
        number += rng.choice((-8, -1, 1, 2, 8, 256, number, -number // 2))
    size = len(there)
    data[start : start + size] = (number % (1 << 8 * width)).to_bytes(
        width, "little" if order == "little" else "big"
    )[:size]


def _set_varint(data: bytearray, rng: Random) -> None:
    """Write a number as Thrift and protocol buffers do, in place of one byte."""
    number = rng.choice(EDGES_OF_INTEGERS)
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    start = _place(data, rng)
    # As likely as not the length stays, so that what lies behind still is where it was.
    removed = 1 if rng.random() < 0.5 else len(encoded)
    data[start : start + removed] = encoded


def _truncate(data: bytearray, rng: Random) -> None:
    del data[_place(data, rng) :]


def _append(data: bytearray, rng: Random) -> None:
    data += rng.choice(
        (bytes(rng.randint(1, 64)), rng.randbytes(rng.randint(1, 64)), bytes(data[-4096:]))
    )


def _remove(data: bytearray, rng: Random) -> None:
    del data[_stretch(data, rng)]


def _repeat(data: bytearray, rng: Random) -> None:
    stretch = _stretch(data, rng)
    data[stretch.stop : stretch.stop] = bytes(data[stretch])


def _move(data: bytearray, rng: Random) -> None:
    stretch = _stretch(data, rng)
    piece = bytes(data[stretch])
    start = _place(data, rng)
    data[start : start + len(piece)] = piece


def _fill(data: bytearray, rng: Random) -> None:
    stretch = _stretch(data, rng)
    data[stretch] = bytes([rng.choice((0, 0xFF, rng.randrange(256)))]) * (
        stretch.stop - stretch.start
    )


def _insert(data: bytearray, rng: Random) -> None:
    start = _place(data, rng)
    data[start:start] = rng.randbytes(rng.randint(1, 16))


def _set_digits(data: bytearray, rng: Random) -> None:
    """Replace a number that is written out in a header."""
    found = list(re.finditer(rb"\d+", bytes(data[:4096])))
    if found:
        chosen = rng.choice(found)
        width = chosen.end() - chosen.start()
        text = str(rng.choice(EDGES_OF_INTEGERS)).encode()
        if rng.random() < 0.7:
            # Of the same length, so that the header's own length stays right.
            text = str(rng.randrange(10**width)).encode().rjust(width, b" ")
        data[chosen.start() : chosen.end()] = text


def _splice(data: bytearray, rng: Random, other: bytes) -> None:
    piece = other[_stretch(bytearray(other), rng)]
    start = _place(data, rng)
    data[start : start + (len(piece) if rng.random() < 0.5 else 0)] = piece


CHANGES: tuple[Callable[[bytearray, Random], None], ...] = (
    *(_flip, _flip, _set_byte, _set_byte, _set_integer, _set_integer, _set_integer, _set_varint),
    *(_truncate, _append, _remove, _repeat, _move, _fill, _insert, _set_digits),
)


def json_change(value: Any, rng: Random) -> Any:  # noqa: ANN401
    """Return a JSON value with one node of it replaced, removed, renamed or repeated."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        changed = dict(value)
        key = rng.choice(list(changed))
        action = rng.random()
        if action < 0.7:
            changed[key] = json_change(changed[key], rng)
        elif action < 0.8:
            del changed[key]
        elif action < 0.9:
            changed[rng.choice(("", "x", "a\nb", key.upper(), key * 3))] = changed.pop(key)
        else:
            changed[rng.choice(list(changed))] = rng.choice(list(changed.values()))
        return changed
    if isinstance(value, list) and value and rng.random() < 0.85:
        entries = list(value)
        place = rng.randrange(len(entries))
        action = rng.random()
        if action < 0.7:
            entries[place] = json_change(entries[place], rng)
        elif action < 0.85:
            del entries[place]
        else:
            entries.append(entries[place])
        return entries
    if type(value) is int and rng.random() < 0.5:
        return value + rng.choice((-1, 1, value, -2 * value, 2**31, 2**63))
    if isinstance(value, float) and rng.random() < 0.5:
        return value * rng.choice((-1.0, 0.5, 2.0, 1e30, 1e-30))
    return rng.choice(JSON_VALUES)


def json_text(value: Any, rng: Random) -> bytes:  # noqa: ANN401
    """Return a JSON value after one to four changes, as text that a parser accepts."""
    for _ in range(rng.randint(1, MOST_CHANGES)):
        value = json_change(value, rng)
    return json.dumps(value, ensure_ascii=rng.random() < 0.8).encode("utf-8", "replace")


def text_change(data: bytes, rng: Random) -> bytes:
    """Return text after one to four changes of whole lines, words or values."""
    text = data.decode("utf-8", "replace")
    for _ in range(rng.randint(1, MOST_CHANGES)):
        lines = text.splitlines(keepends=True) or [""]
        place = rng.randrange(len(lines))
        action = rng.randrange(5)
        if action == 0:
            del lines[place]
        elif action == 1:
            lines.insert(rng.randrange(len(lines) + 1), lines[place])
        elif action == 2:
            lines.insert(place, rng.choice(TEXTS))
        else:
            words = list(re.finditer(r"[\w.]+|[^\w\s]", lines[place]))
            if words:
                word = rng.choice(words)
                new = rng.choice((*TEXTS, *map(str, EDGES_OF_INTEGERS)))
                lines[place] = lines[place][: word.start()] + new + lines[place][word.end() :]
        text = "".join(lines)
    return text.encode("utf-8", "surrogatepass")
