"""A small run with averaged weights, trained once, and copies of it to damage."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from offline_trainer_core import run

CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu, seed: 0}
model:
  components:
    policy:
      init: xavier_uniform
      sequential:
        inputs: [x]
        layers:
          - {_type_: nn.Linear, in_features: null, out_features: 8}
          - {_type_: nn.BatchNorm1d, num_features: 8}
          - {_type_: nn.Dropout, p: 0.2}
          - {_type_: nn.Linear, in_features: 8, out_features: 2}
data: {_type_: data.random_regression, batch_size: 8, steps_per_epoch: 10, x_shape: [3], y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_epochs: 2}
callbacks:
  - {_type_: cb.ema, decay: 0.9}
  - {_type_: cb.model_checkpoint, every_n_steps: 10}
imports: [local_parts]
settings: {allowed_import_prefixes: [local_parts]}
"""
LOCAL_PARTS = '''
import json
from pathlib import Path

import torch


class Records:
    """An evaluation that writes down what the policy does."""

    def evaluate(self, policy, *, run, step):
        torch.save(policy.act({"x": torch.linspace(-1, 1, 12).reshape(4, 3)}), "actions.pt")
        return {"done": 1.0}


class Dreams:
    """An algorithm that samples: its actions are the model's, moved by noise."""

    noise_shape = (2,)
    action_field = "y"

    def materialize(self, *, model, batch):
        model(batch["x"])

    def setup(self, *, model):
        self.model = model

    def update(self, batch, step):
        loss = (self.model(batch["x"]) - batch["y"]).square().mean()
        step.optimize(step.optimizers, loss)
        return {"loss": loss}

    def act(self, observation, noise):
        return self.model(observation["x"]) + noise


class Idle(Dreams):
    act = property()


class Greedy(Dreams):
    def setup(self, *, model, datamodule):
        self.model = model


def register(registry):
    registry.register_module("eval.local.records", Records)
    for algorithm in (Dreams, Idle, Greedy):
        registry.register_module(f"algo.local.{algorithm.__name__.lower()}", algorithm)
'''
PLAIN = ("~loss", "~io", "~callbacks[0]", "run.name=dreams", "trainer.max_epochs=1")


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `small`, and `dreams`, whose algorithm samples."""
    folder = tmp_path_factory.mktemp("deploy")
    (folder / "small.yaml").write_text(CONFIGURATION)
    (folder / "local_parts.py").write_text(LOCAL_PARTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("small.yaml")
        run("small.yaml", [*PLAIN, "+algorithm={_type_: algo.local.dreams}"])
    sys.modules.pop("local_parts", None)
    return folder


@pytest.fixture
def small(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a copy of the run `small`, below the working folder."""
    return copied(workplace, tmp_path, monkeypatch) / "runs" / "small"


@pytest.fixture
def dreams(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a copy of the run `dreams`, below the working folder."""
    return copied(workplace, tmp_path, monkeypatch) / "runs" / "dreams"


def copied(workplace: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(workplace, folder / "work", dirs_exist_ok=True)
    monkeypatch.chdir(folder / "work")
    monkeypatch.syspath_prepend(folder / "work")
    return folder / "work"


@pytest.fixture
def edit():
    """Return a function that replaces text in a file, which must have it."""

    def replace(path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return replace
