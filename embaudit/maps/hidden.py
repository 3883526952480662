"""What a trained head adds to a linear one: a hidden layer beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class HiddenLayer:
    """``z skip + max(z inner + bias, 0) outer`` of unit rows z.

    Attributes
    ----------
    skip : array, shape (s, s)
    inner, bias, outer : arrays, shapes (s, h), (h,) and (h, s)
    """

    skip: NDArray[Any]
    inner: NDArray[Any]
    bias: NDArray[Any]
    outer: NDArray[Any]

    @property
    def width(self) -> int:
        """Number of hidden units, h."""
        return len(self.bias)

    def single(self) -> HiddenLayer:
        """Return the layer in float32."""
        skip, inner, bias, outer = (
            one.astype(np.float32) for one in (self.skip, self.inner, self.bias, self.outer)
        )
        return HiddenLayer(skip, inner, bias, outer)

    def transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return what the layer makes of unit rows, shape (m, s)."""
        hidden = rows @ self.inner
        hidden += self.bias
        np.maximum(hidden, 0.0, out=hidden)
        image: NDArray[Any] = rows @ self.skip
        image += hidden @ self.outer
        return image
