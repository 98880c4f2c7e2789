"""Action chunking with transformers: chunks of actions by regression, with a latent for the style of a demonstration.

Zhao et al. 2023, "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from offline_trainer_core import ComponentError, NonNegativeFloat, PositiveInt, Step
from offline_trainer_core.nest import leaves
from ot_imitation.auxiliary import auxiliary_losses
from ot_imitation.chunks import actions_in, masked_mean, read_chunk
from ot_imitation.networks import Networks, Role

__all__ = ["ACT"]

KEY = "algo.act"
Modules = Mapping[str, nn.Module]


class ACT:
    """The conditional variational autoencoder of ACT: L1 of the decoded chunk, and `kl_weight` times the divergence of
    the latent from a standard normal.

    The style encoder, of training alone, is called with the `actions (B, T, A)` to reproduce, `padding_mask (B, T)` if
    it takes one, and the context; it returns mean and log-variance of the latent side by side, `(B, 2 * latent_dim)`.
    The network, the decoder, is called with `latent (B, latent_dim)` and the context, and returns `(B, T, A)`. The
    latent is zero when acting. Without a style encoder this is plain regression of chunks; the network then need not
    take a latent.

    Args:
        network: The model component that decodes; may be left out where there is one model.
        style_encoder: The model component that encodes demonstrated actions; null for none.
        context: What both are conditioned on: name → a field of the batch, or `{model: component, inputs: {name: field
            or $entry}}`. Without it, the fields that the signatures of their `forward` name.
        latent_dim: Size of the latent.
        kl_weight: Weight of the divergence, beta in the paper.
        action_field: Batch field of the actions; padding is what `<field>_is_pad` says.
        auxiliary: Losses to add: a key of what model components return in mappings → weight.

    Raises:
        ComponentError: A component is missing, or called with what it does not take; an output has a wrong shape.
        DataError: The batch lacks a field.
    """

    def __init__(
        self,
        *,
        network: str | None = None,
        style_encoder: str | None = None,
        context: Mapping[str, Any] | None = None,
        latent_dim: PositiveInt = 32,
        kl_weight: NonNegativeFloat = 10.0,
        action_field: str = "action",
        auxiliary: Mapping[str, float] | None = None,
    ) -> None:
        self.action_field = action_field
        self._latent_dim, self._kl_weight = latent_dim, kl_weight
        self._auxiliary = dict(auxiliary or {})
        self._encodes = style_encoder is not None
        roles = {"network": Role(network, needs=("latent",)) if self._encodes else Role(network, offers=("latent",))}
        if self._encodes:
            roles["style_encoder"] = Role(style_encoder, needs=("actions",), offers=("padding_mask",))
        self._networks = Networks(KEY, context, **roles)

    def setup(self, *, models: Modules, modules: Modules) -> None:
        self._networks.bind(modules)
        self._models, self._modules = models, modules

    def materialize(self, *, batch: Any, models: Modules) -> None:
        """Run every component once."""
        self.setup(models=models, modules=models)
        self._losses(models, batch, draw=False)

    def update(self, batch: Any, step: Step) -> Mapping[str, Tensor]:
        """Reproduce the demonstrated chunks from a draw of their latent."""
        logs, predicted, actions = self._losses(self._models, batch, draw=True)
        step.optimize(step.optimizers, logs["loss"])
        step.observe(outputs=predicted, targets=actions, batch=batch)
        return logs

    def validate(self, batch: Any) -> tuple[Mapping[str, Tensor], Tensor, Tensor]:
        """Return the losses, the latent at its mean, and the mean absolute error of actions, with a latent of zeros."""
        logs, _, actions = self._losses(self._modules, batch, draw=False)
        _, padding = read_chunk(KEY, batch, self.action_field)
        acted = self.act(batch)
        return {**logs, "action_error": masked_mean((acted - actions).abs(), padding)}, acted, actions

    def act(self, observation: Mapping[str, Any]) -> Tensor:
        """Decode a latent of zeros."""
        context = self._networks.condition(self._modules, observation)
        output = self._networks.call(self._modules, "network", context, latent=self._no_style(context))
        return actions_in(KEY, output)

    def _losses(self, models: Modules, batch: Any, *, draw: bool) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return the losses, the decoded actions, and those of the batch; without a draw the latent is its mean."""
        actions, padding = read_chunk(KEY, batch, self.action_field)
        context = self._networks.condition(models, batch)
        logs: dict[str, Tensor] = {}
        latent = self._no_style(context)
        if self._encodes:
            mean, log_variance = self._style(models, context, actions, padding)
            latent = mean + (log_variance / 2).exp() * torch.randn_like(mean) if draw else mean
            logs["kl_divergence"] = divergence(mean, log_variance)
        output = self._networks.call(models, "network", context, latent=latent)
        decoded = actions_in(KEY, output, tuple(actions.shape[1:]))
        logs["l1_loss"] = masked_mean((decoded - actions).abs(), padding)
        logs |= auxiliary_losses(KEY, self._auxiliary, [*context.values(), output])
        weighted = (self._kl_weight * loss if name == "kl_divergence" else loss for name, loss in logs.items())
        return {"loss": torch.stack([*weighted]).sum(), **logs}, decoded, actions

    def _style(self, models: Modules, context: Mapping[str, Any], actions: Tensor, padding: Tensor | None) -> Any:
        """Return mean and log-variance of the latent, `(B, latent_dim)` each."""
        mask = actions.new_zeros(actions.shape[:2], dtype=torch.bool) if padding is None else padding
        style = self._networks.call(models, "style_encoder", context, actions=actions, padding_mask=mask)
        if style.shape != (len(actions), 2 * self._latent_dim):
            raise ComponentError(
                f"{KEY}: the style encoder returns shape {tuple(style.shape)}; mean and log-variance of a latent of "
                f"{self._latent_dim} side by side are {('B', 2 * self._latent_dim)}"
            )
        return style.chunk(2, dim=-1)

    def _no_style(self, context: Mapping[str, Any]) -> Tensor:
        first: Tensor = next(value for _, value in leaves(context) if isinstance(value, Tensor))
        return torch.zeros(first.shape[0], self._latent_dim, device=first.device)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence of Gaussians `(B, D)` from a standard normal."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=-1).mean() / 2
