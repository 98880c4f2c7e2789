"""Gaussian heads, with actions anywhere and with actions squashed between -1 and 1."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import PositiveInt
from ot_policy_constructor.blocks.heads.projection import check_action_shape, projection


def normal_log_prob(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the log-density of every element."""
    return -((x - mean) * torch.exp(-log_std)).square() / 2 - log_std - math.log(2 * math.pi) / 2


def check_bounds(log_std_bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the bounds; raises `ValueError` where the lower one is not the lower one."""
    lowest, highest = log_std_bounds
    if not lowest < highest:
        raise ValueError(f"'log_std_bounds' is [lowest, highest], not {[lowest, highest]}")
    return lowest, highest


class _DiagonalGaussian(nn.Module, ABC):
    """Makes mean and log deviation of features; what an action is of them, the heads say."""

    def __init__(
        self,
        action_shape: Sequence[PositiveInt],
        in_features: PositiveInt | None = None,
        log_std: Literal["state", "free"] = "state",
        log_std_bounds: tuple[float, float] = (-5.0, 2.0),
    ) -> None:
        super().__init__()
        shape = check_action_shape(action_shape)
        self.bounds = check_bounds(log_std_bounds)
        self.mean = projection(in_features, shape)
        self.log_std: nn.Module | nn.Parameter
        self.log_std = projection(in_features, shape) if log_std == "state" else nn.Parameter(torch.zeros(shape))

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Return the parameters."""
        mean = self.mean(features).float()
        if isinstance(self.log_std, nn.Parameter):
            log_std = self.log_std.float().expand_as(mean)
        else:
            log_std = self.log_std(features).float()
        return {"mean": mean, "log_std": log_std.clamp(*self.bounds)}

    @abstractmethod
    def log_prob(self, parameters: Mapping[str, Tensor], actions: Tensor) -> Tensor:
        """Return the log-density of each action: `(..., T, A)` to `(..., T)`, `(..., A)` to `(...)`."""

    @abstractmethod
    def mode(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the action in the middle."""

    @abstractmethod
    def sample(self, parameters: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Return the action that standard normal noise of its shape stands for; it has a gradient."""


class GaussianHead(_DiagonalGaussian):
    """Independent normal distributions: features `(..., D)` to `{mean, log_std}`, each `(..., *action_shape)`.

    `log_std: state` makes the logarithm of the deviation of the features, `free` learns one for all observations;
    outside of `log_std_bounds` it is clamped. Null for `in_features` takes it from the first batch.
    Raises `ValueError` on a shape that is not an action's and on bounds in the wrong order.
    """

    def log_prob(self, parameters: Mapping[str, Tensor], actions: Tensor) -> Tensor:
        return normal_log_prob(actions.float(), parameters["mean"], parameters["log_std"]).sum(-1)

    def mode(self, parameters: Mapping[str, Tensor]) -> Tensor:
        return parameters["mean"]

    def sample(self, parameters: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        return parameters["mean"] + parameters["log_std"].exp() * noise


class TanhGaussianHead(_DiagonalGaussian):
    """The tanh of normal variables (Haarnoja et al. 2018): actions in (-1, 1), so normalize them with `min_max`.

    Features `(..., D)` to `{mean, log_std}`, each `(..., *action_shape)`, before the tanh; the mode is the tanh of the
    mean. Actions at the very border, which have no finite density, count as lying 1e-6 inside. Else as `GaussianHead`.
    """

    def log_prob(self, parameters: Mapping[str, Tensor], actions: Tensor) -> Tensor:
        raw = torch.atanh(actions.float().clamp(-1 + 1e-6, 1 - 1e-6))
        # log(1 - tanh(u)^2), which would be log(0) for large u, rewritten.
        correction = 2 * (math.log(2) - raw - F.softplus(-2 * raw))
        return (normal_log_prob(raw, parameters["mean"], parameters["log_std"]) - correction).sum(-1)

    def mode(self, parameters: Mapping[str, Tensor]) -> Tensor:
        return parameters["mean"].tanh()

    def sample(self, parameters: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        return (parameters["mean"] + parameters["log_std"].exp() * noise).tanh()
