"""The deterministic head beside the distributions whose likelihood its losses are."""

import pytest
import torch
from torch import distributions as D
from torch.nn import functional as F

from ot_policy_constructor.blocks.heads.deterministic import DeterministicHead

FEATURES = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
ACTIONS = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("loss", "distribution", "error"), [("mse", D.Normal, F.mse_loss), ("l1", D.Laplace, F.l1_loss)]
)
def test_maximum_likelihood_is_the_smallest_error(loss, distribution, error):
    head = DeterministicHead([3, 2], loss=loss)
    parameters = head(FEATURES)
    action = parameters["action"]
    found = head.log_prob(parameters, ACTIONS)
    torch.testing.assert_close(found, distribution(action, 1.0).log_prob(ACTIONS).sum(-1))
    scale = 0.5 if loss == "mse" else 1.0
    difference = found.sum() - head.log_prob(parameters, action).sum()
    torch.testing.assert_close(-difference, scale * error(action, ACTIONS, reduction="sum"))


def test_the_action_is_linear_in_the_features_and_needs_no_noise():
    head = DeterministicHead([3, 2], in_features=6)
    parameters = head(FEATURES)
    linear = head.action[0]
    expected = F.linear(FEATURES, linear.weight, linear.bias).view(4, 3, 2)
    torch.testing.assert_close(head.mode(parameters), expected)
    assert torch.equal(head.sample(parameters, torch.randn(4, 3, 2)), head.mode(parameters))


def test_leading_dimensions_stay():
    head = DeterministicHead([2])
    parameters = head(FEATURES.view(2, 2, 6))
    assert head.mode(parameters).shape == (2, 2, 2)
    assert head.log_prob(parameters, torch.zeros(2, 2, 2)).shape == (2, 2)


@pytest.mark.parametrize("shape", [[], [1, 2, 3]])
def test_a_shape_that_is_no_actions_is_refused(shape):
    with pytest.raises(ValueError, match="'action_shape' is"):
        DeterministicHead(shape)
