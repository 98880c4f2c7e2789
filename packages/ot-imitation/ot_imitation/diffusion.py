"""Diffusion policy: a network learns to take noise out of chunks of actions, step by step.

Chi et al. 2023, "Diffusion Policy: Visuomotor Policy Learning via Action Diffusion".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from offline_trainer_core import ComponentError, PositiveFloat, PositiveInt, Step
from ot_imitation.auxiliary import auxiliary_losses
from ot_imitation.chunks import actions_in, masked_mean, read_chunk, seeded
from ot_imitation.networks import Networks, Role
from ot_imitation.schedule import CosineSchedule

__all__ = ["Diffusion"]

KEY = "algo.diffusion"
Modules = Mapping[str, nn.Module]


class Diffusion:
    """A denoising diffusion model of chunks of actions: trained as DDPM (Ho et al. 2020), sampled as DDIM (Song et al.
    2021) with eta 0, on the squared-cosine schedule (Nichol & Dhariwal 2021).

    The network is called with noisy `actions (B, T, A)`, `time (B,)`, which is k/K at step k of K, and the context; it
    returns `(B, T, A)`. Sampling starts at step K - 1, ends at step 0, and is as long apart as `sampling_steps` says;
    the context is computed once.

    Args:
        action_shape: Of one sample: `[T, A]` for chunks of T actions.
        network: The model component that predicts; may be left out where there is one model.
        context: What the network is conditioned on: name → a field of the batch, or `{model: component, inputs: {name:
            field or $entry}}`. Without it, the fields that the signature of the network's `forward` names.
        diffusion_steps: K, the steps of the diffusion in training.
        sampling_steps: Steps to act with, at most K.
        prediction: What the network returns: `epsilon`, the noise, or `sample`, the actions.
        clip_sample: Predicted actions are clipped to this size while sampling. 1 is right for actions that are
            normalized by `min_max`; null for others.
        action_field: Batch field of the actions; padding is what `<field>_is_pad` says.
        auxiliary: Losses to add: a key of what model components return in mappings → weight.

    Raises:
        ComponentError: A component is missing, or called with what it does not take; an output has a wrong shape; more
            steps to sample than to diffuse.
        DataError: The batch lacks a field, or its actions are not of `action_shape`.
    """

    def __init__(
        self,
        *,
        action_shape: Sequence[PositiveInt],
        network: str | None = None,
        context: Mapping[str, Any] | None = None,
        diffusion_steps: PositiveInt = 100,
        sampling_steps: PositiveInt = 10,
        prediction: Literal["epsilon", "sample"] = "epsilon",
        clip_sample: PositiveFloat | None = 1.0,
        action_field: str = "action",
        auxiliary: Mapping[str, float] | None = None,
    ) -> None:
        if sampling_steps > diffusion_steps:
            raise ComponentError(
                f"{KEY}: sampling_steps is {sampling_steps}, more than the {diffusion_steps} of diffusion_steps"
            )
        self.noise_shape = tuple(action_shape)
        self.action_field = action_field
        self._steps, self._prediction, self._clip = diffusion_steps, prediction, clip_sample
        self._schedule = CosineSchedule(diffusion_steps)
        self._visited = _spread(sampling_steps, diffusion_steps)
        self._auxiliary = dict(auxiliary or {})
        self._networks = Networks(KEY, context, network=Role(network, needs=("actions", "time")))

    def setup(self, *, models: Modules, modules: Modules) -> None:
        self._networks.bind(modules)
        self._models, self._modules = models, modules

    def materialize(self, *, batch: Any, models: Modules) -> None:
        """Run every component once."""
        self.setup(models=models, modules=models)
        actions, _ = self._read(batch)
        self._losses(models, batch, torch.zeros_like(actions), actions.new_zeros(len(actions), dtype=torch.long))

    def update(self, batch: Any, step: Step) -> Mapping[str, Tensor]:
        """Regress what the network predicts at one random step of the diffusion for each row of a batch."""
        actions, _ = self._read(batch)
        k = torch.randint(self._steps, actions.shape[:1], device=actions.device)
        logs, denoised = self._losses(self._models, batch, torch.randn_like(actions), k)
        step.optimize(step.optimizers, logs["loss"])
        step.observe(outputs=denoised, targets=actions, batch=batch)
        return logs

    def validate(self, batch: Any) -> tuple[Mapping[str, Tensor], Tensor, Tensor]:
        """Return the loss, and the mean absolute error of sampled actions, both from the same noise every time."""
        actions, padding = self._read(batch)
        generator = seeded(actions)
        noise = torch.randn(actions.shape, generator=generator, device=actions.device)
        k = torch.randint(self._steps, actions.shape[:1], generator=generator, device=actions.device)
        logs, _ = self._losses(self._modules, batch, noise, k)
        sampled = self.act(batch, noise)
        return {**logs, "action_error": masked_mean((sampled - actions).abs(), padding)}, sampled, actions

    def act(self, observation: Mapping[str, Any], noise: Tensor) -> Tensor:
        """Denoise `noise (B, T, A)` to actions of the same shape."""
        context = self._networks.condition(self._modules, observation)

        def denoise(x: Tensor, k: int) -> Tensor:
            time = noise.new_full((noise.shape[0],), k / self._steps)
            output = self._networks.call(self._modules, "network", context, actions=x, time=time)
            return self._actions_in(x, actions_in(KEY, output, self.noise_shape), *self._schedule[k])

        x, (signal, amount) = noise, self._schedule[self._visited[0]]
        sample = denoise(x, self._visited[0])
        for k in self._visited[1:]:
            epsilon = (x - signal * sample) / amount
            signal, amount = self._schedule[k]
            x = signal * sample + amount * epsilon
            sample = denoise(x, k)
        return sample

    def _losses(self, models: Modules, batch: Any, noise: Tensor, k: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the losses, and the actions that the network sees behind the noise."""
        actions, padding = self._read(batch)
        context = self._networks.condition(models, batch)
        signal, amount = (level.view(-1, *(1,) * (actions.ndim - 1)) for level in self._schedule.at(k))
        x = signal * actions + amount * noise
        output = self._networks.call(models, "network", context, actions=x, time=k / self._steps)
        predicted = actions_in(KEY, output, self.noise_shape)
        target = noise if self._prediction == "epsilon" else actions
        loss = masked_mean((predicted - target).square(), padding)
        added = auxiliary_losses(KEY, self._auxiliary, [*context.values(), output])
        return {"loss": sum(added.values(), loss), **added}, self._actions_in(x, predicted, signal, amount)

    def _actions_in(self, x: Tensor, predicted: Tensor, signal: Tensor | float, amount: Tensor | float) -> Tensor:
        """Return the actions in `x = signal actions + amount epsilon` by what the network predicts of it."""
        actions = predicted if self._prediction == "sample" else (x - amount * predicted) / signal
        return actions if self._clip is None else actions.clamp(-self._clip, self._clip)

    def _read(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        return read_chunk(KEY, batch, self.action_field, self.noise_shape)


def _spread(count: int, steps: int) -> list[int]:
    """Return `count` steps from `steps - 1`, where there is noise alone, down to 0, as evenly as can be."""
    return [round((steps - 1) * (1 - index / max(1, count - 1))) for index in range(count)]
