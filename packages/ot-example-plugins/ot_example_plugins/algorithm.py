"""An algorithm: what one update is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import NonNegativeFloat, Step


class SmoothImitation:
    """Imitation of actions that also holds the policy smooth: it must act alike in states that lie close together.

    Adds `weight * |policy(s) - policy(s + noise)|^2` to the loss, with normal noise of deviation `std` on every model
    input of floating-point type (after normalization, if there is any). Source: the spatial term of Mysore et al. 2021,
    "Regularizing Action Policies for Smooth Control with Reinforcement Learning".
    """

    def __init__(self, weight: NonNegativeFloat = 0.1, std: NonNegativeFloat = 0.05) -> None:
        self.weight = weight
        self.std = std

    def setup(self, *, model: nn.Module, modules: Mapping[str, nn.Module], io: Any, loss: Any) -> None:
        self.model, self.io, self.loss = model, io, loss
        self.module = next(iter(modules.values()))

    def update(self, batch: Any, step: Step) -> Mapping[str, Tensor]:
        inputs, targets, _ = self.io.split(batch, stage="train")
        outputs = self.model(*inputs.args, **inputs.kwargs)
        imitation = self.loss(outputs=outputs, targets=targets, batch=batch, stage="train").loss
        near_args = [self._near(value) for value in inputs.args]
        near_kwargs = {name: self._near(value) for name, value in inputs.kwargs.items()}
        roughness = F.mse_loss(self.module(*near_args, **near_kwargs), outputs)
        step.optimize(step.optimizers, imitation + self.weight * roughness)
        step.observe(outputs=outputs, targets=targets, batch=batch)
        return {"loss": imitation, "roughness": roughness}

    def validate(self, batch: Any) -> tuple[Mapping[str, Tensor], Tensor, Tensor]:
        inputs, targets, _ = self.io.split(batch, stage="val")
        outputs = self.module(*inputs.args, **inputs.kwargs)
        return {"loss": self.loss(outputs=outputs, targets=targets, batch=batch, stage="val").loss}, outputs, targets

    def act(self, observation: Mapping[str, Tensor]) -> Tensor:
        inputs, _, _ = self.io.split(observation, stage="predict")
        action: Tensor = self.module(*inputs.args, **inputs.kwargs)
        return action

    def _near(self, value: Any) -> Any:
        floating = isinstance(value, Tensor) and value.is_floating_point()
        return value + self.std * torch.randn_like(value) if floating else value
