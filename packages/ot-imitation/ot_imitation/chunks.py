"""Chunks of actions: read from batches, compared, and averaged over what is no padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from offline_trainer_core import ComponentError, DataError
from ot_imitation.context import read_field

__all__ = ["actions_in", "masked_mean", "read_chunk", "seeded"]


def read_chunk(key: str, batch: Any, field: str, shape: tuple[int, ...] | None = None) -> tuple[Tensor, Tensor | None]:
    """Return the actions `(B, T, A)` of a batch, and which of them are padding, `(B, T)`, if the batch says so.

    Raises `DataError`, beginning with `key`, where the batch has no such field, or actions of another shape.
    """
    try:
        actions: Tensor = read_field(batch, field)
    except KeyError as error:
        raise DataError(f"{key}: action_field: {error.args[0]}") from None
    if shape is not None and tuple(actions.shape[1:]) != shape:
        raise DataError(
            f"{key}: action_shape is {list(shape)}, and '{field}' of a batch is {list(actions.shape[1:])} (without the "
            "batch): set action_shape, or the data's chunk, so that both agree"
        )
    try:
        return actions, read_field(batch, f"{field}_is_pad")
    except KeyError:
        return actions, None


def actions_in(key: str, output: Any, shape: tuple[int, ...] | None = None) -> Tensor:
    """Return what a network predicts for actions: its output, or what is named `actions` in it.

    Raises `ComponentError` where that is no tensor, or not `(B, *shape)`.
    """
    actions = output.get("actions") if isinstance(output, Mapping) else output
    if not isinstance(actions, Tensor):
        what = f"a mapping of {', '.join(map(str, output))}" if isinstance(output, Mapping) else type(output).__name__
        raise ComponentError(f"{key}: the network returns {what}; it must return a tensor, or a mapping with 'actions'")
    if shape is not None and tuple(actions.shape[1:]) != shape:
        raise ComponentError(
            f"{key}: the network returns shape {tuple(actions.shape)}; for these actions it must be "
            f"(B, {', '.join(map(str, shape))})"
        )
    return actions


def masked_mean(values: Tensor, padding: Tensor | None) -> Tensor:
    """Return the mean of `values` `(B, ...)` where `padding`, of their first dimensions, is False."""
    if padding is None:
        return values.mean()
    if values.shape[: padding.ndim] != padding.shape:
        raise DataError(f"the mask of padding is {tuple(padding.shape)}, and what it is for {tuple(values.shape)}")
    counts = (~padding.bool()).view(*padding.shape, *(1,) * (values.ndim - padding.ndim)).expand_as(values)
    return values.where(counts, 0.0).sum() / counts.sum().clamp(min=1)


def seeded(like: Tensor) -> torch.Generator:
    """Return a generator on the device of `like` that draws the same every time: validation repeats itself."""
    return torch.Generator(like.device).manual_seed(0)
