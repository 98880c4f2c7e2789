"""Sequential models beside `nn.Sequential`."""

import inspect

import pytest
import torch
from torch import nn

from ot_policy_constructor.frontends import sequential

CHAIN = {
    "inputs": ["obs"],
    "layers": [
        {"_type_": "nn.Linear", "in_features": 3, "out_features": 8},
        {"_type_": "nn.Tanh"},
        {"_type_": "nn.Linear", "_args_": [8, 2], "_kwargs_": {"bias": False}},
    ],
}


def test_a_chain_computes_what_nn_sequential_computes_and_names_its_weights_alike(registry):
    model = sequential(CHAIN, registry=registry)
    by_hand = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2, bias=False))
    assert list(model.state_dict()) == list(by_hand.state_dict())
    x = torch.randn(5, 3)
    assert not torch.equal(model(x), by_hand(x))
    by_hand.load_state_dict(model.state_dict())
    torch.testing.assert_close(model(x), by_hand(x), rtol=0, atol=0)
    assert torch.equal(model(obs=x), model(x))
    assert str(inspect.signature(model.forward)) == "(obs)"


def test_a_chain_may_return_a_tuple(registry):
    x = torch.randn(5, 3)
    model = sequential(CHAIN | {"return": "tuple"}, registry=registry)
    (only,) = model(x)
    assert only.shape == (5, 2)


def test_an_error_in_a_layer_names_the_layer(registry):
    with pytest.raises(RuntimeError) as caught:
        sequential(CHAIN, registry=registry)(torch.randn(5, 4))
    assert caught.value.__notes__ == [
        "in model.sequential.layers[0] 'obs_0' (module '0', nn.Linear), called with obs (5, 4) float32"
    ]
