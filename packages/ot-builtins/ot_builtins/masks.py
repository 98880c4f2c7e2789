"""Masks of padding: what of a batch does not count."""

from __future__ import annotations

from torch import Tensor

from offline_trainer_core.errors import DataError

__all__ = ["counted"]


def counted(padding: Tensor, values: Tensor, role: str) -> Tensor:
    """Return which elements of `values` `(B, T, ...)` count, given `padding` `(B,)` or `(B, T)`, True for what does
    not.

    Raises `DataError` that begins with `role` where the shapes do not fit.
    """
    if values.shape[: padding.ndim] != padding.shape:
        raise DataError(
            f"{role}: the mask is {tuple(padding.shape)}, which are not the first dimensions of {tuple(values.shape)}"
        )
    return (~padding.bool()).view(*padding.shape, *(1,) * (values.ndim - padding.ndim)).expand_as(values)
