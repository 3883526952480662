"""Reading a file as the product does, and what came of it."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import math
import os
import struct
import traceback
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

import embaudit
from benchmarks.hostile.subjects import DIM, ROWS, Kind, Rows, Subject, matrix
from benchmarks.readers import SLOTS
from embaudit.configuration import configuration
from embaudit.data.embedding_set import EmbeddingSet
from embaudit.data.id_files import read_ids
from embaudit.data.keyed import KeyedSet
from embaudit.data.pair import even_spans
from embaudit.data.sources import open_set
from embaudit.datatypes import Verdict
from embaudit.errors import EmbauditError
from embaudit.maps.fitted import RowMapper
from embaudit.maps.map_file import load_map
from embaudit.saved_audit import read_audit
from embaudit.streaming.scan import BLOCK_BYTES

LONGEST_MESSAGE = 2_000
OUT_OF_MEMORY = (
    *("malloc", "realloc", "bad_alloc", "memory allocation", "t allocate", "unable to allocate"),
    *("out of memory", "not enough memory"),
)
"""In the text of a library that was refused memory."""


class Outcome(StrEnum):
    """What came of a mutant."""

    REFUSED = "refused"
    UNCHANGED = "unchanged"
    OTHER_VALUES = "other values"
    OTHER_SHAPE = "other shape"
    DENIED = "denied memory"
    FAILED = "failed"


@dataclass(frozen=True)
class Read:
    """What came of one file.

    Attributes
    ----------
    outcome : Outcome
    detail : str
        Of a failure: what went wrong.
    compared : bool
        Whether it went on into `embaudit.compare`.
    verdict : bool
        Whether that gave a verdict.
    """

    outcome: Outcome
    detail: str = ""
    compared: bool = False
    verdict: bool = False


@dataclass(frozen=True)
class Content:
    """The matrix that a file was read as.

    Attributes
    ----------
    shape : (int, int)
    dtype : str
    digest : bytes
        Of all rows.
    """

    shape: tuple[int, int]
    dtype: str
    digest: bytes

    @classmethod
    def of(cls, rows: Rows) -> Content:
        """Return that of an array."""
        native = np.ascontiguousarray(rows, rows.dtype.newbyteorder("="))
        shape = (native.shape[0], native.shape[1])
        return cls(shape, native.dtype.name, hashlib.sha1(native.tobytes()).digest())


class Failed(Exception):
    """The product did what it must not do."""


def read(subject: Subject, path: Path, *, compare: bool = False, limited: bool = False) -> Read:
    """Read a mutant of `subject` and say what came of it.

    A set of vectors is opened and read whole, by blocks and by single rows, with its ids. What
    was read in another shape than the original must be what the format's own library reads, and
    an audit may not call it the partner of the original: other rows are refused, another
    dimension is never `safe`.

    Parameters
    ----------
    subject : Subject
        The original.
    path : pathlib.Path
        The mutant.
    compare : bool
        Compare it with the original's partner whatever its shape.
    limited : bool
        The process may not have all the memory it asks for: what is refused for want of it says
        nothing, and is to be read again without a limit.
    """
    try:
        with warnings.catch_warnings():
            # A warning would be a second line on stderr.
            warnings.simplefilter("error")
            return _read(subject, path, compare)
    except EmbauditError as error:
        return _refused(error, limited)
    except Failed as error:
        return Read(Outcome.FAILED, str(error))
    except Exception:
        return Read(Outcome.FAILED, traceback.format_exc(limit=-8))


def _refused(error: EmbauditError, limited: bool) -> Read:
    message = str(error)
    if limited and _ran_out(error):
        return Read(Outcome.DENIED, message)
    if not message.isprintable() or len(message) > LONGEST_MESSAGE:
        return Read(Outcome.FAILED, f"not one printable line: {message!r}")
    return Read(Outcome.REFUSED, message)


def _ran_out(error: BaseException | None) -> bool:
    """Tell whether a refusal hides that memory was asked for and not given."""
    while error is not None:
        # Python's own parser raises MemoryError for what is nested too deeply.
        parsed = error.__traceback__ and "ast.py" in traceback.format_tb(error.__traceback__)[-1]
        if isinstance(error, MemoryError) and not parsed:
            return True
        if any(word in str(error).lower() for word in OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def _read(subject: Subject, path: Path, compare: bool) -> Read:
    match subject.kind:
        case Kind.SET:
            return _read_set(subject, path, path, compare)
        case Kind.PART:
            return _read_set(subject, path.parent, path, compare)
        case Kind.IDS:
            return _read_ids(subject, path)
        case Kind.MAP:
            return _read_map(subject, path)
        case Kind.AUDIT:
            return _same(read_audit(path).model_dump_json().encode(), subject.data)
        case Kind.SETTINGS:
            return _read_settings(subject, path)


def _same(found: bytes, original: bytes) -> Read:
    return Read(Outcome.UNCHANGED if found == original else Outcome.OTHER_VALUES)


def _read_set(subject: Subject, source: Path, mutant: Path, compare: bool) -> Read:
    assert subject.rows is not None
    found = open_set(source)
    content = content_of(found)
    if isinstance(found, KeyedSet):
        _read_keys(found)
    expected = expected_content(subject)
    if content == expected:
        outcome = Outcome.UNCHANGED
    elif content.shape == expected.shape:
        outcome = Outcome.OTHER_VALUES
    else:
        outcome = Outcome.OTHER_SHAPE
    if outcome is not Outcome.UNCHANGED:
        _confirm(content, subject, mutant, outcome)
    if not compare and outcome is not Outcome.OTHER_SHAPE:
        return Read(outcome)
    return Read(outcome, compared=True, verdict=_compared(content, expected, source))


def content_of(found: EmbeddingSet) -> Content:
    """Read all rows of a set by the blocks of an audit, then the first and the last alone."""
    spans = even_spans(found.rows, max(1, BLOCK_BYTES // (found.dim * found.dtype.itemsize)))
    digest, count = hashlib.sha1(), 0
    ends: dict[int, bytes] = {}
    for (start, stop), block in zip(spans, found.blocks(spans, SLOTS), strict=True):
        if block.shape != (stop - start, found.dim) or block.dtype != found.dtype:
            raise Failed(f"a block of {block.shape} {block.dtype} for rows {start} to {stop}")
        digest.update(block.tobytes())
        count += len(block)
        ends.setdefault(0, block[0].tobytes())
        ends[stop - 1] = block[-1].tobytes()
    last = found.rows - 1
    if count != found.rows:
        raise Failed(f"{count} rows of {found.rows}")
    if found.take(np.array([0, last])).tobytes() != ends[0] + ends[last]:
        raise Failed("single rows are not those of the blocks")
    return Content((found.rows, found.dim), found.dtype.name, digest.digest())


def expected_content(subject: Subject) -> Content:
    """Return what the original is read as."""
    assert subject.rows is not None
    rows = subject.rows
    if subject.kind is Kind.PART:
        rows = np.concatenate([rows, rows])
    if subject.name.endswith("BF16"):
        rows = _widened(rows.view(np.uint16))
    return Content.of(rows)


def _widened(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    return (halves.astype(np.uint32) << 16).view(np.float32)


def _read_keys(found: KeyedSet) -> None:
    """Read every column of ids, as a join would."""
    for column in found.key_columns():
        try:
            ids = found.ids(column)
        except EmbauditError as error:
            if _ran_out(error):
                raise
            continue
        if len(ids.hashes) != found.rows:
            raise Failed(f"{len(ids.hashes)} ids of column {column!r} for {found.rows} rows")
        ids.shown(found.rows - 1)


def _confirm(content: Content, subject: Subject, path: Path, outcome: Outcome) -> None:
    """Hold what was read against what the format's own library reads.

    A library that refuses the file has no say about values; but a matrix of another shape must be
    one that it reads too.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = [Content.of(rows) for rows in _matrices(subject, path)]
    except Exception as error:
        if outcome is Outcome.OTHER_SHAPE:
            raise Failed(
                f"read as {content.shape} {content.dtype}, its own library: {error!r}"
            ) from None
        return
    if content not in theirs and (theirs or outcome is Outcome.OTHER_SHAPE):
        found = [(each.shape, each.dtype) for each in theirs]
        raise Failed(f"read as {content.shape} {content.dtype}, by its own library as {found}")


