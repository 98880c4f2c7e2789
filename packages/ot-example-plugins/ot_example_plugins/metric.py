"""A metric."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class ActionJerk:
    """How jerky predicted action chunks are: the mean square of their third difference in time.

    Outputs `(B, T, A)` with T of at least 4; the unit is (action per step^3)^2. The jerk of the data comes beside it,
    to compare with. Source: Flash & Hogan 1985, who found that human arms minimise it.
    """

    sums: Tensor

    def __init__(self) -> None:
        self.reset()

    def update(self, *, outputs: Tensor, targets: Tensor, batch: Any, stage: str) -> None:
        jerks = torch.stack([torch.diff(chunk.detach(), n=3, dim=1).square().sum() for chunk in (outputs, targets)])
        count = outputs.new_tensor([outputs.numel() // outputs.shape[1] * (outputs.shape[1] - 3)])
        self.sums = self.sums.to(outputs.device) + torch.cat([jerks, count]).double()

    def reduce(self, collectives: Any) -> None:
        self.sums = collectives.all_reduce_sum(self.sums)

    def compute(self) -> dict[str, Tensor]:
        policy, data, count = self.sums
        return {"action_jerk": policy / count, "action_jerk_of_data": data / count}

    def reset(self) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64)
