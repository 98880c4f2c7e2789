"""What is wrong with the data, or runs out in the middle of a run, is one screen: what, in which sample, what to do."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: F401 - every run gets as far as torch

OT = [str(Path(sys.executable).with_name("ot")), "run", "small.yaml"]
CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu}
model:
  sequential:
    inputs: [x]
    layers:
      - {_type_: nn.Linear, in_features: 3, out_features: 4}
      - {_type_: nn.Tanh}
      - {_type_: nn.Linear, in_features: 4, out_features: 2}
data: {_type_: data.tensors, data: rows.npz, batch_size: 4, shuffle: false}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: SGD, kwargs: {lr: 0.1}}
callbacks: [{_type_: cb.model_checkpoint, every_n_steps: 1}]
trainer: {_type_: trainer.default, max_epochs: 2, log_every_n_steps: 1}
imports: [local_parts]
settings: {allowed_import_prefixes: [local_parts]}
"""
LOCAL_PARTS = """
import os
import signal

import torch


class Scans:
    def __init__(self, fault: str = "", at: int = 9):
        self.fault, self.at = fault, at

    def __len__(self):
        return 16

    def __getitem__(self, index):
        if index == self.at and self.fault:
            return getattr(self, self.fault)(index)
        return self.sound(index)

    def sound(self, index):
        return {"x": torch.full((3,), index / 16), "y": torch.zeros(2)}

    def unreadable(self, index):
        raise ValueError(f"scan_{index}.png is truncated")

    def longer(self, index):
        return {"x": torch.zeros(4), "y": torch.zeros(2)}

    def lacking(self, index):
        return {"x": torch.zeros(3)}

    def killed(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


class Lacking:
    def setup(self, stage):
        pass

    def train_dataloader(self):
        sound = {"x": torch.zeros(4, 3), "y": torch.zeros(4, 2)}
        return [sound, sound, {"x": torch.zeros(4, 3)}]

    def val_dataloader(self):
        return None


class Breaks:
    def on_train_step_end(self, context):
        if context.state.global_step == 3:
            raise KeyError("shelf")


class Fills:
    def on_train_step_end(self, context):
        if context.state.global_step == 3:
            with open("/dev/full", "w") as file:
                file.write("a video")


def register(registry):
    registry.register_module("dataset.local.scans", Scans)
    registry.register_module("data.local.lacking", Lacking)
    registry.register_module("cb.local.breaks", Breaks)
    registry.register_module("cb.local.fills", Fills)
"""
CALLBACK = "callbacks=[{{_type_: cb.model_checkpoint, every_n_steps: 1}}, {{_type_: cb.local.{}}}]"
EPISODES = (
    "data={_type_: data.episodes, path: episodes.npz, fields: {x: x, y: y}, chunked: [], history: 1, batch_size: 4, "
    "validation: 0.0, shuffle: false}"
)
SCREEN = 25
"""Lines of a terminal."""


def scans(fault, **options):
    given = "".join(f", {name}: {value}" for name, value in options.items())
    dataset = f"{{_type_: dataset.local.scans, fault: {fault}}}"
    return f"data={{_type_: data.dataset, dataset: {dataset}, batch_size: 4, shuffle: false{given}}}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a configuration, its data, and the same data with one fault each."""
    folder = tmp_path_factory.mktemp("bad_data")
    folder.joinpath("small.yaml").write_text(CONFIGURATION)
    folder.joinpath("local_parts.py").write_text(LOCAL_PARTS)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 3)).astype("float32")
    sound = {"x": x, "y": np.tanh(x[:, :2])}
    nan, huge = x.copy(), sound["y"].copy()
    nan[9, 1], huge[9] = np.nan, 1e38
    np.savez(folder / "rows.npz", **sound)
    np.savez(folder / "nan.npz", **{**sound, "x": nan})
    np.savez(folder / "later.npz", **{**sound, "x": np.roll(nan, 1, axis=0)})
    np.savez(folder / "huge.npz", **{**sound, "y": huge})
    np.savez(folder / "flat.npz", x=x, y=x[:, 0])
    np.savez(folder / "whole.npz", x=(10 * x).astype("int64"), y=sound["y"])
    np.savez(folder / "episodes.npz", **{**sound, "x": nan}, episode_ends=np.array([7, 16]))
    np.savez(folder / "none.npz", x=x[:0], y=sound["y"][:0])
    return folder


