"""Several processes train as one would, and end together."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

OT = [str(Path(sys.executable).with_name("ot")), "run"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TORCHRUN += ["-m", "offline_trainer_core", "run"]

SUPERVISED = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu, seed: 3}
model:
  sequential:
    inputs: [x]
    layers:
      - {_type_: nn.Linear, in_features: 3, out_features: 8}
      - {_type_: nn.Tanh}
      - {_type_: nn.Linear, in_features: 8, out_features: 2}
data: {_type_: data.tensors, data: rows.npz, batch_size: 4, validation: 0.25}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
metrics: [{_type_: metric.mean_absolute_error}]
trainer: {_type_: trainer.default, max_epochs: 2, log_every_n_steps: 1}
settings: {allowed_import_prefixes: [local_parts]}
"""
ACTOR_CRITIC = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu, seed: 3}
model:
  components:
    actor: {_type_: model.deterministic_actor, observation_dim: 3, action_dim: 2, hidden: [8]}
    critic: {_type_: model.twin_q, observation_dim: 3, action_dim: 2, hidden: [8]}
data: {_type_: data.tensors, data: transitions.npz, batch_size: 8}
algorithm: {_type_: algo.td3_bc, policy_noise: 0.0}
optimizer:
  actor: {_type_: optim_factory.torch, type: Adam, kwargs: {lr: 0.01}}
  critic: {_type_: optim_factory.torch, type: Adam, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_epochs: 2, log_every_n_steps: 1}
settings: {allowed_import_prefixes: [local_parts]}
"""
LOCAL_PARTS = """
import ctypes
import os
import signal
import time
from pathlib import Path

from safetensors.torch import save_file


class EachProcessSaves:
    def on_fit_end(self, context):
        weights = {f"{name}.{key}": w for name, m in context.models.items() for key, w in m.state_dict().items()}
        save_file({key: w.contiguous() for key, w in weights.items()}, f"rank{context.run.rank}.safetensors")


def end(how):
    if how == "exit":
        os._exit(9)
    if how == "abort":
        ctypes.string_at(0)
    if how == "raise":
        raise ValueError("process 1 has had enough")
    os.kill(os.getpid(), getattr(signal, how))


class Dies:
    def __init__(self, how: str = "exit", at: str = "step", once: bool = False):
        self.how, self.at, self.once = how, at, once
        self.act("build")

    def act(self, at):
        if at != self.at or os.environ["RANK"] != "1" or (self.once and Path("died").exists()):
            return
        Path("died").touch()
        end(self.how)

    def on_validation_start(self, context):
        self.act("validation")

    def on_train_step_end(self, context):
        if context.state.global_step == 10:
            self.act("step")


class LogsOnItsOwn:
    def post_optim_log(self, context, batch):
        return {"mine": 1.0} if context.run.rank == 0 else {}


class WithoutPlace:
    def __init__(self, late: float = 0.0):
        time.sleep(late if os.environ["RANK"] == "1" else 0)

    def setup(self, stage):
        return None

    def train_dataloader(self):
        return [{}]

    def val_dataloader(self):
        return None


def register(registry):
    registry.register_module("cb.local.each_process_saves", EachProcessSaves)
    if os.environ.get("RANK") == "1" and "DIES_AT_IMPORT" in os.environ:
        end(os.environ["DIES_AT_IMPORT"])
    registry.register_module("cb.local.dies", Dies)
    registry.register_module("cb.local.logs_on_its_own", LogsOnItsOwn)
    registry.register_module("data.local.without_place", WithoutPlace)
"""
LOCAL = "+imports=[local_parts]"
LONG = pytest.mark.torture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with configurations and the data that they name. 39 rows: 30 to train on, 9 to validate."""
    folder = tmp_path_factory.mktemp("processes")
    draw = np.random.default_rng(0)
    x = draw.normal(size=(39, 3)).astype("float32")
    np.savez(folder / "rows.npz", x=x, y=np.tanh(x[:, :2]))
    fields = {name: draw.normal(size=(40, 3)).astype("float32") for name in ("observation", "next_observation")}
    action, reward = draw.uniform(-1, 1, size=(40, 2)).astype("float32"), draw.normal(size=40).astype("float32")
    np.savez(folder / "transitions.npz", **fields, action=action, reward=reward, terminated=reward > 1)
    folder.joinpath("supervised.yaml").write_text(SUPERVISED)
    folder.joinpath("actor_critic.yaml").write_text(ACTOR_CRITIC)
    folder.joinpath("local_parts.py").write_text(LOCAL_PARTS)
    return folder


@pytest.fixture(scope="module")
def ot(folder):
    """Run `ot run` in that folder under a name of its own; return what came out, and the logged lines without times."""

    def run_ot(name, config, *arguments, start=OT):
        named = [*start, f"{config}.yaml", f"run.name={name}", *arguments]
        done = subprocess.run(named, cwd=folder, capture_output=True, text=True, env=environment(), timeout=120)
        return done, logged(folder / "runs" / name)

    return run_ot


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def logged(run):
    file = run / "metrics.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [{key: value for key, value in line.items() if key != "time"} for line in lines]


