"""Behaviour cloning: regression of demonstrated actions, or their likelihood under a distribution.

Pomerleau 1988, "ALVINN: An Autonomous Land Vehicle in a Neural Network".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import ComponentError, PositiveInt, Step
from ot_imitation.auxiliary import auxiliary_losses
from ot_imitation.chunks import actions_in, masked_mean, read_chunk, seeded
from ot_imitation.networks import Networks, Role

__all__ = ["BC"]

KEY = "algo.bc"
ERRORS: dict[str, Callable[..., Tensor]] = {"l1": F.l1_loss, "l2": F.mse_loss, "smooth_l1": F.smooth_l1_loss}
HEAD = ("log_prob", "mode", "sample")
Modules = Mapping[str, nn.Module]


class BC:
    """Behaviour cloning of single actions `(B, A)`, or of chunks `(B, T, A)`.

    The network is called with the context alone, and returns actions. One that ends in a head returns the parameters of
    a distribution: a head is a module, the network itself or the one within it, with `log_prob(parameters, actions)`,
    `mode(parameters)` and `sample(parameters, noise)`.

    Args:
        network: The model component that predicts; may be left out where there is one model.
        context: What the network is conditioned on: name → a field of the batch, or `{model: component, inputs: {name:
            field or $entry}}`. Without it, the fields that the signature of the network's `forward` names.
        loss: `l1`, `l2` or `smooth_l1` of the predicted actions, the mode where there is a head; or `nll`, the negative
            log-likelihood under a head.
        act: How a head acts: by the `mode` of its distribution, or by a `sample`, which needs `action_shape`.
        action_shape: Of one sample: `[A]`, or `[T, A]` for chunks of T actions.
        action_field: Batch field of the actions; padding is what `<field>_is_pad` says.
        auxiliary: Losses to add: a key of what model components return in mappings → weight.

    Raises:
        ComponentError: A component is missing, or called with what it does not take; an output has a wrong shape; what
            is asked for needs a head, and there is none.
        DataError: The batch lacks a field, or its actions are not of `action_shape`.
    """

    def __init__(
        self,
        *,
        network: str | None = None,
        context: Mapping[str, Any] | None = None,
        loss: Literal["l1", "l2", "smooth_l1", "nll"] = "l1",
        act: Literal["mode", "sample"] = "mode",
        action_shape: Sequence[PositiveInt] | None = None,
        action_field: str = "action",
        auxiliary: Mapping[str, float] | None = None,
    ) -> None:
        if act == "sample" and action_shape is None:
            raise ComponentError(f"{KEY}: to act by a sample, it needs 'action_shape', such as [16, 2]")
        self._shape = None if action_shape is None else tuple(action_shape)
        self.noise_shape = self._shape if act == "sample" else None
        self.action_field = action_field
        self._loss, self._act, self._auxiliary = loss, act, dict(auxiliary or {})
        self._networks = Networks(KEY, context, network=Role(network))

    def setup(self, *, models: Modules, modules: Modules) -> None:
        self._networks.bind(modules)
        self._models, self._modules = models, modules
        self._head = _head_in(self._networks.module(modules, "network"))
        if self._head is None and (self._loss == "nll" or self._act == "sample"):
            wanted = "loss: nll" if self._loss == "nll" else "act: sample"
            raise ComponentError(
                f"{KEY}: '{wanted}' needs a network that ends in a head, such as block.gaussian_head: one module with "
                f"{', '.join(HEAD)}"
            )

    def materialize(self, *, batch: Any, models: Modules) -> None:
        """Run every component once."""
        self._networks.bind(models)
        self._networks.call(models, "network", self._networks.condition(models, batch))

    def update(self, batch: Any, step: Step) -> Mapping[str, Tensor]:
        """Come closer to the actions of a batch."""
        logs, predicted, actions, _ = self._losses(self._models, batch)
        step.optimize(step.optimizers, logs["loss"])
        step.observe(outputs=predicted, targets=actions, batch=batch)
        return logs

    def validate(self, batch: Any) -> tuple[Mapping[str, Tensor], Tensor, Tensor]:
        """Return the loss, and the mean absolute error of the policy's actions, from the same noise every time."""
        logs, _, actions, padding = self._losses(self._modules, batch)
        noise = torch.randn(actions.shape, generator=seeded(actions), device=actions.device)
        acted = self.act(batch, noise)
        return {**logs, "action_error": masked_mean((acted - actions).abs(), padding)}, acted, actions

    def act(self, observation: Mapping[str, Any], noise: Tensor | None = None) -> Tensor:
        """Return actions; `noise (B, *action_shape)` makes those that are sampled."""
        output = self._networks.call(self._modules, "network", self._networks.condition(self._modules, observation))
        if self._head is not None and self._act == "sample":
            sampled: Tensor = self._head.sample(output, noise)
            return sampled
        return self._mode(output)

    def _losses(self, models: Modules, batch: Any) -> tuple[dict[str, Tensor], Tensor, Tensor, Tensor | None]:
        """Return the losses, the predicted actions, those of the batch, and which of them are padding."""
        actions, padding = read_chunk(KEY, batch, self.action_field, self._shape)
        context = self._networks.condition(models, batch)
        output = self._networks.call(models, "network", context)
        predicted = self._mode(output, tuple(actions.shape[1:]))
        if self._head is not None and self._loss == "nll":
            errors = -self._head.log_prob(output, actions)
        else:
            errors = ERRORS[self._loss](predicted, actions, reduction="none")
        loss = masked_mean(errors, padding)
        added = auxiliary_losses(KEY, self._auxiliary, [*context.values(), output])
        return {"loss": sum(added.values(), loss), **added}, predicted, actions, padding

    def _mode(self, output: Any, shape: tuple[int, ...] | None = None) -> Tensor:
        return actions_in(KEY, output if self._head is None else self._head.mode(output), shape or self._shape)


def _head_in(network: nn.Module) -> Any:
    """Return the one module in `network` that is a head; None where there is none."""
    heads = [module for module in network.modules() if all(hasattr(module, name) for name in HEAD)]
    if len(heads) > 1:
        raise ComponentError(f"{KEY}: the network has {len(heads)} heads, and its output has the parameters of one")
    return heads[0] if heads else None
