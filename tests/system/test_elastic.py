"""A run goes on with other processes or other loader workers: the same samples, augmented alike, in the same order."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import torch  # noqa: F401 - these tests train

OT = [str(Path(sys.executable).with_name("ot")), "run", "elastic.yaml"]
CONFIGURATION = """
schema_version: 1
run: {name: elastic, out_dir: runs, device: cpu, seed: 5}
model: {sequential: {inputs: [x], layers: [{_type_: nn.Linear, in_features: 3, out_features: 3}]}}
data: {_type_: data.dataset, dataset: {_type_: dataset.local.augmented}, batch_size: 8, num_workers: 0}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: SGD, kwargs: {lr: 0.05}}
trainer: {_type_: trainer.default, max_epochs: 3, log_every_n_steps: 1}
callbacks: [{_type_: cb.local.notes}, {_type_: cb.model_checkpoint, every_n_steps: 4}]
imports: [local_parts]
settings: {allowed_import_prefixes: [local_parts]}
"""
LOCAL_PARTS = """
import json
import random

import numpy as np
import torch


class Augmented:
    def __len__(self):
        return 50

    def __getitem__(self, index):
        with open("read.txt", "a") as file:
            file.write(f"{index}\\n")
        noise = torch.randn(3) + float(np.random.normal()) + random.gauss(0, 1)
        return {"x": torch.full((3,), index / 50) + 0.1 * noise, "y": torch.full((3,), index / 25), "index": index}


class Notes:
    def batch_process(self, context, batch):
        state = context.state
        seen = [state.epoch, state.global_step, batch["index"].tolist(), batch["x"].tolist()]
        with open(f"seen{context.run.rank}.jsonl", "a") as file:
            file.write(json.dumps(seen) + "\\n")


def register(registry):
    registry.register_module("dataset.local.augmented", Augmented)
    registry.register_module("cb.local.notes", Notes)
"""


@pytest.fixture
def train(tmp_path):
    """Train in parts, each a list of arguments; return what every step saw, what was read, and the training losses."""

    def go(name, *parts):
        folder = tmp_path / name
        folder.mkdir()
        folder.joinpath("elastic.yaml").write_text(CONFIGURATION)
        folder.joinpath("local_parts.py").write_text(LOCAL_PARTS)
        for arguments in parts:
            (folder / "read.txt").unlink(missing_ok=True)
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            command = [*OT, *arguments, "--resume"]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180)
            assert done.returncode == 0, done.stderr
        lines = map(json.loads, (folder / "runs/elastic/metrics.jsonl").read_text().splitlines())
        losses = {line["step"]: line["loss"] for line in lines if line["stage"] == "train"}
        return seen_in(folder), (folder / "read.txt").read_text().split(), losses

    return go


def seen_in(folder):
    """Return the samples of every step over all processes, as {(epoch, step): {sample: its augmented values}}."""
    steps = defaultdict(dict)
    for file in folder.glob("seen*.jsonl"):
        for epoch, step, samples, values in map(json.loads, file.read_text().splitlines()):
            steps[epoch, step] |= dict(zip(samples, values, strict=True))
    return dict(steps)


STOP_AT_STEP_8 = ("trainer.max_epochs=null", "+trainer.max_steps=8")


@pytest.fixture
def alone(train):
    return train("alone", [])


TWO, FOUR = ("--nproc", "2"), ("--nproc", "4")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param((), TWO, id="1 to 2"),
        pytest.param(TWO, (), id="2 to 1"),
        pytest.param(TWO, FOUR, id="2 to 4", marks=pytest.mark.torture),
    ],
)
def test_other_processes_go_on_with_the_same_samples_in_the_same_order(train, alone, first, then):
    seen, _, losses = train("changed", [*first, *STOP_AT_STEP_8], then)
    assert seen == alone[0]
    assert len(seen) == 18
    assert losses == pytest.approx(alone[2], rel=1e-5)


def test_other_workers_go_on_with_the_same_samples_and_the_same_losses(train, alone):
    seen, _, losses = train("changed", ["data.num_workers=2", *STOP_AT_STEP_8], ["data.num_workers=1"])
    assert seen == alone[0]
    assert losses == alone[2]


def test_a_resumed_epoch_reads_no_sample_again(train, alone):
    _, read, _ = train("changed", STOP_AT_STEP_8, ["trainer.max_epochs=2"])
    assert len(read) == 4 * 8  # of the second epoch's six batches two were seen before


def test_another_seed_sees_other_samples(train, alone):
    seen, _, _ = train("changed", ["run.seed=6"])
    assert seen.keys() == alone[0].keys()
    assert seen != alone[0]
