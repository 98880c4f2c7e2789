"""What the `state_dict` of a model leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

__all__ = ["Surroundings"]


class Surroundings:
    """What the `state_dict` of a model leaves out: buffers that do not persist, what is frozen, what is in eval mode.

    Callbacks change the last two at run time: they unfreeze an encoder after so many steps.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def state_dict(self) -> dict[str, Any]:
        return {
            "buffers": {name: buffer for name, buffer in _passing_buffers(self._model).items() if buffer is not None},
            "frozen": [name for name, parameter in self._model.named_parameters() if not parameter.requires_grad],
            "eval": [name for name, module in self._model.named_modules() if not module.training],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        have = _passing_buffers(self._model)
        for name, saved in state["buffers"].items():
            buffer = have[name]
            if buffer is not None and buffer.shape == saved.shape:
                buffer.copy_(saved)  # in place: what is compiled or wrapped holds on to it
            else:
                owner, _, key = name.rpartition(".")
                device = next((p.device for p in self._model.parameters()), saved.device)
                setattr(self._model.get_submodule(owner), key, saved.to(device))
        frozen, resting = set(state["frozen"]), set(state["eval"])
        for name, parameter in self._model.named_parameters():
            if parameter.requires_grad is (name in frozen):
                parameter.requires_grad_(name not in frozen)
        for name, module in self._model.named_modules():
            module.training = name not in resting


def _passing_buffers(model: nn.Module) -> dict[str, Tensor | None]:
    """Return the buffers that are not persistent, by name; None for those that are yet to be made."""
    return {
        f"{prefix}.{name}" if prefix else name: module._buffers[name]
        for prefix, module in model.named_modules()
        for name in sorted(module._non_persistent_buffers_set)
    }
