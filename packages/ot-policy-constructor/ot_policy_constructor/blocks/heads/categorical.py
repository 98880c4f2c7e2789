"""The head of policies that choose from bins: any distribution, in each dimension for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from offline_trainer_core import PositiveInt
from ot_policy_constructor.blocks.heads.inversion import draw
from ot_policy_constructor.blocks.heads.projection import check_action_shape, projection


class CategoricalHead(nn.Module):
    """A probability for each of `bins` equal intervals from `low` to `high`, in every dimension (RT-1, Brohan et al.
    2022; without the offsets of BeT, Shafiullah et al. 2022).

    Features `(..., D)` to `{logits: (..., *action_shape, bins)}`. `low` and `high` are numbers, or one for each
    dimension of an action, in the units of the policy, which are normalized ones: `min_max` goes from -1 to 1. An
    action outside belongs to the outermost bin; an action that comes out is the centre of its bin.
    Null for `in_features` takes it from the first batch. Raises `ValueError` on bounds that fit no action.
    """

    def __init__(
        self,
        action_shape: Sequence[PositiveInt],
        bins: PositiveInt = 256,
        low: float | Sequence[float] = -1.0,
        high: float | Sequence[float] = 1.0,
        in_features: PositiveInt | None = None,
    ) -> None:
        super().__init__()
        shape = check_action_shape(action_shape)
        self.logits = projection(in_features, (*shape, bins))
        self.bins = bins
        self.low: Tensor
        self.width: Tensor
        lowest, highest = _bound("low", low, shape[-1]), _bound("high", high, shape[-1])
        if not (lowest < highest).all():
            raise ValueError(f"'low' must be below 'high' in every dimension, not {low} and {high}")
        self.register_buffer("low", lowest, persistent=False)
        self.register_buffer("width", (highest - lowest) / bins, persistent=False)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Return the parameters."""
        return {"logits": self.logits(features).float()}

    def log_prob(self, parameters: Mapping[str, Tensor], actions: Tensor) -> Tensor:
        """Return the log-probability of each action's bins: `(..., T, A)` to `(..., T)`, `(..., A)` to `(...)`."""
        chosen = ((actions.float() - self.low) / self.width).floor().clamp(0, self.bins - 1).long()
        found = parameters["logits"].log_softmax(-1).gather(-1, chosen.unsqueeze(-1))
        return found.squeeze(-1).sum(-1)

    def mode(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the centres of the most probable bins."""
        return self._centre(parameters["logits"].argmax(-1))

    def sample(self, parameters: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Return the centres of the bins that standard normal noise of the action's shape stands for.

        Its distribution function makes uniform numbers of it, which tell bins by inverting theirs. No gradient.
        """
        return self._centre(draw(parameters["logits"], noise))

    def _centre(self, chosen: Tensor) -> Tensor:
        return self.low + (chosen + 0.5) * self.width


def _bound(name: str, value: float | Sequence[float], dimensions: int) -> Tensor:
    bound = torch.as_tensor(value, dtype=torch.float32)
    if bound.ndim and bound.shape != (dimensions,):
        raise ValueError(f"'{name}' is a number or {dimensions} of them, one for each dimension, not {value}")
    return bound.expand(dimensions).clone()
