"""The head of policies that know one action for each observation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor, nn

from offline_trainer_core import PositiveInt
from ot_policy_constructor.blocks.heads.projection import check_action_shape, projection


class DeterministicHead(nn.Module):
    """One action, or one chunk: features `(..., D)` to `{action: (..., *action_shape)}`, linearly.

    Where a density is asked for, actions lie around it with a deviation of 1: normal for `loss: mse`, Laplace for `l1`
    (Zhao et al. 2023), so that maximum likelihood minimises the squared or the absolute error. A sample is the action
    itself, whatever the noise. Null for `in_features` takes it from the first batch.
    """

    def __init__(
        self,
        action_shape: Sequence[PositiveInt],
        in_features: PositiveInt | None = None,
        loss: Literal["mse", "l1"] = "mse",
    ) -> None:
        super().__init__()
        self.action = projection(in_features, check_action_shape(action_shape))
        self.loss = loss

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Return the parameters."""
        return {"action": self.action(features).float()}

    def log_prob(self, parameters: Mapping[str, Tensor], actions: Tensor) -> Tensor:
        """Return the log-density of each action: `(..., T, A)` to `(..., T)`, `(..., A)` to `(...)`."""
        error = actions.float() - parameters["action"]
        if self.loss == "l1":
            return -(error.abs() + math.log(2)).sum(-1)
        return -(error.square() + math.log(2 * math.pi)).sum(-1) / 2

    def mode(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the action."""
        return parameters["action"]

    def sample(self, parameters: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Return the action."""
        return parameters["action"]
