from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from offline_trainer_core import build_registry
from offline_trainer_core.testing import AlgorithmContract, DistributionContract
from ot_imitation.act import ACT
from ot_imitation.bc import BC
from ot_imitation.diffusion import Diffusion
from ot_imitation.flow_matching import FlowMatching


class TestDistribution(DistributionContract):
    distribution = "ot-imitation"


class Encoder(nn.Module):
    """State to tokens; its dropout makes training depend on random numbers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.Dropout(0.1))

    def forward(self, state: Tensor) -> Tensor:
        tokens: Tensor = self.net(state)
        return tokens


class Decoder(nn.Module):
    """Whatever it is given to `size` numbers, in the shape that is asked for."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LazyLinear(16), nn.Tanh(), nn.LazyLinear(torch.Size(shape).numel()))
        self.shape = shape

    def forward(self, **given: Tensor) -> Tensor:
        joined = torch.cat([given[name].float().reshape(len(given["tokens"]), -1) for name in sorted(given)], dim=-1)
        out: Tensor = self.net(joined)
        return out.view(-1, *self.shape)


CONTEXT = {"tokens": {"model": "encoder", "inputs": {"state": "state"}}}


class ImitationContract(AlgorithmContract):
    """A trained encoder and a decoder of lazy layers, an optimizer each, on chunks with padding."""

    def models(self) -> dict[str, nn.Module]:
        return {"encoder": Encoder(), "decoder": Decoder(4, 2)}

    def batch(self, index: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(index)
        state = torch.randn(8, 3, generator=generator)
        action = state[:, None, :2] * torch.linspace(1, -1, 4)[:, None]
        return {"state": state, "action": action, "action_is_pad": torch.arange(4) >= torch.arange(1, 9)[:, None]}


class TestFlowMatching(ImitationContract):
    def make(self) -> FlowMatching:
        return FlowMatching(action_shape=[4, 2], network="decoder", context=CONTEXT, time_sampling="beta", steps=3)


class TestDiffusion(ImitationContract):
    def make(self) -> Diffusion:
        return Diffusion(action_shape=[4, 2], network="decoder", context=CONTEXT, sampling_steps=3)


class TestACT(ImitationContract):
    def make(self) -> ACT:
        return ACT(network="decoder", style_encoder="style", context=CONTEXT, latent_dim=2)

    def models(self) -> dict[str, nn.Module]:
        return {**super().models(), "style": Decoder(4)}


class TestBC(ImitationContract):
    def make(self) -> BC:
        return BC(network="decoder", context=CONTEXT)


HELD = {
    "algo.act": TestACT,
    "algo.bc": TestBC,
    "algo.diffusion": TestDiffusion,
    "algo.flow_matching": TestFlowMatching,
}


def test_every_component_is_held_to_the_contract_of_its_kind() -> None:
    entries: list[Any] = [entry for entry in build_registry().entries() if entry.distribution == "ot-imitation"]
    assert {entry.key for entry in entries} == set(HELD)
