"""Transformer encoder and decoder."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from offline_trainer_core import PositiveInt, UnitInterval
from ot_policy_constructor.blocks.activation import Activation, make_activation
from ot_policy_constructor.blocks.attention import Attention


class TransformerEncoder(nn.Module):
    """A stack of self-attention layers (Vaswani et al. 2017): `(B, L, dim)` to `(B, L, dim)`.

    `norm_first` normalizes the input of every branch, and the output of the stack (Xiong et al. 2020); without it every
    sum is normalized, as in the first paper. `causal` hides later tokens from earlier ones. `feedforward_dim` is
    `4 * dim` where it is null. Loads the weights of `nn.TransformerEncoder`. Raises `ValueError` where `dim` is not a
    multiple of `heads`.
    """

    def __init__(
        self,
        dim: PositiveInt,
        depth: PositiveInt,
        heads: PositiveInt = 8,
        feedforward_dim: PositiveInt | None = None,
        dropout: UnitInterval = 0.0,
        activation: Activation = "GELU",
        norm_first: bool = True,
        causal: bool = False,
    ) -> None:
        super().__init__()
        arguments = (dim, heads, feedforward_dim or 4 * dim, dropout, activation, norm_first, causal)
        self.layers = nn.ModuleList(TransformerLayer(*arguments, cross_attention=False) for _ in range(depth))
        self.norm = nn.LayerNorm(dim) if norm_first else nn.Identity()

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Return every token in the light of the others; `padding_mask (B, L)` is True where there is none."""
        for layer in self.layers:
            x = layer(x, padding_mask=padding_mask)
        out: Tensor = self.norm(x)
        return out


class TransformerDecoder(nn.Module):
    """A stack of self-attention and cross-attention layers (Vaswani et al. 2017): `(B, T, dim)` to `(B, T, dim)`.

    It looks at `tokens (B, L, dim)`, such as the output of an encoder. `causal` hides later places of the decoder's own
    sequence from earlier ones; the other arguments are those of `block.transformer_encoder`. Loads the weights of
    `nn.TransformerDecoder`. Raises `ValueError` where `dim` is not a multiple of `heads`.
    """

    def __init__(
        self,
        dim: PositiveInt,
        depth: PositiveInt,
        heads: PositiveInt = 8,
        feedforward_dim: PositiveInt | None = None,
        dropout: UnitInterval = 0.0,
        activation: Activation = "GELU",
        norm_first: bool = True,
        causal: bool = False,
    ) -> None:
        super().__init__()
        arguments = (dim, heads, feedforward_dim or 4 * dim, dropout, activation, norm_first, causal)
        self.layers = nn.ModuleList(TransformerLayer(*arguments, cross_attention=True) for _ in range(depth))
        self.norm = nn.LayerNorm(dim) if norm_first else nn.Identity()

    def forward(
        self,
        x: Tensor,
        tokens: Tensor,
        padding_mask: Tensor | None = None,
        tokens_padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Return `x` in the light of itself and of `tokens`; masks `(B, T)` and `(B, L)` are True where there is none.

        A sample whose tokens are padding throughout is decoded from `x` alone.
        """
        for layer in self.layers:
            x = layer(x, tokens, padding_mask, tokens_padding_mask)
        out: Tensor = self.norm(x)
        return out


class TransformerLayer(nn.Module):
    """One layer of either: self-attention, cross-attention where there is some, and a feed-forward network.

    Its parameters have the names that they have in `nn.TransformerEncoderLayer` and `nn.TransformerDecoderLayer`.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        feedforward_dim: int,
        dropout: float,
        activation: Activation,
        norm_first: bool,
        causal: bool,
        *,
        cross_attention: bool,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.causal = causal
        self.self_attn = Attention(dim, heads, dropout)
        self.multihead_attn = Attention(dim, heads, dropout) if cross_attention else None
        self.linear1 = nn.Linear(dim, feedforward_dim)
        self.linear2 = nn.Linear(feedforward_dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        if cross_attention:
            self.norm3 = nn.LayerNorm(dim)
        self.activation = make_activation(activation)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        tokens: Tensor | None = None,
        padding_mask: Tensor | None = None,
        tokens_padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Map `x (B, T, dim)`, and `tokens (B, L, dim)` where there is cross-attention, to `(B, T, dim)`."""
        x = self._add(x, self.norm1, self.self_attn, padding_mask=padding_mask, causal=self.causal)
        if self.multihead_attn is None:
            return self._add(x, self.norm2, self._feed_forward)
        x = self._add(x, self.norm2, self.multihead_attn, tokens=tokens, padding_mask=tokens_padding_mask)
        return self._add(x, self.norm3, self._feed_forward)

    def _add(self, x: Tensor, norm: nn.Module, branch: Any, **arguments: Any) -> Tensor:
        added: Tensor = self.dropout(branch(norm(x) if self.norm_first else x, **arguments))
        out: Tensor = x + added if self.norm_first else norm(x + added)
        return out

    def _feed_forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return out
