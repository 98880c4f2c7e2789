"""Smaller batches of the same data: a policy need not compute a thousand samples to show its shapes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from offline_trainer_core import DataError
from offline_trainer_core.nest import leaves, map_leaves

__all__ = ["batch_size_of", "with_rows"]


def batch_size_of(batch: Any) -> int:
    """Return the first dimension of the first tensor of `batch`; raises `DataError` where no tensor has one."""
    for _, leaf in leaves(batch):
        if isinstance(leaf, Tensor) and leaf.ndim:
            return len(leaf)
    raise DataError("a batch has no tensor with a batch dimension")


def with_rows(batch: Any, count: int) -> Any:
    """Return `batch` with its first `count` samples, from the first again where it has fewer.

    What has one entry per sample is cut: tensors by their first dimension, and lists of texts.
    """
    size = batch_size_of(batch)
    rows = [row % size for row in range(count)]

    def cut(leaf: Any) -> Any:
        if isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == size:
            return leaf[torch.tensor(rows, device=leaf.device)]
        return leaf

    return _cut_lists(map_leaves(cut, batch), size, rows)


def _cut_lists(nest: Any, size: int, rows: list[int]) -> Any:
    if isinstance(nest, dict):
        return {key: _cut_lists(value, size, rows) for key, value in nest.items()}
    if type(nest) in (list, tuple) and len(nest) == size and all(isinstance(item, str) for item in nest):
        return type(nest)(nest[row] for row in rows)
    return nest
