"""Runs on batches with frames and texts: moved, validated, checkpointed and resumed like any other."""

from __future__ import annotations

import gc
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from offline_trainer_core import run


def configuration(recording: Path, folder: Path, name: str, **data: Any) -> dict[str, Any]:
    camera = "observation.images.front"
    fields = {"state": "observation.state", "action": "action", "image": camera, "task": "task", "n": "task_index"}
    return {
        "schema_version": 1,
        "run": {"name": name, "out_dir": str(folder), "seed": 3},
        "data": {
            "_type_": "data.lerobot",
            "path": str(recording),
            "fields": fields,
            "batch_size": 4,
            "history": 1,
            "chunk": 2,
            "image_size": [8, 8],
            "validation": 0.25,
            **data,
        },
        "normalize": {"state": "mean_std", "action": "min_max"},
        "model": {
            "sequential": {
                "inputs": ["state"],
                "layers": [
                    {"_type_": "nn.Flatten"},
                    {"_type_": "nn.Linear", "in_features": 3, "out_features": 4},
                    {"_type_": "nn.Unflatten", "dim": 1, "unflattened_size": [2, 2]},
                ],
            }
        },
        "io": {"_type_": "io.mapping", "model_kwargs": {"state": "state"}, "targets": {"action": "action"}},
        "loss": {"_type_": "loss.torch", "fn": "MSELoss", "mask_path": "action_is_pad"},
        "optimizer": {"_type_": "optim_factory.torch", "type": "AdamW", "kwargs": {"lr": 0.01}},
        "trainer": {"_type_": "trainer.default", "max_steps": 6, "log_every_n_steps": 1, "val_every_n_steps": 4},
    }


@pytest.mark.parametrize("data", [{}, {"num_workers": 1, "cache": "memory"}])
def test_a_run_that_is_interrupted_goes_on_bit_by_bit(data: dict[str, Any], recording: Path, tmp_path: Path) -> None:
    whole = run(configuration(recording, tmp_path, "whole", **data))
    halves = configuration(recording, tmp_path, "halves", **data)
    assert run(halves, until=3).state.global_step == 3
    resumed = run(halves, resume="auto")
    assert resumed.state.global_step == whole.state.global_step == 6
    assert resumed.metrics == whole.metrics
    for one, two in zip(states(tmp_path / "whole"), states(tmp_path / "halves"), strict=True):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)
    other = configuration(recording, tmp_path, "other", **data)
    other["run"]["seed"] = 4
    assert run(other).metrics != whole.metrics


def test_workers_end_with_the_run_and_not_when_python_cleans_up(recording: Path, tmp_path: Path) -> None:
    gc.disable()
    try:
        run(configuration(recording, tmp_path, "workers", num_workers=1))
        assert active_children() == []
    finally:
        gc.enable()


def states(folder: Path) -> list[dict[str, torch.Tensor]]:
    """Return the tensors of a run's last checkpoint, file by file."""
    return [load_file(file) for file in sorted((folder / "checkpoints/step_00000006").glob("**/*.safetensors"))]
