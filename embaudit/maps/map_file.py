"""Maps as files: safetensors with a description that is checked, not believed."""

from __future__ import annotations

import json
import math
import os
from io import FileIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from embaudit.data.embedding_set import MAX_DIM
from embaudit.data.files import FileStamp, brief
from embaudit.data.raw_layouts import RawMatrix, RowMajor
from embaudit.data.safetensors import Header, read_header
from embaudit.datatypes import JOINT, JOINT_DIRECTIONS, MapDirection, MapMethod, Matrix, Metric
from embaudit.destinations import replacing
from embaudit.errors import InputError, first_fault
from embaudit.maps.affine import AffineMap
from embaudit.maps.fitted import FittedMap
from embaudit.maps.hidden import HiddenLayer
from embaudit.version import __version__

FORMAT = 1
KEY = "embaudit.map"
"""Of the description within the file's metadata."""
MATRIX, LEFT, RIGHT, MEAN_X, MEAN_Y = "matrix", "left", "right", "mean_x", "mean_y"
SKIP, INNER, BIAS, OUTER = "skip", "inner", "bias", "outer"
"""Of a hidden layer."""
STORED = "F64"
MOST_ENTRIES = 1 << 26
"""Of a matrix: half a GiB, 8,192 x 8,192. The factors of a low-rank map are small and their product
is not."""
LARGEST = 1e100
"""No number of a map is larger: vectors have norms of up to 1e30."""
MOST_NEIGHBOURS = 1 << 20
MOST_HIDDEN = 1 << 16
MOST_ROWS = 1 << 62


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, strict=True)


class MapSource(_Checked):
    """A file that a map was fitted on.

    ``sha256`` is that of the file; of a folder, of the sums of its parts; of an array, of its rows.
    """

    uri: str
    rows: int = Field(ge=0)
    dim: int = Field(ge=1, le=MAX_DIM)
    sha256: str


class Held(_Checked):
    """A figure measured on rows that the map had not seen, with its interval."""

    value: float = Field(ge=-1.0, le=1.0)
    ci: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Held:
        if self.ci is not None and not -1.0 <= self.ci[0] <= self.value <= self.ci[1] <= 1.0:
            raise ValueError("an interval that does not hold its value")
        return self


class Measured(_Checked):
    """What was measured in an index of so many rows: more of them are more that may be mistaken."""

    rows: int = Field(ge=1, le=MOST_ROWS)
    held_out: dict[str, Held]


class MapNotes(_Checked):
    """What is known of a map besides its numbers.

    ``k`` and ``held_out`` are what `embaudit align` measured: recall among k neighbours and
    others by name; ``by_rows`` the same in indexes of all rows and of fewer, the largest first.
    Empty where nobody has.
    """

    inputs: list[MapSource] = []
    k: int | None = Field(default=None, ge=1, le=MOST_NEIGHBOURS)
    penalty: float | None = None
    held_out: dict[str, Held] = {}
    by_rows: list[Measured] = []

    def measured(self, rows: int) -> Measured | None:
        """Return what was measured in the largest index of no more rows; None where in none."""
        known = [one for one in self.by_rows if one.rows <= rows]
        return max(known, key=lambda one: one.rows, default=None)


