"""What one sees, and gets, who resumes a run: with the same settings, other ones, from elsewhere, or twice at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: F401 - these tests train

from offline_trainer_core.record import load_checkpoint
from offline_trainer_core.record.pointers import write_pointer

OT = str(Path(sys.executable).with_name("ot"))
CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu, seed: 0}
model:
  sequential:
    inputs: [x]
    layers:
      - {_type_: nn.Linear, in_features: 3, out_features: 4}
      - {_type_: nn.Dropout, p: 0.2}
      - {_type_: nn.Linear, in_features: 4, out_features: 2}
data: {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 5, x_shape: [3], y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_steps: 8, log_every_n_steps: 1}
callbacks: [{_type_: cb.model_checkpoint, every_n_steps: 4}]
"""
RATE = "optimizer.kwargs.lr=0.001"
LONGER = "trainer.max_steps=12"
COSINE = "+scheduler={_type_: sched_factory.warmup_cosine}"

Ot = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ot(tmp_path: Path, zygote: Any) -> Ot:
    """Return a function that runs `ot run small.yaml` with arguments; with variables, in a process from nothing."""
    (tmp_path / "small.yaml").write_text(CONFIGURATION)

    def go(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", **variables}
        if not variables:
            return zygote.run(["run", "small.yaml", *arguments], tmp_path, environment)
        command = [OT, "run", "small.yaml", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return go


def trained(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def state(folder: Path, step: int, run: str = "small"):
    return load_checkpoint(folder / f"runs/{run}/checkpoints/step_{step:08d}").state


def same(a, b) -> bool:
    from offline_trainer_core.testing.contract import same as equal

    names = ("models.model", "optimizers.model")
    return all(equal(a[name], b[name]) for name in names)


def rates(folder: Path, run: str = "small") -> list[float]:
    lines = [json.loads(line) for line in (folder / f"runs/{run}/metrics.jsonl").read_text().splitlines()]
    return [line["lr"] for line in lines if line["stage"] == "train"]


def test_a_longer_run_is_exact_and_equals_the_run_that_was_long_from_its_start(ot, tmp_path):
    trained(ot())
    said = trained(ot(LONGER, "--resume"))
    assert "seed 0, resumes from step_00000008\n" in said
    assert said.count("resume: exact\n") == 1
    trained(ot(LONGER, "run.name=long"))
    assert same(state(tmp_path, 12), state(tmp_path, 12, "long"))
    assert not same(state(tmp_path, 12), state(tmp_path, 8))


def test_a_schedule_over_the_run_follows_the_new_length_and_the_verdict_says_so(ot, tmp_path):
    trained(ot(COSINE))
    said = trained(ot(COSINE, LONGER, "--resume"))
    assert "resume: order-only (the schedule of 'model' now ends at step 12 instead of 8)" in said
    trained(ot(COSINE, LONGER, "run.name=long"))
    assert rates(tmp_path)[8:] == pytest.approx(rates(tmp_path, "long")[8:], rel=1e-12)


def test_a_run_that_was_killed_before_its_last_checkpoint_was_called_the_last_ends_with_it(ot, tmp_path):
    trained(ot())
    last = tmp_path / "runs/small/checkpoints/last"
    whole = last.read_bytes()
    write_pointer(last, "step_00000004")
    assert last.read_bytes() != whole
    trained(ot("--resume"))
    assert last.read_bytes() == whole


def test_a_run_that_is_long_enough_already_ends_at_once_and_says_so(ot, tmp_path):
    trained(ot())
    done = ot("trainer.max_steps=4", "--resume")
    said = trained(done)
    assert "finished after 8 steps" in said
    assert "step 8" in done.stderr
    assert "nothing left to train" in done.stderr
    assert max(json.loads(x)["step"] for x in (tmp_path / "runs/small/metrics.jsonl").read_text().splitlines()) == 8


def test_a_changed_setting_is_refused_with_both_values_and_nothing_is_touched(ot, tmp_path):
    trained(ot())
    before = (tmp_path / "runs/small/config.yaml").read_bytes()
    said = refused(ot(RATE, LONGER, "--resume"), 5)
    assert "step_00000008" in said
    assert "optimizer.kwargs.lr: 0.01 -> 0.001\n" in said
    assert "--accept-changes" in said
    assert (tmp_path / "runs/small/config.yaml").read_bytes() == before
    assert json.loads((tmp_path / "runs/small/status.json").read_text())["status"] == "finished"


def test_an_accepted_setting_takes_effect_once_and_the_next_resume_is_exact(ot, tmp_path):
    trained(ot())
    said = trained(ot(RATE, LONGER, "--resume", "--accept-changes"))
    assert "resume: order-only (optimizer.kwargs.lr: 0.01 -> 0.001)" in said
    assert rates(tmp_path) == [0.01] * 8 + [0.001] * 4
    assert "resume: exact\n" in trained(ot(RATE, "trainer.max_steps=13", "--resume"))
    assert rates(tmp_path)[-1] == 0.001


@pytest.mark.parametrize("with_permission", [False, True])
def test_weights_that_do_not_fit_are_refused_by_name(ot, with_permission):
    trained(ot())
    wider = ["model.sequential.layers[0].out_features=5", "model.sequential.layers[2].in_features=5"]
    said = refused(ot(*wider, "--resume", *["--accept-changes"] * with_permission), 5)
    if with_permission:
        assert "0.weight: (4, 3) in the checkpoint, (5, 3) here" in said
        assert "2.weight: (2, 4) in the checkpoint, (2, 5) here" in said
        assert "weights: " in said
    else:
        assert "model.sequential.layers[0].out_features: 4 -> 5" in said


def test_what_is_harmless_resumes_exactly(ot):
    trained(ot())
    harmless = ["trainer.log_every_n_steps=2", "callbacks=[]", "+loggers=[{_type_: log.csv}]", LONGER]
    assert "resume: exact\n" in trained(ot(*harmless, "--resume"))


def test_another_number_of_threads_lowers_the_verdict(ot):
    trained(ot())
    said = trained(ot(LONGER, "--resume", OMP_NUM_THREADS="2"))
    assert "resume: order-only (threads 2 instead of 1)\n" in said


@pytest.mark.parametrize(
    ("wanted", "step"),
    [
        ("auto", 8),
        ("last", 8),
        ("step_00000004", 4),
        ("runs/small", 8),
        ("runs/small/checkpoints/step_00000004", 4),
        ("runs/small/checkpoints/last", 8),
    ],
)
def test_a_checkpoint_is_named_in_every_way_for_its_own_run_and_for_another(ot, wanted, step):
    trained(ot())
    if "/" in wanted:
        said = trained(ot("run.name=other", LONGER, f"--resume={wanted}"))
        assert f"resumes from runs/small/checkpoints/step_{step:08d}\n" in said
        assert "resume: exact\n" in said
    assert f"resumes from step_{step:08d}\n" in trained(ot(LONGER, f"--resume={wanted}"))


@pytest.mark.parametrize("wanted", ["best", "step_00000099", "runs", "runs/absent"])
def test_what_is_no_checkpoint_is_refused(ot, wanted):
    trained(ot())
    assert "checkpoint" in refused(ot(f"--resume={wanted}"), 5)


def test_a_run_from_a_checkpoint_of_another_follows_the_same_rules(ot, tmp_path):
    trained(ot())
    other = ["run.name=other", RATE, LONGER, "--resume=runs/small"]
    assert "optimizer.kwargs.lr: 0.01 -> 0.001" in refused(ot(*other), 5)
    assert not (tmp_path / "runs/other").exists()
    assert "resume: order-only" in trained(ot(*other, "--accept-changes"))


def test_a_checkpoint_that_was_copied_elsewhere_is_compared_as_well(ot, tmp_path):
    trained(ot())
    (tmp_path / "runs/small/checkpoints/step_00000004").rename(tmp_path / "copy")
    assert RATE.partition("=")[0] in refused(ot("run.name=other", RATE, "--resume=copy"), 5)
    assert "resumes from copy" in trained(ot("run.name=other", "--resume=copy"))


WAITING = """
import os, time
from pathlib import Path
from typing import Any

class Waits:
    harmless = True

    def on_train_step_end(self, context):
        if context.state.global_step == 6 and "WAIT" in os.environ:
            Path("waiting").touch()
            time.sleep(60)

def register(registry):
    registry.register_module("cb.local.waits", Waits)
"""


def test_a_run_that_is_running_is_neither_resumed_nor_overwritten_and_a_killed_one_is(ot, tmp_path):
    (tmp_path / "waiting_parts.py").write_text(WAITING)
    local = [
        "+imports=[waiting_parts]", "+settings={allowed_import_prefixes: [waiting_parts]}",
        "callbacks=[{_type_: cb.model_checkpoint, every_n_steps: 4}, {_type_: cb.local.waits}]",
    ]  # fmt: skip
    environment = {**os.environ, "WAIT": "1", "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen([OT, "run", "small.yaml", *local], cwd=tmp_path, env=environment)
    try:
        while not (tmp_path / "waiting").exists():
            assert running.poll() is None
            time.sleep(0.02)
        for again in ("--resume", "--overwrite"):
            said = refused(ot(*local, again), 2)
            assert f"runs/small is running already: process {running.pid} on " in said
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    said = trained(ot(*local, "--resume"))
    assert "resumes from step_00000004\n" in said
    assert "resume: exact\n" in said


def test_the_verdict_is_said_once_on_several_processes(ot):
    trained(ot("--nproc", "2"))
    assert trained(ot(LONGER, "--nproc", "2", "--resume")).count("resume: exact\n") == 1
    alone = trained(ot("trainer.max_steps=16", "--resume"))
    assert "resume: order-only (processes 1 instead of 2)\n" in alone


def test_the_verdict_is_green_where_it_is_exact_and_yellow_where_it_is_not(ot):
    trained(ot())
    coloured = {"NO_COLOR": "", "FORCE_COLOR": "1"}
    assert "\x1b[32mresume: exact" in trained(ot(LONGER, "--resume", **coloured))
    lowered = trained(ot("trainer.max_steps=16", "--resume", OMP_NUM_THREADS="2", **coloured))
    assert "\x1b[33mresume: order-only" in lowered
