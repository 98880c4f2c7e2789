"""A recorded run is run again, and what differs is said: nothing, or the first number."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch  # noqa: F401 - these tests train

from offline_trainer_core import UsageError
from offline_trainer_core.run import reproduce

pytestmark = pytest.mark.slow
OT = str(Path(sys.executable).with_name("ot"))
CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu, seed: 0}
model: {config_path: net.yaml}
data: {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 15, x_shape: [3], y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.local.mse}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_epochs: 4, log_every_n_steps: 1}
callbacks:
  - {_type_: cb.model_checkpoint, every_n_steps: 10}
  - {_type_: cb.throughput, every_n_steps: 1}
  - {_type_: cb.local.waits, step: 37}
imports: [local_parts]
settings: {allowed_import_prefixes: [local_parts]}
x-tracker: {api_key: "${env:SOME_KEY}", url: "https://me:${env:DB_PASSWORD}@host"}
"""
NET = """
schema_version: 1
model:
  sequential:
    inputs: [x]
    layers:
      - {_type_: nn.Linear, in_features: 3, out_features: 8}
      - {_type_: nn.Dropout, p: 0.2}
      - {_type_: nn.Linear, in_features: 8, out_features: 2}
"""
LOCAL_PARTS = """
import os
import time
from pathlib import Path

from torch.nn.functional import mse_loss

from offline_trainer_core import LossOutput


class Waits:
    def __init__(self, step):
        self.step = step

    def on_train_step_end(self, context):
        if context.state.global_step == self.step and "WAIT" in os.environ:
            Path("waiting").touch()
            while Path("waiting").exists():
                time.sleep(0.01)


class Mse:
    def __call__(self, *, outputs, targets, batch, stage):
        return LossOutput(mse_loss(outputs["out"] if isinstance(outputs, dict) else outputs, targets["y"]))


def register(registry):
    registry.register_module("cb.local.waits", Waits)
    registry.register_module("loss.local.mse", Mse)
"""
SECRETS = {"SOME_KEY": "canary-one", "DB_PASSWORD": "canary-two"}
CODE = "the module local_parts is not the code that is pinned: local_parts.py changed"


@pytest.fixture(scope="module")
def recorded(run_ot, tmp_path_factory):
    """A folder in which the run `small` was trained."""
    folder = tmp_path_factory.mktemp("recorded")
    for name, text in {"small.yaml": CONFIGURATION, "net.yaml": NET, "local_parts.py": LOCAL_PARTS}.items():
        (folder / name).write_text(text)
    done = run_ot(folder, "run", "small.yaml")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(recorded, tmp_path):
    return Path(shutil.copytree(recorded, tmp_path / "work"))


@pytest.fixture(scope="module")
def run_ot(zygote):
    return lambda folder, *arguments, **variables: zygote.run(arguments, folder, environment(**variables))


def environment(**variables):
    inherited = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return {**inherited, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **SECRETS, **variables}


def weights_of(run):
    newest = (run / "checkpoints" / "last").read_text().partition("\n")[0]
    return (run / "checkpoints" / newest / "models.model.safetensors").read_bytes()


def test_the_same_run_again_is_the_same_to_the_bit(run_ot, folder):
    done = run_ot(folder, "reproduce", "runs/small")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reproduces runs/small up to step 60\nin the same environment\n" in done.stdout
    assert "reproduced to the bit: weights and optimizer states after 60 steps are equal\n" in done.stdout
    assert "first difference" not in done.stdout
    assert weights_of(folder / "runs/small-reproduced") == weights_of(folder / "runs/small")
    again = run_ot(folder, "reproduce", "runs/small")
    assert (again.returncode, (folder / "runs/small-reproduced-2").is_dir()) == (0, True)


def test_another_seed_is_not_the_same_and_the_first_difference_is_named(run_ot, folder):
    done = run_ot(folder, "reproduce", "runs/small", "run.seed=1", "--name=other")
    assert done.returncode == 1, done.stdout + done.stderr
    first, second = ([json.loads(line) for line in metrics_of(folder / "runs" / run)] for run in ("small", "other"))
    assert "not reproduced: models.model.safetensors, optimizers.model.safetensors after 60 steps" in done.stdout
    said = f"first difference: train/loss at step 1 was {first[0]['loss']!r} and is {second[0]['loss']!r}, a relative"
    assert said in done.stdout


def metrics_of(run):
    return (run / "metrics.jsonl").read_text().splitlines()


def test_a_difference_that_begins_late_is_found_where_it_begins(run_ot, folder):
    late = run_ot(folder, "reproduce", "runs/small", "+trainer.max_steps=20")
    assert late.returncode == 1
    assert "first difference: only the original has train/loss at step 21" in late.stdout


