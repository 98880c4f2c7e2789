from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offline_trainer_core import SchedulerBundle
from offline_trainer_core.testing import (
    DataModuleContract,
    DistributionContract,
    LossContract,
    MetricContract,
    OptimizerFactoryContract,
    PolicyContract,
    SchedulerFactoryContract,
)
from ot_example_plugins import recording
from ot_example_plugins.data import Demonstrations
from ot_example_plugins.loss import LogCosh
from ot_example_plugins.metric import ActionJerk
from ot_example_plugins.optimizer import DecayMatrices
from ot_example_plugins.policy import PendulumSwingUp
from ot_example_plugins.scheduler import WarmupStableDecay


class TestDistribution(DistributionContract):
    distribution = "ot-example-plugins"


class TestLogCosh(LossContract):
    def make(self) -> LogCosh:
        return LogCosh(mask_path="action_is_pad")

    def example(self) -> dict[str, Any]:
        torch.manual_seed(0)
        padding = torch.tensor([[False, False], [False, True]] * 2)
        outputs, targets = torch.randn(4, 2, 3, requires_grad=True), torch.randn(4, 2, 3)
        return {"outputs": outputs, "targets": targets, "batch": {"action_is_pad": padding}}


class TestActionJerk(MetricContract):
    def make(self) -> ActionJerk:
        return ActionJerk()

    def example(self, count: int) -> dict[str, Any]:
        torch.manual_seed(0)
        outputs, targets = torch.randn(2, 6, 8, 3)
        return {"outputs": outputs[:count], "targets": targets[:count], "batch": {}}


class TestDemonstrations(DataModuleContract):
    @pytest.fixture(autouse=True)
    def _recorded(self, tmp_path: Path, swing_ups: dict[str, np.ndarray]) -> None:
        recording.write(tmp_path / "Pendulum-v1_PendulumSwingUp_3x_noise0.1_seed5.npz", swing_ups)
        self.folder = str(tmp_path)

    def make(self) -> Demonstrations:
        wanted = {"episodes": 3, "record_seed": 5, "batch_size": 64, "val_episodes": 1}
        return Demonstrations(PendulumSwingUp(), "Pendulum-v1", folder=self.folder, **wanted)


class TestDecayMatrices(OptimizerFactoryContract):
    def make(self) -> DecayMatrices:
        return DecayMatrices("examples.Lion", weight_decay=0.01, kwargs={"lr": 1e-2})


class TestWarmupStableDecay(SchedulerFactoryContract):
    def make(self) -> WarmupStableDecay:
        return WarmupStableDecay(warmup_steps=3)

    def bundle(self, optimizer: torch.optim.Optimizer) -> SchedulerBundle:
        return self.make().build(optimizer, registry=None, total_steps=20)


class TestPendulumSwingUp(PolicyContract):
    def make(self) -> PendulumSwingUp:
        return PendulumSwingUp()

    def observation(self, count: int) -> dict[str, torch.Tensor]:
        angle = torch.linspace(-3, 3, 8)
        return {"observation": torch.stack([angle.cos(), angle.sin(), 2 * angle], dim=-1)[:count]}
