"""Multi-head attention, the part that all transformer blocks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017): `(B, L, dim)`, which looks at itself or at tokens, to `(B, L, dim)`.

    Parameters are named, shaped and initialised as in `nn.MultiheadAttention`, whose weights it loads. A query that may
    see no key, because all of them are padding, is given zeros before the output projection, where torch's module makes
    NaN. Raises `ValueError` where `dim` is not a multiple of `heads`.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"'dim' must be a multiple of 'heads', and {dim} is not one of {heads}")
        self.heads = heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(3 * dim, dim)))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, x: Tensor, tokens: Tensor | None = None, padding_mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Let `x` look at `tokens`, or at itself; `padding_mask` is True at the keys that nobody may see.

        `causal` hides from every query the keys behind its own place; it is for self-attention.
        """
        query, key, value = (self._split(part) for part in self._project(x, tokens))
        dropout = self.dropout if self.training else 0.0
        if padding_mask is None:
            seen = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=causal)
        else:
            visible = _visible_keys(padding_mask, causal)
            # A softmax over nothing is NaN: such a query looks at everything, and what it sees is thrown away.
            blind = ~visible.any(-1, keepdim=True)
            seen = F.scaled_dot_product_attention(query, key, value, attn_mask=visible | blind, dropout_p=dropout)
            seen = seen.masked_fill(blind, 0.0)
        out: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return out

    def _project(self, x: Tensor, tokens: Tensor | None) -> tuple[Tensor, ...]:
        if tokens is None:
            return F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        dim = x.shape[-1]
        query = F.linear(x, self.in_proj_weight[:dim], self.in_proj_bias[:dim])
        return query, *F.linear(tokens, self.in_proj_weight[dim:], self.in_proj_bias[dim:]).chunk(2, -1)

    def _split(self, x: Tensor) -> Tensor:
        """Return `(B, L, dim)` as `(B, heads, L, dim / heads)`."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


def _visible_keys(padding_mask: Tensor, causal: bool) -> Tensor:
    """Return which keys every query may see: `(B, 1, 1 or L, L)`."""
    visible = ~padding_mask[:, None, None, :]
    if not causal:
        return visible
    length = padding_mask.shape[1]
    return visible & torch.ones(length, length, dtype=torch.bool, device=padding_mask.device).tril()
