"""A loss."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.nn.functional import softplus

from offline_trainer_core import LossOutput, select


class LogCosh:
    """Log-cosh action loss: quadratic near zero, linear far away, smooth everywhere; outliers do not rule it.

    Outputs and targets `(B, ..., A)`. `mask_path` is where a batch has booleans `(B, ...)`, true where an
    action is padding and does not count, such as `action_is_pad`. The loss is the mean over what counts.
    """

    def __init__(self, mask_path: str | None = None) -> None:
        self.mask_path = mask_path

    def __call__(self, *, outputs: Tensor, targets: Tensor, batch: Any, stage: str) -> LossOutput:
        error = (outputs - targets).abs()
        # log(cosh(x)), written so that it does not overflow.
        loss = (error + softplus(-2 * error) - math.log(2)).mean(dim=-1)
        if self.mask_path is None:
            return LossOutput(loss.mean())
        real = (~select(batch, self.mask_path)).to(loss.dtype)
        return LossOutput((loss * real).sum() / real.sum().clamp(min=1))
