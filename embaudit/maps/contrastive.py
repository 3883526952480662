"""Heads into a shared space, trained so that partners meet and other rows part (InfoNCE).

Needs PyTorch, the extra ``train``: whoever imports this module says so where it is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy, normalize

from embaudit.datatypes import Matrix, Progress
from embaudit.maps.hidden import HiddenLayer

Both = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Unit rows of both sides, shape (n, s); row i of both is one item."""
Judge = Callable[[NDArray[np.float32], NDArray[np.float32]], float]
"""``(images of a, images of b) -> how well partners find each other``, more is better."""

BATCH = 1024
LEARNING_RATE = 1e-3
EPOCHS = 100
PATIENCE = 8
"""Epochs without a better one, after which no more are tried."""
TEMPERATURE = 0.07
"""To begin with; it is learned (Radford et al. 2021)."""
COLDEST = 0.01
DROPOUT = 0.2
"""Share of hidden units that a batch goes without."""


@dataclass(frozen=True)
class TrainedHead:
    """What unit rows of a side go through.

    Attributes
    ----------
    matrix : float64 array, shape (s, s), or None
        Of a linear head.
    layer : HiddenLayer or None
        Of one with a hidden layer.
    """

    matrix: Matrix | None
    layer: HiddenLayer | None


@dataclass(frozen=True)
class Trained:
    """Two heads.

    Attributes
    ----------
    a, b : TrainedHead
    epochs : int
        After which they were best; 0 where training gained nothing.
    temperature : float
        That was learned.
    """

    a: TrainedHead
    b: TrainedHead
    epochs: int
    temperature: float


@dataclass(frozen=True)
class Contrastive:
    """Training of two heads on rows that lie in one space already.

    They begin as the identity, so that training can only add to what the space has. The loss is
    the symmetric cross-entropy of the partner among all rows of a batch, with a learned temperature
    (InfoNCE: van den Oord et al. 2018; Radford et al. 2021).

    Attributes
    ----------
    hidden : int
        Units of a hidden layer beside the linear map; 0 for none.
    seed : int
    progress : Progress
    """

    hidden: int
    seed: int
    progress: Progress

    def until_best(self, pairs: Both, judged: Both, judge: Judge) -> Trained:
        """Train until rows that are not trained on do no better, and return the best heads."""
        with _one_thread():
            run = _Run(pairs, self.hidden, self.seed)
            best, value = run.snapshot(0), judge(*judged)
            self.progress.stage("training", EPOCHS)
            for epoch in range(1, EPOCHS + 1):
                run.epoch()
                self.progress.advance()
                reached = judge(*run.images(judged))
                if reached > value:
                    best, value = run.snapshot(epoch), reached
                if epoch - best.epochs >= PATIENCE:
                    break
            return best

    def for_epochs(self, pairs: Both, epochs: int) -> Trained:
        """Train for a number of epochs."""
        with _one_thread():
            run = _Run(pairs, self.hidden, self.seed)
            self.progress.stage("training", epochs)
            for _ in range(epochs):
                run.epoch()
                self.progress.advance()
            return run.snapshot(epochs)


class _Run:
    """Two heads while they are trained.

    Parameters
    ----------
    pairs : (float32 array, float32 array), shapes (n, s)
    hidden, seed : int
    """

    def __init__(self, pairs: Both, hidden: int, seed: int) -> None:
        self._draws = torch.Generator().manual_seed(seed)
        self._pairs = [torch.from_numpy(side) for side in pairs]
        dim = pairs[0].shape[1]
        # Entries of variance 1, for which the usual step sizes are made.
        self._gain = math.sqrt(dim)
        self._heads = [self._head(dim, hidden) for _ in pairs]
        self._scale = torch.tensor(math.log(1.0 / TEMPERATURE)).requires_grad_()
        parameters = [one for head in self._heads for one in head]
        self._optimizer = torch.optim.Adam([*parameters, self._scale], lr=LEARNING_RATE)

    def _head(self, dim: int, hidden: int) -> list[torch.Tensor]:
        tensors = [torch.eye(dim)]
        if hidden:
            inner = torch.randn(dim, hidden, generator=self._draws) * math.sqrt(2.0 / dim)
            tensors += [inner, torch.zeros(hidden), torch.zeros(hidden, dim)]
        return [tensor.requires_grad_() for tensor in tensors]

    def epoch(self) -> None:
        """Take a step for each batch of the pairs, in a new order."""
        count = len(self._pairs[0])
        order = torch.randperm(count, generator=self._draws)
        for batch in torch.tensor_split(order, max(1, round(count / BATCH))):
            u, v = (
                self._image(head, side[batch], training=True)
                for head, side in zip(self._heads, self._pairs, strict=True)
            )
            scores = u @ v.T * self._scale.exp().clamp(max=1.0 / COLDEST)
            partners = torch.arange(len(batch))
            loss = 0.5 * (cross_entropy(scores, partners) + cross_entropy(scores.T, partners))
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()

    def images(self, rows: Both) -> Both:
        """Return what the heads make of unit rows of both sides."""
        with torch.no_grad():
            a, b = (
                self._image(head, torch.from_numpy(side), training=False).numpy()
                for head, side in zip(self._heads, rows, strict=True)
            )
        return a, b

    def _image(
        self, head: list[torch.Tensor], rows: torch.Tensor, *, training: bool
    ) -> torch.Tensor:
        matrix, *layer = head
        rows = rows * self._gain
        image = rows @ matrix
        if layer:
            inner, bias, outer = layer
            hidden = torch.relu(rows @ inner + bias)
            if training:
                left = torch.rand(hidden.shape, generator=self._draws) >= DROPOUT
                hidden = hidden * left / (1.0 - DROPOUT)
            image = image + hidden @ outer
        return normalize(image, dim=1)

    def snapshot(self, epochs: int) -> Trained:
        """Return the heads as they are."""
        a, b = (self._trained(head) for head in self._heads)
        return Trained(a, b, epochs, max(COLDEST, math.exp(-self._scale.item())))

    def _trained(self, head: list[torch.Tensor]) -> TrainedHead:
        matrix, *layer = (one.detach().numpy().astype(np.float64) for one in head)
        if not layer:
            return TrainedHead(matrix, None)
        inner, bias, outer = layer
        # Of rows of length 1.
        return TrainedHead(None, HiddenLayer(matrix * self._gain, inner * self._gain, bias, outer))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Train on one thread: sums over several differ with their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
