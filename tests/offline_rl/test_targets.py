from __future__ import annotations

import pytest
import torch
from torch import nn

from ot_offline_rl.targets import TargetNetworks


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def drift(network: nn.Module) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter))


def test_targets_move_by_the_fraction_tau(network: nn.Sequential) -> None:
    targets = TargetNetworks({"net": network})
    before = [p.clone() for p in targets["net"].parameters()]
    drift(network)

    targets.update(0.25)

    for target, old, online in zip(targets["net"].parameters(), before, network.parameters(), strict=True):
        torch.testing.assert_close(target.data, 0.75 * old + 0.25 * online.data)


def test_buffers_are_copied(network: nn.Sequential) -> None:
    targets = TargetNetworks({"net": network})
    network(torch.randn(8, 3))
    assert not torch.equal(targets["net"][1].running_mean, network[1].running_mean)
    targets.update(0.25)
    assert torch.equal(targets["net"][1].running_mean, network[1].running_mean)
    assert targets["net"][1].num_batches_tracked == 1


def test_targets_need_no_gradients_and_stand_still_by_themselves(network: nn.Sequential) -> None:
    targets = TargetNetworks({"net": network})
    before = {name: value.clone() for name, value in targets.state_dict().items()}
    drift(network)
    assert not any(p.requires_grad for p in targets["net"].parameters())
    assert not targets["net"].training
    assert all(torch.equal(value, before[name]) for name, value in targets.state_dict().items())


def test_targets_survive_a_restart(network: nn.Sequential) -> None:
    targets = TargetNetworks({"net": network})
    drift(network)
    targets.update(0.5)
    restored = TargetNetworks({"net": network})
    assert not torch.equal(restored["net"][0].weight, targets["net"][0].weight)
    restored.load_state_dict(targets.state_dict())
    drift(network)
    targets.update(0.5)
    restored.update(0.5)
    assert all(torch.equal(restored.state_dict()[name], value) for name, value in targets.state_dict().items())
