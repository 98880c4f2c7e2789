"""Flow matching: a network learns the velocity that carries noise to chunks of actions in a straight line.

Lipman et al. 2023, "Flow Matching for Generative Modeling"; as a policy: Black et al. 2024, "pi-0: A Vision-Language-
Action Flow Model for General Robot Control".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from offline_trainer_core import PositiveInt, Step
from ot_imitation.auxiliary import auxiliary_losses
from ot_imitation.chunks import actions_in, masked_mean, read_chunk, seeded
from ot_imitation.networks import Networks, Role

__all__ = ["FlowMatching"]

KEY = "algo.flow_matching"
Modules = Mapping[str, nn.Module]


class FlowMatching:
    """Flow matching along the optimal-transport path `x_t = (1 - t) noise + t actions`, whose velocity is `actions -
    noise`.

    The network is called with `actions (B, T, A)`, which lie between noise and data, `time (B,)` from 0 at noise to 1
    at data, and the context; it returns a velocity `(B, T, A)`. To act, its velocity is integrated from noise to
    actions, with the context computed once. Actions are learned best at the scale of the noise: normalize them.

    Args:
        action_shape: Of one sample: `[T, A]` for chunks of T actions.
        network: The model component that predicts; may be left out where there is one model.
        context: What the network is conditioned on: name → a field of the batch, or `{model: component, inputs: {name:
            field or $entry}}`. Without it, the fields that the signature of the network's `forward` names.
        steps: Steps of the integration.
        integration: `euler` calls the network once a step; `midpoint` twice, with an error of second order.
        time_sampling: Of the times to train at: `uniform`, or `beta`, pi-0's Beta(1.5, 1) over [0, 0.999] that dwells
            on noisy ones.
        action_field: Batch field of the actions; padding is what `<field>_is_pad` says.
        auxiliary: Losses to add: a key of what model components return in mappings → weight.

    Raises:
        ComponentError: A component is missing, or called with what it does not take; an output has a wrong shape.
        DataError: The batch lacks a field, or its actions are not of `action_shape`.
    """

    def __init__(
        self,
        *,
        action_shape: Sequence[PositiveInt],
        network: str | None = None,
        context: Mapping[str, Any] | None = None,
        steps: PositiveInt = 10,
        integration: Literal["euler", "midpoint"] = "euler",
        time_sampling: Literal["uniform", "beta"] = "uniform",
        action_field: str = "action",
        auxiliary: Mapping[str, float] | None = None,
    ) -> None:
        self.noise_shape = tuple(action_shape)
        self.action_field = action_field
        self._steps, self._integration, self._time_sampling = steps, integration, time_sampling
        self._auxiliary = dict(auxiliary or {})
        self._networks = Networks(KEY, context, network=Role(network, needs=("actions", "time")))

    def setup(self, *, models: Modules, modules: Modules) -> None:
        self._networks.bind(modules)
        self._models, self._modules = models, modules

    def materialize(self, *, batch: Any, models: Modules) -> None:
        """Run every component once."""
        self.setup(models=models, modules=models)
        actions, _ = self._read(batch)
        self._losses(models, batch, torch.zeros_like(actions), actions.new_zeros(len(actions)))

    def update(self, batch: Any, step: Step) -> Mapping[str, Tensor]:
        """Regress the velocity at one random time for each row of a batch."""
        actions, _ = self._read(batch)
        noise, time = torch.randn_like(actions), self._times(torch.rand(len(actions), device=actions.device))
        logs, reached = self._losses(self._models, batch, noise, time)
        step.optimize(step.optimizers, logs["loss"])
        step.observe(outputs=reached, targets=actions, batch=batch)
        return logs

    def validate(self, batch: Any) -> tuple[Mapping[str, Tensor], Tensor, Tensor]:
        """Return the loss, and the mean absolute error of sampled actions, both from the same noise every time."""
        actions, padding = self._read(batch)
        generator = seeded(actions)
        noise = torch.randn(actions.shape, generator=generator, device=actions.device)
        time = self._times(torch.rand(len(actions), generator=generator, device=actions.device))
        logs, _ = self._losses(self._modules, batch, noise, time)
        sampled = self.act(batch, noise)
        return {**logs, "action_error": masked_mean((sampled - actions).abs(), padding)}, sampled, actions

    def act(self, observation: Mapping[str, Any], noise: Tensor) -> Tensor:
        """Integrate from `noise (B, T, A)` to actions of the same shape."""
        context = self._networks.condition(self._modules, observation)

        def velocity(x: Tensor, time: float) -> Tensor:
            times = noise.new_full((noise.shape[0],), time)
            output = self._networks.call(self._modules, "network", context, actions=x, time=times)
            return actions_in(KEY, output, self.noise_shape)

        return integrate(velocity, noise, self._steps, self._integration)

    def _losses(self, models: Modules, batch: Any, noise: Tensor, time: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the losses, and where the predicted velocities lead from `x_t`."""
        actions, padding = self._read(batch)
        context = self._networks.condition(models, batch)
        t = time.view(-1, *(1,) * (actions.ndim - 1))
        x = (1 - t) * noise + t * actions
        output = self._networks.call(models, "network", context, actions=x, time=time)
        velocity = actions_in(KEY, output, self.noise_shape)
        loss = masked_mean((velocity - (actions - noise)).square(), padding)
        added = auxiliary_losses(KEY, self._auxiliary, [*context.values(), output])
        return {"loss": sum(added.values(), loss), **added}, x + (1 - t) * velocity

    def _times(self, uniform: Tensor) -> Tensor:
        """Turn uniform numbers in [0, 1) into times to train at."""
        if self._time_sampling == "uniform":
            return uniform
        # A Beta(1.5, 1) variable is u^(1/1.5). Black et al. 2024 mirror it, so that small times are likelier.
        return 0.999 * (1 - uniform ** (1 / 1.5))

    def _read(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        return read_chunk(KEY, batch, self.action_field, self.noise_shape)


def integrate(velocity: Callable[[Tensor, float], Tensor], noise: Tensor, steps: int, integration: str) -> Tensor:
    """Return where `velocity(x, time)` carries `noise` from time 0 to 1, in equal steps."""
    x, width = noise, 1 / steps
    for time in (index / steps for index in range(steps)):
        slope = velocity(x, time)
        if integration == "midpoint":
            slope = velocity(x + width / 2 * slope, time + width / 2)
        x = x + width * slope
    return x
