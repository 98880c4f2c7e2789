"""An optimizer class, and an optimizer factory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from offline_trainer_core import ComponentOf, NonNegativeFloat, PositiveFloat, UnitInterval


class Lion(Optimizer):
    """Lion: steps by the sign of a momentum. Half of Adam's memory; wants 3 to 10 times less learning rate.

    Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: PositiveFloat = 1e-4,
        betas: tuple[UnitInterval, UnitInterval] = (0.9, 0.99),
        weight_decay: NonNegativeFloat = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step(group)
        return loss

    def _step(self, group: Mapping[str, Any]) -> None:
        parameters: list[Tensor] = [p for p in group["params"] if p.grad is not None]
        if not parameters:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        momenta = [self._momentum(p) for p in parameters]
        beta1, beta2 = group["betas"]
        signs = torch._foreach_sign(torch._foreach_lerp(gradients, momenta, beta1))
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(parameters, signs, alpha=-group["lr"])
        torch._foreach_lerp_(momenta, gradients, 1 - beta2)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        return momentum


class DecayMatrices:
    """Builds an optimizer that decays weight matrices and kernels, and spares biases, norms and scales.

    `type` is the name of any installed `optim_cls`; `weight_decay` goes to the decayed group, `kwargs` to both.
    """

    def __init__(
        self,
        type: Annotated[str, ComponentOf("optim_cls", kwargs="kwargs")],  # noqa: A002 - the name in the configuration
        weight_decay: NonNegativeFloat,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.type = type
        self.weight_decay = weight_decay
        self.kwargs = dict(kwargs or {})

    def build(self, model: nn.Module, *, registry: Any) -> Optimizer:
        trained = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": self.weight_decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer_class = registry.get_module(f"optim_cls.{self.type}").target
        optimizer: Optimizer = optimizer_class([group for group in groups if group["params"]], **self.kwargs)
        return optimizer
