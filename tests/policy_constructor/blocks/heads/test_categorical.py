"""The categorical head beside torch's distribution, and its bins beside their borders."""

import pytest
import torch
from torch import distributions as D

from ot_policy_constructor.blocks.heads.categorical import CategoricalHead

FEATURES = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
ACTIONS = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_probabilities_are_those_of_torch():
    head = CategoricalHead([3, 2], bins=10)
    parameters = head(FEATURES)
    borders = torch.linspace(-1, 1, 11)[1:-1]
    bins = torch.bucketize(ACTIONS, borders, right=True)
    expected = D.Categorical(logits=parameters["logits"]).log_prob(bins).sum(-1)
    torch.testing.assert_close(head.log_prob(parameters, ACTIONS), expected)


def test_bins_may_differ_between_dimensions():
    head = CategoricalHead([2], bins=4, low=[0, -10], high=[1, 10])
    certain = torch.full((1, 2, 4), -100.0)
    certain[0, 0, 1] = certain[0, 1, 3] = 100.0
    assert head.mode({"logits": certain}).tolist() == [[0.375, 7.5]]
    inside, outside = torch.tensor([[0.3, 6.0]]), torch.tensor([[0.3, 4.0]])
    assert head.log_prob({"logits": certain}, inside) == 0 > head.log_prob({"logits": certain}, outside)


def test_actions_beyond_the_bins_belong_to_the_outermost():
    head = CategoricalHead([1], bins=4)
    parameters = {"logits": torch.arange(4.0).expand(4, 1, 4)}
    found = head.log_prob(parameters, torch.tensor([[-5.0], [-1.0], [1.0], [5.0]]))
    expected = torch.arange(4.0).log_softmax(0)
    torch.testing.assert_close(found, expected[[0, 0, 3, 3]])


def test_samples_of_normal_noise_fall_into_bins_with_their_probabilities():
    head, rows = CategoricalHead([2], bins=5), 100_000
    probabilities = torch.tensor([[0.1, 0.4, 0.0, 0.3, 0.2], [0.5, 0.0, 0.0, 0.0, 0.5]])
    noise = torch.randn(rows, 2, generator=torch.Generator().manual_seed(0))
    samples = head.sample({"logits": probabilities.log().expand(rows, 2, 5)}, noise)
    bins = ((samples + 1) / 0.4).floor().long()
    for dimension in (0, 1):
        found = bins[:, dimension].bincount(minlength=5) / rows
        torch.testing.assert_close(found, probabilities[dimension], rtol=0, atol=0.006)
    assert set(samples.unique().tolist()) <= set(
        head.mode({"logits": 100 * torch.eye(5).unsqueeze(1)}).unique().tolist()
    )


def test_an_action_that_comes_out_belongs_to_the_bin_it_was_drawn_from():
    head = CategoricalHead([1], bins=256)
    everywhere = {"logits": 100 * torch.eye(256).unsqueeze(1)}
    torch.testing.assert_close(head.log_prob(everywhere, head.mode(everywhere)), torch.zeros(256))


def test_noise_far_out_is_drawn_from_the_outermost_bins():
    head = CategoricalHead([1], bins=4)
    samples = head.sample({"logits": torch.zeros(2, 1, 4)}, torch.tensor([[-40.0], [40.0]]))
    assert samples.flatten().tolist() == [-0.75, 0.75]


def test_leading_dimensions_stay():
    head = CategoricalHead([3, 2], bins=8)
    parameters, flat = head(FEATURES.view(2, 2, 6)), head(FEATURES)
    torch.testing.assert_close(
        head.log_prob(parameters, ACTIONS.view(2, 2, 3, 2)).flatten(0, 1), head.log_prob(flat, ACTIONS)
    )
    assert torch.equal(head.sample(parameters, ACTIONS.view(2, 2, 3, 2)).flatten(0, 1), head.sample(flat, ACTIONS))


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"low": [0.0, 0.0, 0.0]}, "'low' is a number or 2 of them"),
        ({"low": 1.0, "high": 1.0}, "'low' must be below 'high'"),
        ({"low": [0.0, 0.0], "high": [1.0, -1.0]}, "'low' must be below 'high'"),
    ],
)
def test_bounds_that_fit_no_action_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        CategoricalHead([3, 2], **bounds)
