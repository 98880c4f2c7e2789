"""Acting and validating are functions of their arguments; acting is exported with any batch size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ot_imitation.diffusion import Diffusion
from ot_imitation.flow_matching import FlowMatching

SAMPLERS = [
    FlowMatching(action_shape=[4, 2], steps=3),
    FlowMatching(action_shape=[4, 2], steps=2, integration="midpoint"),
    Diffusion(action_shape=[4, 2], sampling_steps=3),
]
IDS = ["euler", "midpoint", "ddim"]


@pytest.mark.parametrize("algorithm", SAMPLERS, ids=IDS)
def test_the_same_noise_makes_the_same_actions(algorithm: Any, predictor: Any, batch_of: Any, set_up: Any) -> None:
    set_up(algorithm, predictor)
    noise, observation = torch.randn(6, 4, 2), {"state": batch_of()["state"]}
    torch.manual_seed(0)
    first = algorithm.act(observation, noise)
    torch.manual_seed(1)
    assert torch.equal(algorithm.act(observation, noise), first)
    assert not torch.allclose(algorithm.act(observation, noise + 1), first)


@pytest.mark.parametrize("algorithm", SAMPLERS, ids=IDS)
def test_validating_repeats_itself_and_draws_from_no_generator_of_training(
    algorithm: Any, predictor: Any, batch_of: Any, set_up: Any
) -> None:
    set_up(algorithm, predictor)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, sampled, actions = algorithm.validate(batch_of())
    assert torch.equal(torch.get_rng_state(), before)
    assert algorithm.validate(batch_of())[0] == first
    expected = (sampled - actions).abs()[~batch_of()["action_is_pad"]].mean()
    torch.testing.assert_close(first["action_error"], expected)


class Policy(nn.Module):
    def __init__(self, algorithm: Any, model: nn.Module) -> None:
        super().__init__()
        self.model, self.algorithm = model, algorithm

    def forward(self, observation: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        actions: Tensor = self.algorithm.act(observation, noise)
        return actions


class Stateless(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(12, 8)

    def forward(self, actions: Tensor, time: Tensor, state: Tensor) -> Tensor:
        flat: Tensor = self.net(torch.cat([actions.flatten(1), time[:, None], state], dim=-1))
        return flat.view(-1, 4, 2)


@pytest.mark.parametrize("algorithm", SAMPLERS, ids=IDS)
def test_acting_is_exported_with_any_batch_size(algorithm: Any, set_up: Any) -> None:
    policy = Policy(set_up(algorithm, model := Stateless()), model).eval()
    inputs = ({"state": torch.randn(3, 3)}, torch.randn(3, 4, 2))
    rows = {0: torch.export.Dim("rows")}
    program = torch.export.export(policy, inputs, dynamic_shapes=({"state": rows}, rows)).module()
    for count in (1, 3, 64):
        inputs = ({"state": torch.randn(count, 3)}, torch.randn(count, 4, 2))
        torch.testing.assert_close(program(*inputs), policy(*inputs))


@pytest.mark.parametrize("algorithm", SAMPLERS, ids=IDS)
def test_the_context_is_computed_once_and_the_network_at_every_step(algorithm: Any, set_up: Any) -> None:
    calls: list[str] = []

    class Encoder(nn.Module):
        def forward(self, state: Tensor) -> Tensor:
            calls.append("encoder")
            return state

    class Network(Stateless):
        def forward(self, actions: Tensor, time: Tensor, state: Tensor) -> Tensor:
            calls.append("network")
            return super().forward(actions, time, state)

    context = {"state": {"model": "encoder", "inputs": {"state": "state"}}}
    kind = type(algorithm)(action_shape=[4, 2], network="network", context=context)
    set_up(kind, {"encoder": Encoder(), "network": Network()}).act({"state": torch.zeros(2, 3)}, torch.randn(2, 4, 2))
    assert (calls.count("encoder"), calls.count("network")) == (1, 10)
