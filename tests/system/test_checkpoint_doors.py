"""What a person sees when a disk is full, a checkpoint is damaged, or a weights file is hostile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow
OT = str(Path(sys.executable).with_name("ot"))
CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: OUT, device: cpu, seed: 0}
model:
  sequential: {inputs: [x], layers: [{_type_: nn.Linear, in_features: 300, out_features: 300}]}
data: {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 4, x_shape: [300], y_shape: [300]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_epochs: 2, log_every_n_steps: 1}
callbacks: [{_type_: cb.model_checkpoint, every_n_steps: 2, async_save: ASYNC}]
"""


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def ot(zygote, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "300"}
    return lambda *arguments: zygote.run(arguments, tmp_path, environment)


def write(tmp_path, out="runs", asynchronous=False):
    text = CONFIGURATION.replace("OUT", str(out)).replace("ASYNC", str(asynchronous).lower())
    (tmp_path / "small.yaml").write_text(text)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_full_disk_ends_the_run_with_what_to_do_and_it_goes_on_when_there_is_room(ot, tmp_path, asynchronous):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "t", str(small)], capture_output=True).returncode:
        pytest.skip("a file system of limited size cannot be mounted here")
    try:
        write(tmp_path, out=small, asynchronous=asynchronous)
        ended = ot("run", "small.yaml")
        assert ended.returncode == 5, ended.stderr
        assert "the disk is full (" in ended.stderr
        assert "What was saved before is intact" in ended.stderr
        assert "--resume" in ended.stderr
        assert "Traceback" not in ended.stderr
        subprocess.run(["mount", "-o", "remount,size=50m", str(small)], check=True)
        resumed = ot("run", "small.yaml", "--resume")
        assert resumed.returncode == 0, resumed.stderr
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(ot, tmp_path):
    write(tmp_path)
    assert ot("run", "small.yaml").returncode == 0
    newest = tmp_path / "runs/small/checkpoints/step_00000008"
    weights = next(newest.glob("models.*.safetensors"))
    weights.write_bytes(b"damaged")
    resumed = ot("run", "small.yaml", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "skipping checkpoint 'step_00000008'" in resumed.stderr + resumed.stdout
    assert f"{weights.name} has 7 bytes" in resumed.stderr + resumed.stdout
    assert "resumes from step_00000006" in resumed.stderr + resumed.stdout


def test_no_door_of_the_command_line_runs_what_a_file_holds(ot, tmp_path):
    write(tmp_path)
    assert ot("run", "small.yaml", "trainer.max_epochs=1").returncode == 0
    canary = tmp_path / "canary"
    torch.save({"w": Trap(canary)}, tmp_path / "w.pt")
    (tmp_path / "dcp").mkdir()
    (tmp_path / "dcp/.metadata").write_bytes((tmp_path / "w.pt").read_bytes())
    weights = "+model.sequential.weights="
    calls = {
        place: [
            ot("run", "small.yaml", "run.name=other", f"{weights}{tmp_path / place}"),
            ot("run", "small.yaml", "run.name=another", "--resume", str(tmp_path / place)),
            ot("eval", "runs/small", "--checkpoint", str(tmp_path / place)),
        ]
        for place in ("w.pt", "dcp")
    }
    ended = {place: [call.returncode for call in ways] for place, ways in calls.items()}
    assert all(code not in (0, 1) for codes in ended.values() for code in codes), (ended, calls)
    assert not any("Traceback" in call.stderr for ways in calls.values() for call in ways)
    assert not canary.exists()
    torch.load(tmp_path / "w.pt", weights_only=False)
    assert canary.exists()