class _Description(_Checked):
    format: int
    embaudit_version: str
    method: MapMethod
    direction: MapDirection
    metric: Literal["cosine", "dot", "euclidean"]
    dims: tuple[int, int]
    rank: int | None
    rows: int = Field(ge=1, le=MOST_ROWS)
    scale: float = Field(gt=0.0, le=LARGEST)
    least_squares_scale: float = Field(ge=-LARGEST, le=LARGEST)
    matched_scale: float = Field(ge=0.0, le=LARGEST)
    norms: tuple[float, float]
    unit: bool
    space: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    hidden: int | None = None
    notes: MapNotes

    @property
    def consistent(self) -> bool:
        """Whether the parts may stand together: sizes that memory holds, one kind of map."""
        p, q = self.dims
        low, high = self.norms
        joint = self.method == JOINT
        return (
            1 <= p <= MAX_DIM
            and 1 <= q <= MAX_DIM
            and p * q <= MOST_ENTRIES
            and self.format == FORMAT
            and 0.0 <= low <= high
            and (self.rank is None or 1 <= self.rank <= min(p, q))
            and (self.rank is not None) == (self.method == "low-rank")
            and joint == (self.space is not None) == (self.direction in JOINT_DIRECTIONS)
            and (self.unit or not joint)
            and (self.hidden is None or (joint and self._holds(self.hidden)))
            and self.matched_scale / self.scale <= LARGEST
        )

    def _holds(self, hidden: int) -> bool:
        return 1 <= hidden <= MOST_HIDDEN and hidden * self.dims[1] <= MOST_ENTRIES

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor."""
        p, q = self.dims
        shapes: dict[str, tuple[int, ...]] = {MATRIX: (p, q)}
        if self.rank is not None:
            shapes = {LEFT: (p, self.rank), RIGHT: (self.rank, q)}
        if self.hidden is not None:
            h = self.hidden
            shapes |= {SKIP: (q, q), INNER: (q, h), BIAS: (h,), OUTER: (h, q)}
        return shapes | {MEAN_X: (p,), MEAN_Y: (q,)}


def save_map(
    fitted: FittedMap, path: str | os.PathLike[str], notes: MapNotes | None = None
) -> None:
    """Write a map as a safetensors file, whole or not at all.

    Parameters
    ----------
    fitted : FittedMap
    path : path
        Replaced where it exists.
    notes : MapNotes, optional

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    with replacing(Path(os.path.realpath(path))) as temporary:
        _write(fitted, temporary, notes)


def save_heads(
    heads: tuple[FittedMap, FittedMap], paths: tuple[Path, Path], notes: MapNotes
) -> None:
    """Write both heads of a shared space; neither takes its place before both are written.

    Raises
    ------
    OutputError
        When a file cannot be written.
    """
    a, b = (Path(os.path.realpath(path)) for path in paths)
    with replacing(a) as temporary_a, replacing(b) as temporary_b:
        _write(heads[0], temporary_a, notes)
        _write(heads[1], temporary_b, notes)


def _write(fitted: FittedMap, temporary: Path, notes: MapNotes | None) -> None:
    affine = fitted.affine
    if fitted.factors is None:
        matrices = {MATRIX: affine.matrix}
    else:
        matrices = dict(zip((LEFT, RIGHT), fitted.factors, strict=True))
    layer = fitted.hidden
    if layer is not None:
        matrices |= {SKIP: layer.skip, INNER: layer.inner, BIAS: layer.bias, OUTER: layer.outer}
    tensors = {**matrices, MEAN_X: affine.mean_x, MEAN_Y: affine.mean_y}
    described = _Description(
        format=FORMAT,
        embaudit_version=__version__,
        method=fitted.method,
        direction=fitted.direction,
        metric=fitted.metric.value,
        dims=fitted.dims,
        rank=fitted.rank,
        rows=fitted.rows,
        scale=fitted.scale,
        least_squares_scale=affine.least_squares_scale,
        matched_scale=affine.matched_scale,
        norms=fitted.norms,
        unit=fitted.unit,
        space=fitted.space,
        hidden=None if layer is None else layer.width,
        notes=notes or MapNotes(),
    )
    with temporary.open("xb") as stream:
        stream.write(_header(tensors, described.model_dump_json()))
        for tensor in tensors.values():
            stream.write(np.ascontiguousarray(tensor, "<f8").data)


