from __future__ import annotations

import torch
from torch import nn

from ot_offline_rl.networks import DeterministicActor, EnsembleLinear, TwinQ


def separate_networks(twin: TwinQ) -> list[nn.Sequential]:
    """Two plain networks with the twin's weights: the reference that the packed product must equal."""
    networks = []
    for member in range(2):
        layers: list[nn.Module] = []
        for packed in twin.layers:
            linear = nn.Linear(packed.weight.shape[2], packed.weight.shape[1])
            linear.weight.data, linear.bias.data = packed.weight.data[member], packed.bias.data[member, 0]
            layers += [linear, nn.ReLU()]
        networks.append(nn.Sequential(*layers[:-1]))
    return networks


def test_a_twin_q_equals_two_separate_networks_in_values_and_gradients() -> None:
    torch.manual_seed(0)
    twin, observation, action = TwinQ(3, 2, hidden=(8, 8)), torch.randn(5, 3), torch.randn(5, 2)
    q1, q2 = separate_networks(twin)
    inputs = torch.cat([observation, action], dim=-1)
    expected = torch.stack([q1(inputs).squeeze(-1), q2(inputs).squeeze(-1)])

    values = twin(observation, action)

    torch.testing.assert_close(values, expected)
    values.square().sum().backward()
    expected.square().sum().backward()
    for packed, first, second in zip(twin.layers, q1[::2], q2[::2], strict=True):
        torch.testing.assert_close(packed.weight.grad, torch.stack([first.weight.grad, second.weight.grad]))
        torch.testing.assert_close(packed.bias.grad[:, 0], torch.stack([first.bias.grad, second.bias.grad]))


def test_the_two_functions_of_a_twin_q_are_independent() -> None:
    torch.manual_seed(0)
    values = TwinQ(3, 2)(torch.randn(5, 3), torch.randn(5, 2))
    assert not torch.allclose(values[0], values[1])


def test_the_first_function_alone_is_the_first_of_both() -> None:
    torch.manual_seed(0)
    twin, observation, action = TwinQ(3, 2), torch.randn(5, 3), torch.randn(5, 2)
    torch.testing.assert_close(twin.first(observation, action), twin(observation, action)[0])


def test_an_ensemble_layer_is_initialised_as_linear_layers_are() -> None:
    torch.manual_seed(0)
    layer, linear = EnsembleLinear(50, 16, 32), nn.Linear(16, 32 * 50)
    torch.testing.assert_close(layer.weight.std(), linear.weight.std(), rtol=0.02, atol=0)
    assert layer.weight.abs().max() <= 16**-0.5
    assert layer.bias.abs().max() <= 16**-0.5


def test_an_actor_stays_within_its_limits_and_reaches_them() -> None:
    torch.manual_seed(0)
    actions = DeterministicActor(3, 2, hidden=(8,), max_action=2.0)(1e4 * torch.randn(64, 3))
    assert actions.shape == (64, 2)
    assert actions.abs().max() <= 2.0
    assert actions.abs().max() > 1.9


def test_the_papers_sizes_are_the_defaults() -> None:
    shapes = [tuple(layer.weight.shape) for layer in TwinQ(17, 6).layers]
    assert shapes == [(2, 256, 23), (2, 256, 256), (2, 1, 256)]
    linears = [m for m in DeterministicActor(17, 6).net if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linears] == [(17, 256), (256, 256), (256, 6)]
