"""Errors of chunks of actions, summed over windows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["ActionErrors"]


class ActionErrors:
    """Sums of absolute and squared errors by step of the chunk and dimension, in double precision."""

    def __init__(self) -> None:
        self._absolute = self._squared = self._counted = torch.zeros((), dtype=torch.float64)

    def add(self, error: Tensor, counts: Tensor) -> None:
        """Take the errors `(B, T, A)` of the steps that count `(B, T)`."""
        error = error.double().masked_fill(~counts[..., None], 0.0)
        self._absolute = self._absolute + error.abs().sum(0)
        self._squared = self._squared + error.square().sum(0)
        self._counted = self._counted + counts.sum(0)

    def mean(self) -> float:
        """Return the mean absolute error of everything that counts."""
        return self.of_dimensions().mean().item()

    def of_dimensions(self) -> Tensor:
        """Return the mean absolute error of every dimension `(A,)`."""
        return self._absolute.sum(0) / self._counted.sum()

    def report(self) -> dict[str, Any]:
        """Return all errors as plain values; a step that never counts has none."""
        of_steps = self._absolute.mean(1) / self._counted
        return {
            "mean_absolute_error": self.mean(),
            "mean_absolute_error_of_dimensions": self.of_dimensions().tolist(),
            "root_mean_square_error_of_dimensions": (self._squared.sum(0) / self._counted.sum()).sqrt().tolist(),
            "mean_absolute_error_of_steps": [None if error != error else error for error in of_steps.tolist()],
        }
