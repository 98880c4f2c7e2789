"""How large the gradients are, module by module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from offline_trainer_core import hookimpl
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import NonNegativeInt, PositiveInt

__all__ = ["GradientNorms"]


class GradientNorms:
    """Logs the 2-norm of the gradients that an optimizer steps on (after clipping), every `every_n_steps` steps.

    `depth` is how many parts of a parameter's name tell modules apart: 0 for one norm per model (`grad_norm/actor`),
    1 for its direct children (`grad_norm/actor.encoder`). The norms stay on the device until they are logged.
    """

    harmless = True

    def __init__(self, every_n_steps: PositiveInt = 50, depth: NonNegativeInt = 1) -> None:
        if every_n_steps < 1 or depth < 0:
            raise ComponentError("cb.gradient_norms: every_n_steps is at least 1 and depth at least 0")
        self.every_n_steps = every_n_steps
        self.depth = depth
        self._module_of: dict[Tensor, str] = {}
        self._norms: dict[str, Tensor] = {}

    def on_fit_start(self, context: Any) -> None:
        self._module_of = {
            parameter: ".".join((model, *name.split(".")[: self.depth]))
            for model, module in context.models.items()
            for name, parameter in module.named_parameters()
        }

    @hookimpl(tryfirst=True)
    def optimizer(self, context: Any, optimizer: torch.optim.Optimizer) -> None:
        if (context.state.global_step + 1) % self.every_n_steps == 0:
            self._norms.update(self._measure(optimizer))

    def post_optim_log(self) -> Mapping[str, Tensor]:
        norms, self._norms = self._norms, {}
        return norms

    def _measure(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norms = torch._foreach_norm([p.grad for p in parameters])
        modules: dict[str, list[Tensor]] = {}
        for parameter, norm in zip(parameters, norms, strict=True):
            modules.setdefault(self._module_of[parameter], []).append(norm)
        return {f"grad_norm/{name}": torch.linalg.vector_norm(torch.stack(parts)) for name, parts in modules.items()}
