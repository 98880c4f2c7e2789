"""Behaviour cloning against torch's losses and distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import ComponentError
from ot_imitation.bc import BC


class Regressor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 8)

    def forward(self, state: Tensor) -> Tensor:
        out: Tensor = self.net(state)
        return out.view(-1, 4, 2)


class Laplace(nn.Module):
    """A head with torch's Laplace distribution."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 16)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        location, log_scale = self.net(features).view(-1, 2, 4, 2).unbind(1)
        return {"location": location, "scale": log_scale.exp()}

    def log_prob(self, parameters: Mapping[str, Tensor], actions: Tensor) -> Tensor:
        return torch.distributions.Laplace(parameters["location"], parameters["scale"]).log_prob(actions).sum(-1)

    def mode(self, parameters: Mapping[str, Tensor]) -> Tensor:
        return parameters["location"]

    def sample(self, parameters: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        return parameters["location"] + parameters["scale"] * noise


class Probabilistic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = Laplace()

    def forward(self, state: Tensor) -> dict[str, Tensor]:
        out: dict[str, Tensor] = self.head(state)
        return out


@pytest.mark.parametrize(("loss", "function"), [("l1", F.l1_loss), ("l2", F.mse_loss), ("smooth_l1", F.smooth_l1_loss)])
def test_the_loss_is_torchs_over_what_is_no_padding(
    loss: Any, function: Any, step_for: Any, batch_of: Any, set_up: Any
) -> None:
    model, batch = Regressor(), batch_of()
    counts = ~batch["action_is_pad"]
    expected = function(model(batch["state"])[counts], batch["action"][counts])
    torch.testing.assert_close(set_up(BC(loss=loss), model).update(batch, step_for({}))["loss"], expected)
    assert not torch.isclose(expected, function(model(batch["state"]), batch["action"]))


@pytest.mark.parametrize("model", [Probabilistic(), Laplace(), nn.Sequential(nn.Linear(3, 3), Laplace())])
def test_the_likelihood_is_that_of_the_head(model: nn.Module, step_for: Any, batch_of: Any, set_up: Any) -> None:
    batch = batch_of()
    name = next(iter(__import__("inspect").signature(model.forward).parameters))
    parameters = model(batch["state"])
    density = torch.distributions.Laplace(parameters["location"], parameters["scale"]).log_prob(batch["action"]).sum(-1)
    logs = set_up(BC(loss="nll", context={name: "state"}), model).update(batch, step_for({}))
    torch.testing.assert_close(logs["loss"], -density[~batch["action_is_pad"]].mean())


def test_a_head_acts_by_its_mode_or_by_a_sample(batch_of: Any, set_up: Any) -> None:
    model, observation, noise = Probabilistic(), {"state": batch_of()["state"]}, torch.randn(6, 4, 2)
    parameters = model(observation["state"])
    by_mode = set_up(BC(loss="nll"), model)
    assert by_mode.noise_shape is None
    assert torch.equal(by_mode.act(observation), parameters["location"])
    by_sample = set_up(BC(loss="nll", act="sample", action_shape=[4, 2]), model)
    assert by_sample.noise_shape == (4, 2)
    torch.testing.assert_close(by_sample.act(observation, noise), parameters["location"] + parameters["scale"] * noise)


def test_a_regression_may_score_the_mode_of_a_head(step_for: Any, batch_of: Any, set_up: Any) -> None:
    model, batch = Probabilistic(), batch_of()
    error = (model(batch["state"])["location"] - batch["action"]).abs()[~batch["action_is_pad"]].mean()
    torch.testing.assert_close(set_up(BC(), model).update(batch, step_for({}))["loss"], error)


def test_single_actions_are_cloned_too(step_for: Any, set_up: Any) -> None:
    class One(nn.Module):
        def forward(self, state: Tensor) -> Tensor:
            return state[:, :2]

    batch = {"state": torch.randn(5, 3), "action": torch.zeros(5, 2)}
    logs, acted, _ = set_up(BC(), One()).validate(batch)
    torch.testing.assert_close(logs["loss"], batch["state"][:, :2].abs().mean())
    assert acted.shape == (5, 2)


def test_auxiliary_losses_are_added_by_their_weight(step_for: Any, batch_of: Any, set_up: Any) -> None:
    class Experts(Regressor):
        def forward(self, state: Tensor) -> Any:
            return {"actions": super().forward(state), "load_balancing_loss": state.square().mean()}

    model, batch = Experts(), batch_of()
    logs = set_up(BC(auxiliary={"load_balancing_loss": 0.5}), model).update(batch, step_for({}))
    plain = set_up(BC(), model).update(batch, step_for({}))
    torch.testing.assert_close(logs["load_balancing_loss"], 0.5 * batch["state"].square().mean())
    torch.testing.assert_close(logs["loss"], plain["loss"] + logs["load_balancing_loss"])


class TwoHeads(Probabilistic):
    def __init__(self) -> None:
        super().__init__()
        self.other = Laplace()


@pytest.mark.parametrize(
    ("options", "model", "message"),
    [
        ({"loss": "nll"}, Regressor(), "'loss: nll' needs a network that ends in a head"),
        ({"act": "sample", "action_shape": [4, 2]}, Regressor(), "'act: sample' needs a network that ends in a head"),
        ({}, TwoHeads(), "the network has 2 heads"),
    ],
)
def test_a_head_that_is_not_there_is_missed(options: Any, model: nn.Module, message: str, set_up: Any) -> None:
    with pytest.raises(ComponentError, match=message):
        set_up(BC(**options), model)


def test_a_sample_needs_to_know_the_shape_of_its_noise() -> None:
    with pytest.raises(ComponentError, match="it needs 'action_shape'"):
        BC(act="sample")


def test_a_network_for_other_actions_is_refused(step_for: Any, batch_of: Any, set_up: Any) -> None:
    batch = {**batch_of(), "action": torch.zeros(6, 4, 3)}
    with pytest.raises(ComponentError, match=r"returns shape \(6, 4, 2\); for these actions it must be \(B, 4, 3\)"):
        set_up(BC(), Regressor()).update(batch, step_for({}))
