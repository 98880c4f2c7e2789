"""An older file trains as the file that a person would have written today."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

OLD = """\
seed: 7
device: cpu
model: {config: {schema_version: 1, model: {sequential: {inputs: [x], layers: [
  {_type_: nn.Linear, in_features: 8, out_features: 4}]}}}}
data: {datamodule: {type: random_regression, params: {steps_per_epoch: 6, val_steps_per_epoch: 1,
  batch_size: 4, x_shape: [8], y_shape: [4]}}}
train:
  model_input: x
  loss: {type: torch, params: {fn: MSELoss, target_path: y}}
  optimizer: {type: AdamW, params: {lr: 1.0e-2}}
  scheduler: {type: StepLR, params: {step_size: 2}}
  max_epochs: 2
  accumulate_grad_batches: 2
  gradient_clip_val: 0.5
  log_every_n_steps: 1
  ema: {enabled: yes, decay: 0.9}
  loggers: [{type: jsonl}]
  checkpoint: {save_dir: out, save_every_n_steps: 3}
"""
NEW = """\
schema_version: 1
run: {name: new, out_dir: out, seed: 7, device: cpu}
model:
  sequential: {inputs: [x], layers: [{_type_: nn.Linear, in_features: 8, out_features: 4}]}
data:
  {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 6, val_steps_per_epoch: 1, x_shape: [8],
   y_shape: [4]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 1e-2}}
scheduler: {_type_: sched_factory.torch, type: StepLR, kwargs: {step_size: 2}}
trainer: {_type_: trainer.default, max_epochs: 2, grad_accum_steps: 2, grad_clip_norm: 0.5, log_every_n_steps: 1}
callbacks: [{_type_: cb.ema, decay: 0.9}, {_type_: cb.model_checkpoint, every_n_steps: 3}]
loggers: [{_type_: log.jsonl}]
"""


def train(file: str, folder: Path, *overrides: str) -> tuple[str, list[dict[str, float]]]:
    """Run `file`; return what was printed, and the losses that were logged."""
    done = subprocess.run(
        [sys.executable, "-m", "offline_trainer_core", "run", file, *overrides],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    log = folder / "out" / Path(file).stem / "log.jsonl"
    return done.stderr, [json.loads(line) for line in log.read_text().splitlines()]


def test_an_older_file_trains_as_its_translation_by_hand(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    said, losses = train("old.yaml", tmp_path)
    _, expected = train("new.yaml", tmp_path)
    assert "old.yaml is written in the nested dialect" in said
    assert "ot migrate --in-place old.yaml" in said
    assert len(losses) >= 6
    assert losses == expected


def test_another_seed_gives_other_losses(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    _, losses = train("old.yaml", tmp_path)
    _, others = train("new.yaml", tmp_path, "run.seed=8")
    assert losses != others
