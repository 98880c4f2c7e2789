"""Null for an input dimension: the same layer, with the dimension of the first batch."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from offline_trainer_core import ConfigError
from ot_policy_constructor.frontends import sequential
from ot_policy_constructor.lazy import LAZY_FORMS

IMAGE, SIGNAL, VOLUME, VECTOR = (2, 3, 8, 8), (2, 3, 8), (2, 3, 4, 8, 8), (2, 3)


def chain(layer):
    return {"inputs": ["x"], "layers": [layer]}


@pytest.mark.parametrize(
    ("layer", "dimension", "shape"),
    [
        ({"_type_": "nn.Linear", "out_features": 4}, "in_features", VECTOR),
        ({"_type_": "nn.Conv1d", "out_channels": 4, "kernel_size": 3}, "in_channels", SIGNAL),
        ({"_type_": "nn.Conv2d", "out_channels": 4, "kernel_size": 3, "stride": 2}, "in_channels", IMAGE),
        ({"_type_": "nn.Conv3d", "out_channels": 4, "kernel_size": 3}, "in_channels", VOLUME),
        ({"_type_": "nn.ConvTranspose2d", "out_channels": 4, "kernel_size": 3}, "in_channels", IMAGE),
        ({"_type_": "nn.BatchNorm1d"}, "num_features", VECTOR),
        ({"_type_": "nn.BatchNorm2d", "momentum": 0.5}, "num_features", IMAGE),
        ({"_type_": "nn.InstanceNorm2d", "affine": True}, "num_features", IMAGE),
        ({"_type_": "block.conv_bn_act", "out_channels": 4}, "in_channels", IMAGE),
        ({"_type_": "block.residual_block", "out_channels": 4}, "in_channels", IMAGE),
    ],
)
def test_a_lazy_layer_becomes_the_layer_that_the_batch_asks_for(registry, layer, dimension, shape):
    lazy = sequential(chain(layer | {dimension: None}), registry=registry)
    exact = sequential(chain(layer | {dimension: 3}), registry=registry)
    assert any(is_lazy(tensor) for tensor in [*lazy.parameters(), *lazy.buffers()])
    x = torch.randn(shape)
    lazy(x)
    assert {k: v.shape for k, v in lazy.state_dict().items()} == {k: v.shape for k, v in exact.state_dict().items()}
    assert type(getattr(lazy, "0")) is type(getattr(exact, "0"))
    exact.load_state_dict(lazy.state_dict())
    torch.testing.assert_close(lazy(x), exact(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    "layer",
    [
        {"_type_": "nn.Linear", "_args_": [None, 4]},
        {"_type_": "nn.Linear", "_args_": [None], "out_features": 4},
        {"_type_": "nn.Linear", "_kwargs_": {"in_features": None, "out_features": 4}},
        {"_type_": "block.mlp", "dims": [None, 4]},
    ],
)
def test_null_is_understood_wherever_the_dimension_is_written(registry, layer):
    model = sequential(chain(layer), registry=registry)
    assert model(torch.randn(5, 7)).shape == (5, 4)


def test_a_lazy_layer_may_be_inside_another_component(own_registry):
    class Twice(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = nn.ModuleList(layers)

        def forward(self, x):
            return sum(layer(x) for layer in self.layers)

    own_registry.register_module("block.local.twice", Twice)
    layer = {"_type_": "nn.Linear", "in_features": None, "out_features": 4}
    model = sequential(chain({"_type_": "block.local.twice", "layers": [layer, layer]}), registry=own_registry)
    assert model(torch.randn(5, 7)).shape == (5, 4)
    assert model.state_dict()["0.layers.1.weight"].shape == (4, 7)


def pickled(model):
    return pickle.loads(pickle.dumps(model))  # noqa: S301 - bytes of our own


@pytest.mark.parametrize("twin", [copy.deepcopy, pickled])
def test_a_lazy_model_can_be_copied_before_it_has_seen_a_batch(registry, twin):
    layer = {"_type_": "nn.Linear", "in_features": None, "out_features": 4}
    model = twin(sequential(chain(layer), registry=registry))
    assert model(torch.randn(5, 7)).shape == (5, 4)


@pytest.mark.parametrize(
    ("layer", "argument"),
    [
        ({"_type_": "nn.LayerNorm", "normalized_shape": None}, "normalized_shape"),
        ({"_type_": "nn.GRU", "input_size": None, "hidden_size": 4}, "input_size"),
        ({"_type_": "nn.Embedding", "_args_": [None, 4]}, "num_embeddings"),
        ({"_type_": "nn.Linear", "in_features": 3, "out_features": None}, "out_features"),
    ],
)
def test_null_where_there_is_no_lazy_form_is_an_error(registry, layer, argument):
    with pytest.raises(ConfigError) as caught:
        sequential(chain(layer), registry=registry)
    (problem,) = caught.value.problems
    assert (problem.code, problem.config_path) == ("not-lazy", f"model.sequential.layers[0].{argument}")


def test_null_for_what_may_be_null_stays_null(registry):
    model = sequential(chain({"_type_": "nn.AvgPool2d", "kernel_size": 2, "stride": None}), registry=registry)
    assert model(torch.zeros(1, 1, 4, 4)).shape == (1, 1, 2, 2)


def test_the_lazy_form_of_each_layer_lacks_just_its_first_argument(registry):
    from inspect import signature

    assert len(LAZY_FORMS) == 13
    for layer, key in LAZY_FORMS.items():
        lazy = registry.get_module(key).target
        assert list(signature(layer).parameters)[1:] == list(signature(lazy).parameters), key
