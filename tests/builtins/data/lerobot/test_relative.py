"""Statistics of what is learned relative to the present, beside those of all batches of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from offline_trainer_core.errors import DataError
from ot_builtins.data.episodes import Episodes
from ot_builtins.data.lerobot.module import LeRobot
from ot_builtins.data.tensors import Tensors

WHOLE: dict[str, Any] = {"batch_size": 5, "drop_last": False, "validation": 0.25}


def modules(recording: Path, folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    values = {"state": rng.normal(size=(40, 3)).astype("f4"), "action": rng.normal(size=(40, 2)).astype("f4")}
    np.savez(folder / "episodes.npz", **values, episode_ends=np.array([9, 23, 29, 40]))
    np.savez(folder / "rows.npz", **values)
    recorded = {"state": "observation.state", "action": "action", "task": "task"}
    windows: dict[str, Any] = {**WHOLE, "history": 2, "chunk": 4}
    return {
        "data.episodes": Episodes(folder / "episodes.npz", {"state": "state", "action": "action"}, **windows),
        "data.episodes that skips": Episodes(
            folder / "episodes.npz", {"state": "state", "action": "action"}, **windows, skip_last=2
        ),
        "data.episodes of long chunks": Episodes(
            folder / "episodes.npz", {"state": "state", "action": "action"}, **{**windows, "chunk": 20}
        ),
        "data.lerobot": LeRobot(recording, recorded, **windows),
        "data.tensors": Tensors(folder / "rows.npz", **WHOLE),
    }


def differences(batch: Mapping[str, Tensor], step: int) -> Tensor:
    """Return what an algorithm learns from of a batch: `(N, 2)`, all steps that are no padding."""
    state, action = batch["state"], batch["action"]
    if action.ndim == 2:
        return action - state[:, 1:3]
    return (action - state[:, step, 1:3].unsqueeze(1))[~batch["action_is_pad"]]


@pytest.mark.parametrize(
    "name",
    ["data.episodes", "data.episodes that skips", "data.episodes of long chunks", "data.lerobot", "data.tensors"],
)
def test_the_statistics_are_those_of_every_step_of_every_window(name: str, recording: Path, tmp_path: Path) -> None:
    module = modules(recording, tmp_path)[name]
    module.setup("fit")
    rows = torch.cat([differences(batch, step=-1) for batch in module.train_dataloader()]).double()
    found = module.relative_stats("action", "state", slice(1, 3))
    assert found["count"] == len(rows)
    expected = {"mean": rows.mean(0), "std": rows.std(0, unbiased=False), "min": rows.amin(0), "max": rows.amax(0)}
    for statistic, value in expected.items():
        torch.testing.assert_close(found[statistic], value.float())
    if name != "data.tensors":
        earlier = torch.cat([differences(batch, step=0) for batch in module.train_dataloader()])
        assert not torch.allclose(found["mean"], earlier.mean(0)), "the step before the present one is another"


@pytest.mark.parametrize(
    ("field", "reference", "part", "message"),
    [
        ("action", "state", slice(0, None), r"a row of 'action' is \(2,\), and .* 'state', is \(3,\): .* state\[0:2\]"),
        ("action", "task", slice(0, None), "'task' is no field of numbers; there are: state, action"),
        ("acton", "state", slice(0, 2), "'acton' is no field of numbers"),
    ],
)
def test_what_cannot_be_subtracted_is_refused(
    field: str, reference: str, part: slice, message: str, recording: Path, tmp_path: Path
) -> None:
    for name, module in modules(recording, tmp_path).items():
        module.setup("fit")
        with pytest.raises(DataError, match=message if name == "data.lerobot" else "relative"):
            module.relative_stats(field, reference, part)
