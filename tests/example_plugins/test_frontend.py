from __future__ import annotations

import pytest
import torch
from torch import nn

from offline_trainer_core import Registry
from ot_example_plugins.frontend import widths


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.register_module("nn.Tanh", nn.Tanh)
    registry.register_module("nn.ReLU", nn.ReLU)
    return registry


def test_it_builds_linear_layers_with_an_activation_between_them(registry: Registry) -> None:
    model = widths({"sizes": [3, 8, 4, 1], "activation": "Tanh"}, registry=registry)
    kinds = [type(layer) for layer in model]
    assert kinds == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]
    assert model(torch.zeros(5, 3)).shape == (5, 1)


def test_the_activation_is_relu_unless_it_is_named(registry: Registry) -> None:
    assert isinstance(widths({"sizes": [3, 8, 1]}, registry=registry)[1], nn.ReLU)
