"""Every logger of a run that is killed and resumed again and again has every number, once."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
import torch  # noqa: F401 - a run needs it

for client in ("tensorboard", "mlflow", "wandb"):
    pytest.importorskip(client, reason=f"needs ot-builtins[{client}]")

CONFIG = """
schema_version: 1
run: {name: RUN, out_dir: runs, seed: 0, device: cpu}
data: {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 3, val_steps_per_epoch: 1}
model: {sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [32, 16]}]}}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_epochs: 4, log_every_n_steps: 1}
imports: [killer]
settings: {allowed_import_prefixes: [killer]}
callbacks: [{_type_: cb.model_checkpoint, every_n_steps: 3}, {_type_: cb.local.killer}]
loggers:
  - {_type_: log.csv}
  - {_type_: log.jsonl}
  - {_type_: log.tensorboard}
  - {_type_: log.mlflow}
  - {_type_: log.wandb, mode: offline}
"""
KILLER = """
import os
import signal


class Killer:
    def at(self, moment, step):
        if os.environ.get("KILL") == f"{moment} {step}":
            os.kill(os.getpid(), signal.SIGKILL)

    def on_log(self, step, stage):
        self.at(f"logged {stage}", step)

    def on_train_step_end(self, context):
        self.at("step", context.state.global_step)


def register(registry):
    registry.register_module("cb.local.killer", Killer)
"""
KILLS = ("logged val 3", "logged train 5", "step 6", "logged val 6", "logged val 6", "logged train 11", "logged val 12")
"""Step 3 is saved, then validated: the validation is logged after the checkpoint of its step."""


def run(zygote, folder, name, kill="", *arguments):
    (folder / f"{name}.yaml").write_text(CONFIG.replace("RUN", name))
    (folder / "killer.py").write_text(KILLER)
    env = {**os.environ, "OMP_NUM_THREADS": "1", "KILL": kill, "WANDB_SILENT": "true"}
    env |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
    return zygote.run(["run", f"{name}.yaml", *arguments], folder, env)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, zygote):
    """The folders of a run that was never killed, and of one that was killed at every moment of KILLS."""
    folder = tmp_path_factory.mktemp("runs")
    done = run(zygote, folder, "whole")
    assert done.returncode == 0, done.stderr
    for kill in KILLS:
        resume = ["--resume"] if (folder / "runs" / "killed" / "checkpoints").exists() else []
        done = run(zygote, folder, "killed", kill, *resume)
        assert done.returncode == -signal.SIGKILL, (kill, done.stdout, done.stderr)
    done = run(zygote, folder, "killed", "", "--resume")
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "whole", folder / "runs" / "killed"


def of_record(run):
    return _of_lines(run / "metrics.jsonl")


def of_jsonl(run):
    return _of_lines(run / "log.jsonl")


def _of_lines(path):
    for line in map(json.loads, path.read_text().splitlines()):
        yield from ((line["stage"], line["step"], name, line[name]) for name in line.keys() - {"stage", "step", "time"})


def of_csv(run):
    with (run / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            stage, step = row.pop("stage"), int(row.pop("step"))
            yield from ((stage, step, name, float(text)) for name, text in row.items() if text)


def of_tensorboard(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    for tag in events.Tags()["scalars"]:
        yield from ((*tag.split("/", 1)[:1], e.step, tag.split("/", 1)[1], e.value) for e in events.Scalars(tag))


def of_mlflow(run):
    from mlflow.tracking import MlflowClient

    client = MlflowClient((run / "mlruns").resolve().as_uri())
    known = (run / "mlflow_run_id.txt").read_text().strip()
    for key in client.get_run(known).data.metrics:
        stage, name = key.split("/", 1)
        yield from ((stage, m.step, name, m.value) for m in client.get_metric_history(known, key))


def of_wandb(run):
    from test_wandb import read

    for _, row in read(run):
        step = row.pop("global_step")
        yield from ((*key.split("/", 1)[:1], step, key.split("/", 1)[1], value) for key, value in row.items())


@pytest.mark.parametrize("read", [of_record, of_jsonl, of_csv, of_tensorboard, of_mlflow, of_wandb])
def test_every_number_is_there_once(runs, read, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    whole, killed = (Counter((stage, step, name) for stage, step, name, _ in read(run)) for run in runs)
    assert set(whole.values()) == {1}
    assert killed == whole
    assert len(whole) >= 12 * 2 + 4, "training has a loss and a rate at every step, validation a loss at four"


def test_the_numbers_are_those_of_the_run_that_was_never_killed(runs):
    whole, killed = (sorted(of_record(run)) for run in runs)
    assert killed == whole
    for read in (of_jsonl, of_csv, of_mlflow):
        assert sorted(read(runs[1])) == whole


def test_exact_resumes_go_on_in_the_same_run_of_a_tracker(runs):
    assert len(list(runs[1].glob("mlruns/*/*/metrics"))) == 1
