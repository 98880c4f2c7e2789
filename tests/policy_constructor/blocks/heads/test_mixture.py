"""The mixture head beside torch's distributions: densities, and what comes of normal noise."""

import pytest
import torch
from torch import distributions as D

from ot_policy_constructor.blocks.heads.mixture import MixtureHead

FEATURES = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
ACTIONS = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(1))


def distribution_of(parameters, steps=slice(None)):
    """Return the mixture over whole chunks, or over some of their steps."""
    mean, std = parameters["mean"][:, :, steps], parameters["log_std"][:, :, steps].exp()
    parts = D.Independent(D.Normal(mean, std), mean.ndim - 2)
    return D.MixtureSameFamily(D.Categorical(logits=parameters["logits"]), parts)


def test_the_density_of_an_action_is_that_of_torch():
    head = MixtureHead([2], components=4)
    parameters = head(FEATURES)
    expected = distribution_of(parameters).log_prob(ACTIONS[:, 0])
    torch.testing.assert_close(head.log_prob(parameters, ACTIONS[:, 0]), expected)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_densities_of_the_first_actions_of_a_chunk_add_up_to_theirs(steps):
    head = MixtureHead([3, 2], components=4)
    parameters = head(FEATURES)
    found = head.log_prob(parameters, ACTIONS)
    assert found.shape == (4, 3)
    expected = distribution_of(parameters, slice(steps)).log_prob(ACTIONS[:, :steps])
    torch.testing.assert_close(found[:, :steps].sum(-1), expected)


def test_what_stands_in_the_padding_does_not_matter_before_it():
    head = MixtureHead([3, 2])
    parameters, padded = head(FEATURES), ACTIONS.clone()
    padded[:, 2] = 100.0
    difference = head.log_prob(parameters, padded) - head.log_prob(parameters, ACTIONS)
    assert not difference[:, :2].any()
    assert difference[:, 2].all()


def fixed(head, rows):
    """Return parameters with three components of unequal weight."""
    return {
        "logits": torch.tensor([0.2, 0.5, 0.3]).log().expand(rows, 3),
        "mean": torch.tensor([-4.0, 0.0, 4.0]).view(3, 1, 1).expand(rows, 3, 2, 1),
        "log_std": torch.tensor([0.5, 0.3, 0.1]).log().view(3, 1, 1).expand(rows, 3, 2, 1),
    }


def test_samples_of_normal_noise_have_the_distribution_of_the_mixture():
    head, rows = MixtureHead([2, 1], components=3), 100_000
    parameters = fixed(head, rows)
    samples = head.sample(parameters, torch.randn(rows, 2, 1, generator=torch.Generator().manual_seed(0))).squeeze(-1)
    marginal = D.MixtureSameFamily(
        D.Categorical(logits=parameters["logits"][0]),
        D.Normal(parameters["mean"][0, :, 0, 0], parameters["log_std"][0, :, 0, 0].exp()),
    )
    points = torch.linspace(-6, 6, 49)
    for step in (0, 1):
        found = (samples[:, step, None] < points).float().mean(0)
        assert (found - marginal.cdf(points)).abs().max() < 0.006  # Kolmogorov-Smirnov: 1.36 / sqrt(rows) at 5 %
    near = samples[samples[:, 0] > 3]
    assert (near[:, 1] > 3).all(), "a chunk stays with its component"
    assert abs(torch.corrcoef(near.T)[0, 1]) < 0.03, "and its steps are independent within it"


def test_one_number_of_noise_is_enough_for_an_action_of_one_dimension():
    head = MixtureHead([1], components=3)
    parameters = {name: value[:, :, 0] if value.ndim == 4 else value for name, value in fixed(head, 100_000).items()}
    samples = head.sample(parameters, torch.randn(100_000, 1, generator=torch.Generator().manual_seed(0)))
    middle = samples[samples.abs() < 2]
    torch.testing.assert_close(middle.std(), torch.tensor(0.3), rtol=0, atol=0.01)
    torch.testing.assert_close((samples > 3).float().mean(), torch.tensor(0.3), rtol=0, atol=0.006)


def test_in_eval_mode_a_sample_is_the_mean_of_a_component_drawn_with_its_probability():
    head, rows = MixtureHead([2, 1], components=3).eval(), 20_000
    noise = torch.randn(rows, 2, 1, generator=torch.Generator().manual_seed(0))
    samples = head.sample(fixed(head, rows), noise).squeeze(-1)
    values, counts = samples.unique(dim=0, return_counts=True)
    assert values.tolist() == [[-4, -4], [0, 0], [4, 4]]
    torch.testing.assert_close(counts / rows, torch.tensor([0.2, 0.5, 0.3]), rtol=0, atol=0.015)
    noisy = MixtureHead([2, 1], components=3, low_noise_eval=False).eval()
    assert len(noisy.sample(fixed(noisy, rows), noise).unique(dim=0)) > rows / 2


def test_the_mode_is_the_mean_of_the_most_probable_component():
    head = MixtureHead([3, 2], components=4)
    parameters = head(FEATURES)
    best = parameters["logits"].argmax(-1)
    expected = torch.stack([parameters["mean"][row, best[row]] for row in range(4)])
    assert torch.equal(head.mode(parameters), expected)


def test_noise_far_out_gives_finite_actions():
    head = MixtureHead([2, 1], components=3)
    noise = torch.tensor([-40.0, -8.0, 8.0, 40.0]).view(4, 1, 1).expand(4, 2, 1)
    assert head.sample(fixed(head, 4), noise).isfinite().all()


def test_leading_dimensions_stay():
    head = MixtureHead([3, 2], components=4)
    features, actions = FEATURES.view(2, 2, 6), ACTIONS.view(2, 2, 3, 2)
    parameters, flat = head(features), head(FEATURES)
    torch.testing.assert_close(head.log_prob(parameters, actions).flatten(0, 1), head.log_prob(flat, ACTIONS))
    torch.testing.assert_close(head.sample(parameters, actions).flatten(0, 1), head.sample(flat, ACTIONS))
    torch.testing.assert_close(head.mode(parameters).flatten(0, 1), head.mode(flat))


def test_a_mixture_learns_two_ways_and_keeps_them_apart():
    torch.manual_seed(0)
    head = MixtureHead([4, 1], components=2)
    features = torch.ones(256, 1)
    sides = torch.where(torch.rand(256, 1, 1) < 0.25, -1.0, 1.0).expand(256, 4, 1)
    actions = sides + 0.05 * torch.randn(256, 4, 1)
    head(features)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        (-head.log_prob(head(features), actions).sum(-1).mean()).backward()
        optimizer.step()
    samples = head.eval().sample(head(features), torch.randn(256, 4, 1)).squeeze(-1)
    torch.testing.assert_close(samples.abs(), torch.ones(256, 4), rtol=0, atol=0.03)
    assert (samples.std(1) < 0.05).all()
    torch.testing.assert_close((samples[:, 0] < 0).float().mean(), (sides < 0).float().mean(), rtol=0, atol=0.08)
