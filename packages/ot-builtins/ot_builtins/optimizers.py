"""Optimizers of torch, and any other class under `optim_cls.*`, built for a model's parameters."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from torch import nn
from torch.optim import Optimizer

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import ComponentOf
from ot_builtins.construct import construct, refuse_unknown
from ot_builtins.parameter_groups import ParameterGroup, assign

__all__ = ["TorchOptimizer"]

log = logging.getLogger(__name__)

_FUSED_DEVICES = {"cpu", "cuda"}


class TorchOptimizer:
    """Builds an optimizer of `torch.optim` by its class name, or another by the rest of its `optim_cls.` key.

    The fused implementation is the default where the class has one: it is the fastest, and differs from the others by
    rounding only. `fused: false` or `foreach: true` in `kwargs` overrules it. The choice is logged.

    Args:
        type: `AdamW`, `SGD`, ..., or `myteam.Lion` for `optim_cls.myteam.Lion`.
        args: Positional arguments of the class after the parameters.
        kwargs: Keyword arguments of the class, such as `lr`.
        param_groups: `{match, freeze, <any keyword of the class>}` each. `match` is a glob over parameter names in
            which `*` also matches dots (`encoder.*`), or a regular expression to be found in them (`re:bias$`). A
            parameter belongs to the first group that it matches; the rest form a last group of their own. `freeze:
            true` stops training it for the whole run.

    Raises:
        ComponentError: The class is not known or refuses its arguments, a group matches nothing, or nothing is left to
            train.
    """

    def __init__(
        self,
        type: Annotated[str, ComponentOf("optim_cls", args="args", kwargs="kwargs")],  # noqa: A002 - the name in the configuration
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        param_groups: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._key = type if type.startswith("optim_cls.") else f"optim_cls.{type}"
        self._args, self._kwargs = tuple(args), dict(kwargs or {})
        self._groups = [
            ParameterGroup.from_config(group, f"{self._key}: param_groups[{index}]")
            for index, group in enumerate(param_groups)
        ]

    def freeze(self, model: nn.Module) -> None:
        """Stop the training of the groups with `freeze: true`; on many processes before `model` is wrapped."""
        assigned, _ = assign(model, self._groups)
        for group, parameters in zip(self._groups, assigned, strict=True):
            for parameter in parameters.values() if group.freeze else ():
                parameter.requires_grad_(False)

    def build(self, model: nn.Module, *, registry: Any) -> Optimizer:
        """Return the optimizer of `model`'s trainable parameters, each in exactly one group."""
        target = registry.get_module(self._key).target
        for group in self._groups:
            refuse_unknown(target, group.label, group.options)
        self.freeze(model)
        assigned, rest = assign(model, self._groups)
        groups: list[dict[str, Any]] = [
            {"params": list(parameters.values()), **group.options}
            for group, parameters in zip(self._groups, assigned, strict=True)
            if not group.freeze
        ]
        if rest:
            groups.append({"params": list(rest.values())})
        if not groups:
            raise ComponentError(f"{self._key}: the model has no parameter to train")
        optimizer: Optimizer = construct(target, self._key, groups, self._args, self._with_fused(target, groups))
        return optimizer

    def _with_fused(self, target: Any, groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the keyword arguments, with `fused` where the class has it and nothing speaks against it."""
        parameters = [parameter for group in groups for parameter in group["params"]]
        possible = "fused" in inspect.signature(target).parameters and all(
            parameter.is_floating_point() and parameter.device.type in _FUSED_DEVICES for parameter in parameters
        )
        chosen = not self._kwargs.keys() & {"fused", "foreach", "differentiable"}
        fused = {"fused": True} if possible and chosen else {}
        log.info(
            "%s: %s implementation", self._key, "fused" if fused or self._kwargs.get("fused") else "torch's default"
        )
        return {**fused, **self._kwargs}
