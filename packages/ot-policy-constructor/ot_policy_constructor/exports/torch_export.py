"""`export.torch_export`: one file that torch runs without the code of the policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from ot_policy_constructor.exports.capture import Inputs, capture, quiet

FILE = "policy.pt2"


class TorchExport:
    """Writes the policy as a program of torch operators (`torch.export`), with weights and normalizer inside.

    `policy.pt2` runs wherever torch is installed: `torch.export.load("policy.pt2").module()(observation, noise)`.
    Raises `ComponentError` for a policy whose code depends on the values of tensors or on the size of the batch.
    """

    runs_code = True

    def write(self, *, policy: nn.Module, inputs: Inputs, folder: Path) -> None:
        """Write `policy.pt2`."""
        program = capture(policy, inputs)
        with quiet():
            torch.export.save(program, folder / FILE)

    def load(self, *, folder: Path, device: torch.device) -> Callable[[Mapping[str, Tensor], Tensor | None], Tensor]:
        """Return the program on `device`. A program is code: torch evaluates what the file says."""
        with quiet():
            program = torch.export.load(folder / FILE)
            module = move_to_device_pass(program, device).module()
        fields: list[str] = program.call_spec.in_spec.children()[0].children()[0].context

        def act(observation: Mapping[str, Tensor], noise: Tensor | None = None) -> Tensor:
            action: Tensor = module({field: observation[field] for field in fields}, noise)
            return action

        return act
