"""What a policy sees of an environment."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.nest import select

__all__ = ["WHOLE", "View", "stack_views"]

WHOLE = "whole"
"""The source of a field that is the environment's whole observation."""

Fields = dict[str, np.ndarray]


class View:
    """The last `history` observations of one episode, under the names that the batches of the training data have.

    `sources` maps a batch field to `whole` or to the (dotted) key of a dict observation. The steps before the first one
    look like the first. `history` None is the present alone, without a time dimension.
    """

    def __init__(self, sources: Mapping[str, str], history: int | None) -> None:
        self._sources = sources
        self._history = history
        self._seen: deque[Fields] = deque(maxlen=history or 1)

    def begin(self, observation: Any) -> None:
        """Forget the last episode; `observation` is the first one of the next."""
        present = self._fields(observation)
        self._seen.extend([present] * (self._history or 1))

    def add(self, observation: Any) -> None:
        """Move on by one step."""
        self._seen.append(self._fields(observation))

    def fields(self) -> Fields:
        """Return `{field: (history, ...)}`, or `{field: (...)}` without a history."""
        if self._history is None:
            return self._seen[-1]
        return {field: np.stack([step[field] for step in self._seen]) for field in self._sources}

    def _fields(self, observation: Any) -> Fields:
        return {field: _numbers(observation, field, source) for field, source in self._sources.items()}


def stack_views(views: Sequence[View]) -> dict[str, Tensor]:
    """Return the policy's input, `{field: (B, ...)}`."""
    rows = [view.fields() for view in views]
    return {field: torch.from_numpy(np.stack([row[field] for row in rows])) for field in rows[0]}


def _numbers(observation: Any, field: str, source: str) -> np.ndarray:
    """Return one field; float64 becomes float32, as the training data is."""
    if source == WHOLE:
        part = observation
    else:
        try:
            part = select(observation, source)
        except KeyError as error:
            raise ComponentError(f"eval.gymnasium: observation.{field} is not there: {error.args[0]}") from None
    if isinstance(part, Mapping):
        raise ComponentError(
            f"eval.gymnasium: the environment observes {', '.join(part)}; say which of them is observation.{field}"
        )
    array = np.asarray(part)
    return array.astype(np.float32) if array.dtype == np.float64 else array.copy()
