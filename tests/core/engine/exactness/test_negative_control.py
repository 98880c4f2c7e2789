"""Leave out any one thing that is saved, and a resumed run is another one: so nothing is saved in vain, and the
comparison sees everything.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from exact_run import Data, Killed, fit

from offline_trainer_core.engine import saving

SAVED_AT = 18
"""The last step of the third epoch, whose validation is still to come."""


ITEMS: dict[str, tuple[str, ...]] = {
    "the weights of a model": ("models.first", "5.weight"),
    "the weights of the other model": ("models.second", "*"),
    "its running mean": ("models.first", "1.running_mean"),
    "a buffer that is not persistent": ("surroundings.first", "buffers"),
    "what is frozen": ("surroundings.first", "frozen"),
    "what is in eval mode": ("surroundings.first", "eval"),
    "the first moments of AdamW": ("optimizers.first", "optimizer", "state", "*", "exp_avg"),
    "the second moments of AdamW": ("optimizers.first", "optimizer", "state", "*", "exp_avg_sq"),
    "the step counter of AdamW": ("optimizers.first", "optimizer", "state", "*", "step"),
    "the learning rate of AdamW": ("optimizers.first", "optimizer", "param_groups"),
    "the momentum of SGD": ("optimizers.second", "optimizer", "state", "*", "momentum_buffer"),
    "the schedule of steps": ("optimizers.first", "schedule"),
    "the schedule that watches a metric": ("optimizers.second", "schedule"),
    "the steps that a schedule counts": ("optimizers.first", "steps"),
    "the average of the weights": ("callbacks.ema", "policy_weights"),
    "the target network": ("algorithm", "*"),
    "how long early stopping has waited": ("callbacks.stop", "waited"),
    "the best value of early stopping": ("callbacks.stop", "best"),
    "the best value of the checkpoints": ("callbacks.checkpoint", "best_value"),
    "the statistics of the normalizer": ("normalizer", "*"),
    "the metric of this epoch's training": ("train_metrics.mse", "sum"),
    "what is yet to be logged": ("logs", "*"),
    "the position of the logger": ("loggers.record", "lines"),
    "the data module": ("datamodule", "told"),
    "the epoch": ("counters", "epoch"),
    "the step": ("counters", "global_step"),
    "the batch in the epoch": ("counters", "micro_step_in_epoch"),
    "Python's generator": ("generators", "python"),
    "NumPy's generator": ("generators", "numpy"),
    "torch's generator": ("generators", "torch"),
}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return fit(tmp_path_factory.mktemp("whole") / "run", **fixed_statistics())


def fixed_statistics() -> dict[str, Any]:
    """Give a run the statistics that all runs of this module begin with."""
    data = Data()
    data.stats = deepcopy(STATISTICS)
    return {"datamodule": data}


STATISTICS = Data().stats


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    with pytest.raises(Killed):
        fit(tmp_path / "run", save_at=SAVED_AT, **fixed_statistics())
    return tmp_path / "run"


def resumed(folder: Path) -> dict[str, Any]:
    """Go on in a process that would begin otherwise: its data module draws other statistics."""
    return fit(folder, resume=True)


def test_with_everything_that_was_saved_the_run_is_the_same(killed, uninterrupted):
    assert resumed(killed) == uninterrupted


@pytest.mark.parametrize("item", ITEMS)
def test_without_one_thing_that_was_saved_it_is_another(killed, uninterrupted, item, monkeypatch):
    restore = saving.restore
    section, *path = ITEMS[item]

    def forgetful(parts: Any, state: Any, source: object) -> Any:
        fresh = deepcopy(parts[section].state_dict())
        changed = {**state, section: deepcopy(state[section])}
        changed[section] = forgotten(changed[section], fresh, path)
        return restore(parts, changed, source)

    monkeypatch.setattr(saving, "restore", forgetful)
    assert resumed(killed) != uninterrupted


def forgotten(state: Any, fresh: Any, path: list[str]) -> Any:
    """Return `state` with what lies at `path` as it is in `fresh`, or zero where it is not there yet."""
    if not path:
        return fresh if fresh is not None else _zero(state)
    key, *rest = path
    if key == "*" and not rest:
        return fresh
    keys = list(state) if key == "*" else [key]
    beside = fresh if isinstance(fresh, dict) else {}
    return {**state, **{k: forgotten(state[k], beside.get(k), rest) for k in keys}}


def _zero(value: Any) -> Any:
    return torch.zeros_like(value) if isinstance(value, torch.Tensor) else type(value)()
