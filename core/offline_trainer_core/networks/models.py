"""Models on their way into a run: shapes from a real batch, initial weights, what is frozen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from offline_trainer_core.errors import CheckpointError, ComponentError

__all__ = ["INITIALISATIONS", "ModelOptions", "freeze", "initialise", "is_lazy", "load_weights_into"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelOptions:
    """What the configuration says of a model component besides its architecture."""

    init: str | None = None
    """Name of an initialisation for every weight matrix and kernel; biases become zero."""
    freeze: bool = False
    """No gradients, eval mode, never wrapped, not optimised."""
    weights: Mapping[str, Tensor] | None = None
    """Tensors by parameter name to start from."""
    weights_source: str = ""
    """Where `weights` were read, for messages."""
    strict: bool = True
    """Whether keys that `weights` lacks or has too many are errors."""


INITIALISATIONS: dict[str, Callable[[Tensor], Any]] = {
    "kaiming_normal": nn.init.kaiming_normal_,
    "kaiming_uniform": nn.init.kaiming_uniform_,
    "normal": lambda weight: nn.init.normal_(weight, std=0.02),
    "orthogonal": nn.init.orthogonal_,
    "trunc_normal": lambda weight: nn.init.trunc_normal_(weight, std=0.02),
    "xavier_normal": nn.init.xavier_normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
    "zeros": nn.init.zeros_,
}


def initialise(model: nn.Module, name: str) -> None:
    """Give every weight of two or more dimensions the named initialisation, and every bias zeros.

    A module with `side_by_side` True holds several layers, stacked along the first dimension of its weights: each of
    them is initialised by itself.
    """
    if name not in INITIALISATIONS:
        raise ComponentError(f"no initialisation '{name}'; there are: {', '.join(INITIALISATIONS)}")
    stacked = {id(p) for m in model.modules() if getattr(m, "side_by_side", False) for p in m.parameters(recurse=False)}
    for key, parameter in model.named_parameters():
        if key.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.ndim >= 2:
            for weight in parameter.data.unbind() if id(parameter) in stacked else (parameter,):
                INITIALISATIONS[name](weight)


def freeze(model: nn.Module) -> None:
    """Take `model` out of training: eval mode for good, no gradients."""
    model.requires_grad_(False)
    model.eval()


def is_lazy(model: nn.Module) -> bool:
    """Whether a parameter or buffer waits for its shape."""
    return any(_waits(p) for p in (*model.parameters(), *model.buffers()))


def _waits(tensor: Tensor) -> bool:
    return isinstance(tensor, (UninitializedParameter, UninitializedBuffer))


def load_weights_into(model: nn.Module, name: str, options: ModelOptions) -> None:
    """Start `model` from `options.weights`; raises `CheckpointError` where they do not fit.

    Dimensions that are still open become those of the weights.
    """
    weights, source = options.weights, options.weights_source
    if weights is None:
        return
    expected = model.state_dict()
    missing = sorted(expected.keys() - weights.keys())
    unexpected = sorted(weights.keys() - expected.keys())
    misfits = sorted(k for k in expected.keys() & weights.keys() if not _fits(expected[k], weights[k]))
    if misfits:
        shown = "; ".join(
            f"{k}: {tuple(weights[k].shape)} in the file, {tuple(expected[k].shape)} here" for k in misfits
        )
        raise CheckpointError(f"{source} does not fit model '{name}': {shown}")
    if missing or unexpected:
        text = f"{source} does not fit model '{name}': missing {missing or 'none'}, unexpected {unexpected or 'none'}"
        if options.strict:
            raise CheckpointError(f"{text}; 'strict: false' loads what fits")
        log.warning(text)
    model.load_state_dict(dict(weights), strict=False)


def _fits(here: Tensor, weight: Tensor) -> bool:
    return _waits(here) or here.shape == weight.shape
