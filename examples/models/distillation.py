"""A component of local code: an algorithm of your own, before it is a package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Distillation:
    """Trains `student` to do what `teacher` does, on observations alone (Hinton et al. 2015).

    Both map observations `(B, D)` to actions `(B, A)`; `field` is where a batch has the observations.
    """

    def __init__(self, field: str = "observation") -> None:
        self.field = field

    def setup(self, *, models: Mapping[str, nn.Module], modules: Mapping[str, nn.Module]) -> None:
        self.student, self.modules = models["student"], modules

    def update(self, batch: Mapping[str, Tensor], step: Any) -> Mapping[str, Tensor]:
        loss = self._distance(batch, self.student)
        step.optimize("student", loss)
        return {"loss": loss}

    def validate(self, batch: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor], Tensor, Tensor]:
        outputs = self.modules["student"](batch[self.field])
        targets = self.modules["teacher"](batch[self.field])
        return {"loss": F.mse_loss(outputs, targets)}, outputs, targets

    def act(self, observation: Mapping[str, Tensor]) -> Tensor:
        action: Tensor = self.modules["student"](observation[self.field])
        return action

    def _distance(self, batch: Mapping[str, Tensor], student: nn.Module) -> Tensor:
        with torch.no_grad():
            targets = self.modules["teacher"](batch[self.field])
        return F.mse_loss(student(batch[self.field]), targets)


def register(registry: Any) -> None:
    """Tell a run what this module has; `ot check` reads these lines without importing them."""
    registry.register_module("algo.distillation", Distillation)
