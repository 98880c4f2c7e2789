"""Linear layers side by side, in one batched product: what ensembles and mixtures of experts are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedParameter


class BatchedLinear(nn.Module):
    """`members` linear layers, each with an input of its own: `(E, N, in_features)` to `(E, N, out_features)`.

    `weight[e]` and `bias[e]` are the parameters of one `nn.Linear`, and are initialised as its are.
    """

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, out_features, in_features))
        self.bias = nn.Parameter(torch.empty(members, out_features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters from the uniform distribution within `1 / sqrt(in_features)`, as `nn.Linear` does."""
        bound = self.weight.shape[-1] ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight.mT)

    def first(self, x: Tensor) -> Tensor:
        """Return the first member's output alone: `(..., in_features)` to `(..., out_features)`."""
        return F.linear(x, self.weight[0], self.bias[0])


class _LazyBatchedLinear(LazyModuleMixin, BatchedLinear):  # type: ignore[misc]
    """Takes `in_features` from the first batch, and is a `BatchedLinear` from then on."""

    cls_to_become = BatchedLinear  # type: ignore[assignment]

    def __init__(self, members: int, out_features: int) -> None:
        super().__init__(members, 0, out_features)
        self.weight = UninitializedParameter()

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.weight.shape[-1]:
            super().reset_parameters()

    def initialize_parameters(self, x: Tensor) -> None:
        if self.has_uninitialized_params():
            with torch.no_grad():
                self.weight.materialize((*self.bias.shape, x.shape[-1]))
                self.reset_parameters()


def batched_linear(members: int, in_features: int | None, out_features: int) -> BatchedLinear:
    """Return the layers; null for `in_features` takes it from the first batch."""
    if in_features is None:
        return _LazyBatchedLinear(members, out_features)
    return BatchedLinear(members, in_features, out_features)
