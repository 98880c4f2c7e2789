from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from ot_example_plugins.block import SwiGLU
from ot_example_plugins.model import FourierMLP
from ot_example_plugins.op import film


def test_swiglu_is_a_gated_residual_block() -> None:
    torch.manual_seed(0)
    block, x = SwiGLU(6, hidden=10), torch.randn(2, 5, 6)
    normal = x / (x.square().mean(dim=-1, keepdim=True) + torch.finfo(x.dtype).eps).sqrt()
    gate, up = normal @ block.gate.weight.T, normal @ block.up.weight.T
    torch.testing.assert_close(block(x), x + (gate * torch.sigmoid(gate) * up) @ block.down.weight.T)


def test_swiglu_has_as_many_weights_as_a_plain_block_of_four_times_its_width() -> None:
    weights = sum(p.numel() for p in SwiGLU(96).parameters() if p.ndim == 2)
    assert weights == 2 * 96 * (4 * 96)


def test_film_scales_and_shifts_each_channel() -> None:
    torch.manual_seed(0)
    x, modulation = torch.randn(2, 3, 4, 5), torch.randn(2, 6)
    expected = torch.empty_like(x)
    for row in range(2):
        for channel in range(3):
            scale, shift = modulation[row, channel], modulation[row, 3 + channel]
            expected[row, channel] = x[row, channel] * (1 + scale) + shift
    torch.testing.assert_close(film(x, modulation), expected)
    assert torch.equal(film(x, torch.zeros(2, 6)), x)
    assert film(torch.randn(2, 3), modulation).shape == (2, 3)


def test_a_fourier_mlp_sees_sines_and_cosines_of_the_observation() -> None:
    torch.manual_seed(0)
    model, x = FourierMLP(3, 2, hidden=8), torch.randn(5, 3)
    phase = 2 * math.pi * x @ model.frequencies
    torch.testing.assert_close(model(x), model.net(torch.cat([torch.sin(phase), torch.cos(phase)], dim=1)))
    assert "frequencies" in model.state_dict()


def test_a_fourier_mlp_fits_a_sharp_switch_better_than_a_plain_one() -> None:
    x = torch.linspace(-1, 1, 256)[:, None]
    y = torch.sign(torch.sin(12 * x))

    def fitted(bandwidth: float) -> float:
        torch.manual_seed(0)
        model = FourierMLP(1, 1, hidden=64, bandwidth=bandwidth)
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(150):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
        return loss.item()

    assert fitted(bandwidth=2.0) < 0.5 * fitted(bandwidth=0.02)
