from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from offline_trainer_core import Registry
from offline_trainer_core.testing import DistributionContract, ModuleContract
from ot_policy_constructor import build_model
from ot_policy_constructor.blocks.conv import ConvBnAct, ResidualBlock
from ot_policy_constructor.blocks.mlp import MLP


class TestDistribution(DistributionContract):
    distribution = "ot-policy-constructor"


class TestMLP(ModuleContract):
    @pytest.fixture(autouse=True, params=[None, "LayerNorm", "RMSNorm", "BatchNorm1d"])
    def _norm(self, request: pytest.FixtureRequest) -> None:
        self.norm = request.param

    def make(self) -> MLP:
        return MLP([3, 8, 2], norm=self.norm, dropout=0.2)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (torch.linspace(-1, 1, 12).view(4, 3)[:count],)


class TestConvBnAct(ModuleContract):
    def make(self) -> ConvBnAct:
        return ConvBnAct(2, 3)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (torch.linspace(-1, 1, 4 * 2 * 5 * 5).sin().view(4, 2, 5, 5)[:count],)


class TestResidualBlock(TestConvBnAct):
    @pytest.fixture(autouse=True, params=[(2, 2, 1), (2, 4, 2)])
    def _shape(self, request: pytest.FixtureRequest) -> None:
        self.shape = request.param

    def make(self) -> ResidualBlock:
        return ResidualBlock(*self.shape)


GRAPH = {
    "inputs": ["image", "state"],
    "modules": {
        "eyes": {"_type_": "block.conv_bn_act", "in_channels": 2, "out_channels": 3},
        "head": {"_type_": "block.mlp", "dims": [5, 8, 1]},
    },
    "nodes": [
        {"name": "seen", "call": "module:eyes", "args": ["$image"]},
        {"name": "pooled", "call": "op:mean", "args": ["$seen"], "kwargs": {"dim": [2, 3]}},
        {"name": "joined", "call": "op:cat", "args": [["$pooled", "$state"]]},
        {"name": "action", "call": "module:head", "args": ["$joined"]},
    ],
    "outputs": {"action": "$action"},
}


class TestGraph(ModuleContract):
    @pytest.fixture(autouse=True)
    def _registered(self, registry: Registry) -> None:
        self.registry = registry

    def make(self) -> nn.Module:
        return build_model({"schema_version": 1, "model": {"graph": GRAPH}}, registry=self.registry)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        image = torch.linspace(-1, 1, 4 * 2 * 5 * 5).sin().view(4, 2, 5, 5)
        return image[:count], torch.linspace(0, 1, 8).view(4, 2)[:count]


class TestSequential(TestMLP):
    @pytest.fixture(autouse=True)
    def _registered(self, registry: Registry) -> None:
        self.registry = registry

    def make(self) -> nn.Module:
        layers = [{"_type_": "block.mlp", "dims": [3, 8, 2], "norm": self.norm, "dropout": 0.2}]
        chain = {"inputs": ["x"], "layers": layers}
        return build_model({"schema_version": 1, "model": {"sequential": chain}}, registry=self.registry)


HELD = {
    "block.conv_bn_act": TestConvBnAct,
    "block.mlp": TestMLP,
    "block.residual_block": TestResidualBlock,
    "frontend.graph": TestGraph,
    "frontend.sequential": TestSequential,
}
WITHOUT_CONTRACT = {"nn", "op"}
"""Layers are torch's own; each operation is compared with torch in the tests of operations."""


def test_every_component_is_held_to_the_contract_of_its_kind(registry: Registry) -> None:
    entries = [entry for entry in registry.entries() if entry.distribution == "ot-policy-constructor"]
    assert {entry.key for entry in entries if entry.kind not in WITHOUT_CONTRACT} == set(HELD)
