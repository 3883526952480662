"""No mutant of a file does anything but be read as what it is, or be refused by one line."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import fuzz, reliability
from benchmarks.hostile import subjects as hostile
from benchmarks.hostile.mutators import blind, json_text, text_change
from benchmarks.hostile.reading import Outcome, Read, read

NAMES = [
    *("NPY", "NPY Fortran", "NPY big-endian", "NPY float16", "NPY int8", "NPZ", "NPZ deflated"),
    *("Parquet list, dictionary", "Parquet list, plain", "Parquet fixed_size_list, text ids"),
    *("Parquet large_list, zstd, checksums", "Parquet row groups, integer ids"),
    *("Parquet byte stream split, gzip", "Parquet part", "Arrow file", "Arrow file, categories"),
    *("Arrow stream", "Arrow stream, zstd", "Feather lz4", "safetensors F32", "safetensors F16"),
    *("safetensors I8", "safetensors BF16", "fvecs", "bvecs", "fbin", "f16bin", "u8bin", "i8bin"),
    *("HDF5", "HDF5 chunked", "HDF5 gzip", "ids of text", "ids NPY integers", "ids NPY texts"),
    *("orthogonal map", "low-rank map", "linear map", "joint head", "joint head, hidden layer"),
    *("JSON audit", "embaudit.toml", "pyproject.toml"),
]


@cache
def subjects():
    return {subject.name: subject for subject in hostile.subjects()}


def placed(subject, folder, data):
    """Write a mutant as a new file: HDF5 takes one of the same number for a file still open."""
    if subject.kind is hostile.Kind.PART:
        (folder / "part-0.parquet").write_bytes(subject.data)
    path = folder / subject.file
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


def test_every_kind_is_fuzzed():
    assert list(subjects()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_valid_file_is_read_as_what_it_is(tmp_path, name):
    subject = subjects()[name]
    found = read(subject, placed(subject, tmp_path, subject.data), compare=True)
    sets = subject.kind in (hostile.Kind.SET, hostile.Kind.PART)
    assert found == Read(Outcome.UNCHANGED, compared=sets, verdict=sets)


@pytest.mark.parametrize("name", NAMES)
@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rng=st.randoms(use_true_random=False), compare=st.integers(0, 15))
def test_mutants(tmp_path, name, rng, compare):
    subject = subjects()[name]
    path = placed(subject, tmp_path, subject.mutant(rng, (subject.data,)))
    found = read(subject, path, compare=compare == 0)
    assert found.outcome is not Outcome.FAILED, found.detail


def test_a_mutant_is_the_same_every_time():
    for subject in subjects().values():
        first, again, other = (subject.mutant(Random(seed)) for seed in ("a", "a", "b"))
        assert first == again
        assert first != other


@pytest.mark.parametrize("data", [b"", b"x", b"0123456789" * 20])
def test_mutators_take_any_bytes(data):
    for seed in range(300):
        blind(data, Random(seed), (b"", b"other"))
        text_change(data, Random(seed))
        json_text({"a": [1, 2.5, {"b": None}]}, Random(seed))


def test_a_matrix_of_another_shape_that_its_library_reads_otherwise_is_a_failure(
    tmp_path, monkeypatch
):
    subject = subjects()["fbin"]
    path = tmp_path / subject.file
    subject.store(path, hostile.matrix()[:20])
    assert read(subject, path) == Read(Outcome.OTHER_SHAPE, compared=True)
    monkeypatch.setattr("benchmarks.hostile.reading._raw", lambda _: hostile.matrix()[:21])
    found = read(subject, path)
    assert found.outcome is Outcome.FAILED
    assert "read as (20, 6) float32, by its own library as [((21, 6)" in found.detail


def test_the_tables_of_the_document_are_those_of_the_counts():
    text = reliability.DOCUMENT.read_text(encoding="utf-8")
    found = reliability.stored()["fuzz"]
    assert found["mutants"] >= 100_000
    assert not any(found["failed"].values())
    assert list(found["kinds"]) == NAMES
    assert reliability.between(text, "fuzz", fuzz.render(found)) == text
