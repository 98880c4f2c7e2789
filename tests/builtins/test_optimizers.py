from __future__ import annotations

import inspect
import logging
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tomllib
import torch
from torch import nn

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.errors import ComponentError
from ot_builtins.optimizers import TorchOptimizer

PYPROJECT = Path(__file__).resolve().parents[2] / "packages/ot-builtins/pyproject.toml"


@pytest.fixture(scope="module")
def registry() -> Registry:
    """What the package advertises, read from its metadata's source."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    return Registry(
        Entry(key, reference, project["name"], project["version"])
        for key, reference in project["entry-points"]["offline_trainer.components"].items()
    )


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {"encoder": nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), "head": nn.Linear(4, 2), "old": nn.Linear(2, 2)}
    )


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 20) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        x = torch.randn(8, 3, generator=generator)
        optimizer.zero_grad()
        model["old"](model["head"](model["encoder"](x))).square().sum().backward()  # type: ignore[index,operator]
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_every_optimizer_of_torch_is_advertised_under_its_name(registry: Registry) -> None:
    classes = {
        name
        for name, value in vars(torch.optim).items()
        if inspect.isclass(value) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer
    }
    advertised = {key.removeprefix("optim_cls."): registry.find(key).target for key in registry.keys("optim_cls")}
    assert advertised == {name: getattr(torch.optim, name) for name in classes}


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad"])
def test_the_default_trains_as_the_plain_implementation_does(name: str, model: nn.Module, registry: Registry) -> None:
    twin, other = deepcopy(model), deepcopy(model)
    optimizer = TorchOptimizer(name, kwargs={"lr": 0.01}).build(model, registry=registry)
    assert optimizer.defaults["fused"] is True
    found = train(model, optimizer)
    expected = train(twin, getattr(torch.optim, name)(twin.parameters(), lr=0.01, foreach=False, fused=False))
    wrong = train(other, getattr(torch.optim, name)(other.parameters(), lr=0.011, foreach=False, fused=False))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(found, wrong, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("chosen", [{"fused": False}, {"foreach": True}])
def test_the_choice_of_an_implementation_is_the_users(
    chosen: dict[str, bool], model: nn.Module, registry: Registry
) -> None:
    optimizer = TorchOptimizer("AdamW", kwargs=chosen).build(model, registry=registry)
    assert not optimizer.defaults["fused"]


def test_the_choice_of_an_implementation_is_logged(
    model: nn.Module, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        TorchOptimizer("AdamW").build(model, registry=registry)
        TorchOptimizer("Adamax").build(model, registry=registry)
    assert [record.getMessage() for record in caplog.records] == [
        "optim_cls.AdamW: fused implementation",
        "optim_cls.Adamax: torch's default implementation",
    ]


def test_every_parameter_is_in_exactly_one_group(model: nn.Module, registry: Registry) -> None:
    groups = [{"match": "re:bias$", "weight_decay": 0.0}, {"match": "encoder.*", "lr": 1e-5}]
    built = TorchOptimizer("AdamW", kwargs={"lr": 1e-3}, param_groups=groups).build(model, registry=registry)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = [[names[id(parameter)] for parameter in group["params"]] for group in built.param_groups]
    assert found == [
        ["encoder.0.bias", "encoder.1.bias", "head.bias", "old.bias"],
        ["encoder.0.weight", "encoder.1.weight"],
        ["head.weight", "old.weight"],
    ]
    assert [(group["lr"], group["weight_decay"]) for group in built.param_groups] == [
        (1e-3, 0.0), (1e-5, 1e-2), (1e-3, 1e-2),
    ]  # fmt: skip


def test_a_frozen_group_is_not_trained(model: nn.Module, registry: Registry) -> None:
    model["old"].weight.requires_grad_(False)  # type: ignore[index,union-attr,operator]
    before = [parameter.detach().clone() for parameter in model.parameters()]
    factory = TorchOptimizer("SGD", kwargs={"lr": 0.1}, param_groups=[{"match": "encoder.*", "freeze": True}])
    after = train(model, factory.build(model, registry=registry))
    same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [True, True, True, True, False, False, True, False]
    assert not any(parameter.requires_grad for parameter in model["encoder"].parameters())  # type: ignore[index,union-attr]


def test_a_group_may_be_frozen_before_the_optimizer_is_built(model: nn.Module, registry: Registry) -> None:
    factory = TorchOptimizer(
        "SGD", param_groups=[{"match": "encoder.*", "freeze": True}, {"match": "head.*", "lr": 1.0}]
    )
    factory.freeze(model)
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == [
        "encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "encoder.1.bias",
    ]  # fmt: skip
    assert [len(group["params"]) for group in factory.build(model, registry=registry).param_groups] == [2, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"type": "AdamX"}, "no component 'optim_cls.AdamX'.*did you mean 'optim_cls.Adam"),
        ({"type": "AdamW", "kwargs": {"learning_rate": 1}}, "AdamW: no argument 'learning_rate'.*allowed: lr, "),
        ({"type": "AdamW", "kwargs": {"wieght_decay": 1}}, "did you mean 'weight_decay'"),
        ({"type": "AdamW", "kwargs": {"lr": -1.0}}, "optim_cls.AdamW: Invalid learning rate: -1.0"),
        ({"type": "Muon"}, "optim_cls.Muon: Muon only supports 2D parameters"),
        ({"param_groups": [{"match": "encodr.*"}]}, r"\[0\] \('encodr.\*'\) matches no trainable parameter"),
        ({"param_groups": [{"match": "head.wieght"}]}, "did you mean 'head.weight'"),
        ({"param_groups": [{"match": "*"}, {"match": "head.*"}]}, "taken by groups before it: head.weight, head.bias"),
        (
            {"param_groups": [{"match": "*", "weightdecay": 1}]},
            r"\[0\] \('\*'\): no argument 'weightdecay'; did you mean 'weight_decay'",
        ),
        ({"param_groups": [{"lr": 1}]}, r"param_groups\[0\] needs 'match'"),
        ({"param_groups": [{"match": "re:("}]}, "is no regular expression"),
        ({"param_groups": [{"match": "*", "freeze": True}]}, "has no parameter to train"),
    ],
)
def test_what_does_not_fit_is_named(
    arguments: dict[str, Any], message: str, model: nn.Module, registry: Registry
) -> None:
    with pytest.raises(ComponentError, match=message):
        TorchOptimizer(**{"type": "AdamW", **arguments}).build(model, registry=registry)
