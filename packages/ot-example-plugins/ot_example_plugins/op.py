"""An operation for graph models."""

from __future__ import annotations

from torch import Tensor


def film(x: Tensor, modulation: Tensor) -> Tensor:
    """Let a condition steer features: `x (B, C, ...)` scaled and shifted per channel by `modulation (B, 2C)`.

    A modulation of zero leaves x as it is. Source: Perez et al. 2018, "FiLM: Visual Reasoning with a General
    Conditioning Layer".
    """
    channels = modulation.shape[1] // 2
    per_channel = (-1, channels, *[1] * (x.ndim - 2))
    scale, shift = (part.reshape(per_channel) for part in modulation.chunk(2, dim=1))
    return x * (1 + scale) + shift
