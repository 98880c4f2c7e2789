"""A loss."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.nn.functional import softplus

from offline_trainer_core import LossOutput, select


class LogCosh:
    """Log-cosh action loss: quadratic near zero, linear far away, smooth everywhere; outliers do not rule it.

    Outputs and targets `(B, ..., A)`. `pad` names a boolean batch field `(B, ...)` that is true where an action is
    padding and does not count. The loss is the mean over what counts.
    """

    def __init__(self, pad: str | None = None) -> None:
        self.pad = pad

    def __call__(self, *, outputs: Tensor, targets: Tensor, batch: Any, stage: str) -> LossOutput:
        error = (outputs - targets).abs()
        # log(cosh(x)), written so that it does not overflow.
        loss = (error + softplus(-2 * error) - math.log(2)).mean(dim=-1)
        if self.pad is None:
            return LossOutput(loss.mean())
        real = (~select(batch, self.pad)).to(loss.dtype)
        return LossOutput((loss * real).sum() / real.sum().clamp(min=1))
