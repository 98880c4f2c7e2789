"""An average of the weights over training, used where the policy is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from offline_trainer_core import hookimpl
from offline_trainer_core.errors import CheckpointError, ComponentError
from offline_trainer_core.networks import POLICY_WEIGHTS
from offline_trainer_core.types import Interval, NonNegativeInt

__all__ = ["Ema"]

Averages = dict[str, dict[str, Tensor]]


class Ema:
    """Keeps an exponential moving average of the trained weights: `average = decay * average + (1 - decay) * weights`.

    The average begins as a copy of the weights at optimizer step `start_step`. Validation and evaluation use it;
    training goes on with the weights themselves, bit for bit. Buffers are not averaged: the model's own go with either.
    Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging".
    """

    def __init__(self, decay: Annotated[float, Interval(ge=0, lt=1)] = 0.999, start_step: NonNegativeInt = 0) -> None:
        if not 0.0 <= decay < 1.0:
            raise ComponentError(f"cb.ema: decay lies in [0, 1), and is {decay}")
        self.decay = decay
        self.start_step = start_step
        self.averages: Averages = {}
        """Model name → parameter name → average; empty before `start_step`."""
        self._weights: list[Tensor] = []
        self._means: list[Tensor] = []
        self._set_aside: list[Tensor] = []

    def on_fit_start(self, context: Any) -> None:
        if self.averages:
            averaged = _averaged(self.averages, context.models)
            for model, named in averaged.items():
                self.averages[model] = {name: self.averages[model][name].to(p.device) for name, p in named.items()}
            self._bind(averaged)
        elif context.state.global_step >= self.start_step:
            self._begin(_trained(context))

    @torch.no_grad()
    def post_steps(self, context: Any) -> None:
        """Follow the weights before anything validates, saves or logs them."""
        step = context.state.global_step
        steps = step - context.previous_step
        if steps == 0:  # gradients are still being accumulated
            return
        if self._means:
            torch._foreach_lerp_(self._means, self._weights, 1.0 - self.decay**steps)
        elif step >= self.start_step:
            self._begin(_trained(context))

    @hookimpl(tryfirst=True)
    def on_validation_start(self) -> None:
        self._swap_in()

    @hookimpl(tryfirst=True)
    def on_validation_end(self) -> None:
        self._swap_out()

    @hookimpl(tryfirst=True)
    def on_evaluation_start(self) -> None:
        self._swap_in()

    @hookimpl(tryfirst=True)
    def on_evaluation_end(self) -> None:
        self._swap_out()

    @hookimpl(tryfirst=True)
    def on_interrupt(self) -> None:
        self._swap_out()

    @hookimpl(tryfirst=True)
    def on_exception(self) -> None:
        self._swap_out()

    def state_dict(self) -> dict[str, Any]:
        return {POLICY_WEIGHTS: self.averages}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.averages = {model: dict(tensors) for model, tensors in state[POLICY_WEIGHTS].items()}

    def _begin(self, trained: Averages) -> None:
        self.averages = {m: {p: t.detach().clone() for p, t in named.items()} for m, named in trained.items()}
        self._bind(trained)

    def _bind(self, trained: Averages) -> None:
        self._weights = [tensor.detach() for named in trained.values() for tensor in named.values()]
        self._means = [self.averages[model][name] for model, named in trained.items() for name in named]

    @torch.no_grad()
    def _swap_in(self) -> None:
        # Contents move, addresses stay: compiled graphs, optimizers and wrappers hold on to the parameters.
        if self._means:
            self._set_aside = [weight.clone() for weight in self._weights]
            torch._foreach_copy_(self._weights, self._means)

    @torch.no_grad()
    def _swap_out(self) -> None:
        if self._set_aside:
            torch._foreach_copy_(self._weights, self._set_aside)
            self._set_aside = []


def _trained(context: Any) -> Averages:
    """Return the parameters to average, by model and name: floating ones of the optimizers, frozen for now or not."""
    groups = [group for optimizer in context.optimizers.values() for group in optimizer.param_groups]
    owned = {id(parameter) for group in groups for parameter in group["params"]}
    return {
        model: {name: p for name, p in module.named_parameters() if id(p) in owned and p.is_floating_point()}
        for model, module in context.models.items()
    }


def _averaged(saved: Averages, models: Mapping[str, torch.nn.Module]) -> Averages:
    """Return the parameters that have a saved average, whether they are trained now or not.

    Raises `CheckpointError` where the models have no such parameter.
    """
    have = {model: dict(module.named_parameters()) for model, module in models.items()}
    wrong = [
        f"{model}.{name}"
        for model, named in saved.items()
        for name, average in named.items()
        if have.get(model, {}).get(name) is None or have[model][name].shape != average.shape
    ]
    if wrong:
        raise CheckpointError(f"the saved average does not fit the models of this run: {', '.join(sorted(wrong)[:5])}")
    return {model: {name: have[model][name] for name in named} for model, named in saved.items()}
