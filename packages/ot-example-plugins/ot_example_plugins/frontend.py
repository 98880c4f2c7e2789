"""A frontend: another way to write a model."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import nn


def widths(definition: Mapping[str, Any], *, registry: Any, path: str = "model.widths") -> nn.Module:
    """Build a fully connected network in one line: `model: {widths: {sizes: [3, 64, 64, 1], activation: Tanh}}`.

    `activation` is the name of any `nn` component. `reader.read_widths` has said what is wrong with a definition.
    """
    sizes = definition["sizes"]
    activation = registry.get_module(f"nn.{definition.get('activation', 'ReLU')}").target
    layers = [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), activation())]
    return nn.Sequential(*layers[:-1])
