from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from offline_trainer_core import build_registry
from offline_trainer_core.testing import AlgorithmContract, DistributionContract, ModuleContract
from ot_offline_rl.networks import DeterministicActor, TwinQ
from ot_offline_rl.td3_bc import TD3BC


class TestDistribution(DistributionContract):
    distribution = "ot-offline-rl"


class TestTD3BC(AlgorithmContract):
    falls = "critic_loss"

    def make(self) -> TD3BC:
        return TD3BC()

    def models(self) -> dict[str, nn.Module]:
        return {"actor": DeterministicActor(3, 2, hidden=(16,)), "critic": TwinQ(3, 2, hidden=(16,))}

    def batch(self, index: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(index)
        observation, next_observation = torch.randn(2, 8, 3, generator=generator)
        return {
            "observation": observation,
            "action": torch.rand(8, 2, generator=generator) * 2 - 1,
            "reward": observation.sum(dim=1),
            "next_observation": next_observation,
            "terminated": torch.arange(8) % 4 == 0,
        }


class TestDeterministicActor(ModuleContract):
    def make(self) -> DeterministicActor:
        return DeterministicActor(3, 2)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (torch.linspace(-1, 1, 12).view(4, 3)[:count],)


class BatchFirst(nn.Module):
    """A twin critic whose values `(2, B)` are turned to `(B, 2)`, as a contract for batches expects them."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = TwinQ(3, 2)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        values: Tensor = self.critic(observation, action)
        return values.T


class TestTwinQ(ModuleContract):
    def make(self) -> BatchFirst:
        return BatchFirst()

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        rows = torch.linspace(-1, 1, 20).view(4, 5)[:count]
        return rows[:, :3], rows[:, 3:]


HELD = {
    "algo.td3_bc": TestTD3BC,
    "model.deterministic_actor": TestDeterministicActor,
    "model.twin_q": TestTwinQ,
}


def test_every_component_is_held_to_the_contract_of_its_kind() -> None:
    entries = [entry for entry in build_registry().entries() if entry.distribution == "ot-offline-rl"]
    assert {entry.key for entry in entries} == set(HELD)
