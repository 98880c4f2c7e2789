"""Diffusion against the closed formulas of DDPM and DDIM, written here without any part of the implementation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from offline_trainer_core import ComponentError
from ot_imitation.diffusion import Diffusion
from ot_imitation.schedule import CosineSchedule


def alpha_bars(steps: int) -> Tensor:
    """Nichol & Dhariwal 2021: betas of the squared cosine, none above 0.999, and the product of what they leave."""
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    betas = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - betas, 0)


@pytest.mark.parametrize("steps", [1, 10, 100, 1000])
def test_the_schedule_is_the_squared_cosine(steps: int) -> None:
    expected = alpha_bars(steps)
    signal, amount = CosineSchedule(steps).at(torch.arange(steps))
    torch.testing.assert_close(signal.double(), expected.sqrt(), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(amount.double(), (1 - expected).sqrt(), rtol=1e-5, atol=1e-7)
    assert CosineSchedule(steps)[steps - 1] == pytest.approx((signal[-1].item(), amount[-1].item()))


@pytest.mark.parametrize("prediction", ["epsilon", "sample"])
def test_the_loss_is_the_papers(prediction: Any, predictor: Any, step_for: Any, batch_of: Any, set_up: Any) -> None:
    batch = batch_of()
    algorithm = set_up(Diffusion(action_shape=[4, 2], diffusion_steps=50, prediction=prediction), predictor)
    torch.manual_seed(5)
    loss = algorithm.update(batch, step_for({}))["loss"]
    torch.manual_seed(5)
    k, epsilon = torch.randint(50, (6,)), torch.randn(6, 4, 2)
    errors = []
    for row in range(6):
        bar = alpha_bars(50)[k[row]].float()
        noisy = bar.sqrt() * batch["action"][row] + (1 - bar).sqrt() * epsilon[row]
        predicted = predictor(noisy[None], k[row : row + 1] / 50, batch["state"][row : row + 1])[0]
        target = epsilon[row] if prediction == "epsilon" else batch["action"][row]
        errors.append(((predicted - target) ** 2).mean(-1)[~batch["action_is_pad"][row]])
    torch.testing.assert_close(loss, torch.cat(errors).mean())
    assert not torch.isclose(loss, errors[0].mean())


def ddim(
    model: Any, noise: Tensor, state: Tensor, visited: list[int], *, prediction: str, clip: float | None
) -> Tensor:
    """Song et al. 2021, equation 12 with sigma = 0, over the visited steps of 20; the last alpha bar is 1."""
    bars, x = [*alpha_bars(20).float(), torch.tensor(1.0)], noise
    for k, following in zip(visited, [*visited[1:], 20], strict=True):
        predicted = model(x, torch.full((len(x),), k / 20), state)
        x0 = predicted if prediction == "sample" else (x - (1 - bars[k]).sqrt() * predicted) / bars[k].sqrt()
        x0 = x0 if clip is None else x0.clip(-clip, clip)
        epsilon = (x - bars[k].sqrt() * x0) / (1 - bars[k]).sqrt()
        x = bars[following].sqrt() * x0 + (1 - bars[following]).sqrt() * epsilon
    return x


@pytest.mark.parametrize("prediction", ["epsilon", "sample"])
@pytest.mark.parametrize("clip", [0.5, None])
@pytest.mark.parametrize(
    ("sampling", "visited"), [(1, [19]), (2, [19, 0]), (5, [19, 14, 10, 5, 0]), (20, list(range(19, -1, -1)))]
)
def test_sampling_is_ddim(
    sampling: int, visited: list[int], clip: Any, prediction: Any, predictor: Any, batch_of: Any, set_up: Any
) -> None:
    algorithm = Diffusion(
        action_shape=[4, 2], diffusion_steps=20, sampling_steps=sampling, prediction=prediction, clip_sample=clip
    )
    state, noise = batch_of()["state"], torch.randn(6, 4, 2)
    sampled = set_up(algorithm, predictor).act({"state": state}, noise)
    expected = ddim(predictor, noise, state, visited, prediction=prediction, clip=clip)
    torch.testing.assert_close(sampled, expected, rtol=1e-4, atol=1e-4)
    assert len(predictor.calls) == 2 * sampling
    if clip is not None:
        assert sampled.abs().max() <= clip


def test_from_the_true_noise_every_number_of_steps_finds_the_actions(batch_of: Any, set_up: Any) -> None:
    class Oracle(torch.nn.Module):
        def forward(self, actions: Tensor, time: Tensor, state: Tensor) -> Tensor:
            bar = alpha_bars(100)[(time * 100).round().long()].float()[:, None, None]
            return (actions - bar.sqrt() * truth) / (1 - bar).sqrt()

    truth = batch_of()["action"].clamp(-0.9, 0.9)
    for steps in (2, 10, 100):
        algorithm = set_up(Diffusion(action_shape=[4, 2], sampling_steps=steps), Oracle())
        torch.testing.assert_close(
            algorithm.act({"state": torch.zeros(6, 3)}, torch.randn(6, 4, 2)), truth, rtol=0, atol=1e-3
        )


def test_more_steps_to_sample_than_to_diffuse_are_refused() -> None:
    with pytest.raises(ComponentError, match="sampling_steps is 11, more than the 10 of diffusion_steps"):
        Diffusion(action_shape=[4, 2], diffusion_steps=10, sampling_steps=11)
