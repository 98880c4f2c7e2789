"""Gaussian heads beside the distributions of torch."""

import pytest
import torch
from torch import distributions as D

from ot_policy_constructor.blocks.heads.gaussian import GaussianHead, TanhGaussianHead

FEATURES = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
ACTIONS = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(1)) * 1.98 - 0.99


def distribution_of(head, parameters):
    normal = D.Normal(parameters["mean"], parameters["log_std"].exp())
    if isinstance(head, GaussianHead):
        return normal
    return D.TransformedDistribution(normal, [D.TanhTransform(cache_size=1)])


@pytest.mark.parametrize("kind", [GaussianHead, TanhGaussianHead])
@pytest.mark.parametrize("log_std", ["state", "free"])
def test_densities_are_those_of_torch(kind, log_std):
    head = kind([3, 2], log_std=log_std)
    parameters = head(FEATURES)
    expected = distribution_of(head, parameters).log_prob(ACTIONS).sum(-1)
    torch.testing.assert_close(head.log_prob(parameters, ACTIONS), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [GaussianHead, TanhGaussianHead])
def test_samples_are_those_of_torch_from_the_same_noise(kind):
    head = kind([3, 2])
    parameters = head(FEATURES)
    noise = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(7))
    torch.manual_seed(7)
    expected = distribution_of(head, parameters).rsample()
    torch.testing.assert_close(head.sample(parameters, noise), expected)
    torch.testing.assert_close(head.sample(parameters, torch.zeros(4, 3, 2)), head.mode(parameters))


@pytest.mark.parametrize("kind", [GaussianHead, TanhGaussianHead])
def test_samples_pass_gradients_to_mean_and_deviation(kind):
    head = kind([2])
    head(FEATURES)
    head.sample(head(FEATURES), torch.ones(4, 2)).sum().backward()
    assert all(parameter.grad.any() for parameter in head.parameters())


def test_a_free_deviation_is_the_same_for_all_observations():
    head = GaussianHead([3, 2], log_std="free")
    head.log_std.data = torch.linspace(-1, 1, 6).view(3, 2)
    assert torch.equal(head(FEATURES)["log_std"], head.log_std.expand(4, 3, 2))
    spread = GaussianHead([3, 2])(FEATURES)["log_std"]
    assert not torch.equal(spread[0], spread[1])


def test_the_log_deviation_stays_within_its_bounds():
    head = GaussianHead([2], log_std_bounds=(-0.1, 0.2))
    log_std = head(100 * FEATURES)["log_std"]
    torch.testing.assert_close(torch.stack([log_std.min(), log_std.max()]), torch.tensor([-0.1, 0.2]))
    with pytest.raises(ValueError, match="lowest, highest"):
        GaussianHead([2], log_std_bounds=(1.0, 0.0))


def test_the_correction_for_the_tanh_is_exact_where_the_plain_formula_is_infinite():
    head = TanhGaussianHead([1])
    raw = torch.tensor([[0.0], [3.0], [7.0]])
    parameters = {"mean": raw, "log_std": torch.zeros(3, 1)}
    exact = torch.log(1 - raw.double().tanh().square())
    expected = D.Normal(0.0, 1.0).log_prob(torch.zeros(())) - exact.squeeze(1)
    found = head.log_prob(parameters, raw.tanh()).double()
    torch.testing.assert_close(found, expected.double(), rtol=0.02, atol=1e-6)


def test_actions_at_the_border_have_a_finite_density_with_finite_gradients():
    head = TanhGaussianHead([2])
    parameters = head(FEATURES)
    head.log_prob(parameters, torch.tensor([[1.0, -1.0]]).expand(4, 2)).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


@pytest.mark.parametrize("kind", [GaussianHead, TanhGaussianHead])
def test_maximum_likelihood_finds_the_distribution_of_the_actions(kind):
    torch.manual_seed(0)
    head = kind([1], log_std="free")
    true = {"mean": torch.full((4096, 1), 0.3), "log_std": torch.full((4096, 1), -1.2)}
    actions = head.sample(true, torch.randn(4096, 1))
    features = torch.ones(4096, 1)
    head(features)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        (-head.log_prob(head(features), actions).mean()).backward()
        optimizer.step()
    found = head(features[:1])
    torch.testing.assert_close(found["mean"], torch.tensor([[0.3]]), rtol=0, atol=0.02)
    torch.testing.assert_close(found["log_std"], torch.tensor([[-1.2]]), rtol=0, atol=0.03)


def test_parameters_are_float32_under_autocast():
    head = TanhGaussianHead([2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        parameters = head(FEATURES)
    assert {value.dtype for value in parameters.values()} == {torch.float32}
