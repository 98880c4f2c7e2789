"""The built-in components, held to the contracts that every package's are held to."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from offline_trainer_core import RunInfo, build_registry
from offline_trainer_core.networks import TrainedPolicy
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
    OptimizerFactoryContract,
    PolicyContract,
    SchedulerFactoryContract,
    StatefulContract,
    TrainerContract,
)
from ot_builtins.callbacks.early_stopping import EarlyStopping
from ot_builtins.callbacks.ema import Ema
from ot_builtins.callbacks.gradient_norms import GradientNorms
from ot_builtins.callbacks.loss_plot import LossPlot
from ot_builtins.callbacks.lr_monitor import LrMonitor
from ot_builtins.callbacks.model_checkpoint import ModelCheckpoint
from ot_builtins.callbacks.profiler import Profiler
from ot_builtins.callbacks.progress import Progress
from ot_builtins.callbacks.throughput import Throughput
from ot_builtins.data.dataset import DatasetData
from ot_builtins.data.episodes import Episodes
from ot_builtins.data.random_regression import RandomRegression
from ot_builtins.data.tensors import Tensors
from ot_builtins.evals.gymnasium import Gymnasium
from ot_builtins.evals.open_loop import OpenLoop
from ot_builtins.evals.policies import RandomPolicy
from ot_builtins.io import Mapping
from ot_builtins.loggers.csv import Csv
from ot_builtins.loggers.jsonl import Jsonl
from ot_builtins.loggers.mlflow import MLflow
from ot_builtins.loggers.stdout import Stdout
from ot_builtins.loggers.tensorboard import TensorBoard
from ot_builtins.losses import TorchLoss
from ot_builtins.metrics import Accuracy, MeanAbsoluteError, MeanSquaredError, TorchMetrics
from ot_builtins.optimizers import TorchOptimizer
from ot_builtins.schedulers import TorchScheduler, WarmupCosine, WarmupLinear
from ot_builtins.supervised import Supervised
from ot_builtins.trainer import DefaultTrainer


def advertised(kind: str) -> list[str]:
    entries = build_registry().entries()
    return [entry.name for entry in entries if entry.kind == kind and entry.distribution == "ot-builtins"]


class TestDistribution(DistributionContract):
    distribution = "ot-builtins"


class TestRandomRegression(DataModuleContract):
    def make(self) -> RandomRegression:
        return RandomRegression(batch_size=4, steps_per_epoch=5, val_steps_per_epoch=2, x_shape=[3], y_shape=[2])


ROWS = {"x": np.arange(60.0).reshape(20, 3), "y": np.arange(20)}


class TestTensors(DataModuleContract):
    def make(self) -> Tensors:
        return Tensors(ROWS, batch_size=4, validation=0.2)


class TestTensorsWithReplacement(DataModuleContract):
    def make(self) -> Tensors:
        return Tensors(ROWS, batch_size=4, sample="with_replacement", steps_per_epoch=6)


class Noisy(torch.utils.data.Dataset[dict[str, Tensor]]):
    """Samples that are augmented at random."""

    def __len__(self) -> int:
        return 18

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"x": index + 0.1 * torch.rand(2), "index": torch.tensor(index)}


class TestDataset(DataModuleContract):
    def make(self) -> DatasetData:
        return DatasetData(Noisy(), batch_size=4, validation_dataset=Noisy())


class TestEpisodes(DataModuleContract):
    def make(self) -> Episodes:
        arrays = {"state": np.arange(60.0).reshape(30, 2), "command": np.arange(30.0)[:, None]}
        fields = {"observation": "state", "action": "command"}
        path = {**arrays, "episode_ends": np.array([8, 15, 22, 30])}
        return Episodes(path, fields, batch_size=4, chunk=3, validation=0.25)


class TestMapping(IOContract):
    def make(self) -> Mapping:
        return Mapping({"x": "obs.0"}, {"y": ["y"]}, model_args=[["obs", 1]])

    def observation(self) -> dict[str, Any]:
        return {"obs": [torch.ones(2, 3), torch.zeros(2, 1)]}

    def batch(self) -> dict[str, Any]:
        return {**self.observation(), "y": torch.arange(2)}


LOSSES = ["BCEWithLogitsLoss", "HuberLoss", "L1Loss", "MSELoss", "SmoothL1Loss"]


class TestTorchLoss(LossContract):
    @pytest.fixture(autouse=True, params=[(name, mask) for name in LOSSES for mask in (None, "is_pad")])
    def _which(self, request: pytest.FixtureRequest) -> None:
        self.fn, self.mask = request.param

    def make(self) -> TorchLoss:
        return TorchLoss(self.fn, mask_path=self.mask)

    def example(self) -> dict[str, Any]:
        outputs, targets = torch.randn(4, 2, 3, requires_grad=True), torch.rand(4, 2, 3)
        return {"outputs": outputs, "targets": targets, "batch": {"is_pad": torch.tensor([[False, True]] * 4)}}


class TestCrossEntropy(LossContract):
    def make(self) -> TorchLoss:
        return TorchLoss("CrossEntropyLoss")

    def example(self) -> dict[str, Any]:
        return {"outputs": torch.randn(4, 3, requires_grad=True), "targets": torch.arange(4) % 3, "batch": {}}


class TestMeanAbsoluteError(MetricContract):
    def make(self) -> Any:
        return MeanAbsoluteError()

    def example(self, count: int) -> dict[str, Any]:
        torch.manual_seed(0)
        outputs, targets = torch.randn(2, 6, 2, 3)
        padding = torch.tensor([[False, False], [False, True], [False, True]] * 2)
        return {"outputs": outputs[:count], "targets": targets[:count], "batch": {"is_pad": padding[:count]}}


class TestMeanSquaredError(TestMeanAbsoluteError):
    def make(self) -> Any:
        return MeanSquaredError(mask_path="is_pad")


class TestAccuracy(MetricContract):
    def make(self) -> Accuracy:
        return Accuracy()

    def example(self, count: int) -> dict[str, Any]:
        torch.manual_seed(0)
        return {"outputs": torch.randn(6, 3)[:count], "targets": torch.arange(6)[:count] % 3, "batch": {}}


class TestTorchMetrics(MetricContract):
    exempt = {  # noqa: RUF012
        "test_processes_compute_what_one_would": "torchmetrics synchronises through torch.distributed itself",
    }

    def make(self) -> TorchMetrics:
        return TorchMetrics("MeanAbsoluteError")

    def example(self, count: int) -> dict[str, Any]:
        return {"outputs": torch.linspace(0, 1, 6)[:count], "targets": torch.ones(6)[:count], "batch": {}}


NOT_FOR_ANY_MODEL = {
    "LBFGS": "needs a closure that computes the loss again",
    "Muon": "takes matrices only",
    "SparseAdam": "takes sparse gradients only",
}
"""Optimizers of torch that cannot train a network of linear layers."""
OPTIMIZERS = [name for name in advertised("optim_cls") if name not in NOT_FOR_ANY_MODEL]


class TestTorchOptimizer(OptimizerFactoryContract):
    @pytest.fixture(autouse=True, params=OPTIMIZERS)
    def _which(self, request: pytest.FixtureRequest) -> None:
        self.type = request.param

    def make(self) -> TorchOptimizer:
        return TorchOptimizer(self.type, kwargs={"lr": 1.0 if self.type == "Adadelta" else 0.01})


ARGUMENTS: dict[str, dict[str, Any]] = {
    "ConstantLR": {"total_iters": 5},
    "CosineAnnealingLR": {"T_max": 20},
    "CosineAnnealingWarmRestarts": {"T_0": 5},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "cycle_momentum": False},
    "ExponentialLR": {"gamma": 0.9},
    "LinearLR": {},
    "MultiStepLR": {"milestones": [3, 9]},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 21, "cycle_momentum": False},
    "PolynomialLR": {"total_iters": 20},
    "ReduceLROnPlateau": {"patience": 2},
    "StepLR": {"step_size": 4},
}


class TestTorchScheduler(SchedulerFactoryContract):
    @pytest.fixture(autouse=True, params=advertised("sched_cls"))
    def _which(self, request: pytest.FixtureRequest) -> None:
        self.type = request.param

    def make(self) -> TorchScheduler:
        metric = {"interval": "metric", "monitor": "loss"} if self.type == "ReduceLROnPlateau" else {}
        return TorchScheduler(self.type, kwargs=ARGUMENTS[self.type], **metric)


class TestWarmupCosine(SchedulerFactoryContract):
    def make(self) -> WarmupCosine:
        return WarmupCosine(warmup_steps=4)


class TestWarmupLinear(SchedulerFactoryContract):
    def make(self) -> WarmupLinear:
        return WarmupLinear(warmup_steps=4, min_ratio=0.1)


class TestSupervised(AlgorithmContract):
    def make(self) -> Supervised:
        return Supervised()

    def models(self) -> dict[str, nn.Module]:
        return {"policy": nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.1), nn.Linear(8, 1))}

    def batch(self, index: int) -> dict[str, Tensor]:
        observation = torch.randn(8, 3, generator=torch.Generator().manual_seed(index))
        return {"observation": observation, "action": observation.sum(dim=1, keepdim=True)}

    def parts(self) -> dict[str, Any]:
        return {"io": Mapping(targets={"action": "action"}, model_args=["observation"]), "loss": TorchLoss()}


class TestCallbacks(CallbackContract):
    CALLBACKS = {  # noqa: RUF012
        "early_stopping": lambda: EarlyStopping(patience=5),
        "ema": lambda: Ema(decay=0.9, start_step=2),
        "gradient_norms": lambda: GradientNorms(every_n_steps=2),
        "loss_plot": LossPlot,
        "lr_monitor": lambda: LrMonitor(every_n_steps=2),
        "model_checkpoint": lambda: ModelCheckpoint(every_n_epochs=1),
        "profiler": lambda: Profiler(wait=1, warmup=1, active=1),
        "progress": Progress,
        "throughput": lambda: Throughput(every_n_steps=2),
    }

    @pytest.fixture(autouse=True, params=CALLBACKS)
    def _which(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param

    def make(self) -> Any:
        return self.CALLBACKS[self.name]()


class TestEmaState(StatefulContract):
    def make(self) -> Ema:
        return Ema()

    def used(self) -> Ema:
        ema = Ema()
        ema.load_state_dict({"policy_weights": {"policy": {"weight": torch.ones(2, 2)}}})
        return ema


class TestEarlyStoppingState(StatefulContract):
    def make(self) -> EarlyStopping:
        return EarlyStopping(patience=3)

    def used(self) -> EarlyStopping:
        callback = self.make()
        for loss in (2.0, 1.0, 1.5):
            callback.on_validation_end(None, {"loss": loss})
        return callback


class TestCsv(LoggerContract):
    def make(self) -> Csv:
        return Csv()

    def read(self, run: RunInfo) -> list[tuple[int, str, str, float]]:
        with (run.dir / "metrics.csv").open(encoding="utf-8") as file:
            rows = [(int(row.pop("step")), row.pop("stage"), row) for row in csv.DictReader(file)]
        return [(step, stage, name, float(v)) for step, stage, row in rows for name, v in row.items() if v]


class TestJsonl(LoggerContract):
    def make(self) -> Jsonl:
        return Jsonl()

    def read(self, run: RunInfo) -> list[tuple[int, str, str, float]]:
        rows = [json.loads(line) for line in (run.dir / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        places = [(row.pop("step"), row.pop("stage"), row) for row in rows]
        return [(step, stage, name, float(value)) for step, stage, row in places for name, value in row.items()]


class TestTensorBoard(LoggerContract):
    def make(self) -> TensorBoard:
        return TensorBoard()

    def read(self, run: RunInfo) -> list[tuple[int, str, str, float]]:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(run.dir / "tensorboard")).Reload()
        return [
            (event.step, *tag.split("/"), event.value)
            for tag in events.Tags()["scalars"]
            for event in events.Scalars(tag)
        ]


class TestMLflow(LoggerContract):
    exempt = {  # noqa: RUF012
        "test_a_resumed_run_drops_what_came_after_its_checkpoint": "MLflow takes nothing back; its docstring says so",
    }

    def make(self) -> MLflow:
        return MLflow()

    def read(self, run: RunInfo) -> list[tuple[int, str, str, float]]:
        from mlflow.tracking import MlflowClient

        client = MlflowClient((run.dir / "mlruns").as_uri())
        known = client.get_run((run.dir / "mlflow_run_id.txt").read_text(encoding="utf-8").strip())
        metrics = {name: client.get_metric_history(known.info.run_id, name) for name in known.data.metrics}
        return [(m.step, *name.split("/"), m.value) for name, history in metrics.items() for m in history]


class TestStdout(LoggerContract):
    @pytest.fixture(autouse=True)
    def _captured(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    exempt = {  # noqa: RUF012
        "test_a_resumed_run_drops_what_came_after_its_checkpoint": "what was printed stays printed",
    }

    def make(self) -> Stdout:
        return Stdout()

    def read(self, run: RunInfo) -> list[tuple[int, str, str, float]]:
        rows = [line.split() for line in self.capsys.readouterr().out.splitlines()]
        pairs = [(int(row[1]), row[2], zip(row[3::2], row[4::2], strict=True)) for row in rows]
        return [(step, stage, name, float(value)) for step, stage, values in pairs for name, value in values]


class TestRandomPolicy(PolicyContract):
    def make(self) -> RandomPolicy:
        import gymnasium

        policy = RandomPolicy()
        policy.attach(gymnasium.make("Pendulum-v1"))
        return policy

    def observation(self, count: int) -> dict[str, Tensor]:
        return {"observation": torch.zeros(count, 3)}


class Damping:
    """Brakes a pendulum."""

    def act(self, observation: dict[str, Tensor]) -> Tensor:
        return -observation["observation"][:, 2:]


class TestGymnasium(EvaluationContract):
    def make(self) -> Gymnasium:
        baselines = {"random": "random"}
        return Gymnasium("Pendulum-v1", episodes=2, max_steps=10, num_envs=2, baselines=baselines, plot=False)

    def policy(self) -> Damping:
        return Damping()


class TestOpenLoop(EvaluationContract):
    def make(self) -> OpenLoop:
        return OpenLoop(plot=False)

    def policy(self) -> TrainedPolicy:
        return TrainedPolicy(lambda observation, noise: noise, torch.device("cpu"), noise_shape=(4, 1))

    def datamodule(self) -> Episodes:
        data = {"observation": np.zeros((40, 3), "f"), "action": np.arange(40.0)[:, None], "episode_ends": [9, 20, 40]}
        module = Episodes(data, {"observation": "observation", "action": "action"}, 4, chunk=4, validation=0.4)
        module.setup(None)
        return module


class TestDefaultTrainer(TrainerContract):
    def make(self, max_steps: int = 8) -> DefaultTrainer:
        return DefaultTrainer(max_steps=max_steps, log_every_n_steps=1)


HELD = {  # that of data.lerobot is in data/lerobot/test_module.py, beside what writes recordings
    "algo": ["supervised"],
    "cb": list(TestCallbacks.CALLBACKS),
    "data": ["dataset", "episodes", "lerobot", "random_regression", "tensors"],
    "eval": ["gymnasium", "open_loop"],
    "io": ["mapping"],
    "log": ["csv", "jsonl", "mlflow", "stdout", "tensorboard"],
    "loss": ["torch"],
    "metric": ["accuracy", "mean_absolute_error", "mean_squared_error", "torchmetrics"],
    "optim_cls": [*OPTIMIZERS, *NOT_FOR_ANY_MODEL],
    "optim_factory": ["torch"],
    "policy": ["random"],
    "sched_cls": list(ARGUMENTS),
    "sched_factory": ["torch", "warmup_cosine", "warmup_linear"],
    "trainer": ["default"],
}
KINDS_WITHOUT_CONTRACT = {"launcher", "strategy"}
WITHOUT_CONTRACT = {"log.wandb"}
"""What W&B's own process writes is read back in the tests of that logger."""


def test_every_component_is_held_to_the_contract_of_its_kind() -> None:
    entries = [entry for entry in build_registry().entries() if entry.distribution == "ot-builtins"]
    held = {f"{kind}.{name}" for kind, names in HELD.items() for name in names}
    assert {entry.key for entry in entries if entry.kind not in KINDS_WITHOUT_CONTRACT} == held | WITHOUT_CONTRACT
