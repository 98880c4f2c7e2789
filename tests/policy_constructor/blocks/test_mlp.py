"""The multilayer perceptron beside the same layers written by hand."""

import pytest
import torch
from torch import nn

from ot_policy_constructor.blocks.mlp import MLP


@pytest.mark.parametrize(
    ("arguments", "by_hand"),
    [
        ({}, [nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)]),
        (
            {"activation": "GELU", "norm": "LayerNorm", "output_activation": "Tanh"},
            [nn.Linear(3, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2), nn.Tanh()],
        ),
        (
            {"norm": "BatchNorm1d", "dropout": 0.5, "bias": False},
            [nn.Linear(3, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2, bias=False)],
        ),
    ],
)
def test_an_mlp_is_its_layers_one_after_the_other(arguments, by_hand):
    expected = nn.Sequential(*by_hand)
    model = MLP([3, 8, 2], **arguments)
    assert [type(layer) for layer in model] == [type(layer) for layer in expected]
    model.load_state_dict(expected.state_dict())
    x = torch.randn(5, 3)
    outputs = []
    for network in (model, expected):
        torch.manual_seed(0)
        outputs.append(network(x))
    torch.testing.assert_close(*outputs, rtol=0, atol=0)


def test_an_mlp_works_on_the_last_dimension():
    assert MLP([3, 8, 2])(torch.zeros(5, 7, 3)).shape == (5, 7, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dims": [3]}, "'dims' is"),
        ({"dims": [3, None, 2]}, "only the input may be null"),
        ({"dims": [3, 8, 2], "activation": "Relu"}, "no activation 'Relu', did you mean ReLU"),
        ({"dims": [3, 8, 2], "norm": "layernorm"}, "did you mean LayerNorm"),
    ],
)
def test_what_cannot_be_an_mlp_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLP(**arguments)