def _header(tensors: dict[str, NDArray[np.float64]], description: str) -> bytes:
    """Return the length and the header of a safetensors file that holds float64 tensors."""
    entries: dict[str, object] = {"__metadata__": {"format": "embaudit", KEY: description}}
    start = 0
    for name, tensor in tensors.items():
        stop = start + 8 * tensor.size
        entries[name] = {"dtype": STORED, "shape": tensor.shape, "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(entries, separators=(",", ":")).encode()
    # Data begin at a multiple of eight bytes, as readers in place want them.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def load_map(path: str | os.PathLike[str]) -> FittedMap:
    """Read a map.

    Raises
    ------
    InputError
        For a file that is damaged, of something else, or of a newer embaudit.
    """
    return read_map(path)[0]


def read_map(path: str | os.PathLike[str]) -> tuple[FittedMap, MapNotes]:
    """Read a map and what was noted beside it.

    Raises
    ------
    InputError
        For a file that is damaged, of something else, or of a newer embaudit.
    """
    uri = os.fsdecode(path)
    stamp = FileStamp.of(Path(uri), uri)
    with stamp.reading("safetensors"), FileIO(stamp.path) as file:
        header = read_header(file, stamp)
        described = _described(header, uri)
        shapes = described.shapes()
        tensors = {
            name: _tensor(file, header, name, shape, stamp) for name, shape in shapes.items()
        }
        unnamed = sorted(set(header.tensors) - set(shapes))
        if unnamed:
            raise InputError(
                f"{uri}: a damaged map: tensor {brief(unnamed[0])} is not in its description; "
                "write it again"
            )
    factors: tuple[Matrix, Matrix] | None = None
    if described.rank is not None:
        factors = tensors[LEFT], tensors[RIGHT]
    matrix = tensors[MATRIX] if factors is None else factors[0] @ factors[1]
    hidden = None
    if described.hidden is not None:
        hidden = HiddenLayer(tensors[SKIP], tensors[INNER], tensors[BIAS], tensors[OUTER])
    fitted = FittedMap(
        affine=AffineMap(
            matrix=matrix,
            mean_x=tensors[MEAN_X],
            mean_y=tensors[MEAN_Y],
            least_squares_scale=described.least_squares_scale,
            matched_scale=described.matched_scale,
        ),
        metric=Metric(described.metric),
        scale=described.scale,
        direction=described.direction,
        method=described.method,
        rows=described.rows,
        norms=described.norms,
        unit=described.unit,
        factors=factors,
        space=described.space,
        hidden=hidden,
    )
    return fitted, described.notes


def _described(header: Header, uri: str) -> _Description:
    """Return the checked description of a map file."""
    text = header.metadata.get(KEY)
    if text is None:
        raise InputError(
            f"{uri}: no map: a safetensors file without {KEY}; pass what `embaudit align` wrote"
        )
    try:
        found = json.loads(text)
        version = found["format"]
        if type(version) is int and version > FORMAT:
            raise InputError(
                f"{uri}: a map of format {version}, written by embaudit "
                f"{brief(found.get('embaudit_version'))}; this is {__version__} and reads up to "
                f"format {FORMAT}: install a newer embaudit"
            )
        described = _Description.model_validate_json(text)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        fault = brief(first_fault(error) if isinstance(error, ValidationError) else error)
        raise InputError(f"{uri}: a damaged map: {fault}; write it again") from None
    if not described.consistent:
        raise InputError(
            f"{uri}: a damaged map: its description contradicts itself; write it again"
        )
    return described


def _tensor(
    file: FileIO, header: Header, name: str, shape: tuple[int, ...], stamp: FileStamp
) -> NDArray[np.float64]:
    """Read one tensor of a map: of the shape that was described, and finite."""
    tensor = header.tensors.get(name)
    if tensor is None or tensor.dtype != STORED or tensor.shape != shape:
        found = "missing" if tensor is None else f"{brief(tensor.dtype)} of {brief(tensor.shape)}"
        raise InputError(
            f"{stamp.uri}: a damaged map: tensor {name!r} is {found}, expected {STORED} of "
            f"{shape}; write it again"
        )
    stored = np.dtype("<f8")
    values = np.empty(math.prod(shape), stored)
    matrix = RawMatrix(1, len(values), stored, offset=header.offset + tensor.start)
    RowMajor(matrix, stamp).fill(file, 0, values)
    # NaN fails the comparison too.
    if not (np.abs(values) <= LARGEST).all():
        raise InputError(
            f"{stamp.uri}: a damaged map: tensor {name!r} holds NaN, inf or numbers that no map "
            "has; write it again"
        )
    return values.reshape(shape).astype(np.float64)
