"""Open dimensions of networks, filled from one real batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.networks import is_lazy
from offline_trainer_core.signature.parts import call_with_parts

__all__ = ["materialise"]


def materialise(
    models: Mapping[str, nn.Module], algorithm: Any, first_batch: Callable[[], Any], parts: Mapping[str, Any]
) -> None:
    """Give lazy parameters their shapes by running `algorithm.materialize` once on one real batch."""
    lazy = [name for name, model in models.items() if is_lazy(model)]
    if not lazy:
        return
    if not hasattr(algorithm, "materialize"):
        raise ComponentError(
            f"model {', '.join(map(repr, lazy))} has dimensions left open (null), and {type(algorithm).__name__} has "
            "no 'materialize' to fill them from a batch: write the dimensions out"
        )
    modes = {name: model.training for name, model in models.items()}
    with torch.no_grad():
        for model in models.values():
            model.eval()
        call_with_parts(algorithm.materialize, {**parts, "batch": first_batch()})
    for name, model in models.items():
        model.train(modes[name])
    still = [name for name in lazy if is_lazy(models[name])]
    if still:
        raise ComponentError(f"model {', '.join(map(repr, still))}: some dimensions are still open after one batch")
