"""Flow matching against its equations, written here without any part of the implementation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ot_imitation.flow_matching import FlowMatching, integrate


def objective(model: nn.Module, batch: dict[str, Tensor], noise: Tensor, times: list[float]) -> Tensor:
    """Lipman et al. 2023, equation 23 with sigma_min = 0, row by row and action by action."""
    errors = []
    for row, t in enumerate(times):
        action = batch["action"][row]
        between = torch.lerp(noise[row], action, t)
        velocity = model(between[None], torch.tensor([t]), batch["state"][row : row + 1])[0]
        steps = [i for i in range(len(action)) if not batch["action_is_pad"][row, i]]
        errors += [((velocity[i] - (action[i] - noise[row, i])) ** 2).mean() for i in steps]
    return torch.stack(errors).mean()


def test_the_loss_is_the_papers(predictor: Any, step_for: Any, batch_of: Any, set_up: Any) -> None:
    algorithm, batch = set_up(FlowMatching(action_shape=[4, 2]), predictor), batch_of()
    torch.manual_seed(5)
    loss = algorithm.update(batch, step_for({}))["loss"]
    torch.manual_seed(5)
    noise, times = torch.randn(6, 4, 2), torch.rand(6)
    torch.testing.assert_close(loss, objective(predictor, batch, noise, times.tolist()))
    assert not torch.isclose(loss, objective(predictor, batch, noise, (1 - times).tolist()))


def test_times_of_pi_0_have_its_density() -> None:
    uniform = torch.linspace(0, 1, 100_001)[:-1]
    times = FlowMatching(action_shape=[1], time_sampling="beta")._times(uniform)
    assert times.min() >= 0
    assert times.max() <= 0.999
    # Black et al. 2024: (s - t) / s is Beta(1.5, 1), whose distribution function is x^1.5.
    for t in (0.1, 0.5, 0.9):
        assert (times > t).float().mean().item() == pytest.approx(((0.999 - t) / 0.999) ** 1.5, abs=1e-4)
    drawn = 0.999 * (1 - torch.distributions.Beta(1.5, 1.0).sample((100_000,)))
    for share in (0.1, 0.5, 0.9):
        assert times.quantile(share).item() == pytest.approx(drawn.quantile(share).item(), abs=0.01)
    assert times.mean() < uniform.mean() - 0.05


def test_a_run_trains_at_the_times_that_it_asks_for(predictor: Any, step_for: Any, batch_of: Any, set_up: Any) -> None:
    means = {}
    for sampling in ("uniform", "beta"):
        algorithm = set_up(FlowMatching(action_shape=[4, 2], time_sampling=sampling), predictor)
        torch.manual_seed(0)
        algorithm.update(batch_of(rows=4000), step_for({}))
        means[sampling] = predictor.calls[-1][1].mean().item()
    assert means["uniform"] == pytest.approx(0.5, abs=0.02)
    assert means["beta"] == pytest.approx(0.999 * 0.4, abs=0.02)


def test_sampling_is_eulers_method(predictor: Any, batch_of: Any, set_up: Any) -> None:
    algorithm, state = set_up(FlowMatching(action_shape=[4, 2], steps=3), predictor), batch_of()["state"]
    noise = torch.randn(6, 4, 2)
    x = noise
    for t in (0.0, 1 / 3, 2 / 3):
        x = x + predictor(x, torch.full((6,), t), state) / 3
    torch.testing.assert_close(algorithm.act({"state": state}, noise), x)


def test_a_straight_flow_arrives_in_one_step_and_others_at_their_order() -> None:
    noise = torch.randn(5)
    assert torch.allclose(integrate(lambda x, t: 2.0 - noise, noise, 1, "euler"), torch.tensor(2.0))
    # x' = x ends at e * x(0).
    exact = noise * torch.e
    errors = {
        (how, steps): (integrate(lambda x, t: x, noise, steps, how) - exact).abs().max().item()
        for how in ("euler", "midpoint")
        for steps in (16, 32)
    }
    assert errors["euler", 16] / errors["euler", 32] == pytest.approx(2, rel=0.1)
    assert errors["midpoint", 16] / errors["midpoint", 32] == pytest.approx(4, rel=0.1)


def test_midpoint_looks_at_the_middle_of_every_step() -> None:
    times: list[float] = []
    integrate(lambda x, t: times.append(t) or x, torch.zeros(1), 2, "midpoint")
    assert times == [0.0, 0.25, 0.5, 0.75]


def test_the_network_sees_noise_at_time_zero_and_actions_at_one(
    predictor: Any, step_for: Any, batch_of: Any, set_up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    algorithm, batch = set_up(FlowMatching(action_shape=[4, 2]), predictor), batch_of(rows=2)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([0.0, 1.0]))
    torch.manual_seed(3)
    algorithm.update(batch, step_for({}))
    torch.manual_seed(3)
    noise = torch.randn(2, 4, 2)
    seen = predictor.calls[-1][0]
    assert torch.equal(seen[0], noise[0])
    assert torch.equal(seen[1], batch["action"][1])


def test_metrics_are_shown_where_the_velocity_leads(predictor: Any, step_for: Any, batch_of: Any, set_up: Any) -> None:
    class Exact(nn.Module):
        def forward(self, actions: Tensor, time: Tensor, state: Tensor) -> Tensor:
            return (batch["action"] - actions) / (1 - time[:, None, None])

    batch, step = batch_of(), step_for({})
    assert set_up(FlowMatching(action_shape=[4, 2]), Exact()).update(batch, _quiet(step))["loss"] < 1e-6
    ((reached, targets),) = step.observed
    torch.testing.assert_close(reached, batch["action"], rtol=1e-3, atol=1e-3)
    assert targets is batch["action"]


def _quiet(step: Any) -> Any:
    step.optimize = lambda names, loss: None
    return step
