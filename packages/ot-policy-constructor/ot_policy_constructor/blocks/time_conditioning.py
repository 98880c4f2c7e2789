"""Two ways to tell a stack of transformer layers the time: adaptive layer norms, and a token."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ot_policy_constructor.blocks.activation import Activation, make_activation
from ot_policy_constructor.blocks.attention import Attention
from ot_policy_constructor.blocks.transformer import TransformerLayer


class AdaptiveStack(nn.Module):
    """Layers with adaLN-zero (Peebles and Xie 2023), and the norm after them: `(B, T, dim)` to `(B, T, dim)`.

    `time (B, dim)` shifts and scales every normalized value, and gates what every branch adds.
    """

    def __init__(self, dim: int, depth: int, *arguments: Any, cross_attention: bool) -> None:
        super().__init__()
        layers = (AdaptiveLayer(dim, *arguments, cross_attention=cross_attention) for _ in range(depth))
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False)
        self.modulation = zero_linear(dim, 2 * dim)

    def forward(self, x: Tensor, time: Tensor, tokens: Tensor | None, tokens_padding_mask: Tensor | None) -> Tensor:
        """Return `x` in the light of itself, of `tokens (B, L, dim)` and of the time."""
        time = F.silu(time)
        for layer in self.layers:
            x = layer(x, time, tokens, tokens_padding_mask)
        shift, scale = self.modulation(time)[:, None].chunk(2, -1)
        out: Tensor = self.norm(x) * (1 + scale) + shift
        return out


class AdaptiveLayer(nn.Module):
    """Self-attention, cross-attention where there is some, and a feed-forward network, each modulated by the time.

    The gates are zero at first, so a new layer is the identity.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        feedforward_dim: int,
        dropout: float,
        activation: Activation,
        causal: bool,
        *,
        cross_attention: bool,
    ) -> None:
        super().__init__()
        self.causal = causal
        self.norm = nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False)
        self.self_attention = Attention(dim, heads, dropout)
        self.cross_attention = Attention(dim, heads, dropout) if cross_attention else None
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, feedforward_dim),
            make_activation(activation),
            nn.Dropout(dropout),
            nn.Linear(feedforward_dim, dim),
        )
        self.dropout = nn.Dropout(dropout)
        self.modulation = zero_linear(dim, (9 if cross_attention else 6) * dim)

    def forward(self, x: Tensor, time: Tensor, tokens: Tensor | None, tokens_padding_mask: Tensor | None) -> Tensor:
        """Map `x (B, T, dim)` to `(B, T, dim)`; a shift, a scale and a gate for every branch come from the time."""
        branches = self.modulation(time)[:, None].unflatten(-1, (-1, 3, x.shape[-1])).unbind(2)
        x = self._add(x, branches[0], self.self_attention, causal=self.causal)
        if self.cross_attention is not None:
            x = self._add(x, branches[1], self.cross_attention, tokens=tokens, padding_mask=tokens_padding_mask)
        return self._add(x, branches[-1], self.feed_forward)

    def _add(self, x: Tensor, modulation: Tensor, branch: Any, **arguments: Any) -> Tensor:
        shift, scale, gate = modulation.unbind(2)
        added: Tensor = self.dropout(branch(self.norm(x) * (1 + scale) + shift, **arguments))
        return x + gate * added


class TimeTokenStack(nn.Module):
    """Layers whose sequence begins with the time as a token (Bao et al. 2023): `(B, T, dim)` to `(B, T, dim)`."""

    def __init__(
        self,
        dim: int,
        depth: int,
        heads: int,
        feedforward_dim: int,
        dropout: float,
        activation: Activation,
        causal: bool,
        *,
        cross_attention: bool,
    ) -> None:
        super().__init__()
        arguments = (dim, heads, feedforward_dim, dropout, activation, True, causal)
        layers = (TransformerLayer(*arguments, cross_attention=cross_attention) for _ in range(depth))
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, time: Tensor, tokens: Tensor | None, tokens_padding_mask: Tensor | None) -> Tensor:
        """Return `x` in the light of itself, of `tokens (B, L, dim)` and of the time `(B, dim)`."""
        x = torch.cat([time[:, None], x], 1)
        for layer in self.layers:
            x = layer(x, tokens, tokens_padding_mask=tokens_padding_mask)
        out: Tensor = self.norm(x[:, 1:])
        return out


def zero_linear(in_features: int, out_features: int) -> nn.Linear:
    """Return a linear layer that answers zero until it has learned."""
    linear = nn.Linear(in_features, out_features)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
