"""The contract of `policy.*`, trained policies included."""

from __future__ import annotations

from typing import Any

import torch

from offline_trainer_core.testing.contract import Contract

__all__ = ["PolicyContract"]


class PolicyContract(Contract):
    """A policy maps a batch of observations to as many finite actions, each a function of its own observation."""

    def observation(self, count: int) -> dict[str, Any]:
        """Return the first `count` of at least four fixed observations, `{field: (count, ...)}`."""
        raise NotImplementedError(f"{type(self).__name__} must define observation(count)")

    def actions(self, count: int) -> torch.Tensor:
        """Return what a fresh policy does for the first `count` observations."""
        policy = self.make()
        if hasattr(policy, "reset"):
            policy.reset(0)
        return torch.as_tensor(policy.act(self.observation(count)))

    def test_there_is_one_finite_action_for_each_observation(self) -> None:
        actions = self.actions(4)
        assert actions.shape[0] == 4 and bool(actions.isfinite().all())

    def test_an_action_does_not_depend_on_the_rest_of_the_batch(self) -> None:
        assert torch.allclose(self.actions(4)[:1], self.actions(1), atol=1e-6)
