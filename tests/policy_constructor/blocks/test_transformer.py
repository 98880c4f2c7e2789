"""Encoder and decoder beside torch's, with the same weights."""

import pytest
import torch
from torch import nn

from ot_policy_constructor.blocks.transformer import TransformerDecoder, TransformerEncoder

BATCH, LENGTH, COUNT, DIM, HEADS, DEPTH = 4, 7, 5, 24, 3, 3
PADDING = torch.arange(LENGTH) >= torch.tensor([7, 5, 1, 3])[:, None]
TOKENS_PADDING = torch.arange(COUNT) >= torch.tensor([2, 5, 4, 1])[:, None]

every_kind = pytest.mark.parametrize(
    ("norm_first", "causal", "padded"),
    [(first, causal, padded) for first in (True, False) for causal in (True, False) for padded in (True, False)],
)


@pytest.fixture
def x():
    return torch.randn(BATCH, LENGTH, DIM)


@pytest.fixture
def tokens():
    return torch.randn(BATCH, COUNT, DIM)


def layer_of_torch(kind, norm_first, activation="gelu"):
    return kind(DIM, HEADS, 4 * DIM, 0.0, activation, batch_first=True, norm_first=norm_first)


def final_norm(norm_first):
    return nn.LayerNorm(DIM) if norm_first else None


def hidden(causal):
    return torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1) if causal else None


@every_kind
def test_an_encoder_is_that_of_torch(shaken, x, norm_first, causal, padded):
    encoder = shaken(TransformerEncoder(DIM, DEPTH, HEADS, norm_first=norm_first, causal=causal))
    layer = layer_of_torch(nn.TransformerEncoderLayer, norm_first)
    reference = nn.TransformerEncoder(layer, DEPTH, final_norm(norm_first), enable_nested_tensor=False)
    reference.load_state_dict(encoder.state_dict())
    mask = PADDING if padded else None
    expected = reference(x, hidden(causal), mask)
    torch.testing.assert_close(encoder(x, mask), expected, rtol=0, atol=1e-6)


@every_kind
def test_a_decoder_is_that_of_torch(shaken, x, tokens, norm_first, causal, padded):
    decoder = shaken(TransformerDecoder(DIM, DEPTH, HEADS, norm_first=norm_first, causal=causal))
    reference = nn.TransformerDecoder(
        layer_of_torch(nn.TransformerDecoderLayer, norm_first), DEPTH, final_norm(norm_first)
    )
    reference.load_state_dict(decoder.state_dict())
    masks = (PADDING, TOKENS_PADDING) if padded else (None, None)
    expected = reference(x, tokens, hidden(causal), tgt_key_padding_mask=masks[0], memory_key_padding_mask=masks[1])
    torch.testing.assert_close(decoder(x, tokens, *masks), expected, rtol=0, atol=1e-6)


def test_the_activation_and_the_width_are_those_that_are_asked_for(shaken, x):
    encoder = shaken(TransformerEncoder(DIM, 1, HEADS, feedforward_dim=10, activation="ReLU"))
    layer = nn.TransformerEncoderLayer(DIM, HEADS, 10, 0.0, "relu", batch_first=True, norm_first=True)
    reference = nn.TransformerEncoder(layer, 1, nn.LayerNorm(DIM), enable_nested_tensor=False)
    reference.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(encoder(x), reference(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_only_a_causal_encoder_keeps_the_future_from_the_past(shaken, x, causal):
    encoder = shaken(TransformerEncoder(DIM, DEPTH, HEADS, causal=causal))
    other = torch.cat([x[:, :4], torch.randn(BATCH, LENGTH - 4, DIM)], 1)
    assert torch.equal(encoder(x)[:, :4], encoder(other)[:, :4]) == causal
    assert not torch.allclose(encoder(x)[:, 4:], encoder(other)[:, 4:])


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_sample_that_is_padding_throughout_gives_no_nan(shaken, x, tokens, norm_first):
    encoder = shaken(TransformerEncoder(DIM, DEPTH, HEADS, norm_first=norm_first))
    decoder = shaken(TransformerDecoder(DIM, DEPTH, HEADS, norm_first=norm_first))
    nothing, no_tokens = PADDING | (torch.arange(BATCH) == 1)[:, None], torch.ones(BATCH, COUNT, dtype=torch.bool)
    out = decoder(encoder(x, nothing), tokens, nothing, no_tokens)
    out.square().sum().backward()
    assert out.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in [*encoder.parameters(), *decoder.parameters()])
    torch.testing.assert_close(out[:1], decoder(encoder(x[:1]), tokens[:1] + 1, None, no_tokens[:1]))