def assert_alike(some, others):
    assert [(line["step"], line["stage"]) for line in some] == [(line["step"], line["stage"]) for line in others]
    for one, other in zip(some, others, strict=True):
        assert without_stage(one) == pytest.approx(without_stage(other), rel=1e-5)


def without_stage(line):
    return {key: value for key, value in line.items() if key != "stage"}


@pytest.fixture(scope="module")
def alone(folder):
    """What one process logs."""
    subprocess.run([*OT, "supervised.yaml", "run.name=alone"], cwd=folder, check=True, env=environment())
    return logged(folder / "runs" / "alone")


@pytest.mark.parametrize("start", ["ot", "torchrun"])
def test_two_processes_log_what_one_does_at_the_same_global_batch(ot, alone, start):
    command, processes = (OT, ["--nproc", "2"]) if start == "ot" else (TORCHRUN, [])
    done, lines = ot(start, "supervised", *processes, start=command)
    assert done.returncode == 0, done.stderr
    assert "2 processes" in done.stdout
    assert done.stdout.count("finished after") == 1
    assert {line["stage"] for line in lines} == {"train", "val"}
    assert all("mae" in line for line in lines if line["stage"] == "val")
    assert_alike(lines, alone)


def test_another_seed_logs_something_else(ot, alone):
    _, lines = ot("seed", "supervised", "run.seed=4")
    assert [line["step"] for line in lines] == [line["step"] for line in alone]
    assert lines[0]["loss"] != pytest.approx(alone[0]["loss"], rel=1e-3)


def test_accumulated_steps_with_a_remainder_are_those_of_one_process(ot, alone):
    accumulate = ("+trainer.grad_accum_steps=3", "+trainer.grad_clip_norm=0.5")
    _, one = ot("accumulate1", "supervised", *accumulate)
    done, two = ot("accumulate2", "supervised", *accumulate, "--nproc", "2")
    assert done.returncode == 0, done.stderr
    assert max(line["step"] for line in one) == 6
    assert len(alone) > len(one)
    assert_alike(two, one)


def test_two_models_with_two_optimizers_stay_the_same_on_both_processes(ot, folder):
    saving = (LOCAL, "+callbacks=[{_type_: cb.local.each_process_saves}]")
    _, one = ot("actor1", "actor_critic", *saving)
    alone = load_file(folder / "rank0.safetensors")
    done, two = ot("actor2", "actor_critic", *saving, "--nproc", "2")
    assert done.returncode == 0, done.stderr
    first, second = (load_file(folder / f"rank{rank}.safetensors") for rank in (0, 1))
    assert first.keys() == second.keys() == alone.keys()
    assert all(first[name].equal(second[name]) for name in first)
    assert all(first[name].allclose(alone[name], atol=1e-5) for name in first)
    assert sum("actor_loss" in line for line in two) == 5
    assert [line["critic_loss"] for line in two] == pytest.approx([line["critic_loss"] for line in one], rel=1e-4)


BEFORE_TRAINING = {
    "a batch that cannot be split": (["data.batch_size=5"], 4, "batch_size 5 cannot be split over 2 processes"),
    "data that is not shared out": (
        [LOCAL, "data={_type_: data.local.without_place}"],
        3,
        "WithoutPlace has no 'place', so 2 processes would all train on the same batches",
    ),
    "data that is not shared out, by a process that comes late": (
        [LOCAL, "data={_type_: data.local.without_place, late: 1.0}"],
        3,
        "WithoutPlace has no 'place', so 2 processes would all train on the same batches",
    ),
    "a wrong configuration": (["data.batch_size=many"], 2, "takes int at least 1, not the string 'many'"),
}


@pytest.mark.parametrize(("change", "code", "message"), BEFORE_TRAINING.values(), ids=BEFORE_TRAINING)
def test_what_is_wrong_is_said_once_not_by_each_process(ot, change, code, message):
    done, _ = ot(f"wrong{code}", "supervised", *change, "--nproc", "2")
    assert done.returncode == code
    assert done.stderr.count(message) == 1, done.stderr
    assert "Traceback" not in done.stderr


REFUSED_BY_PROCESS_0 = {
    "a checkpoint that is not there": (["--resume=missing"], 5, "there is no checkpoint 'missing'"),
    "a run folder that is taken": ([], 2, "holds a run already"),
}


@pytest.mark.parametrize(("change", "code", "message"), REFUSED_BY_PROCESS_0.values(), ids=REFUSED_BY_PROCESS_0)
@pytest.mark.parametrize("start", ["ot", pytest.param("torchrun", marks=LONG)])
def test_what_process_0_refuses_ends_all_at_once_with_one_message(ot, folder, alone, start, change, code, message):
    started = time.monotonic()
    if start == "ot":
        done, _ = ot("alone", "supervised", *change, "--nproc", "2")
        assert done.returncode == code
        assert len(done.stderr.splitlines()) == 1, done.stderr
    else:
        done, _ = ot("alone", "supervised", *change, start=TORCHRUN)
        assert done.returncode != 0
    assert time.monotonic() - started < 60
    assert done.stderr.count(message) == 1, done.stderr
    assert json.loads((folder / "runs/alone/status.json").read_text())["status"] == "finished"


