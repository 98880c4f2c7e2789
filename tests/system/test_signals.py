"""A signal stops a run at its next step boundary, with a checkpoint; a second one stops it at once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch  # noqa: F401 - these tests train

OT = [str(Path(sys.executable).with_name("ot")), "run", "exp.yaml"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
PATIENCE = 90
CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu, seed: 3}
model: {sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 8, 2], dropout: 0.1}]}}
data:
  _type_: data.dataset
  dataset: {_type_: dataset.local.rows}
  validation_dataset: {_type_: dataset.local.rows}
  batch_size: 4
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_epochs: 3, log_every_n_steps: 1, val_every_n_steps: 4}
callbacks: [{_type_: cb.local.moments}]
eval: {_type_: eval.local.moments}
imports: [local_parts]
settings: {allowed_import_prefixes: [local_parts]}
"""
LOCAL_PARTS = """
import os
import time
from contextlib import suppress
from pathlib import Path

import torch
from torch.utils.data import Dataset


def reach(moment):
    \"\"\"Tell the test that this is the moment that it waits for, once, and wait until it has acted.\"\"\"
    wanted, _, rank = os.environ.get("MOMENT", "").partition("@")
    folder = Path(os.environ.get("MEETING", "."))
    if moment != wanted or (folder / "reached").exists() or rank not in ("", os.environ.get("RANK", "0")):
        return
    (folder / "reached").write_text(str(os.getpid()))
    while not (folder / "acted").exists():
        time.sleep(0.01)


class Rows(Dataset):
    def __init__(self):
        reach("build")
        self.x = torch.randn(24, 4, generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return 24

    def __getitem__(self, index):
        if torch.utils.data.get_worker_info() is None:
            reach("batch")
        return {"x": self.x[index], "y": self.x[index, :2].tanh()}


class Moments:
    def __init__(self, seconds: float = 0.0):
        self.seconds = seconds

    def on_fit_start(self, context):
        reach("start")

    def on_train_step_end(self, context):
        time.sleep(self.seconds)
        if context.state.global_step in (1, 3, 6, 7, 11):
            reach(f"step {context.state.global_step}")

    def on_validation_start(self, context):
        reach(f"validation {context.state.global_step}")

    def on_epoch_end(self, context, epoch):
        reach(f"epoch {epoch}")

    def on_checkpoint_saved(self, context, path):
        reach("saved")

    def on_fit_end(self, context):
        reach("end")

    def state_dict(self):
        reach("save")
        return {}

    def load_state_dict(self, state):
        reach("restore")


class Evaluation:
    def evaluate(self, policy, run, step):
        reach("evaluation")
        return {"score": 1.0}


def register(registry):
    reach("import")
    registry.register_module("cb.local.moments", Moments)
    registry.register_module("dataset.local.rows", Rows)
    registry.register_module("eval.local.moments", Evaluation)
"""


def environment(**more):
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **more}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signals")
    folder.joinpath("exp.yaml").write_text(CONFIGURATION)
    folder.joinpath("local_parts.py").write_text(LOCAL_PARTS)
    return folder


class Meeting:
    """A place where a run waits, in the moment that it was told, until the test has acted."""

    def __init__(self, folder, moment):
        self.folder = folder
        self.environment = {"MOMENT": moment, "MEETING": str(folder)}

    def wait(self, process=None):
        """Return the id of the process that is there."""
        end = time.monotonic() + PATIENCE
        while not (reached := self.folder / "reached").exists() or not reached.read_text():
            assert time.monotonic() < end, "the moment never came"
            assert process is None or process.poll() is None, process.communicate()
            time.sleep(0.01)
        return int(reached.read_text())

    def end(self):
        (self.folder / "acted").touch()


@pytest.fixture
def meet(tmp_path):
    return lambda moment: Meeting(tmp_path, moment)


class Run:
    """A run of one process that found torch imported."""

    def __init__(self, zygote, folder, name, *arguments, meeting=None):
        self.dir, self._zygote = folder / "runs" / name, zygote
        command = ["run", "exp.yaml", f"run.name={name}", *arguments]
        self.pid = zygote.start(command, folder, environment(**(meeting.environment if meeting else {})))

    def wait(self):
        """Return the exit code and what was printed."""
        done = self._zygote.wait()
        return done.returncode, done.stdout + done.stderr


def status_of(run):
    return json.loads((run / "status.json").read_text())


def saved_by(run):
    return sorted(path.name for path in (run / "checkpoints").glob("step_*"))


def weights_of(run):
    newest = run / "checkpoints" / saved_by(run)[-1]
    return {path.name: path.read_bytes() for path in newest.glob("*.safetensors")}


