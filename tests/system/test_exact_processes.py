"""Two processes that are stopped and go on end as if they had not been: each has its own share of the state."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch  # noqa: F401 - these tests train
from safetensors.torch import load_file

OT = [str(Path(sys.executable).with_name("ot")), "run", "exact.yaml", "--nproc", "2"]
CONFIGURATION = """
schema_version: 1
run: {name: exact, out_dir: runs, device: cpu, seed: 5, strategy: {_type_: strategy.ddp}}
model:
  sequential:
    inputs: [x]
    layers:
      - {_type_: nn.Linear, in_features: 3, out_features: 8}
      - {_type_: nn.BatchNorm1d, num_features: 8}
      - {_type_: nn.Dropout, p: 0.2}
      - {_type_: nn.Linear, in_features: 8, out_features: 2}
data: {_type_: data.random_regression, batch_size: 8, steps_per_epoch: 8, val_steps_per_epoch: 12, x_shape: [3],
       y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
metrics: [{_type_: metric.mean_absolute_error, stages: [train, val]}]
trainer: {_type_: trainer.default, max_epochs: 3, log_every_n_steps: 7, val_every_n_steps: 5}
callbacks: [{_type_: cb.ema, decay: 0.9}, {_type_: cb.local.signals}]
imports: [local_parts]
settings: {allowed_import_prefixes: [local_parts]}
"""
LOCAL_PARTS = """
import os
import signal

RANK = os.environ.get("RANK")


class Signals:
    def signal_at(self, place):
        if os.environ.get("STOP") == place and RANK == "1":
            os.kill(os.getpid(), signal.SIGTERM)

    def on_train_step_end(self, context):
        self.signal_at(f"step {context.state.global_step}")

    def on_validation_start(self, context):
        self.signal_at(f"validation {context.state.global_step}")


class EachItsOwnBuffers:
    def __init__(self):
        from ot_builtins.strategies import Ddp

        inner = Ddp()
        self.wrap, self.accumulate = inner.wrap, inner.accumulate


def register(registry):
    registry.register_module("cb.local.signals", Signals)
    registry.register_module("strategy.local.each_its_own", EachItsOwnBuffers)
    if RANK == "1" and "FORGET" in os.environ:
        forget(os.environ["FORGET"])


def forget(section):
    from offline_trainer_core.engine import saving

    restore = saving.restore

    def forgetful(parts, state, source):
        fresh = {name: part.state_dict() for name, part in parts.items() if name.startswith(section)}
        return restore(parts, {**state, **fresh}, source)

    saving.restore = forgetful
"""
EACH_ITS_OWN = "run.strategy={_type_: strategy.local.each_its_own}"


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Train in a folder, from its beginning or from where it was; return its folder and the exit code."""
    begun = tmp_path_factory.mktemp("exact")

    def go(name, *arguments, **variables):
        folder = begun / name
        folder.mkdir(exist_ok=True)
        folder.joinpath("exact.yaml").write_text(CONFIGURATION)
        folder.joinpath("local_parts.py").write_text(LOCAL_PARTS)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        command = [*OT, *arguments, "--resume"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180)
        assert done.returncode in (0, 75), done.stderr
        return folder, done.returncode

    return go


def outcome(folder):
    """Return weights and averages, what every process goes on with, and what was logged."""
    run = folder / "runs/exact"
    last = run / "checkpoints" / (run / "checkpoints/last").read_text().strip()
    tensors = {file.name: load_file(file) for file in last.glob("*.safetensors")}
    found = {(file, name): t.numpy().tobytes() for file, named in tensors.items() for name, t in named.items()}
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return found, [{name: value for name, value in line.items() if name != "time"} for line in lines]


@pytest.fixture(scope="module")
def uninterrupted(train):
    return outcome(train("whole")[0])


@pytest.fixture(scope="module")
def stopped(train):
    """Stop in the second epoch, in the middle of a window of logs, and one step after a validation."""
    folder, code = train("stopped", STOP="step 11")
    assert code == 75
    return folder


@pytest.mark.parametrize(
    "place", ["step 8", *(pytest.param(f"validation {step}", marks=pytest.mark.torture) for step in (5, 24))]
)
def test_a_signal_to_one_process_changes_nothing_in_the_end(train, uninterrupted, place):
    folder, code = train(place.replace(" ", "_"), STOP=place)
    assert code == 75
    assert train(folder.name)[1] == 0
    assert outcome(folder) == uninterrupted


def resumed(train, stopped, name, *arguments, **variables):
    shutil.copytree(stopped, stopped.with_name(name))
    folder, code = train(name, *arguments, **variables)
    assert code == 0
    return outcome(folder)


def test_both_processes_go_on_from_their_own_state(train, stopped, uninterrupted):
    assert resumed(train, stopped, "resumed") == uninterrupted


@pytest.mark.parametrize("section", ["generators", "logs", "train_metrics."])
def test_without_the_state_of_the_second_process_it_is_another_run(train, stopped, uninterrupted, section):
    assert resumed(train, stopped, f"without_{section}", FORGET=section) != uninterrupted


@pytest.mark.torture
def test_where_each_process_validates_with_its_own_buffers_it_is_another_run(train, uninterrupted):
    whole = outcome(train("own_whole", EACH_ITS_OWN)[0])
    folder, code = train("own", EACH_ITS_OWN, STOP="step 8")
    assert code == 75
    weights, logs = outcome(train(folder.name, EACH_ITS_OWN)[0])
    assert weights == whole[0] == uninterrupted[0]
    assert logs != whole[1]