def _matrices(subject: Subject, path: Path) -> Iterator[Rows]:
    """Yield the matrices of a file as its own library reads them."""
    suffix = path.suffix
    if subject.kind is Kind.PART:
        for rows in _parquet_columns(path):
            if subject.rows is not None:
                yield np.concatenate([subject.rows, rows]) if len(rows) else subject.rows
    elif suffix == ".npy":
        yield np.load(path)
    elif suffix == ".npz":
        yield from _members(path)
    elif suffix == ".parquet":
        yield from _parquet_columns(path)
    elif suffix in (".arrow", ".feather"):
        data = path.read_bytes()
        opened = pa.ipc.open_file if data.startswith(b"ARROW1") else pa.ipc.open_stream
        schema = opened(data).schema
        for number in range(len(schema)):
            # One column alone: another one may be damaged.
            if not _is_list(schema.field(number).type):
                continue
            options = pa.ipc.IpcReadOptions(included_fields=[number])
            table = opened(data, options=options).read_all()
            table.validate(full=True)
            yield from _columns(table)
    elif suffix == ".safetensors":
        yield from _tensors(path.read_bytes())
    elif suffix in (".h5", ".hdf5"):
        # Its cache of chunks refuses some files that can be read without it.
        with importlib.import_module("h5py").File(path, rdcc_nbytes=0) as file:
            found: list[Rows] = []
            file.visititems(
                lambda _, item: found.append(item[:]) if len(item.shape or ()) == 2 else None
            )
            yield from found
    else:
        yield _raw(path)


