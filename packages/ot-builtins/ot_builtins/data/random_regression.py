"""A regression problem out of nothing: for tests, first steps and measurements."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from offline_trainer_core.errors import DataError
from offline_trainer_core.types import NonNegativeFloat, NonNegativeInt, PositiveInt
from ot_builtins.data.loader import RowLoader
from ot_builtins.data.order import generator_for, training_order, validation_order
from ot_builtins.data.placement import Placement
from ot_builtins.data.statistics import FieldStatistics
from ot_builtins.data.table import RowTable

__all__ = ["RandomRegression"]


class RandomRegression:
    """Batches `{x: (B, *x_shape), y: (B, *y_shape)}` with `y = tanh(x W) + noise`, `x` and `W` normal.

    All are drawn by the run's seed; the same rows come in every epoch, in another order.

    Args:
        batch_size: Rows of a batch over all processes.
        steps_per_epoch: Training batches of an epoch.
        val_steps_per_epoch: Validation batches; 0 for no validation.
        x_shape: Shape of one input.
        y_shape: Shape of one target.
        noise: Standard deviation of the noise: the lowest root mean squared error that a model can reach.

    Raises:
        DataError: A size is not positive.
    """

    def __init__(
        self,
        batch_size: PositiveInt = 32,
        steps_per_epoch: PositiveInt = 100,
        val_steps_per_epoch: NonNegativeInt = 10,
        x_shape: Sequence[PositiveInt] = (32,),
        y_shape: Sequence[PositiveInt] = (16,),
        noise: NonNegativeFloat = 0.1,
    ) -> None:
        if min(batch_size, steps_per_epoch, *x_shape, *y_shape) < 1 or val_steps_per_epoch < 0:
            raise DataError("data.random_regression: sizes must be at least 1, and val_steps_per_epoch at least 0")
        self.batch_size = batch_size
        self._steps, self._val_steps = steps_per_epoch, val_steps_per_epoch
        self._x_shape, self._y_shape, self._noise = tuple(x_shape), tuple(y_shape), noise
        self._placement = Placement()

    def place(self, *, seed: int, rank: int, world_size: int, device: torch.device) -> None:
        """Say which share of every batch is this process's."""
        self._placement = Placement(seed, rank, world_size, device)

    def setup(self, stage: str | None = None) -> None:
        """Draw the problem and its rows."""
        width = prod(self._x_shape)
        generator = generator_for(self._placement.seed, "weights")
        self._weights = torch.randn(width, prod(self._y_shape), generator=generator) / width**0.5
        self._train = RowTable(self._draw(self._steps, "train"), self._placement.device)
        self._val = RowTable(self._draw(self._val_steps, "val"), self._placement.device)
        self.stats = FieldStatistics(self._train.fields)

    def train_dataloader(self) -> RowLoader:
        return RowLoader(self._train, training_order(len(self._train), self.batch_size, self._placement))

    def val_dataloader(self) -> RowLoader | None:
        if not self._val_steps:
            return None
        return RowLoader(self._val, validation_order(len(self._val), self.batch_size, self._placement))

    def _draw(self, steps: int, purpose: str) -> dict[str, Tensor]:
        generator = generator_for(self._placement.seed, purpose)
        x = torch.randn(steps * self.batch_size, prod(self._x_shape), generator=generator)
        y = torch.tanh(x @ self._weights)
        y += self._noise * torch.randn(y.shape, generator=generator)
        return {"x": x.view(-1, *self._x_shape), "y": y.view(-1, *self._y_shape)}
