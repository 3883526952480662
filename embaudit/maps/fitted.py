"""A map as it is used: rows as stored in, rows as stored out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embaudit.data.embedding_set import check_array
from embaudit.datatypes import Direction, Metric, Stored
from embaudit.errors import InputError
from embaudit.maps.affine import AffineMap
from embaudit.stats.prepare import prepare


@dataclass(frozen=True)
class FittedMap:
    """A map from one model's vectors to the other's, fitted on all paired rows.

    Attributes
    ----------
    affine : AffineMap
        Between rows prepared for the metric.
    metric : Metric
        Under cosine rows are divided by their norm before they are mapped.
    scale : float
        Multiplies rows under dot and euclidean before they are mapped, and divides the result.
    direction : "a_to_b" or "b_to_a"
    method : "orthogonal" or "linear"
    rows : int
        Rows it was fitted on.
    """

    affine: AffineMap
    metric: Metric
    scale: float
    direction: Direction
    method: str
    rows: int

    @property
    def dims(self) -> tuple[int, int]:
        """Dimensions of what goes in and of what comes out."""
        p, q = self.affine.matrix.shape
        return p, q

    def transform(self, rows: Stored) -> NDArray[np.float32]:
        """Map rows of the source model into the target model's space.

        Parameters
        ----------
        rows : array, shape (m, p)
            Vectors as stored, of any dtype a file may have.

        Returns
        -------
        float32 array, shape (m, q)
            Search the target's index with them, in the same metric.

        Raises
        ------
        InputError
            For another shape, for NaN or inf, and for rows so large that float32 holds no result.
        """
        rows = np.asarray(rows)
        check_array(rows.shape, rows.dtype, "<rows>")
        p, _ = self.dims
        if rows.shape[1] != p:
            raise InputError(f"<rows>: dimension {rows.shape[1]}; the map takes {p}")
        if not np.isfinite(rows).all():
            raise InputError("<rows>: hold NaN or inf; leave those rows out")
        mapped = self.affine.transform(prepare(rows, self.metric, self.scale)) / self.scale
        if np.abs(mapped).max() > np.finfo(np.float32).max:
            raise InputError("<rows>: too large to be mapped to float32; rescale the vectors")
        return mapped.astype(np.float32)
