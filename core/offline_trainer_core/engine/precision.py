"""Number formats: where autocast applies, and how losses are scaled so that half-precision gradients survive."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

__all__ = ["Precision"]

AUTOCAST = {"bf16-mixed": torch.bfloat16, "fp16-mixed": torch.float16}


class Precision:
    """The run's `precision`: `fp32`, `bf16-mixed` or `fp16-mixed` (Micikevicius et al. 2018)."""

    def __init__(self, name: str, device: torch.device) -> None:
        self.name = name
        self._dtype = AUTOCAST.get(name)
        self._device_type = device.type
        self.scaler = torch.amp.GradScaler(device.type) if name == "fp16-mixed" else None

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which models and losses are computed."""
        if self._dtype is None:
            return nullcontext()
        return torch.autocast(self._device_type, dtype=self._dtype)

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss to differentiate."""
        return loss if self.scaler is None else self.scaler.scale(loss)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.scaler is not None:
            self.scaler.load_state_dict(state)
