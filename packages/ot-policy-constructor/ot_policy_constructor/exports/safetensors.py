"""`export.safetensors`: a policy as its weights and its definition, to be built again by this package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from offline_trainer_core import build_policy

__all__ = ["Safetensors"]

WEIGHTS, DEFINITION = "policy.safetensors", "definition.json"


class Safetensors:
    """Writes all tensors of a policy into one safetensors file, and beside it what they belong to.

    Any policy can be written so. To load it, the packages of its components must be installed: Python, not the run,
    its data or its trainer. Names are those of the model's `state_dict` after `models.<component>.`.
    """

    def write(self, *, folder: Path, definition: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        # A tensor that has two names would share its memory, which the format does not have.
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, folder / WEIGHTS)
        (folder / DEFINITION).write_text(json.dumps(definition, indent=1), encoding="utf-8")

    def load(self, *, folder: Path, device: torch.device) -> Any:
        definition = json.loads((folder / DEFINITION).read_text(encoding="utf-8"))
        return build_policy(definition, load_file(folder / WEIGHTS), device)
