"""Two configurations of a small experiment, compared as a resume compares them."""

from __future__ import annotations

import pytest

from offline_trainer_core.config import resolve_config
from offline_trainer_core.explain import Subject
from offline_trainer_core.run import build_registry

EXPERIMENT = {
    "schema_version": 1,
    "run": {"name": "small", "out_dir": "runs", "device": "cpu"},
    "model": {"components": {"policy": {"sequential": {"inputs": ["x"], "layers": [
        {"_type_": "nn.Linear", "in_features": 3, "out_features": 2}
    ]}}}},
    "data": {"_type_": "data.dataset", "dataset": {"_type_": "data.random_regression", "batch_size": 4},
             "batch_size": 4, "num_workers": 0},
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": "x"}, "targets": {"y": "y"}},
    "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
    "optimizer": {"_type_": "optim_factory.torch", "type": "SGD", "kwargs": {"lr": 0.1}},
    "trainer": {"_type_": "trainer.default", "max_epochs": 2, "log_every_n_steps": 1},
    "metrics": [],
    "callbacks": [{"_type_": "cb.ema", "decay": 0.9}],
    "loggers": [],
}  # fmt: skip


@pytest.fixture
def subject():
    """Return a function that resolves the experiment with overrides."""

    def of(*overrides: str) -> Subject:
        config = resolve_config(EXPERIMENT, overrides)
        return Subject.of(config, build_registry(config))

    return of
