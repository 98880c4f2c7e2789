"""Multilayer perceptrons side by side, in batched products: what ensembles and mixtures of experts are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedParameter

from ot_policy_constructor.blocks.activation import make_activation


class BatchedMLP(nn.Module):
    """`members` perceptrons with one activation, each with an input of its own: `(E, N, in)` to `(E, N, out)`.

    `dims` has the sizes of the input, of the hidden layers and of the output; null for the input takes it from the
    first batch. Raises `ValueError` on fewer than two sizes.
    """

    def __init__(self, members: int, dims: Sequence[int | None], activation: str) -> None:
        super().__init__()
        if len(dims) < 2 or any(size is None for size in dims[1:]):
            raise ValueError(f"'dims' is [input, hidden..., output], and only the input may be null, not {dims}")
        sizes = [size for size in dims[1:] if size is not None]
        first = LazyBatchedLinear(members, sizes[0]) if dims[0] is None else BatchedLinear(members, dims[0], sizes[0])
        self.layers = nn.ModuleList([first, *(BatchedLinear(members, i, o) for i, o in pairwise(sizes))])
        self.act = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        return self._through(BatchedLinear.__call__, x)

    def first(self, x: Tensor) -> Tensor:
        """Return the first member's output alone: `(..., in)` to `(..., out)`."""
        return self._through(BatchedLinear.first, x)

    def _through(self, apply: Callable[..., Tensor], x: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            x = self.act(apply(layer, x))
        return apply(last, x)


class BatchedLinear(nn.Module):
    """Linear layers side by side: `weight[e]` and `bias[e]` are those of one `nn.Linear`, and initialised alike."""

    side_by_side = True

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
        return F.linear(x, self.weight[0], self.bias[0])


class LazyBatchedLinear(LazyModuleMixin, BatchedLinear):
    """Takes `in_features` from the first batch, and is a `BatchedLinear` from then on."""

    cls_to_become = BatchedLinear
    weight: UninitializedParameter  # type: ignore[assignment]

    def __init__(self, members: int, out_features: int) -> None:
        super().__init__(members, 1, out_features)
        self.weight = UninitializedParameter()

    def initialize_parameters(self, x: Tensor) -> None:
        if self.has_uninitialized_params():
            with torch.no_grad():
                self.weight.materialize((*self.bias.shape, x.shape[-1]))
                self.reset_parameters()
