from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import load_file

from offline_trainer_core import RunInfo
from ot_example_plugins.plugin import CrashBatch


def test_the_last_batch_is_left_in_the_run_folder(tmp_path: Path) -> None:
    plugin, context = CrashBatch(), SimpleNamespace(run=RunInfo("r", tmp_path, rank=1))
    fatal = {"observation": {"state": torch.tensor([float("nan")])}, "images": [torch.ones(2, 3).T], "task": "pour"}
    plugin.process_optim_batch({"observation": torch.zeros(1)})
    assert plugin.process_optim_batch(fatal) is None
    plugin.on_exception(context)
    tensors = load_file(tmp_path / "crash_batch_1.safetensors")
    assert set(tensors) == {"observation.state", "images.0"}
    assert tensors["observation.state"].isnan().all()
    assert torch.equal(tensors["images.0"], torch.ones(3, 2))


def test_a_run_that_dies_before_its_first_batch_leaves_nothing(tmp_path: Path) -> None:
    CrashBatch().on_exception(SimpleNamespace(run=RunInfo("r", tmp_path)))
    assert list(tmp_path.iterdir()) == []
