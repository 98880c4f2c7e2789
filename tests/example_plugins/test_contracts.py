from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from offline_trainer_core import LossOutput, build_registry
from offline_trainer_core.testing import (
    AlgorithmContract,
    CallbackContract,
    DataModuleContract,
    DistributionContract,
    EvaluationContract,
    IOContract,
    LoggerContract,
    LossContract,
    MetricContract,
    ModuleContract,
    OptimizerFactoryContract,
    PolicyContract,
    SchedulerFactoryContract,
    TrainerContract,
)
from ot_example_plugins import recording
from ot_example_plugins.algorithm import SmoothImitation
from ot_example_plugins.block import SwiGLU
from ot_example_plugins.callback import TimeLimit
from ot_example_plugins.data import Demonstrations
from ot_example_plugins.evaluation import ActionError
from ot_example_plugins.io import Concatenate
from ot_example_plugins.logger import Markdown
from ot_example_plugins.loss import LogCosh
from ot_example_plugins.metric import ActionJerk
from ot_example_plugins.model import FourierMLP
from ot_example_plugins.optimizer import DecayMatrices
from ot_example_plugins.plugin import CrashBatch
from ot_example_plugins.policy import PendulumSwingUp
from ot_example_plugins.scheduler import WarmupStableDecay
from ot_example_plugins.trainer import Overfit


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


class TestPendulumSwingUp(PolicyContract):
    def make(self) -> PendulumSwingUp:
        return PendulumSwingUp()

    def observation(self, count: int) -> dict[str, torch.Tensor]:
        angle = torch.linspace(-3, 3, 8)
        return {"observation": torch.stack([angle.cos(), angle.sin(), 2 * angle], dim=-1)[:count]}


class TestFourierMLP(ModuleContract):
    def make(self) -> FourierMLP:
        return FourierMLP(3, 1, hidden=16)

    def inputs(self, count: int) -> tuple[torch.Tensor, ...]:
        return (torch.linspace(-1, 1, 12).view(4, 3)[:count],)


class TestSwiGLU(ModuleContract):
    def make(self) -> SwiGLU:
        return SwiGLU(6)

    def inputs(self, count: int) -> tuple[torch.Tensor, ...]:
        return (torch.linspace(-1, 1, 48).view(4, 2, 6)[:count],)


class TestConcatenate(IOContract):
    def make(self) -> Concatenate:
        return Concatenate(["place", "speed.angular"])

    def observation(self) -> dict[str, Any]:
        return {"place": torch.arange(12.0).view(2, 3, 2), "speed": {"angular": torch.ones(2, 1)}}

    def batch(self) -> dict[str, Any]:
        return {**self.observation(), "action": torch.zeros(2, 1)}


class SquaredError:
    def __call__(self, *, outputs: Any, targets: Any, batch: Any, stage: str) -> LossOutput:
        return LossOutput(nn.functional.mse_loss(outputs, targets))


class TestSmoothImitation(AlgorithmContract):
    def make(self) -> SmoothImitation:
        return SmoothImitation(weight=0.5)

    def models(self) -> dict[str, nn.Module]:
        return {"policy": nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))}

    def batch(self, index: int) -> dict[str, torch.Tensor]:
        observation = torch.randn(8, 3, generator=torch.Generator().manual_seed(index))
        return {"observation": observation, "action": observation.sum(dim=1, keepdim=True)}

    def parts(self) -> dict[str, Any]:
        return {"io": Concatenate(["observation"]), "loss": SquaredError()}


class TestTimeLimit(CallbackContract):
    def make(self) -> TimeLimit:
        return TimeLimit(minutes=60, every_n_steps=2)


class TestCrashBatch(CallbackContract):
    def make(self) -> CrashBatch:
        return CrashBatch()


class TestMarkdown(LoggerContract):
    NO_STEPS = "a report has the first, lowest and last value of a metric, and no steps"
    exempt = {  # noqa: RUF012
        "test_what_is_logged_can_be_read_back": NO_STEPS,
        "test_a_resumed_run_drops_what_came_after_its_checkpoint": NO_STEPS,
        "test_a_resumed_run_may_log_what_is_new": NO_STEPS,
    }

    def make(self) -> Markdown:
        return Markdown()

    def read(self, run: Any) -> list[tuple[int, str, str, float]]:
        lines = (run.dir / "report.md").read_text(encoding="utf-8").splitlines()
        rows = [[cell.strip() for cell in line.split("|")] for line in lines if "/" in line]
        return [(1, *name.split("/"), float(last)) for _, name, _, _, last, _ in rows]


class TestActionError(EvaluationContract):
    @pytest.fixture(autouse=True)
    def _recorded(self, swing_up_file: Path) -> None:
        self.file = str(swing_up_file)

    def make(self) -> ActionError:
        return ActionError(self.file)

    def policy(self) -> PendulumSwingUp:
        return PendulumSwingUp()


class TestOverfit(TrainerContract):
    def make(self, max_steps: int = 8) -> Overfit:
        return Overfit(max_steps=max_steps, log_every_n_steps=1)


HELD = {
    "algo.examples.smooth_imitation": TestSmoothImitation,
    "block.examples.swiglu": TestSwiGLU,
    "cb.examples.time_limit": TestTimeLimit,
    "data.examples.demonstrations": TestDemonstrations,
    "eval.examples.action_error": TestActionError,
    "io.examples.concatenate": TestConcatenate,
    "log.examples.markdown": TestMarkdown,
    "loss.examples.log_cosh": TestLogCosh,
    "metric.examples.action_jerk": TestActionJerk,
    "model.examples.fourier_mlp": TestFourierMLP,
    "optim_cls.examples.Lion": TestDecayMatrices,
    "optim_factory.examples.decay_matrices": TestDecayMatrices,
    "policy.examples.pendulum_swing_up": TestPendulumSwingUp,
    "sched_factory.examples.warmup_stable_decay": TestWarmupStableDecay,
    "trainer.examples.overfit": TestOverfit,
}
KINDS_WITHOUT_CONTRACT = {"frontend", "op"}


def test_every_component_is_held_to_the_contract_of_its_kind() -> None:
    entries = [entry for entry in build_registry().entries() if entry.distribution == "ot-example-plugins"]
    assert {entry.key for entry in entries if entry.kind not in KINDS_WITHOUT_CONTRACT} == set(HELD)
