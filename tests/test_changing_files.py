"""A file that changes under the audit is refused, never read half old and half new."""

from __future__ import annotations

import os

import numpy as np
import pytest
from test_formats import FILES, WRITERS, emb_table, write_arrow, write_hdf5
from test_reading import write_npy, write_parquet
from test_refusals_data import assert_names

import embaudit
from embaudit.data.sources import open_set
from embaudit.datatypes import SilentProgress
from embaudit.errors import InputError
from embaudit.maps.map_file import save_map
from embaudit.remedy.checksums import checksum
from embaudit.remedy.records import notes_of

ROWS = 3000
ARRAY = np.random.default_rng(0).random((ROWS, 1000), np.float32)
"""12 MB: more than any reader holds when rows are drawn singly."""

STORED = {name: WRITERS[name] for name in FILES} | {
    "npy C": lambda to, array: write_npy(to / "c.npy", array),
    "npy F": lambda to, array: write_npy(to / "f.npy", np.asfortranarray(array)),
    "parquet": lambda to, array: write_parquet(to / "a.parquet", array, "fixed_size_list"),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    return {name: write(folder, ARRAY) for name, write in STORED.items()}


@pytest.fixture(params=STORED)
def stored(request, originals, tmp_path):
    original = originals[request.param]
    path = tmp_path / original.name
    path.write_bytes(original.read_bytes())
    return path


def shrink(path):
    os.truncate(path, path.stat().st_size // 2)


def grow(path):
    with path.open("ab") as file:
        file.write(b"\0" * 4000)


def rewrite(path):
    before = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before, before + 1_000_000_000))


def remove(path):
    path.unlink()


CHANGES = pytest.mark.parametrize("change", [shrink, grow, rewrite, remove])
CHANGED = ("changed while being read", "run again when nothing writes to it")


@CHANGES
def test_between_opening_and_reading(stored, change):
    found = open_set(stored)
    change(stored)
    for reading in (found.blocks([(0, ROWS)]), found.gather(np.arange(ROWS))):
        with pytest.raises(InputError) as caught:
            list(reading)
        assert_names(str(caught.value), f"{stored}: ", *CHANGED)


@CHANGES
def test_during_a_pass(stored, change):
    found = open_set(stored)
    reading = found.blocks([(row, row + 1) for row in range(ROWS)])
    next(reading)
    change(stored)
    with pytest.raises(InputError) as caught:
        list(reading)
    assert_names(str(caught.value), f"{stored}: ", *CHANGED)


@CHANGES
def test_what_a_map_is_said_to_be_made_of(stored, change):
    found = open_set(stored)
    assert len(checksum(found)) == 64
    change(stored)
    # Of an archive that is unpacked into memory it is the sum of the rows, which stay.
    if found.files():
        with pytest.raises(InputError) as caught:
            checksum(found)
        assert_names(str(caught.value), f"{stored}: ", *CHANGED)


@pytest.mark.parametrize("order", ["C", "F"])
def test_no_row_is_made_up_when_the_file_ends_early(tmp_path, order):
    array = np.random.default_rng(0).random((ROWS, 2000))
    path = write_npy(tmp_path / "a.npy", np.array(array, order=order))
    reading = open_set(path).blocks([(row, row + 1) for row in range(ROWS)])
    np.testing.assert_array_equal(next(reading)[0], array[0])
    shrink(path)
    right = []
    rest = enumerate(reading, start=1)
    with pytest.raises(InputError, match=CHANGED[0]):
        right.extend(np.array_equal(block[0], array[row]) for row, block in rest)
    assert all(right)
    assert len(right) < ROWS - 1


class Changing:
    """Changes a file as soon as the work on it has begun."""

    def __init__(self, path, change):
        self._path, self._change, self._begun = path, change, False

    def stage(self, name, total=None):
        self._change_once()

    def advance(self, done=1):
        self._change_once()

    def _change_once(self):
        if not self._begun:
            self._begun = True
            self._change(self._path)


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(1)
    a = rng.standard_normal((400, 8)).astype(np.float32)
    return a, a @ np.linalg.qr(rng.standard_normal((8, 8)))[0].astype(np.float32)


@pytest.fixture(scope="module")
def saved_map(tmp_path_factory, pair):
    path = tmp_path_factory.mktemp("maps") / "map.safetensors"
    fitted, alignment = embaudit.align(*pair)
    save_map(fitted, path, notes_of(alignment))
    return path


STORE = {
    "npy": write_npy,
    "parquet": write_parquet,
    "arrow": lambda path, array: write_arrow(path, emb_table(array), batch=100),
    "h5": lambda path, array: write_hdf5(path, array, chunks=(64, 8)),
}
COMMANDS = {
    "compare": lambda a, b, fitted, out, seen: embaudit.compare(a, b, progress=seen),
    "align": lambda a, b, fitted, out, seen: embaudit.align(a, b, progress=seen),
    "align, joint": lambda a, b, fitted, out, seen: embaudit.align_joint(a, b, progress=seen),
    "apply": lambda a, b, fitted, out, seen: embaudit.apply_map(fitted, a, out, progress=seen),
    "concat": lambda a, b, fitted, out, seen: embaudit.concat([a, b], out, progress=seen),
    "verify": lambda a, b, fitted, out, seen: embaudit.verify(fitted, a, b, progress=seen),
}


@CHANGES
@pytest.mark.parametrize("suffix", ["npy", "parquet", "arrow", "h5"])
@pytest.mark.parametrize("command", COMMANDS)
def test_while_a_command_works(tmp_path, pair, saved_map, command, suffix, change):
    path = tmp_path / f"a.{suffix}"
    STORE[suffix](path, pair[0])
    out = tmp_path / "out.npy"
    if command == "concat" and suffix == "parquet":
        # Decoded once: what is read after the first pass is a copy.
        COMMANDS[command](path, pair[1], saved_map, out, SilentProgress())
        whole = out.read_bytes()
        out.unlink()
        COMMANDS[command](path, pair[1], saved_map, out, Changing(path, change))
        assert out.read_bytes() == whole
        return
    with pytest.raises(InputError) as caught:
        COMMANDS[command](path, pair[1], saved_map, out, Changing(path, change))
    assert_names(str(caught.value), f"{path}: ", *CHANGED)
    assert set(os.listdir(tmp_path)) <= {path.name}
