"""Attention beside `nn.MultiheadAttention` with the same weights."""

import pytest
import torch
from torch import nn

from ot_policy_constructor.blocks.attention import Attention

BATCH, LENGTH, DIM, HEADS = 4, 7, 24, 3


@pytest.fixture
def attention(shaken):
    return shaken(Attention(DIM, HEADS))


@pytest.fixture
def reference(attention):
    module = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    module.load_state_dict(attention.state_dict())
    return module


@pytest.fixture
def x():
    return torch.randn(BATCH, LENGTH, DIM)


@pytest.fixture
def padding_mask():
    return torch.arange(LENGTH) >= torch.tensor([7, 5, 1, 3])[:, None]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_self_attention_is_that_of_torch(attention, reference, x, padding_mask, causal, padded):
    hidden = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1) if causal else None
    mask = padding_mask if padded else None
    expected, _ = reference(x, x, x, key_padding_mask=mask, attn_mask=hidden)
    torch.testing.assert_close(attention(x, padding_mask=mask, causal=causal), expected, rtol=0, atol=1e-6)


def test_cross_attention_is_that_of_torch(attention, reference, x, padding_mask):
    queries = torch.randn(BATCH, 2, DIM)
    expected, _ = reference(queries, x, x, key_padding_mask=padding_mask)
    torch.testing.assert_close(attention(queries, x, padding_mask), expected, rtol=0, atol=1e-6)


def test_what_a_mask_hides_does_not_matter_and_what_it_shows_does(attention, x, padding_mask):
    elsewhere = x + 100 * padding_mask[..., None]
    kept = attention(x[:, :1], x, padding_mask)
    torch.testing.assert_close(attention(x[:, :1], elsewhere, padding_mask), kept, rtol=0, atol=0)
    assert not torch.allclose(attention(x[:, :1], elsewhere), kept)


@pytest.mark.parametrize("causal", [False, True])
def test_a_query_that_sees_nothing_gets_only_the_bias_of_the_output(attention, reference, x, causal):
    x.requires_grad_()
    mask = torch.zeros(BATCH, LENGTH, dtype=torch.bool)
    mask[1] = True
    out = attention(x, padding_mask=mask, causal=causal)
    torch.testing.assert_close(out[1], attention.out_proj.bias.expand(LENGTH, DIM))
    out.square().sum().backward()
    assert x.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in attention.parameters())
    assert reference(x, x, x, key_padding_mask=mask)[0][1].isnan().all()


def test_under_a_causal_mask_padding_on_the_left_leaves_the_first_queries_blind(attention, x):
    mask = torch.arange(LENGTH).expand(BATCH, LENGTH) < 3
    out = attention(x, padding_mask=mask, causal=True)
    torch.testing.assert_close(out[:, :3], attention.out_proj.bias.expand(BATCH, 3, DIM))
    torch.testing.assert_close(out[:, 3:], attention(x[:, 3:], causal=True), rtol=0, atol=1e-6)


def test_heads_must_divide_the_dimension():
    with pytest.raises(ValueError, match="'dim' must be a multiple of 'heads', and 10 is not one of 4"):
        Attention(10, 4)
