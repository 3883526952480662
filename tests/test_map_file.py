"""Maps on disk: what is written is read back, and nothing is believed."""

from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

import embaudit
from embaudit.errors import InputError, OutputError
from embaudit.maps.fitted import RowMapper
from embaudit.maps.map_file import KEY, Held, MapNotes, MapSource, load_map, read_map, save_map


def rows(n=300, dim=10, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def a_map(method="orthogonal", metric="cosine", dims=(10, 10), **options):
    a = rows(dim=dims[0])
    b = a @ np.random.default_rng(1).standard_normal(dims).astype(np.float32)
    return embaudit.fit_map(a, b, method=method, metric=metric, **options)


NOTES = MapNotes(
    inputs=[MapSource(uri="a.npy", rows=300, dim=10, sha256="0" * 64)],
    k=10,
    penalty=0.01,
    held_out={"recall": Held(value=0.9, ci=(0.88, 0.92))},
)


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("method", ["orthogonal", "low-rank", "linear"])
@pytest.mark.parametrize("dims", [(10, 10), (10, 6), (6, 10)])
def test_what_is_written_is_read_back(tmp_path, method, metric, dims):
    path = tmp_path / "map.safetensors"
    fitted = a_map(method, metric, dims, direction="a_to_b")
    save_map(fitted, path, NOTES)
    again, notes = read_map(path)
    x = rows(50, dims[0], seed=5)
    assert np.array_equal(again.transform(x), fitted.transform(x))
    assert notes == NOTES
    for name in ("metric", "scale", "direction", "method", "rows", "norms", "unit", "dims", "rank"):
        assert getattr(again, name) == getattr(fitted, name), name


def test_it_is_a_safetensors_file_like_any_other(tmp_path):
    path = tmp_path / "map.safetensors"
    fitted = a_map()
    save_map(fitted, path, NOTES)
    with safe_open(path, "np") as file:
        assert set(file.keys()) == {"matrix", "mean_x", "mean_y"}
        assert np.array_equal(file.get_tensor("matrix"), fitted.affine.matrix)
        described = json.loads(file.metadata()[KEY])
    assert described["format"] == 1
    assert described["embaudit_version"] == embaudit.__version__
    assert described["notes"]["inputs"][0]["sha256"] == "0" * 64


def rewritten(path, change):
    """Write a map file again with another header, the data as they are."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    text = change(header)
    text = json.dumps(header if text is None else text).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def described(**changes):
    def change(header):
        found = json.loads(header["__metadata__"][KEY]) | changes
        header["__metadata__"][KEY] = json.dumps(found)

    return change


def without(header):
    del header["__metadata__"]


def other_text(header):
    header["__metadata__"][KEY] = "[1, 2"


def other_shape(header):
    header["matrix"]["shape"] = [5, 20]


def other_type(header):
    header["matrix"]["dtype"] = "I64"


def missing(header):
    header["other"] = header.pop("mean_y")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without, "no map: a safetensors file without embaudit.map"),
        (described(format=2, embaudit_version="9.0"), "format 2, written by embaudit 9.0; .*newer"),
        (described(format=0), "contradicts itself"),
        (described(method="magic"), "damaged map: method"),
        (described(metric="manhattan"), "damaged map: metric"),
        (described(dims=[10, 11]), "tensor 'matrix' is F64 of .10, 10., expected F64 of .10, 11."),
        (described(dims=[10, -1]), "contradicts itself"),
        (described(dims=[10]), "damaged map: dims"),
        (described(scale=0.0), "damaged map: scale"),
        (described(scale=1e-320), "contradicts itself"),
        (described(matched_scale="1"), "damaged map: matched_scale"),
        (described(norms=[2.0, 1.0]), "contradicts itself"),
        (described(rank=3), "contradicts itself"),
        (described(rows=0), "damaged map: rows"),
        (described(matched_scale=-1.0), "damaged map: matched_scale"),
        (described(matched_scale=1e200), "damaged map: matched_scale"),
        (described(dims=[60000, 60000], method="low-rank", rank=1), "contradicts itself"),
        (described(notes={"k": 10**30}), "damaged map: notes.k"),
        (described(notes={"held_out": {"recall": {"value": 7.0}}}), "damaged map: notes.held_out"),
        (described(notes={"held_out": {"recall": {"value": 0.5, "ci": [0.9, 0.1]}}}), "interval"),
        (other_text, "a damaged map"),
        (other_shape, "tensor 'matrix' is F64 of .5, 20."),
        (other_type, "tensor 'matrix' is I64"),
        (missing, "tensor 'mean_y' is missing"),
    ],
)
def test_a_map_that_is_damaged_or_of_something_else_is_refused(tmp_path, change, complaint):
    path = tmp_path / "map.safetensors"
    save_map(a_map(), path)
    rewritten(path, change)
    with pytest.raises(InputError, match=complaint) as caught:
        load_map(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_map_without_finite_numbers_is_refused(tmp_path):
    path = tmp_path / "map.safetensors"
    save_map(a_map(), path)
    data = bytearray(path.read_bytes())
    for number in (np.nan, -np.inf, 1e200):
        data[-8:] = np.array([number]).tobytes()
        path.write_bytes(data)
        refuses_numbers(path)


def test_a_map_beyond_float32_marks_every_row_without_a_warning(tmp_path):
    path = tmp_path / "map.safetensors"
    save_map(a_map(), path)
    data = path.read_bytes()
    mean_x = slice(len(data) - 160, len(data) - 80)
    path.write_bytes(data[: mean_x.start] + np.full(10, 1e90).tobytes() + data[mean_x.stop :])
    out = np.empty((3, 10), np.float32)
    assert RowMapper(load_map(path), np.dtype(np.float32)).map(rows(3), out).all()


def refuses_numbers(path):
    with pytest.raises(InputError, match="tensor 'mean_y' holds NaN, inf or numbers"):
        load_map(path)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_change_of_bytes_ends_in_anything_but_a_map_or_a_refusal(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("maps") / "map.safetensors"
    save_map(a_map("low-rank"), path, NOTES)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(len(whole) - 1, 1500)))
        whole[place] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    with suppress(InputError):
        assert np.isfinite(load_map(path).affine.matrix).all()


def test_a_map_replaces_what_was_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "map.safetensors"
    path.write_bytes(b"before")
    save_map(a_map(), path)
    assert load_map(path).dims == (10, 10)
    assert [found.name for found in tmp_path.iterdir()] == ["map.safetensors"]
    with pytest.raises(OutputError, match="could not be written"):
        save_map(a_map(), tmp_path / "no" / "folder.safetensors")
