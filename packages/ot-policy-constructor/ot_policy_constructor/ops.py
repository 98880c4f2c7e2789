"""The operations of graph models, `call: op:<name>`. Their defaults leave the batch, dimension 0, alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = [
    "add",
    "cat",
    "chunk",
    "clamp",
    "detach",
    "div",
    "expand",
    "flatten",
    "getitem",
    "identity",
    "matmul",
    "max",
    "mean",
    "mul",
    "neg",
    "permute",
    "relu",
    "reshape",
    "softmax",
    "split",
    "squeeze",
    "stack",
    "sub",
    "sum",
    "tanh",
    "transpose",
    "unsqueeze",
]

T = TypeVar("T")
Dims = int | list[int] | tuple[int, ...] | None
Tensors = list[Tensor] | tuple[Tensor, ...]


def add(a: Tensor | float, b: Tensor | float) -> Tensor | float:
    """Return `a + b`, broadcast."""
    return a + b


def sub(a: Tensor | float, b: Tensor | float) -> Tensor | float:
    """Return `a - b`, broadcast."""
    return a - b


def mul(a: Tensor | float, b: Tensor | float) -> Tensor | float:
    """Return `a * b`, element by element, broadcast."""
    return a * b


def div(a: Tensor | float, b: Tensor | float) -> Tensor | float:
    """Return `a / b`, element by element, broadcast."""
    return a / b


def neg(x: Tensor) -> Tensor:
    """Return `-x`."""
    return -x


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Return the matrix product of `(..., M, K)` and `(..., K, N)`: `(..., M, N)`."""
    return torch.matmul(a, b)


def getitem(value: Any, key: Any) -> Any:
    """Return `value[key]`: a part of a tuple or a mapping, or a slice along the batch of a tensor."""
    return value[key]


def cat(tensors: Tensors, dim: int = -1) -> Tensor:
    """Join tensors along `dim`, the last one by default: `(B, M)` and `(B, N)` give `(B, M + N)`."""
    return torch.cat(tensors, dim)


def stack(tensors: Tensors, dim: int = 1) -> Tensor:
    """Join tensors of one shape along a new dimension `dim`: two of `(B, D)` give `(B, 2, D)`."""
    return torch.stack(tensors, dim)


def identity(x: T) -> T:
    """Return `x`: a second name for a value."""
    return x


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return `x` in another shape; one size may be -1. The batch is a size too: `[-1, 4, 8]`."""
    return torch.reshape(x, shape)


def flatten(x: Tensor, start_dim: int = 1, end_dim: int = -1) -> Tensor:
    """Merge dimensions into one, all but the batch by default: `(B, C, H, W)` gives `(B, C * H * W)`."""
    return torch.flatten(x, start_dim, end_dim)


def squeeze(x: Tensor, dim: int) -> Tensor:
    """Drop the dimension `dim` if its size is 1."""
    return torch.squeeze(x, dim)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """Insert a dimension of size 1 at `dim`."""
    return torch.unsqueeze(x, dim)


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two dimensions."""
    return torch.transpose(x, dim0, dim1)


def permute(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Put the dimensions into the order `dims`."""
    return torch.permute(x, tuple(dims))


def expand(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Repeat dimensions of size 1 without a copy; -1 leaves a size as it is."""
    return x.expand(tuple(shape))


def split(x: Tensor, sizes: int | Sequence[int], dim: int = -1) -> tuple[Tensor, ...]:
    """Cut `x` into parts of the given sizes along `dim`, the last one by default."""
    return torch.split(x, sizes if isinstance(sizes, int) else list(sizes), dim)


def chunk(x: Tensor, chunks: int, dim: int = -1) -> tuple[Tensor, ...]:
    """Cut `x` into equal parts along `dim`, the last one by default: a mean and a log deviation, say."""
    return torch.chunk(x, chunks, dim)


def mean(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Return the mean over `dim`, or over everything."""
    return torch.mean(x, dim, keepdim)


def sum(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:  # noqa: A001 - named as in torch
    """Return the sum over `dim`, or over everything."""
    return torch.sum(x, dim, keepdim)


def max(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:  # noqa: A001 - named as in torch
    """Return the largest values over `dim`, or over everything, without their places."""
    return torch.amax(x, () if dim is None else dim, keepdim)


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Return `exp(x) / sum(exp(x))` along `dim`, the last one by default."""
    return torch.softmax(x, dim)


def relu(x: Tensor) -> Tensor:
    """Return `max(x, 0)`."""
    return torch.relu(x)


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    return torch.tanh(x)


def clamp(x: Tensor, min: float | None = None, max: float | None = None) -> Tensor:  # noqa: A002 - named as in torch
    """Bound every element from below and above."""
    return torch.clamp(x, min, max)


def detach(x: Tensor) -> Tensor:
    """Return `x` without its history: no gradient flows through it."""
    return x.detach()
