from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from offline_trainer_core import Registry
from ot_example_plugins.optimizer import DecayMatrices, Lion


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))


def gradients(model: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)


def test_lion_follows_its_papers_pseudocode(model: nn.Module) -> None:
    theirs = [p.detach().clone() for p in model.parameters()]
    momenta = [torch.zeros_like(p) for p in theirs]
    optimizer = Lion(model.parameters(), lr=0.01, betas=(0.8, 0.95), weight_decay=0.1)
    for seed in range(5):
        gradients(model, seed)
        for parameter, m, ours in zip(theirs, momenta, model.parameters(), strict=True):
            update = torch.sign(0.8 * m + (1 - 0.8) * ours.grad)
            parameter -= 0.01 * (update + 0.1 * parameter)
            m.copy_(0.95 * m + (1 - 0.95) * ours.grad)
        optimizer.step()
    for expected, parameter in zip(theirs, model.parameters(), strict=True):
        torch.testing.assert_close(parameter.detach(), expected)


def test_lion_goes_on_from_its_state(model: nn.Module) -> None:
    optimizer = Lion(model.parameters(), lr=0.01)
    gradients(model, 0)
    optimizer.step()
    copy = deepcopy(model)
    resumed, forgetful = Lion(copy.parameters(), lr=0.01), Lion(deepcopy(model).parameters(), lr=0.01)
    resumed.load_state_dict(optimizer.state_dict())
    for network, stepper in ((model, optimizer), (copy, resumed)):
        gradients(network, 1)
        stepper.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), copy.parameters(), strict=True))
    assert not forgetful.state


def test_lion_learns() -> None:
    weight = nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = Lion([weight], lr=0.02)

    def closure() -> float:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    losses = [optimizer.step(closure) for _ in range(300)]
    assert losses[0] == 13.0
    assert losses[-1] < 0.5


def test_only_matrices_are_decayed(model: nn.Module) -> None:
    registry = Registry()
    registry.register_module("optim_cls.AdamW", torch.optim.AdamW)
    model[2].bias.requires_grad_(False)
    optimizer = DecayMatrices("AdamW", weight_decay=0.1, kwargs={"lr": 0.5}).build(model, registry=registry)
    decayed, spared = optimizer.param_groups
    assert isinstance(optimizer, torch.optim.AdamW)
    assert [p is q for p, q in zip(decayed["params"], [model[0].weight, model[2].weight], strict=True)] == [True, True]
    assert len(spared["params"]) == 3
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    assert decayed["lr"] == spared["lr"] == 0.5
