"""Activations and norms by the name of their torch class, as every block takes them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Literal

from torch import nn
from torch.nn.modules import activation as activations

from offline_trainer_core import ComponentOf

Activation = Annotated[
    Literal[
        "CELU",
        "ELU",
        "GELU",
        "GLU",
        "Hardshrink",
        "Hardsigmoid",
        "Hardswish",
        "Hardtanh",
        "LeakyReLU",
        "LogSigmoid",
        "LogSoftmax",
        "Mish",
        "PReLU",
        "RReLU",
        "ReLU",
        "ReLU6",
        "SELU",
        "SiLU",
        "Sigmoid",
        "Softmax",
        "Softmax2d",
        "Softmin",
        "Softplus",
        "Softshrink",
        "Softsign",
        "Tanh",
        "Tanhshrink",
    ],
    ComponentOf("nn"),
]
"""The activations of torch that are made without arguments."""

Norm = Annotated[Literal["BatchNorm1d", "LayerNorm", "RMSNorm"], ComponentOf("nn")]
NORMS: dict[str, type[nn.Module]] = {
    "BatchNorm1d": nn.BatchNorm1d,
    "LayerNorm": nn.LayerNorm,
    "RMSNorm": nn.RMSNorm,
}


def make_activation(name: str) -> nn.Module:
    """Return the activation with torch's class name, such as `ReLU`, `GELU` or `Tanh`."""
    if name not in activations.__all__:
        raise ValueError(_unknown("activation", name, activations.__all__))
    module: nn.Module = getattr(activations, name)()
    return module


def make_norm(name: str, width: int) -> nn.Module:
    """Return the norm with torch's class name for vectors of `width` features."""
    if name not in NORMS:
        raise ValueError(_unknown("norm", name, NORMS))
    return NORMS[name](width)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    spelled = {choice.lower(): choice for choice in sorted(known)}
    near = difflib.get_close_matches(name.lower(), spelled, n=1)
    hint = f", did you mean {spelled[near[0]]}?" if near else ";"
    return f"there is no {what} '{name}'{hint} there are {', '.join(spelled.values())}"