BEFORE_TRAINING = ["import", "build", "start"]
TRAINING = [
    "batch",
    "step 1",
    "step 3",
    "step 6",
    "step 7",
    "step 11",
    "validation 4",
    "validation 8",
    "epoch 0",
    "epoch 1",
]
NAMES = ("SIGINT", "SIGTERM", "SIGUSR1")
SOME = [(moment, NAMES[index % 3]) for index, moment in enumerate(TRAINING)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("moment", BEFORE_TRAINING)
def test_before_training_a_signal_ends_the_run_and_nothing_is_lost(zygote, folder, meet, moment, name):
    meeting = meet(moment)
    run = Run(zygote, folder, f"{moment}-{name}", meeting=meeting)
    os.kill(meeting.wait(), signal.Signals[name])
    code, said = run.wait()
    assert code == 75, said
    assert f"stopped: {name} before the first step; to go on: the same command with --resume" in said
    assert "Traceback" not in said
    assert status_of(run.dir)["status"] == "stopped"
    assert not saved_by(run.dir)
    code, said = Run(zygote, folder, f"{moment}-{name}", "--resume").wait()
    assert code == 0, said


@pytest.mark.parametrize(("moment", "name"), SOME)
def test_in_training_a_signal_stops_at_the_step_boundary_with_one_checkpoint(zygote, folder, meet, moment, name):
    meeting = meet(moment)
    run = Run(zygote, folder, f"{moment.replace(' ', '')}-{name}", meeting=meeting)
    os.kill(meeting.wait(), signal.Signals[name])
    meeting.end()
    code, said = run.wait()
    assert code == 75, said
    assert "Traceback" not in said
    status = status_of(run.dir)
    assert (status["status"], status["reason"]) == ("stopped", name)
    assert 0 < status["step"] < 18
    assert saved_by(run.dir) == [f"step_{status['step']:08d}"]
    assert f"stopped: {name}; to go on: ot run exp.yaml run.name={run.dir.name} --resume" in said


@pytest.mark.parametrize(
    ("moment", "expected", "status"),
    [("save", 75, "stopped"), ("saved", 75, "stopped"), ("evaluation", 0, "finished"), ("end", 0, "finished")],
)
def test_a_signal_after_the_last_step_leaves_nothing_undone(zygote, folder, meet, moment, expected, status):
    meeting = meet(moment)
    run = Run(zygote, folder, f"last-{moment}", meeting=meeting)
    os.kill(meeting.wait(), signal.SIGTERM)
    meeting.end()
    code, said = run.wait()
    assert (code, status_of(run.dir)["status"]) == (expected, status), said
    assert saved_by(run.dir) == ["step_00000018"]
    code, said = Run(zygote, folder, f"last-{moment}", "--resume").wait()
    assert code == 0, said
    assert "score 1" in said


def test_a_run_stopped_by_signals_again_and_again_ends_with_the_weights_of_one_that_was_not(zygote, folder, tmp_path):
    straight = Run(zygote, folder, "straight")
    assert straight.wait()[0] == 0
    for moment in ("step 1", "validation 4", "batch", "step 11", "epoch 1"):
        place = tmp_path / moment.replace(" ", "")
        place.mkdir()
        meeting = Meeting(place, moment)
        run = Run(zygote, folder, "again", "--resume", meeting=meeting)
        os.kill(meeting.wait(), signal.SIGTERM)
        meeting.end()
        code, said = run.wait()
        assert code == 75, said
    assert Run(zygote, folder, "again", "--resume").wait()[0] == 0
    assert weights_of(run.dir) == weights_of(straight.dir)


@pytest.mark.parametrize("moment", ["step 3", "save", "validation 8"])
def test_a_second_signal_stops_at_once_and_leaves_the_checkpoint_before(zygote, folder, meet, tmp_path, moment):
    name = f"twice-{moment.replace(' ', '')}"
    earlier = meet("step 1")
    run = Run(zygote, folder, name, meeting=earlier)
    os.kill(earlier.wait(), signal.SIGTERM)
    earlier.end()
    assert run.wait()[0] == 75
    before = weights_of(run.dir)
    (tmp_path / "again").mkdir()
    meeting = Meeting(tmp_path / "again", moment)
    run = Run(zygote, folder, name, "--resume", meeting=meeting)
    os.kill(meeting.wait(), signal.SIGTERM)
    time.sleep(1.2)
    os.kill(run.pid, signal.SIGINT)
    code, said = run.wait()
    assert code == 130, said
    assert "interrupted at once: SIGINT after another signal; to go on: the same command with --resume" in said
    assert "Traceback" not in said
    assert weights_of(run.dir) == before
    assert status_of(run.dir)["reason"] == "interrupted at once by a second signal, SIGINT"


def test_signals_within_a_second_are_one(zygote, folder, meet):
    meeting = meet("step 3")
    run = Run(zygote, folder, "burst", meeting=meeting)
    for name in ("SIGTERM", "SIGTERM", "SIGUSR1", "SIGINT"):
        os.kill(meeting.wait(), signal.Signals[name])
    meeting.end()
    assert run.wait()[0] == 75


def test_a_run_stops_at_its_time_limit_and_goes_on(zygote, folder):
    limited = ("+run.time_limit=0:02", "callbacks=[{_type_: cb.local.moments, seconds: 0.3}]")
    run = Run(zygote, folder, "limited", *limited)
    code, said = run.wait()
    assert code == 75, said
    assert "stopped: time limit of 0:02 reached; to go on: ot run" in said
    assert status_of(run.dir)["reason"] == "time limit of 0:02 reached"
    assert 0 < status_of(run.dir)["step"] < 18
    code, said = Run(zygote, folder, "limited", "+run.time_limit=1:00:00", limited[1], "--resume").wait()
    assert code == 0, said


class Command:
    """A run of several processes, started by a command that is left alone to start them."""

    def __init__(self, folder, name, command, *arguments, meeting=None):
        self.dir = folder / "runs" / name
        given = [*command, f"run.name={name}", "+data.num_workers=1", *arguments]
        variables = environment(**meeting.environment) if meeting else environment()
        self.process = subprocess.Popen(
            given, cwd=folder, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def wait(self):
        """Return the exit code and what was printed, when every process is gone."""
        said, _ = self.process.communicate(timeout=PATIENCE)
        end = time.monotonic() + 10
        while self.processes():
            assert time.monotonic() < end, f"still there: {self.processes()}\n{said}"
            time.sleep(0.05)
        return self.process.returncode, said

    def processes(self):
        """Return the processes of the run, and of its loaders, that are there."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_ours(pid)]

    def _is_ours(self, pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            return f"run.name={self.dir.name}".encode() in words
        except OSError:
            return False


@pytest.fixture
def command(folder):
    """Return a function that starts a run of several processes, which are gone when the test ends."""
    started = []

    def start(*arguments, meeting=None):
        started.append(Command(folder, *arguments, meeting=meeting))
        return started[-1]

    yield start
    for run in started:
        for pid in run.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.process.communicate(timeout=PATIENCE)


TWO = [*OT, "--nproc", "2"]
PLAIN = [*TORCHRUN, "-m", "offline_trainer_core", "run", "exp.yaml"]
AGENT = [*TWO, "+run.launcher={_type_: launcher.torchrun}"]


def assert_stopped_once(run, code, said, reason, *, expected=75):
    assert code == expected, said
    status = status_of(run.dir)
    assert (status["status"], status["reason"]) == ("stopped", reason)
    assert saved_by(run.dir) == [f"step_{status['step']:08d}"]
    assert said.count(f"stopped: {reason}; to go on:") == 1


def test_a_signal_to_the_command_reaches_all_processes(command, meet):
    meeting = meet("step 3@1")
    run = command("command", TWO, meeting=meeting)
    meeting.wait(run.process)
    run.process.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    meeting.end()
    assert_stopped_once(run, *run.wait(), "SIGUSR1")


def test_a_signal_to_one_process_stops_all_of_them(command, meet):
    meeting = meet("step 7@1")
    run = command("one", TWO, meeting=meeting)
    os.kill(meeting.wait(run.process), signal.SIGTERM)
    meeting.end()
    assert_stopped_once(run, *run.wait(), "SIGTERM (process 1)")


@pytest.mark.parametrize("name", ["SIGTERM", *(pytest.param(name, marks=pytest.mark.torture) for name in NAMES[::2])])
def test_a_signal_to_every_process_is_one_signal(command, meet, name):
    meeting = meet("step 3@0")
    run = command(f"all-{name}", TWO, meeting=meeting)
    meeting.wait(run.process)
    assert len(run.processes()) == 5
    for pid in run.processes():
        os.kill(pid, signal.Signals[name])
    time.sleep(0.2)
    meeting.end()
    assert_stopped_once(run, *run.wait(), name)


@pytest.mark.parametrize("moment", [pytest.param("step 3@1", marks=pytest.mark.torture), "save@0"])
def test_a_second_signal_ends_all_processes_at_once(command, meet, moment):
    meeting = meet(moment)
    run = command(f"second-{moment[:4]}", TWO, meeting=meeting)
    meeting.wait(run.process)
    run.process.send_signal(signal.SIGTERM)
    time.sleep(1.3)
    begun = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    code, said = run.wait()
    assert code == 130, said
    assert time.monotonic() - begun < 20
    assert said.count("interrupted at once") == 1
    assert "Traceback" not in said
    assert not saved_by(run.dir)


def test_processes_save_and_stop_when_what_started_them_is_killed(command, meet):
    meeting = meet("step 7@0")
    run = command("orphans", TWO, meeting=meeting)
    meeting.wait(run.process)
    run.process.kill()
    time.sleep(0.2)
    meeting.end()
    run.wait()
    status = status_of(run.dir)
    assert (status["status"], status["reason"]) == ("stopped", "SIGTERM")
    assert saved_by(run.dir) == [f"step_{status['step']:08d}"]


def test_all_processes_stop_at_the_time_limit(command):
    slow = "callbacks=[{_type_: cb.local.moments, seconds: 1.5}]"
    run = command("limit", TWO, "+run.time_limit=0:12", slow)
    code, said = run.wait()
    assert_stopped_once(run, code, said, "time limit of 0:12 reached")


PAGE = Path(__file__).parents[2] / "docs" / "runs.md"
STEPS, SCRIPT = (block for block in PAGE.read_text().split("```sh\n") if block.startswith("#!/bin/bash\n#SBATCH"))


@pytest.mark.parametrize(
    "page", [pytest.param(STEPS, id="steps", marks=pytest.mark.torture), pytest.param(SCRIPT, id="script")]
)
def test_the_job_scripts_of_the_page_ask_for_another_turn_until_the_run_is_finished(folder, tmp_path, meet, page):
    """`srun` and `scontrol` stand for SLURM's: one starts what it is told to, the other notes what it is asked for."""
    name = f"job-{page is STEPS}"
    arguments = f"exp.yaml run.name={name} --resume"
    job = tmp_path / "job.sh"
    job.write_text(page.partition("```")[0].replace("experiment.yaml --nproc 8 --resume", arguments))
    for program, text in (("srun", 'exec "$@"'), ("scontrol", f'echo "$@" >> {tmp_path}/asked')):
        (tmp_path / program).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / program).chmod(0o755)
    meeting = meet("step 3")
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = environment(PATH=path, SLURM_JOB_ID="17", **meeting.environment)
    turn = subprocess.Popen(["bash", job], cwd=folder, env=variables)
    training = meeting.wait(turn)
    os.kill(training if page is STEPS else turn.pid, signal.SIGUSR1)
    time.sleep(0.3)
    meeting.end()
    assert turn.wait(PATIENCE) == 75
    assert status_of(folder / "runs" / name)["reason"] == "SIGUSR1"
    assert (tmp_path / "asked").read_text() == "requeue 17\n"
    assert subprocess.run(["bash", job], cwd=folder, env=variables, timeout=PATIENCE).returncode == 0
    assert (tmp_path / "asked").read_text() == "requeue 17\n"


@pytest.mark.torture
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
@pytest.mark.parametrize("moment", ["build@1", "start@0", "step 1@1", "step 6@1", "validation 8@0", "epoch 1@1"])
@pytest.mark.parametrize("launcher", ["local", "torchrun", "agent"])
def test_signals_at_any_instant_under_any_launcher_leave_nothing_hanging(command, meet, launcher, moment, name):
    meeting = meet(moment)
    given = {"local": TWO, "torchrun": PLAIN, "agent": AGENT}[launcher]
    run = command(f"{launcher}-{moment.replace(' ', '')}-{name}".replace("@", "."), given, meeting=meeting)
    meeting.wait(run.process)
    if (launcher, name) == ("torchrun", "SIGUSR1"):  # which torchrun does not pass on
        for pid in {*run.processes()} - {run.process.pid}:
            os.kill(pid, signal.SIGUSR1)
    else:
        run.process.send_signal(signal.Signals[name])
    time.sleep(0.3)
    meeting.end()
    code, said = run.wait()
    assert code == (75 if launcher != "torchrun" else 1), said
    if not moment.startswith("build"):
        status = status_of(run.dir)
        assert status["status"] == "stopped"
        assert saved_by(run.dir) == ([f"step_{status['step']:08d}"] if status["step"] else [])


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(30))
def test_signals_after_any_time_leave_a_run_that_can_go_on(command, seed):
    draw = random.Random(seed)
    slow = "callbacks=[{_type_: cb.local.moments, seconds: 0.1}]"
    run = command(f"random{seed}", TWO, slow)
    time.sleep(draw.uniform(0.3, 9.0))
    run.process.send_signal(signal.Signals[draw.choice(NAMES)])
    code, said = run.wait()
    assert code in (0, 75), said
    assert "Traceback" not in said
    if run.dir.exists() and saved_by(run.dir):
        assert saved_by(run.dir)[-1] == f"step_{status_of(run.dir)['step']:08d}"
    code, said = command(f"random{seed}", TWO, slow, "--resume").wait()
    assert code == 0, said
