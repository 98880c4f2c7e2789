"""Mixtures of experts beside a loop over tokens and experts."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ot_policy_constructor.blocks.mixture_of_experts import MixtureOfExperts

TOKENS = torch.randn(2, 10, 5, generator=torch.Generator().manual_seed(0))


def one_by_one(block, x, capacity_factor=None):
    """Return what the papers say: each token by itself, its experts one after the other."""
    tokens = x.flatten(0, -2)
    probabilities = F.linear(tokens, block.router.weight).softmax(-1)
    experts = len(block.numbers)
    places = math.inf
    if capacity_factor is not None:
        places = math.ceil(capacity_factor * len(tokens) * block.top_k / experts)
    taken = [0] * experts
    output = torch.zeros(len(tokens), block.experts.layers[-1].weight.shape[-2])
    ranked = probabilities.argsort(-1, descending=True)[:, : block.top_k]
    for choice in range(block.top_k):
        for token in range(len(tokens)):
            expert = ranked[token, choice].item()
            taken[expert] += 1
            if taken[expert] <= places:
                among = probabilities[token, ranked[token]].sum() if block.top_k > 1 else 1
                gate = probabilities[token, expert] / among
                output[token] = output[token] + gate * member(block, expert)(tokens[token])
    return output.view(*x.shape[:-1], -1)


def member(block, expert):
    layers = []
    for stacked in block.experts.layers:
        linear = nn.Linear(stacked.weight.shape[-1], stacked.weight.shape[-2])
        linear.weight, linear.bias = nn.Parameter(stacked.weight[expert]), nn.Parameter(stacked.bias[expert])
        layers += [linear, nn.GELU()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("top_k", [1, 2, 4])
@pytest.mark.parametrize("training", [True, False])
def test_the_output_is_that_of_a_loop_over_experts(top_k, training):
    block = MixtureOfExperts([5, 8, 3], experts=4, top_k=top_k).train(training)
    torch.testing.assert_close(block(TOKENS)["output"], one_by_one(block, TOKENS))


@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.parametrize("capacity_factor", [0.3, 0.7, 1.0, 4.0])
def test_what_finds_no_place_adds_nothing(top_k, capacity_factor):
    block = MixtureOfExperts([5, 8, 3], experts=4, top_k=top_k, capacity_factor=capacity_factor)
    with_places, without = one_by_one(block, TOKENS, capacity_factor), one_by_one(block, TOKENS)
    torch.testing.assert_close(block(TOKENS)["output"], with_places)
    assert torch.equal(with_places, without) == (capacity_factor == 4.0)
    torch.testing.assert_close(block.eval()(TOKENS)["output"], without)


def test_with_places_enough_gradients_are_those_without_limits():
    limited = MixtureOfExperts([5, 8, 5], experts=4, capacity_factor=4.0)
    free = MixtureOfExperts([5, 8, 5], experts=4)
    free.load_state_dict(limited.state_dict())
    for block in (limited, free):
        sum(value.square().sum() for value in block(TOKENS).values()).backward()
    for mine, theirs in zip(limited.parameters(), free.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)
        assert mine.grad.any()


@pytest.mark.parametrize("top_k", [1, 2])
def test_the_losses_are_those_of_the_papers(top_k):
    block = MixtureOfExperts([5, 8, 3], experts=4, top_k=top_k)
    logits = F.linear(TOKENS.flatten(0, 1), block.router.weight)
    probabilities = logits.softmax(-1)
    fractions = torch.zeros(4)
    for row in probabilities:
        for expert in row.topk(top_k).indices:
            fractions[expert] += 1 / (top_k * len(probabilities))
    outputs = block(TOKENS)
    torch.testing.assert_close(outputs["load_balancing_loss"], 4 * (fractions * probabilities.mean(0)).sum())
    torch.testing.assert_close(outputs["router_z_loss"], logits.exp().sum(-1).log().square().mean())


def test_the_load_balancing_loss_is_one_in_balance_and_its_largest_where_one_expert_does_all():
    block = MixtureOfExperts([4, 3], experts=4, top_k=1)
    each = torch.eye(4)
    with torch.no_grad():
        block.router.weight.copy_(100 * torch.eye(4))
    torch.testing.assert_close(block(each)["load_balancing_loss"], torch.tensor(1.0))
    torch.testing.assert_close(block(each[:1].expand(4, 4))["load_balancing_loss"], torch.tensor(4.0))


def test_descending_the_load_balancing_loss_balances_the_load():
    torch.manual_seed(0)
    block = MixtureOfExperts([5, 3], experts=4, top_k=1)
    tokens = torch.randn(256, 5) + 2
    optimizer = torch.optim.Adam(block.router.parameters(), lr=0.01)
    before = block(tokens)["load_balancing_loss"].item()
    for _ in range(200):
        optimizer.zero_grad()
        block(tokens)["load_balancing_loss"].backward()
        optimizer.step()
    assert block(tokens)["load_balancing_loss"] < 1.05 < 1.3 < before


def test_the_router_works_in_float32_under_autocast():
    block = MixtureOfExperts([5, 8, 3], experts=4)
    exact = block(TOKENS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = block(TOKENS)
    assert torch.equal(mixed["router_z_loss"], exact["router_z_loss"])
    assert torch.equal(mixed["load_balancing_loss"], exact["load_balancing_loss"])
    assert mixed["output"].dtype == torch.bfloat16
    torch.testing.assert_close(mixed["output"].float(), exact["output"], rtol=0.05, atol=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dims": []}, "'dims' is"),
        ({"dims": [3, None]}, "only the input may be null"),
        ({"dims": [3, 2], "experts": 2, "top_k": 3}, "'top_k' is 3, and there are 2 experts"),
    ],
)
def test_what_cannot_be_a_mixture_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MixtureOfExperts(**arguments)
