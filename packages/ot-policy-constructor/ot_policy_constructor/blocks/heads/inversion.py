"""Draws from finitely many choices by inverting their distribution function, with normal noise as the source."""

from __future__ import annotations

import torch
from torch import Tensor


def draw(logits: Tensor, noise: Tensor) -> Tensor:
    """Return a choice for each standard normal number: logits `(..., K)`, noise `(...)` to indices `(...)`."""
    return _invert(logits.softmax(-1).cumsum(-1), torch.special.ndtr(noise))


def draw_and_renew(logits: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return a choice, and noise that is standard normal again and independent of it.

    A uniform number tells a choice by the interval that it falls into; where it lies inside of the interval is uniform
    still, and not used up. In float64, whose digits suffice for both.
    """
    probabilities, uniform = logits.double().softmax(-1), torch.special.ndtr(noise.double())
    ends = probabilities.cumsum(-1)
    choice = _invert(ends, uniform)
    width, end = (values.gather(-1, choice.unsqueeze(-1)).squeeze(-1) for values in (probabilities, ends))
    inside = 1 - (end - uniform) / width
    edge = torch.finfo(inside.dtype).eps
    return choice, torch.special.ndtri(inside.clamp(edge, 1 - edge)).to(noise.dtype)


def _invert(ends: Tensor, uniform: Tensor) -> Tensor:
    """Return the number of the interval in which `uniform` falls, where each ends at `ends`."""
    return (uniform.unsqueeze(-1) > ends[..., :-1]).sum(-1)
