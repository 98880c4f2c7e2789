"""The transformer that predicts a chunk of actions in flow matching and diffusion."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from offline_trainer_core import ComponentError, NonNegativeInt, PositiveInt, UnitInterval
from ot_policy_constructor.blocks.activation import Activation
from ot_policy_constructor.blocks.mlp import MLP
from ot_policy_constructor.blocks.positions import Positions
from ot_policy_constructor.blocks.time_conditioning import AdaptiveStack, TimeTokenStack, zero_linear
from ot_policy_constructor.blocks.time_embedding import TimeEmbedding

STACKS = {"adaln": AdaptiveStack, "token": TimeTokenStack}


class ActionTransformer(nn.Module):
    """Predicts the velocity, or the noise, of a chunk of noisy actions: `(B, T, action_dim)` to `(B, T, action_dim)`.

    Every action is a token with a learned position. It attends to all actions, with `causal` to itself and the earlier
    ones, and to `tokens (B, L, tokens_dim)`, what was observed. Null for `tokens_dim` takes it from the first batch; 0
    makes a network without tokens. The time is in [0, 1]; `time_conditioning` is `adaln`: it modulates every layer
    (adaLN-zero, Peebles and Xie 2023), or `token`: it is a token before the actions (Bao et al. 2023). Untrained, the
    network predicts zeros. Raises `ComponentError` on a chunk longer than `horizon`, and on tokens too many or none.
    """

    def __init__(
        self,
        action_dim: PositiveInt,
        horizon: PositiveInt,
        dim: PositiveInt = 256,
        depth: PositiveInt = 6,
        heads: PositiveInt = 8,
        tokens_dim: NonNegativeInt | None = None,
        time_conditioning: Literal["adaln", "token"] = "adaln",
        causal: bool = False,
        feedforward_dim: PositiveInt | None = None,
        dropout: UnitInterval = 0.0,
        activation: Activation = "GELU",
    ) -> None:
        super().__init__()
        self.action_projection = nn.Linear(action_dim, dim)
        self.positions = Positions(horizon, dim)
        self.time_network = nn.Sequential(TimeEmbedding(dim), MLP([dim, dim, dim], "SiLU"))
        self.tokens_projection = None if tokens_dim == 0 else _linear(tokens_dim, dim)
        self.dropout = nn.Dropout(dropout)
        arguments = (heads, feedforward_dim or 4 * dim, dropout, activation, causal)
        self.stack = STACKS[time_conditioning](dim, depth, *arguments, cross_attention=tokens_dim != 0)
        self.head = zero_linear(dim, action_dim)

    def forward(
        self,
        actions: Tensor,
        time: Tensor,
        tokens: Tensor | None = None,
        tokens_padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the prediction at `time (B,)`; `tokens_padding_mask (B, L)` is True where there is no token."""
        if self.tokens_projection is not None:
            if tokens is None:
                raise ComponentError("this action transformer needs 'tokens'; 'tokens_dim: 0' makes one without")
            tokens = self.tokens_projection(tokens)
        elif tokens is not None:
            raise ComponentError("this action transformer takes no 'tokens': its 'tokens_dim' is 0")
        x = self.dropout(self.positions(self.action_projection(actions)))
        out: Tensor = self.head(self.stack(x, self.time_network(time), tokens, tokens_padding_mask))
        return out


def _linear(in_features: int | None, out_features: int) -> nn.Module:
    return nn.LazyLinear(out_features) if in_features is None else nn.Linear(in_features, out_features)
