"""A run that is stopped or killed goes on as if it had not been, and its folder says what is so."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch  # noqa: F401 - these tests train

OT = str(Path(sys.executable).with_name("ot"))
CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu, seed: 0}
model:
  sequential:
    inputs: [x]
    layers:
      - {_type_: nn.Linear, in_features: 3, out_features: 8}
      - {_type_: nn.Dropout, p: 0.2}
      - {_type_: nn.Linear, in_features: 8, out_features: 2}
data: {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 15, x_shape: [3], y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_epochs: 4, log_every_n_steps: 1}
callbacks:
  - {_type_: cb.model_checkpoint, every_n_steps: 10}
  - {_type_: cb.local.waits, step: 37}
imports: [local_parts]
settings: {allowed_import_prefixes: [local_parts]}
"""
LOCAL_PARTS = """
import os
import time
from pathlib import Path

import torch


class Waits:
    def __init__(self, step):
        self.step = step

    def on_train_step_end(self, context):
        if context.state.global_step == self.step and "WAIT" in os.environ:
            Path("waiting").touch()
            while Path("waiting").exists():
                time.sleep(0.01)


class Target:
    def evaluate(self, policy, *, run, step):
        policy.reset(seed=0)
        return {"mean": policy.act({"x": torch.ones(2, 3)}).mean().item()}


def register(registry):
    registry.register_module("cb.local.waits", Waits)
    registry.register_module("eval.local.target", Target)
"""
EVALUATION = "+eval={_type_: eval.local.target}"


@pytest.fixture(scope="module")
def environment():
    """The environment of every command."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.fixture
def folder(tmp_path):
    return prepared(tmp_path)


def prepared(path):
    path.joinpath("small.yaml").write_text(CONFIGURATION)
    path.joinpath("local_parts.py").write_text(LOCAL_PARTS)
    return path


@pytest.fixture
def ot(zygote, folder, environment):
    return lambda *arguments, **variables: zygote.run(arguments, folder, {**environment, **variables})


@pytest.fixture
def interrupted(folder, environment):
    """Start a run, send it a signal while it is in step 37, and return the exit code and what it said."""

    def interrupt(number):
        command = [OT, "run", "small.yaml"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running = subprocess.Popen(command, cwd=folder, env={**environment, "WAIT": "1"}, **pipes)
        while not (folder / "waiting").exists():
            assert running.poll() is None, running.communicate()
            time.sleep(0.02)
        running.send_signal(number)
        (folder / "waiting").unlink()
        _, said = running.communicate(timeout=60)
        return running.returncode, said

    return interrupt


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, environment):
    """What a run leaves that nothing stopped."""
    folder = prepared(tmp_path_factory.mktemp("uninterrupted"))
    subprocess.run([OT, "run", "small.yaml"], cwd=folder, env=environment, check=True, capture_output=True)
    return left_by(folder / "runs/small")


def left_by(run):
    """Return the digest of the last weights, and what was logged without the times."""
    newest = (run / "checkpoints" / "last").read_text().splitlines()[0]
    weights = sorted((run / "checkpoints" / newest).glob("models.*.safetensors"))
    assert weights
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in weights)).hexdigest()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return newest, digest, [{key: value for key, value in line.items() if key != "time"} for line in lines]


def status_of(run):
    return json.loads((run / "status.json").read_text())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_run_with_a_checkpoint_from_which_it_goes_on(folder, ot, interrupted, uninterrupted, number):
    code, said = interrupted(number)
    assert code == 75, said
    assert "to go on: ot run small.yaml" in said
    assert "--resume" in said
    assert "Traceback" not in said
    stopped = status_of(folder / "runs/small")
    assert (stopped["status"], stopped["step"], stopped["reason"]) == ("stopped", 37, number.name)
    assert (folder / "runs/small/checkpoints/step_00000037").is_dir()

    resumed = ot("run", "small.yaml", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "resumes from step_00000037" in resumed.stdout
    assert status_of(folder / "runs/small")["status"] == "finished"
    assert left_by(folder / "runs/small") == uninterrupted


def test_a_run_that_is_killed_ends_as_if_it_had_not_been(folder, ot, interrupted, uninterrupted):
    code, _ = interrupted(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert status_of(folder / "runs/small")["status"] == "running"

    resumed = ot("run", "small.yaml", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "resumes from step_00000030" in resumed.stdout
    _, _, lines = left_by(folder / "runs/small")
    assert [line["step"] for line in lines if line["stage"] == "train"] == list(range(1, 61))
    assert left_by(folder / "runs/small") == uninterrupted


def test_another_seed_ends_elsewhere(folder, ot, uninterrupted):
    assert ot("run", "small.yaml", "run.seed=1").returncode == 0
    newest, digest, lines = left_by(folder / "runs/small")
    assert newest == uninterrupted[0]
    assert digest != uninterrupted[1]
    assert lines != uninterrupted[2]


def test_a_dry_run_writes_nothing(folder, ot):
    before = sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    assert ot("run", "small.yaml", "--dry-run").returncode == 0
    assert sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts) == before


def test_evaluating_a_run_gives_the_scores_that_it_logged(folder, ot):
    assert ot("run", "small.yaml", "trainer.max_epochs=1", EVALUATION).returncode == 0
    logged = left_by(folder / "runs/small")[2][-1]
    done = ot("eval", "runs/small", "--json")
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert {"step": 15, "stage": "eval", **scores} == logged
    earlier = json.loads(ot("eval", "runs/small", "--json", "--checkpoint", "step_00000010").stdout)
    assert earlier["mean"] != scores["mean"]


def test_an_overwritten_run_is_kept_beside_the_new_one(folder, ot):
    assert ot("run", "small.yaml", "trainer.max_epochs=1").returncode == 0
    first = left_by(folder / "runs/small")
    assert ot("run", "small.yaml", "trainer.max_epochs=1", "run.seed=1", "--overwrite").returncode == 0
    assert left_by(folder / "runs/small.replaced-1") == first
    assert left_by(folder / "runs/small") != first


def test_a_secret_is_nowhere_in_the_run_folder_or_on_the_screen(folder, ot):
    text = CONFIGURATION.replace("run: {name: small,", 'run: {name: "${env:NAME_OF_RUN}",')
    folder.joinpath("small.yaml").write_text(
        text + 'metrics: [{_type_: metric.local.keeps, key: "${env:SERVICE_TOKEN}"}]\n'
    )
    folder.joinpath("local_parts.py").write_text(LOCAL_PARTS + KEEPS)
    secret, name = "s3cr3t-0123456789", "public-9876543210"
    done = ot(
        "run",
        "small.yaml",
        "trainer.max_epochs=1",
        f"+metrics[0].password={secret}",
        SERVICE_TOKEN=secret,
        NAME_OF_RUN=name,
    )
    assert done.returncode == 0, done.stderr
    contents = {path: path.read_bytes() for path in (folder / "runs").rglob("*") if path.is_file()}
    assert [path for path, content in contents.items() if secret.encode() in content] == []
    assert secret not in done.stdout + done.stderr
    assert any(name.encode() in content for content in contents.values())


KEEPS = """

class Keeps:
    def __init__(self, key, password):
        assert key == password == os.environ["SERVICE_TOKEN"]

    def update(self, *, outputs, targets, batch, stage):
        self.seen = True

    def compute(self):
        return {}

    def reset(self):
        self.seen = False


_register = register


def register(registry):
    _register(registry)
    registry.register_module("metric.local.keeps", Keeps)
"""
