"""What is held out for validation."""

from __future__ import annotations

import torch
from torch import Tensor

from offline_trainer_core.errors import DataError
from ot_builtins.data.order import generator_for

__all__ = ["hold_out"]


def hold_out(count: int, fraction: float, seed: int, what: str) -> tuple[Tensor, Tensor]:
    """Return the numbers (to train on, to validate on) of `count` rows or episodes, each in order.

    Which ones are held out is a function of `seed`; a fraction above 0 holds out at least one. Raises `DataError` for
    a fraction outside [0, 1), or if nothing is left to train on; `what` names the things in the message.
    """
    if not 0 <= fraction < 1:
        raise DataError(f"validation is {fraction}; as a fraction of the {what} it must be at least 0 and below 1")
    held = max(1, round(count * fraction)) if fraction else 0
    if held >= count:
        raise DataError(f"holding out {held} of {count} {what} for validation leaves none to train on")
    order = torch.randperm(count, generator=generator_for(seed, "validation"))
    return order[held:].sort().values, order[:held].sort().values
