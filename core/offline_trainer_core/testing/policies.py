"""The contract of `policy.*`, trained policies included."""

from __future__ import annotations

from typing import Any

import torch

from offline_trainer_core.nest import map_leaves
from offline_trainer_core.testing.contract import Contract, same

__all__ = ["PolicyContract"]


class PolicyContract(Contract):
    """A policy maps a batch of observations to as many finite actions, each a function of its own observation."""

    def observation(self, count: int) -> dict[str, Any]:
        """Return the first `count` of at least four fixed observations, `{field: (count, ...)}`."""
        raise NotImplementedError(f"{type(self).__name__} must define observation(count)")

    def actions(self, count: int, seed: int = 0) -> torch.Tensor:
        """Return what a fresh policy does for the first `count` observations."""
        policy = self.make()
        if hasattr(policy, "reset"):
            policy.reset(seed)
        return torch.as_tensor(policy.act(self.observation(count)))

    def test_there_is_one_finite_action_for_each_observation(self) -> None:
        actions = self.actions(4)
        assert actions.shape[0] == 4, f"4 observations, actions of shape {tuple(actions.shape)}"
        assert bool(actions.isfinite().all()), "an action is infinite or NaN"

    def test_an_action_does_not_depend_on_the_rest_of_the_batch(self) -> None:
        torch.testing.assert_close(self.actions(4)[:1], self.actions(1), rtol=1e-4, atol=1e-5)

    def test_the_same_seed_gives_the_same_actions(self) -> None:
        first = self.actions(4, seed=3)
        torch.manual_seed(1)
        assert torch.equal(self.actions(4, seed=3), first), "it draws from a generator that reset(seed) does not seed"

    def test_an_observation_is_left_as_it_was(self) -> None:
        policy, observation = self.make(), self.observation(4)
        before = map_leaves(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, observation)
        if hasattr(policy, "reset"):
            policy.reset(0)
        policy.act(observation)
        assert same(observation, before)
