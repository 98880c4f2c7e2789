"""Overlapping chunks of actions, averaged."""

from __future__ import annotations

from collections import deque

import numpy as np

__all__ = ["TemporalEnsemble"]


class TemporalEnsemble:
    """Averages what the chunks of this step and of those before it say of the present: smoother than one chunk alone.

    The i-th oldest of them has the weight `exp(-m i)`, from i = 0 on: a smaller `m` follows new observations faster.
    Source: Zhao et al. 2023 (ACT), where m is 0.01.
    """

    def __init__(self, m: float) -> None:
        self._m = m
        self._chunks: deque[np.ndarray] = deque()

    def action(self, chunk: np.ndarray) -> np.ndarray:
        """Return the present action `(B, ...)`, given the chunk `(B, T, ...)` that was predicted for it and after."""
        self._chunks.append(chunk)
        if len(self._chunks) > chunk.shape[1]:
            self._chunks.popleft()
        newest = len(self._chunks) - 1
        predictions = np.stack([made[:, newest - index] for index, made in enumerate(self._chunks)])
        weights = np.exp(-self._m * np.arange(len(predictions)))
        return np.tensordot(weights / weights.sum(), predictions, axes=1)
