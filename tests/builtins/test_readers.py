"""What the readers tell without importing anything is what the components do."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from ot_builtins import readers
from ot_builtins.data.episodes import Episodes
from ot_builtins.data.random_regression import RandomRegression
from ot_builtins.data.tensors import Tensors
from ot_builtins.io import Mapping
from ot_builtins.metrics import Accuracy, MeanAbsoluteError, MeanSquaredError

RECORDING = {"state": torch.zeros(8, 3), "act": torch.zeros(8, 2), "episode_ends": [4, 8]}


@pytest.mark.parametrize(
    ("component", "reader", "arguments"),
    [
        (RandomRegression, readers.read_random_regression, {"batch_size": 2}),
        (Tensors, readers.read_tensors, {"data": RECORDING, "batch_size": 2}),
        (Tensors, readers.read_tensors, {"data": RECORDING, "fields": {"obs": "state"}, "batch_size": 2}),
        (Episodes, readers.read_episodes, {"fields": {"obs": "state", "action": "act"}}),
        (Episodes, readers.read_episodes, {"fields": {"obs": "state", "b": "act"}, "chunked": ["obs", "b"]}),
    ],
)
def test_the_fields_are_those_of_a_batch(component: Any, reader: Any, arguments: dict[str, Any]) -> None:
    more = {"path": RECORDING, "batch_size": 2, "validation": 0.0} if component is Episodes else {}
    data = component(**arguments, **more)
    data.setup("fit")
    assert set(reader(arguments).fields) == set(next(iter(data.train_dataloader())))


def test_the_fields_of_a_file_are_not_told() -> None:
    assert readers.read_tensors({"data": "demos.npz"}).fields is None


def test_io_calls_and_reads_what_the_account_says() -> None:
    arguments = {"model_args": ["a"], "model_kwargs": {"x": ["b", 0]}, "targets": {"y": "c"}}
    account = readers.read_mapping(arguments)
    inputs, targets, _ = Mapping(**arguments).split({"a": 1, "b": [2], "c": 3}, stage="train")
    assert account.calls == (len(inputs.args), {"x": "model_kwargs.x"})
    assert list(account.targets or ()) == list(targets)
    assert account.reads == [
        ("model_args[0]", "batch", "a"),
        ("model_kwargs.x", "batch", ["b", 0]),
        ("targets.y", "batch", "c"),
    ]


@pytest.mark.parametrize(
    ("metric", "reader"),
    [
        (Accuracy, readers.read_accuracy),
        (MeanAbsoluteError, readers.read_mean_absolute_error),
        (MeanSquaredError, readers.read_mean_squared_error),
    ],
)
@pytest.mark.parametrize("arguments", [{}, {"name": "mine"}])
def test_metrics_report_what_they_compute(metric: Any, reader: Any, arguments: dict[str, Any]) -> None:
    assert tuple(reader(arguments).reports) == tuple(metric(**arguments).compute())
    assert reader({"stages": ["train"]}).reports == ()


def test_a_group_of_parameters_without_a_pattern_is_wrong() -> None:
    account = readers.read_torch_optimizer({"type": "SGD", "param_groups": [{"match": "*", "lr": 1}, {"mach": "*"}]})
    assert account.hands == [
        ("param_groups[0]", "optim_cls.SGD", ["lr"]),
        ("param_groups[1]", "optim_cls.SGD", ["mach"]),
    ]
    assert [(where, code) for where, code, _, _ in account.problems] == [("param_groups[1]", "missing-key")]


def test_torchmetrics_is_asked_without_importing_it() -> None:
    pytest.importorskip("torchmetrics")
    assert readers.read_torchmetrics({"type": "R2Score"}).problems == []
    ((where, _, _, meant),) = readers.read_torchmetrics({"type": "R2Scor"}).problems
    assert (where, meant) == ("type", "R2Score")


@pytest.mark.parametrize("monitor", ["loss", "val/loss"])
def test_a_number_of_validation_may_be_named_with_its_stage(monitor: str) -> None:
    assert readers.read_monitor({"monitor": monitor}).reads == [("monitor", "validation", ["loss"])]
    assert readers.read_monitor({"monitor": "eval/return_mean"}).reads == []
    assert readers.read_early_stopping({}).reads == [("monitor", "validation", ["loss"])]


@pytest.mark.parametrize("name", [name for name in dir(readers) if name.startswith("read_")])
@pytest.mark.parametrize("value", [None, 3, "text", [1], {"a": [2]}])
def test_no_reader_fails_on_arguments_of_the_wrong_type(name: str, value: Any) -> None:
    arguments = ("fields", "data", "chunked", "dtypes", "model_kwargs", "model_args", "targets", "monitor", "stages")
    more = ("param_groups", "type", "observation", "pred_path", "model", "action_field", "name")
    getattr(readers, name)(dict.fromkeys((*arguments, *more), value))


def test_reading_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, ot_builtins.readers; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_recordings_have_the_fields_of_episodes_and_a_cache_on_disk_needs_a_folder() -> None:
    arguments = {"fields": {"image": "observation.images.front", "action": "action", "task": "task"}}
    assert set(readers.read_lerobot(arguments).fields) == {"image", "action", "task", "action_is_pad"}
    assert not readers.read_lerobot(arguments).problems
    assert readers.read_lerobot({**arguments, "cache": "disk"}).problems
    assert not readers.read_lerobot({**arguments, "cache": "disk", "cache_dir": "frames"}).problems