def test_a_stopped_run_is_repeated_up_to_its_last_step(run_ot, folder, tmp_path):
    command = [OT, "run", "small.yaml", "run.name=stopped"]
    running = subprocess.Popen(command, cwd=folder, env=environment(WAIT="1"), stdout=subprocess.DEVNULL)
    while not (folder / "waiting").exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    (folder / "waiting").unlink()
    assert running.wait(60) == 75
    done = run_ot(folder, "reproduce", "runs/stopped")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reproduces runs/stopped up to step 37" in done.stdout
    assert "reproduced to the bit: weights and optimizer states after 37 steps are equal" in done.stdout
    assert weights_of(folder / "runs/stopped-reproduced") == weights_of(folder / "runs/stopped")
    resumed = run_ot(folder, "run", "small.yaml", "run.name=stopped-reproduced", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert weights_of(folder / "runs/stopped-reproduced") == weights_of(folder / "runs/small")


def test_a_killed_run_without_a_checkpoint_is_compared_by_what_it_logged(run_ot, folder):
    run = folder / "runs/small"
    shutil.rmtree(run / "checkpoints")
    lines = metrics_of(run)[:16]
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    (run / "status.json").write_text('{"status": "running", "step": 8}')
    done = run_ot(folder, "reproduce", "runs/small")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every metric after 8 steps is equal, and there is no checkpoint to compare" in done.stdout
    (run / "metrics.jsonl").write_text("\n".join(lines).replace('"loss": 0', '"loss": 1', 1) + "\n")
    changed = run_ot(folder, "reproduce", "runs/small")
    assert changed.returncode == 1
    assert "not reproduced: metrics after 8 steps are not equal\nfirst difference: train/loss at step" in changed.stdout


def test_other_code_is_refused_unless_it_is_wanted(run_ot, folder):
    (folder / "local_parts.py").write_text(LOCAL_PARTS.replace("LossOutput(mse", "LossOutput(2 * mse"))
    refused = run_ot(folder, "reproduce", "runs/small")
    assert refused.returncode == 2
    assert CODE in refused.stderr
    assert not (folder / "runs/small-reproduced").exists()
    allowed = run_ot(folder, "reproduce", "runs/small", "--allow-drift")
    assert allowed.returncode == 1
    assert "a relative difference of 1\n" in allowed.stdout


def test_a_run_is_held_to_the_lock_of_the_record(run_ot, folder):
    assert run_ot(folder, "run", "runs/small/config.yaml", "run.name=again", "--locked").returncode == 0
    assert weights_of(folder / "runs/again") == weights_of(folder / "runs/small")
    unlocked = run_ot(folder, "run", "small.yaml", "run.name=third", "--locked")
    assert unlocked.returncode == 2
    assert "name it by --locked=runs/<name>" in unlocked.stderr
    (folder / "local_parts.py").write_text(LOCAL_PARTS + "\n")
    for arguments in (
        ("runs/small/config.yaml", "run.name=fourth", "--locked"),
        ("small.yaml", "run.name=fourth", "--locked=runs/small"),
        ("small.yaml", "trainer.max_epochs=5", "--resume", "--locked"),
        ("small.yaml", "run.name=fourth", "--locked=runs/small/lock.json", "--nproc=2"),
    ):
        refused = run_ot(folder, "run", *arguments)
        assert (refused.returncode, refused.stderr.count(CODE)) == (2, 1), refused.stderr
    assert not (folder / "runs/fourth").exists()


def test_secrets_come_from_their_variables_again_and_are_nowhere_written(folder):
    masked = json.loads((folder / "runs/small/masked.json").read_text())
    assert masked == {"x-tracker.api_key": "${env:SOME_KEY}", "x-tracker.url": "https://me:${env:DB_PASSWORD}@host"}
    texts = [path.read_bytes() for path in (folder / "runs").rglob("*") if path.is_file()]
    assert not [text for text in texts if b"canary" in text]
    environment_without = {name: value for name, value in environment().items() if name != "SOME_KEY"}
    missing = subprocess.run(
        [OT, "reproduce", "runs/small"], cwd=folder, env=environment_without, capture_output=True, text=True
    )
    assert missing.returncode == 2
    assert "the environment variable SOME_KEY is not set" in missing.stderr


def test_a_secret_that_stood_in_the_file_is_asked_for(run_ot, folder):
    (folder / "runs/small/masked.json").write_text('{"x-tracker.api_key": null, "x-tracker.url": null}')
    asked = run_ot(folder, "reproduce", "runs/small")
    assert asked.returncode == 2
    assert "x-tracker.api_key, x-tracker.url" in asked.stderr
    assert "ot reproduce runs/small 'x-tracker.api_key=...'" in asked.stderr
    given = run_ot(folder, "reproduce", "runs/small", "x-tracker.api_key=a", "x-tracker.url=b")
    assert given.returncode == 0, given.stderr


def test_what_differs_of_the_environment_is_said_before_the_training(run_ot, folder):
    path = folder / "runs/small/environment.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "host": "elsewhere", "python": {"version": "3.9.1"}}))
    done = run_ot(folder, "reproduce", "runs/small")
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("\n\n")[0].splitlines()
    assert table[1].split() == ["environment", "then", "now"]
    assert [line.split()[:2] for line in table[2:]] == [["Python", "3.9.1"], ["host", "elsewhere"]]


@pytest.mark.parametrize("kind", ["nothing", "no run"])
def test_what_cannot_be_reproduced_is_one_message(run_ot, folder, kind):
    if kind == "nothing":
        shutil.rmtree(folder / "runs/small/checkpoints")
        (folder / "runs/small/metrics.jsonl").unlink()
    done = run_ot(folder, "reproduce", "runs/small" if kind == "nothing" else ".")
    assert done.returncode == 2
    assert {"nothing": "came to nothing", "no run": "is no run folder"}[kind] in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_two_processes_are_two_again(run_ot, folder):
    assert run_ot(folder, "run", "small.yaml", "run.name=two", "--nproc=2").returncode == 0
    done = run_ot(folder, "reproduce", "runs/two")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "two-reproduced: cpu, fp32, 2 processes" in done.stdout
    assert done.stdout.count("reproduced to the bit") == 1
    other = run_ot(folder, "reproduce", "runs/two", "run.seed=1")
    assert other.returncode == 1
    assert other.stdout.count("first difference: train/loss at step 1 ") == 1


def test_python_offers_the_same(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    outcome = reproduce("runs/small", name="twin")
    assert (outcome.is_same, outcome.step, outcome.differing, outcome.parting) == (True, 60, (), None)
    with pytest.raises(UsageError, match="holds a run already"):
        reproduce("runs/small", name="twin")
