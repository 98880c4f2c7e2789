"""An evaluation."""

from __future__ import annotations

from pathlib import Path

import torch

from offline_trainer_core import Policy, PositiveInt, RunInfo
from ot_example_plugins import recording


class ActionError:
    """Offline evaluation: how far the policy's actions are from those of a recording that it has not seen.

    `file` is an npz of `ot record`, relative to the working directory. Gives `action_mae`, the mean absolute error in
    the units of the actions, and `action_r2`, the share of the actions' variance that is explained (1 is perfect, 0 is
    as good as the mean action).
    """

    def __init__(self, file: str, batch_size: PositiveInt = 4096) -> None:
        self.file = file
        self.batch_size = batch_size

    def evaluate(self, policy: Policy, *, run: RunInfo, step: int) -> dict[str, float]:
        arrays = recording.read(Path(self.file))
        expected = torch.from_numpy(arrays["action"])
        observations = torch.split(torch.from_numpy(arrays["observation"]), self.batch_size)
        actions = torch.cat([policy.act({"observation": part}).cpu() for part in observations])
        error = actions - expected
        variance = (expected - expected.mean(dim=0)).square().mean()
        return {"action_mae": error.abs().mean().item(), "action_r2": (1 - error.square().mean() / variance).item()}
