"""Layers that are told the time, beside the formulas of their papers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ot_policy_constructor.blocks.time_conditioning import AdaptiveStack, TimeTokenStack

BATCH, LENGTH, COUNT, DIM, HEADS, DEPTH = 3, 5, 4, 16, 4, 2
ARGUMENTS = (DIM, DEPTH, HEADS, 4 * DIM, 0.0, "GELU")


@pytest.fixture
def x():
    return torch.randn(BATCH, LENGTH, DIM)


@pytest.fixture
def time():
    return torch.randn(BATCH, DIM)


@pytest.fixture
def tokens():
    return torch.randn(BATCH, COUNT, DIM)


@pytest.fixture
def padding_mask():
    return torch.arange(COUNT) >= torch.tensor([4, 1, 2])[:, None]


def attention_of_torch(ours):
    module = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    module.load_state_dict(ours.state_dict())
    return lambda *args, **kwargs: module(*args, **kwargs)[0]


def normalized(x):
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-6).sqrt()


def layer_by_hand(layer, x, time, tokens, padding_mask):
    """The DiT block: every branch is `x + gate * branch((1 + scale) * norm(x) + shift)`."""
    self_attention, cross_attention = map(attention_of_torch, (layer.self_attention, layer.cross_attention))
    branches = [
        lambda h: self_attention(h, h, h),
        lambda h: cross_attention(h, tokens, tokens, key_padding_mask=padding_mask),
        layer.feed_forward,
    ]
    parts = F.linear(F.silu(time), layer.modulation.weight, layer.modulation.bias)[:, None].split(DIM, -1)
    for index, branch in enumerate(branches):
        shift, scale, gate = parts[3 * index : 3 * index + 3]
        x = x + gate * branch((1 + scale) * normalized(x) + shift)
    return x


def test_an_adaptive_stack_is_made_of_dit_blocks(shaken, x, time, tokens, padding_mask):
    stack = shaken(AdaptiveStack(*ARGUMENTS, False, cross_attention=True))
    expected = x
    for layer in stack.layers:
        expected = layer_by_hand(layer, expected, time, tokens, padding_mask)
    shift, scale = stack.modulation(F.silu(time))[:, None].split(DIM, -1)
    expected = (1 + scale) * normalized(expected) + shift
    torch.testing.assert_close(stack(x, time, tokens, padding_mask), expected, rtol=0, atol=1e-5)


def test_a_new_adaptive_layer_is_the_identity(x, time, tokens):
    (layer, _) = AdaptiveStack(*ARGUMENTS, False, cross_attention=True).layers
    torch.testing.assert_close(layer(x, time, tokens, None), x, rtol=0, atol=0)
    nn.init.ones_(layer.modulation.bias)
    assert not torch.allclose(layer(x, time, tokens, None), x)


@pytest.mark.parametrize("causal", [False, True])
def test_with_a_time_token_it_is_the_transformer_of_torch_over_a_longer_sequence(
    shaken, x, time, tokens, padding_mask, causal
):
    stack = shaken(TimeTokenStack(*ARGUMENTS, causal, cross_attention=True))
    layer = nn.TransformerDecoderLayer(DIM, HEADS, 4 * DIM, 0.0, "gelu", batch_first=True, norm_first=True)
    reference = nn.TransformerDecoder(layer, DEPTH, nn.LayerNorm(DIM))
    reference.load_state_dict(stack.state_dict())
    hidden = torch.ones(LENGTH + 1, LENGTH + 1, dtype=torch.bool).triu(1) if causal else None
    sequence = torch.cat([time[:, None], x], 1)
    expected = reference(sequence, tokens, hidden, memory_key_padding_mask=padding_mask)[:, 1:]
    torch.testing.assert_close(stack(x, time, tokens, padding_mask), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [AdaptiveStack, TimeTokenStack])
def test_without_cross_attention_there_are_no_weights_for_it(shaken, x, time, kind):
    with_tokens = kind(*ARGUMENTS, False, cross_attention=True)
    without = shaken(kind(*ARGUMENTS, False, cross_attention=False))
    count = sum(parameter.numel() for parameter in without.parameters())
    assert count < sum(parameter.numel() for parameter in with_tokens.parameters())
    assert without(x, time, None, None).shape == x.shape