def test_processes_of_torchrun_say_once_what_is_wrong_also_where_the_one_that_says_it_is_late(ot, folder):
    late = folder / "late.py"
    late.write_text(LATE)
    done, _ = ot("wrong", "supervised", "data.batch_size=many", start=[*TORCHRUN[:-3], str(late), "run"])
    assert done.returncode != 0
    assert done.stderr.count("takes int at least 1, not the string 'many'") == 1


LATE = """
import os
import time

from offline_trainer_core.cli import main

time.sleep(3 if os.environ["RANK"] == "0" else 0)
main()
"""
DEATHS = [
    pytest.param("exit", "step", 7, "process 1 ended with exit code 9", marks=LONG),
    ("SIGKILL", "step", 7, "process 1 was killed by SIGKILL"),
    pytest.param("abort", "step", 7, "process 1 was killed by SIGSEGV", marks=LONG),
    pytest.param("SIGKILL", "validation", 7, "process 1 was killed by SIGKILL", marks=LONG),
    pytest.param("exit", "build", 7, "process 1 ended with exit code 9", marks=LONG),
    ("raise", "step", 3, "ValueError: process 1 has had enough"),
    pytest.param("raise", "build", 3, "process 1 has had enough", marks=LONG),
    pytest.param("SIGSTOP", "step", 7, "process 1 did not answer for 0:00:05 (run.process_timeout)", marks=LONG),
]


@pytest.mark.parametrize(("how", "at", "code", "message"), DEATHS)
def test_a_process_that_dies_takes_the_run_down_and_is_named(ot, folder, how, at, code, message):
    begun = time.monotonic()
    name = f"dies-{how}-{at}"
    dies = f"+callbacks=[{{_type_: cb.local.dies, how: {how}, at: {at}}}]"
    done, _ = ot(name, "supervised", LOCAL, dies, "+run.process_timeout=0:05", "--nproc", "2")
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begun < 90
    assert not processes_of(name)
    status = json.loads((folder / "runs" / name / "status.json").read_text())
    assert status["status"] == "failed"
    assert "process 1" in status["reason"]


@LONG
def test_a_process_that_dies_before_all_have_met_is_named(ot, monkeypatch):
    monkeypatch.setenv("DIES_AT_IMPORT", "SIGKILL")
    done, _ = ot("import", "supervised", LOCAL, "--nproc", "2")
    assert done.returncode == 7
    assert "process 1 was killed by SIGKILL" in done.stderr
    assert not processes_of("import")


DIES_ONCE = "+callbacks=[{_type_: cb.model_checkpoint, every_n_steps: 4}, {_type_: cb.local.dies, once: true}]"


@pytest.fixture(scope="module")
def straight(ot, folder):
    """What a run of two processes logs of which none dies."""
    (folder / "died").touch()
    done, lines = ot("straight", "supervised", LOCAL, DIES_ONCE, "--nproc", "2")
    assert done.returncode == 0, done.stderr
    return lines


def test_a_run_that_lost_a_process_goes_on_as_if_it_had_not(ot, folder, straight):
    (folder / "died").unlink(missing_ok=True)
    assert ot("lost", "supervised", LOCAL, DIES_ONCE, "--nproc", "2")[0].returncode == 7
    done, lost = ot("lost", "supervised", LOCAL, DIES_ONCE, "--nproc", "2", "--resume")
    assert done.returncode == 0, done.stderr
    assert lost == straight


@pytest.mark.slow
@pytest.mark.parametrize("start", ["ot", pytest.param("torchrun", marks=LONG)])
def test_processes_that_are_started_again_go_on_by_themselves(ot, folder, straight, start):
    (folder / "died").unlink(missing_ok=True)
    again = [LOCAL, DIES_ONCE, "+run.resume_from=auto"]
    restarting = [*TORCHRUN[:-3], "--max-restarts", "1", *TORCHRUN[-3:]]
    if start == "ot":
        launcher = "+run.launcher={_type_: launcher.torchrun, max_restarts: 1}"
        done, lines = ot("restarted", "supervised", *again, launcher, "--nproc", "2")
    else:
        done, lines = ot("restarted-torchrun", "supervised", *again, start=restarting)
    assert done.returncode == 0, done.stderr
    assert (folder / "died").exists()
    assert lines == straight


def test_processes_that_log_different_names_say_which(ot):
    done, _ = ot("names", "supervised", LOCAL, "+callbacks=[{_type_: cb.local.logs_on_its_own}]", "--nproc", "2")
    assert done.returncode == 3
    assert "must log the same values; of processes 0 and 1, 0 alone logs mine" in done.stderr


def processes_of(name):
    """Return the processes of a run that are there."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if f"run.name={name}".encode() in Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0"):
                found.append(int(entry))
    return found
