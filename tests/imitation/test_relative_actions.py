"""Policies that are trained on actions relative to the present, and act in the units of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offline_trainer_core import CheckpointError, load_policy, run
from offline_trainer_core.deploy import export_policy


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random walks whose actions say where to be next: 1 to the right of where one is, wherever that is."""
    path = tmp_path_factory.mktemp("data") / "walks.npz"
    state = np.cumsum(np.random.default_rng(0).normal(size=(400, 2)), 0).astype("f4")
    np.savez(path, state=state, action=state[:, :1] + 1, episode_ends=np.arange(50, 401, 50))
    return path


def configuration(walks: Path, folder: Path, name: str, **sections: Any) -> dict[str, Any]:
    decoder = {
        "inputs": ["actions", "time", "state"],
        "modules": {"net": {"_type_": "block.residual_mlp", "in_features": 9, "out_features": 4, "width": 32}},
        "steps": [
            {"call": "op:flatten", "args": ["$actions", 1], "out": "flat"},
            {"call": "op:flatten", "args": ["$state", 1], "out": "seen"},
            {"call": "op:unsqueeze", "args": ["$time", 1], "out": "now"},
            {"call": "op:cat", "args": [["$flat", "$seen", "$now"]], "kwargs": {"dim": -1}, "out": "input"},
            {"call": "module:net", "args": ["$input"], "out": "output"},
            {"call": "op:unsqueeze", "args": ["$output", -1], "out": "chunk"},
        ],
        "outputs": ["$chunk"],
    }
    return {
        "schema_version": 1,
        "run": {"name": name, "out_dir": str(folder), "seed": 0},
        "data": {
            "_type_": "data.episodes",
            "path": str(walks),
            "fields": {"state": "state", "action": "action"},
            "history": 2,
            "chunk": 4,
            "batch_size": 32,
        },
        "normalize": {"state": "mean_std", "action": "mean_std"},
        "relative": {"action": "state[0:1]"},
        "model": {"graph": decoder},
        "algorithm": {"_type_": "algo.flow_matching", "action_shape": [4, 1], "steps": 3},
        "optimizer": {"_type_": "optim_factory.torch", "type": "AdamW", "kwargs": {"lr": 0.002}},
        "trainer": {"_type_": "trainer.default", "max_steps": 150, "log_every_n_steps": 50},
        "callbacks": [{"_type_": "cb.model_checkpoint", "every_n_steps": 150}],
        **sections,
    }


@pytest.fixture(scope="module")
def trained(walks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run(configuration(walks, folder, "relative"))
    return folder / "relative"


def observation(at: float) -> dict[str, torch.Tensor]:
    return {"state": torch.tensor([[[at, 0.0], [at, 0.0]]]).repeat(64, 1, 1)}


def test_a_policy_goes_on_from_where_it_is(trained: Path) -> None:
    policy = load_policy(trained)
    first = [policy(observation(at))[:, 0, 0].mean().item() for at in (-5.0, 0.0, 5.0)]
    assert first == pytest.approx([-4.0, 1.0, 6.0], abs=0.7), "one to the right of where it is"


@pytest.mark.parametrize("form", ["safetensors", "torch_export"])
def test_an_export_does_so_too(form: str, trained: Path, tmp_path: Path) -> None:
    export_policy(trained, form, tmp_path / form)
    policy, exported = load_policy(trained), load_policy(tmp_path / form, trust_code=True)
    noise = torch.randn(64, 4, 1)
    torch.testing.assert_close(exported(observation(5.0), noise), policy(observation(5.0), noise), rtol=0, atol=1e-5)
    assert exported.fields is not None
    assert list(exported.fields) == ["state"]


def test_without_it_the_same_steps_teach_less(trained: Path, walks: Path, tmp_path: Path) -> None:
    run(configuration(walks, tmp_path, "absolute", relative=None))

    def error(folder: Path) -> float:
        policy = load_policy(folder)
        return sum(abs(policy(observation(at))[:, 0, 0].mean().item() - at - 1) for at in (-25.0, 0.0, 25.0))

    assert error(trained) < 0.5 * error(tmp_path / "absolute")


def test_it_needs_no_normalization(walks: Path, tmp_path: Path) -> None:
    short = {"normalize": None, "trainer": {"_type_": "trainer.default", "max_steps": 1, "log_every_n_steps": 1}}
    relative = run(configuration(walks, tmp_path, "relative", **short))
    absolute = run(configuration(walks, tmp_path, "absolute", **short, relative=None))
    assert relative.metrics["train/loss"] < 0.5 * absolute.metrics["train/loss"], (
        "a walk leads far away, its steps are short"
    )


def test_a_run_is_not_resumed_with_other_differences(walks: Path, tmp_path: Path) -> None:
    run(configuration(walks, tmp_path, "changed"), until=10)
    with pytest.raises(CheckpointError, match="relative"):
        run(configuration(walks, tmp_path, "changed", relative=None), resume="auto")
