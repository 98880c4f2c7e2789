"""Ensembles of action-value functions beside as many networks of torch."""

import pytest
import torch
from torch import nn

from offline_trainer_core.networks.models import initialise
from ot_policy_constructor.blocks.ensemble import QEnsemble

OBSERVATION = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
ACTION = torch.randn(6, 2, generator=torch.Generator().manual_seed(1))


def separate(ensemble, activation=nn.ReLU):
    """Return the functions of an ensemble as networks of their own."""
    networks = []
    for member in range(ensemble.members):
        layers = []
        for stacked in ensemble.functions.layers:
            linear = nn.Linear(stacked.weight.shape[-1], stacked.weight.shape[-2])
            linear.load_state_dict({"weight": stacked.weight[member], "bias": stacked.bias[member]})
            layers += [linear, activation()]
        networks.append(nn.Sequential(*layers[:-1]))
    return networks


@pytest.mark.parametrize(("name", "activation"), [("ReLU", nn.ReLU), ("Tanh", nn.Tanh)])
def test_an_ensemble_is_its_functions_side_by_side(name, activation):
    ensemble = QEnsemble(4, hidden=[8, 7], in_features=5, activation=name)
    x = torch.cat([OBSERVATION, ACTION], -1)
    expected = torch.stack([network(x).squeeze(-1) for network in separate(ensemble, activation)])
    values = ensemble(OBSERVATION, ACTION)
    assert values.shape == (4, 6)
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(ensemble.first(OBSERVATION, ACTION), expected[0])
    assert not torch.allclose(values[1], values[0])


def test_its_gradients_are_those_of_the_functions_alone():
    ensemble = QEnsemble(3, hidden=[8], in_features=5)
    networks = separate(ensemble)
    targets = torch.randn(3, 6, generator=torch.Generator().manual_seed(2))
    (ensemble(OBSERVATION, ACTION) - targets).square().sum().backward()
    for member, network in enumerate(networks):
        values = network(torch.cat([OBSERVATION, ACTION], -1)).squeeze(-1)
        (values - targets[member]).square().sum().backward()
        for stacked, linear in zip(ensemble.functions.layers, network[::2], strict=True):
            torch.testing.assert_close(stacked.weight.grad[member], linear.weight.grad)
            torch.testing.assert_close(stacked.bias.grad[member], linear.bias.grad)


def test_each_function_is_initialised_as_linear_layers_are():
    torch.manual_seed(0)
    ensemble = QEnsemble(50, hidden=[64], in_features=100)
    linear = [nn.Linear(100, 64) for _ in range(50)]
    for name in ("weight", "bias"):
        mine = getattr(ensemble.functions.layers[0], name)
        theirs = torch.stack([getattr(layer, name) for layer in linear])
        assert mine.abs().max() <= 0.1
        torch.testing.assert_close(mine.var(), theirs.var(), rtol=0.05, atol=0)


def test_leading_dimensions_stay():
    ensemble = QEnsemble(2, hidden=[8])
    observation, action = OBSERVATION.view(2, 3, 3), ACTION.view(2, 3, 2)
    values = ensemble(observation, action)
    assert values.shape == (2, 2, 3)
    torch.testing.assert_close(values.flatten(1), ensemble(OBSERVATION, ACTION))
    assert ensemble.first(observation, action).shape == (2, 3)


def test_without_hidden_layers_a_function_is_linear():
    ensemble = QEnsemble(2, hidden=[], in_features=5)
    both = ensemble(OBSERVATION, ACTION) + ensemble(-OBSERVATION, -ACTION)
    torch.testing.assert_close(both, 2 * ensemble.functions.layers[0].bias.expand(-1, 6))


@pytest.mark.parametrize("name", ["orthogonal", "kaiming_normal", "xavier_normal"])
def test_an_initialisation_is_that_of_each_function_by_itself(name):
    ensemble, linear = QEnsemble(4, hidden=[200], in_features=100), nn.Linear(100, 200)
    initialise(ensemble, name)
    initialise(linear, name)
    for weight in ensemble.functions.layers[0].weight:
        torch.testing.assert_close(weight.std(), linear.weight.std(), rtol=0.05, atol=0)
        if name == "orthogonal":
            torch.testing.assert_close(weight.T @ weight, torch.eye(100), rtol=0, atol=1e-4)
    together = torch.nn.init.kaiming_normal_(torch.empty(4, 200, 100)).std()
    assert not torch.isclose(together, linear.weight.std(), rtol=0.2), "as one weight they would have other sizes"
