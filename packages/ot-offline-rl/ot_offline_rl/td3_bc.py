"""TD3+BC: TD3 whose actor is also pulled towards the actions in the data.

Fujimoto & Gu 2021, "A Minimalist Approach to Offline Reinforcement Learning".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import (
    ComponentError,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Step,
    UnitInterval,
    select,
)
from offline_trainer_core.distributed import Collectives, OneProcess
from ot_offline_rl.readers import TRANSITION
from ot_offline_rl.targets import TargetNetworks

__all__ = ["TD3BC"]


class TD3BC:
    """TD3+BC on logged transitions: two model components, `actor` and `critic`, with an optimizer each.

    `actor(observation) -> (B, A)` within `[-max_action, max_action]`; `critic(observation, action) -> (2, B)`.
    A batch has, in Minari's terms, `observation (B, D)`, `action (B, A)`, `reward (B,)`, `next_observation (B, D)` and
    `terminated (B,)`; `fields` says where they are if elsewhere: `{observation: observations.state}`. Only `terminated`
    ends a return: the value of an episode that was cut off (`truncated`) goes on.

    `policy_noise` and `noise_clip` are fractions of `max_action`, which is the actor's unless given, and 1 where the
    actor has none. Raises `ComponentError` if a model component is missing, or the critic's output is not `(2, B)`.
    Source: Fujimoto & Gu 2021; its values are the defaults.
    """

    def __init__(
        self,
        *,
        discount: UnitInterval = 0.99,
        tau: UnitInterval = 0.005,
        policy_noise: NonNegativeFloat = 0.2,
        noise_clip: NonNegativeFloat = 0.5,
        policy_delay: PositiveInt = 2,
        alpha: NonNegativeFloat = 2.5,
        max_action: PositiveFloat | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        self.discount, self.tau, self.policy_delay, self.alpha = discount, tau, policy_delay, alpha
        self.policy_noise, self.noise_clip, self.max_action = policy_noise, noise_clip, max_action
        self.fields = {name: name for name in TRANSITION} | dict(fields or {})
        if len(self.fields) > len(TRANSITION):
            unknown = ", ".join(self.fields.keys() - set(TRANSITION))
            raise ComponentError(
                f"algo.td3_bc: no field '{unknown}' in a transition, which has {', '.join(TRANSITION)}"
            )
        self.action_field = self.fields["action"]

    def setup(
        self,
        *,
        models: Mapping[str, nn.Module],
        modules: Mapping[str, nn.Module],
        collectives: Collectives | None = None,
    ) -> None:
        missing = {"actor", "critic"} - set(models)
        if missing:
            has = ", ".join(models) or "none"
            wanted = " and ".join(f"'{name}'" for name in sorted(missing))
            raise ComponentError(f"algo.td3_bc needs {wanted} under model.components, which has {has}")
        self.actor, self.critic = models["actor"], models["critic"]
        self.modules = modules
        self.collectives = collectives or OneProcess()
        self.limit = self.max_action or float(getattr(modules["actor"], "max_action", 1.0))
        self.targets = TargetNetworks({"actor": modules["actor"], "critic": modules["critic"]})

    def materialize(self, *, batch: Any, models: Mapping[str, nn.Module]) -> None:
        observation, action = (select(batch, self.fields[name]) for name in ("observation", "action"))
        models["actor"](observation)
        models["critic"](observation, action)

    def update(self, batch: Any, step: Step) -> Mapping[str, Tensor]:
        observation, action, reward, next_observation, terminated = self._transitions(batch)
        with torch.no_grad():
            noise = (torch.randn_like(action) * self.policy_noise).clamp(-self.noise_clip, self.noise_clip)
            next_action = self.targets["actor"](next_observation) + self.limit * noise
            next_action = next_action.clamp(-self.limit, self.limit)
            next_value = self.targets["critic"](next_observation, next_action).amin(dim=0)
            target = reward + self.discount * (1 - terminated) * next_value
        values = self._values(observation, action)
        critic_loss = 2 * F.mse_loss(values, target.expand_as(values))
        step.optimize("critic", critic_loss)
        logs = {"critic_loss": critic_loss, "q": values.mean()}

        if step.every(self.policy_delay):
            policy_action = self.actor(observation)
            value = self._first_value(observation, policy_action)
            imitation_loss = F.mse_loss(policy_action, action)
            actor_loss = imitation_loss - self.alpha / self._size_of(value) * value.mean()
            step.optimize("actor", actor_loss)
            if step.boundary:
                self.targets.update(self.tau)
            step.observe(outputs=policy_action, targets=action, batch=batch)
            logs |= {"actor_loss": actor_loss, "imitation_loss": imitation_loss}
        return logs

    def validate(self, batch: Any) -> tuple[Mapping[str, Tensor], Tensor, Tensor]:
        """Return how far the policy is from held-out actions, and what it expects of its own."""
        observation, action = (select(batch, self.fields[name]) for name in ("observation", "action"))
        policy_action = self.modules["actor"](observation)
        value = self._first_value(observation, policy_action)
        return {"imitation_loss": F.mse_loss(policy_action, action), "q": value.mean()}, policy_action, action

    def act(self, observation: Mapping[str, Tensor]) -> Tensor:
        action: Tensor = self.modules["actor"](observation[self.fields["observation"]])
        return action

    def state_dict(self) -> dict[str, Any]:
        return {"targets": self.targets.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.targets.load_state_dict(state["targets"])

    def _transitions(self, batch: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        selected = (select(batch, path) for path in self.fields.values())
        observation, action, reward, next_observation, terminated = selected
        # A reward of shape (B, 1) against values (2, B) would broadcast to (2, B, B) without a word.
        return observation, action, reward.flatten(), next_observation, terminated.flatten().to(reward.dtype)

    def _values(self, observation: Tensor, action: Tensor) -> Tensor:
        values: Tensor = self.critic(observation, action)
        if values.shape != (2, len(observation)):
            raise ComponentError(
                f"algo.td3_bc: model component 'critic' returned shape {tuple(values.shape)} for a batch of "
                f"{len(observation)}; it must return the values of two functions, (2, {len(observation)})"
            )
        return values

    def _size_of(self, value: Tensor) -> Tensor:
        """Return the mean size of the values of the whole batch, of which each process has its share."""
        size = value.detach().abs().mean()
        return self.collectives.all_reduce_sum(size) / self.collectives.world_size

    def _first_value(self, observation: Tensor, action: Tensor) -> Tensor:
        # Not `self.critic`: on many processes its wrapper would wait for gradients of the critic.
        critic = self.modules["critic"]
        first = getattr(critic, "first", None)
        value: Tensor = first(observation, action) if first else critic(observation, action)[0]
        return value
