"""An io: what of a batch goes into the model, and what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from offline_trainer_core import ArgsKwargs, select


class Concatenate:
    """Feeds several fields to a model that takes one flat vector: `(B, ...)` each, flattened and joined to `(B, N)`.

    `fields` and `target` are paths in a batch; a path that a batch lacks raises `KeyError` with what it has.
    """

    def __init__(self, fields: Sequence[str], target: str = "action") -> None:
        self.fields = fields
        self.target = target

    def split(self, batch: Any, *, stage: str) -> tuple[ArgsKwargs, Tensor | None, dict[str, Any]]:
        vector = torch.cat([select(batch, field).flatten(start_dim=1) for field in self.fields], dim=1)
        # A policy in its environment has observations only.
        target = None if stage == "predict" else select(batch, self.target)
        return ArgsKwargs((vector,)), target, {}