@pytest.fixture
def ot(zygote, folder, request):
    """Run `ot run` in that folder, in a run folder of the test's own; return exit code, screen and run folder."""
    name = request.node.name.replace("[", "_").replace("]", "").replace(" ", "_")

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}

    def run_ot(*arguments, start=OT, limit=None):
        command = [*start, f"run.name={name}", *arguments]
        if start is OT and limit is None:
            done = zygote.run(command[1:], folder, environment)
        else:
            caught = {"capture_output": True, "text": True, "timeout": 180}
            done = subprocess.run(command, cwd=folder, env=environment, preexec_fn=limit, **caught)
        return done.returncode, done.stderr, folder / "runs" / name

    return run_ot


def assert_one_screen(screen, words):
    for word in words:
        assert word in screen, f"{word!r} is not on the screen:\n{screen}"
    assert "Traceback" not in screen
    assert len(screen.rstrip().splitlines()) <= SCREEN, screen


FAULTS = {
    "a NaN in the data": (
        ["data.data=nan.npz"],
        6,
        ["step 3 (epoch 0, batch 2)", "x is NaN in 1 of 4 samples: row 9, at [1] of the first", "on_nonfinite: skip",
         "nonfinite/step_00000003.safetensors", "step_00000002 is saved", "--resume"],
    ),
    "a NaN in an episode": (
        [EPISODES],
        6,
        ["x is NaN in 1 of 4 samples: window 9 (episode 1, step 2), at [0, 1] of the first"],
    ),
    "a NaN where statistics are taken": (
        ["data.data=nan.npz", "+normalize={x: mean_std}"],
        4,
        ["'x' has NaN or infinite numbers in 1 of 16 rows; the first is row 9"],
    ),
    "a number whose square overflows": (
        ["data.data=huge.npz"],
        6,
        ["finite numbers only, and its loss was inf", "its samples: row 8, row 9, row 10, row 11", "grad_clip_norm"],
    ),
    "a sample that cannot be read": (
        [scans("unreadable")],
        4,
        ["cannot read sample 9 of data.dataset (Scans), at ", "local_parts.py:", "ValueError: scan_9.png is truncated"],
    ),
    "a sample that a worker cannot read": (
        [scans("unreadable", num_workers=1)],
        4,
        ["cannot read sample 9 of data.dataset (Scans), at ", "local_parts.py:", "ValueError: scan_9.png is truncated"],
    ),
    "a sample of another shape": (
        [scans("longer")],
        4,
        ["cannot be joined to a batch: 'x' is (3,) float32 in sample 8 and (4,) float32 in sample 9"],
    ),
    "a sample that lacks a field": (
        [scans("lacking", num_workers=1)],
        4,
        ["'y' is (2,) float32 in sample 8 and missing in sample 9"],
    ),
    "a field that a later batch lacks": (
        ["data={_type_: data.local.lacking}"],
        4,
        ["io.mapping: targets.y", "no 'y'", "has x", "step_00000002 is saved"],
    ),
    "a target that would be broadcast": (
        ["data.data=flat.npz", "model.sequential.layers[2].out_features=1"],
        4,
        ["loss.torch", "the output is (4, 1) and the target (4,)"],
    ),
    "whole numbers for a layer of real ones": (
        ["data.data=whole.npz"],
        3,
        ["model.sequential.layers[0]", "called with x (4, 3) int64"],
    ),
    "an empty validation set": (["+data.validation=none.npz"], 4, ["none.npz", "have no rows"]),
    "a worker that is killed": (
        [scans("killed", num_workers=1)],
        7,
        ["a worker of the data loader (process ", "was killed, as the system does when memory runs out",
         "the machine has ", "lower data.num_workers (1), lower data.batch_size (4)"],
    ),
    "a callback that fails": (
        [CALLBACK.format("breaks")],
        3,
        ["cb.local.breaks", "local_parts.py:", "KeyError: 'shelf'", "step_00000002 is saved", "--resume"],
    ),
    "a callback whose disk is full": (
        [CALLBACK.format("fills")],
        7,
        ["cb.local.fills", "the disk is full", "make room", "step_00000002 is saved"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "code", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_screen_that_says_where_it_is(ot, change, code, words):
    ended, screen, run = ot(*change)
    assert_one_screen(screen, words)
    assert ended == code
    assert json.loads((run / "status.json").read_text())["status"] == "failed"


SOUND = {"tensors": [], "a dataset": [scans("''")], "a dataset with a worker": [scans("''", num_workers=1)]}


@pytest.mark.parametrize("change", SOUND.values(), ids=SOUND)
def test_the_configuration_that_all_of_these_change_is_right(ot, change):
    code, screen, run = ot(*change)
    assert code == 0, screen
    assert json.loads((run / "status.json").read_text())["step"] == 8
    assert not (run / "nonfinite").exists()


def test_a_bad_batch_may_be_left_out(ot):
    code, screen, run = ot("data.data=nan.npz", "+trainer.on_nonfinite=skip")
    assert code == 0, screen
    assert screen.count("x is NaN in 1 of 4 samples: row 9") == 1
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["skipped"] for line in lines if line["stage"] == "train"] == [0, 0, 1, 0, 0, 0, 1, 0]


def test_a_run_goes_on_when_its_data_is_mended(ot, folder):
    assert ot("data.data=nan.npz")[0] == 6
    resumed = ot("--resume", "data.data=rows.npz", "--accept-changes")
    assert resumed[0] == 0, resumed[1]
    assert json.loads((resumed[2] / "status.json").read_text())["status"] == "finished"


def test_out_of_memory_on_a_cpu_says_what_there_was_and_what_to_lower(ot):
    def eight_gib():
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

    large = "data={_type_: data.random_regression, batch_size: 3000000, x_shape: [3000], y_shape: [2]}"
    code, screen, _ = ot(large, limit=eight_gib)
    assert_one_screen(
        screen, ["out of memory (this process uses ", "data.random_regression", "lower data.batch_size (3000000)"]
    )
    assert code == 7


def test_a_file_that_may_not_grow_ends_the_run_and_leaves_what_was_saved(ot):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))

    many = [
        "data.batch_size=1",
        "trainer.max_epochs=100",
        "callbacks=[{_type_: cb.model_checkpoint, every_n_steps: 200}]",
    ]
    code, screen, run = ot(*many, limit=small_files)
    assert_one_screen(screen, ["cannot write ", "metrics.jsonl", "is saved", "--resume"])
    assert code == 7
    code, screen, run = ot(*many, "--resume")
    assert code == 0, screen
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 1601))


@pytest.mark.parametrize(("file", "process", "row"), [("nan.npz", 0, 9), ("later.npz", 1, 10)])
def test_of_several_processes_one_names_the_process_with_the_bad_sample(ot, file, process, row):
    code, screen, run = ot(f"data.data={file}", "--nproc", "2")
    assert_one_screen(
        screen, ["step 3 (epoch 0, batch 2)", f"process {process}: x is NaN in 1 of 2 samples: row {row},"]
    )
    assert screen.count("infinite or NaN") == 1
    assert code == 6
    assert sorted(path.name for path in (run / "checkpoints").glob("step_*"))[-1] == "step_00000002"
    assert [path.name for path in (run / "nonfinite").glob("*.safetensors")] == [
        f"step_00000003_rank{process}.safetensors"
    ]