def _members(path: Path) -> Iterator[Rows]:
    """Yield the matrices of an archive that numpy reads."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with suppress(Exception), archive.open(name) as file:
                array = np.lib.format.read_array(file)
                if array.ndim == 2:
                    yield array


def _parquet_columns(path: Path) -> Iterator[Rows]:
    """Yield the columns of lists, each read by itself: another one may be damaged."""
    file = pq.ParquetFile(path)
    for field in file.schema_arrow:
        if _is_list(field.type):
            yield from _columns(file.read([field.name]))


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _columns(table: pa.Table) -> Iterator[Rows]:
    """Yield the columns of lists as matrices."""
    for name in range(table.num_columns):
        column = table.column(name).combine_chunks()
        values = column.flatten().to_numpy()
        yield values.reshape(len(column), len(values) // max(1, len(column)))


def _tensors(data: bytes) -> Iterator[Rows]:
    """Yield the matrices of a safetensors file: numpy knows no bfloat16, so by hand."""
    kinds = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I8": "i1", "U8": "u1", "BF16": "<u2"}
    length = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__" or entry["dtype"] not in kinds or len(entry["shape"]) != 2:
            continue
        start, stop = entry["data_offsets"]
        body = data[8 + length :][start:stop]
        rows = np.frombuffer(body, kinds[entry["dtype"]]).reshape(entry["shape"])
        yield _widened(rows) if entry["dtype"] == "BF16" else rows


def _raw(path: Path) -> Rows:
    """Return the rows of ``.fvecs`` and its kin."""
    kind = np.dtype({".f": "<f4", ".f1": "<f2", ".b": "u1", ".u": "u1", ".i": "i1"}[_short(path)])
    data = path.read_bytes()
    if path.suffix.endswith("vecs"):
        (dim,) = struct.unpack("<i", data[:4])
        records = np.frombuffer(data, np.uint8).reshape(-1, 4 + dim * kind.itemsize)
        if (records[:, :4].copy().view("<i4") != dim).any():
            raise ValueError("rows of several dimensions")
        return records[:, 4:].copy().view(kind)
    rows, dim = struct.unpack("<II", data[:8])
    return np.frombuffer(data, kind, offset=8).reshape(rows, dim)


def _short(path: Path) -> str:
    return ".f1" if path.suffix == ".f16bin" else path.suffix[:2]


def _compared(content: Content, expected: Content, source: Path) -> bool:
    """Compare a mutant with the original's partner; return whether there is a verdict.

    The partner has as many rows as the original, and nothing but their order pairs them.
    """
    partner = matrix() + matrix(seed=1) / 8
    if expected.shape[0] != ROWS:
        partner = np.concatenate([partner, partner + 1])
    try:
        audit = embaudit.compare(source, partner.astype(np.float32), threads=1)
    except EmbauditError as error:
        if _ran_out(error):
            raise
        return False
    if content.shape[0] != expected.shape[0]:
        raise Failed(f"{audit.verdict} for {content.shape[0]} rows of {expected.shape[0]}")
    if (audit.a.rows, audit.a.dim) != content.shape:
        raise Failed(f"an audit of {audit.a.rows} x {audit.a.dim}, read as {content.shape}")
    if content.shape[1] != DIM and audit.verdict is Verdict.SAFE:
        raise Failed(f"safe for dimension {content.shape[1]} against {DIM}")
    json.loads(audit.model_dump_json(), parse_constant=_no_constant)
    return True


def _no_constant(name: str) -> None:
    raise Failed(f"{name} in the JSON of an audit")


def _read_ids(subject: Subject, path: Path) -> Read:
    ids = read_ids(path, ROWS, "a.npy")
    if len(ids.hashes) != ROWS:
        raise Failed(f"{len(ids.hashes)} ids for {ROWS} rows")
    shown = [ids.shown(row) for row in (0, ROWS - 1)]
    if not all(text.isprintable() for text in shown):
        raise Failed(f"ids shown as {shown}")
    return _same(path.read_bytes(), subject.data)


def _read_map(subject: Subject, path: Path) -> Read:
    """Load a map and apply it to rows, with `transform` and as `embaudit apply` does."""
    fitted = load_map(path)
    if not np.isfinite(fitted.affine.matrix).all():
        raise Failed("a map that is not finite")
    p, q = fitted.dims
    rows = np.resize(matrix(), (3, p))
    mapped = fitted.transform(rows)
    if mapped.shape != (3, q) or not np.isfinite(mapped).all():
        raise Failed(f"mapped to {mapped.shape} {mapped[0, :3]}")
    out = np.empty((3, q), np.float32)
    bad = RowMapper(fitted, rows.dtype).map(rows, out)
    if not np.isfinite(out[~bad]).all():
        raise Failed("a row that is not finite was not marked")
    return _same(path.read_bytes(), subject.data)


def _read_settings(subject: Subject, path: Path) -> Read:
    """Read a file of settings by its name, and what it says of every pair."""
    given = path if path.name == "embaudit.toml" else None
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        found = configuration(given)
    finally:
        os.chdir(before)
    for name in found.pairs:
        for setting in found.of_pair(name).values():
            if not setting.place:
                raise Failed("a setting without a place")
            if isinstance(setting.value, float) and math.isnan(setting.value):
                io.StringIO(str(setting.value))
    return _same(path.read_bytes(), subject.data)
