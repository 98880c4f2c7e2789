"""Demonstrations that do the same thing in two ways: generative policies know both, regression goes between them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ot_imitation.bc import BC
from ot_imitation.diffusion import Diffusion
from ot_imitation.flow_matching import FlowMatching

LEFT, RIGHT = -0.7, 0.7


class Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))

    def forward(self, actions: Tensor, time: Tensor, state: Tensor) -> Tensor:
        angle = time[:, None] * torch.pi
        flat: Tensor = self.net(torch.cat([actions.flatten(1), angle.sin(), angle.cos(), state], dim=-1))
        return flat.view(-1, 2, 1)


class Regressor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 2))

    def forward(self, state: Tensor) -> Tensor:
        flat: Tensor = self.net(state)
        return flat.view(-1, 2, 1)


def demonstrations(rows: int) -> dict[str, Tensor]:
    """Chunks of two steps, both to the left or both to the right; to the right in `state` of all cases."""
    state = torch.where(torch.rand(rows, 1) < 0.5, 0.5, 0.8)
    right = torch.rand(rows, 1) < state
    way = torch.where(right, RIGHT, LEFT) + 0.03 * torch.randn(rows, 1)
    return {"state": state, "action": way[:, :, None].expand(-1, 2, 1)}


def acts_after_training(algorithm: Any, model: nn.Module, step_for: Any, set_up: Any, state: float) -> Tensor:
    """Return 1000 chunks `(1000, 2)` that the trained policy makes of one state."""
    step = step_for({"model": model}, lr=3e-3)
    set_up(algorithm, model)
    for _ in range(700):
        algorithm.update(demonstrations(256), step)
    observation = {"state": torch.full((1000, 1), state)}
    with torch.no_grad():
        noise = [torch.randn(1000, 2, 1)] if getattr(algorithm, "noise_shape", None) else []
        actions: Tensor = algorithm.act(observation, *noise)[..., 0]
    return actions


@pytest.mark.parametrize(
    "algorithm",
    [
        FlowMatching(action_shape=[2, 1], steps=20),
        FlowMatching(action_shape=[2, 1], integration="midpoint", time_sampling="beta"),
        Diffusion(action_shape=[2, 1], sampling_steps=20),
        Diffusion(action_shape=[2, 1], sampling_steps=20, prediction="sample"),
    ],
    ids=["flow", "flow-midpoint-beta", "diffusion", "diffusion-sample"],
)
def test_a_generative_policy_acts_in_both_ways_as_often_as_shown(algorithm: Any, step_for: Any, set_up: Any) -> None:
    torch.manual_seed(0)
    actions = acts_after_training(algorithm, Denoiser(), step_for, set_up, state=0.8)
    nearest = torch.where(actions.mean(1) > 0, RIGHT, LEFT)
    assert ((actions - nearest[:, None]).abs().amax(1) < 0.25).float().mean() > 0.9
    assert (nearest == RIGHT).float().mean().item() == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize(("loss", "goes"), [("l2", 0.8 * RIGHT + 0.2 * LEFT), ("l1", RIGHT)])
def test_regression_goes_between_the_ways_or_knows_one(loss: Any, goes: float, step_for: Any, set_up: Any) -> None:
    torch.manual_seed(0)
    actions = acts_after_training(BC(loss=loss), Regressor(), step_for, set_up, state=0.8)
    assert actions.std(dim=0).max() < 1e-6
    assert actions.mean().item() == pytest.approx(goes, abs=0.08)
