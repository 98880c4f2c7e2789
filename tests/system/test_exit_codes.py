"""Every exit code of the documented table, by a run that earns it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch  # noqa: F401 - these tests train

PAGE = Path(__file__).parents[2] / "docs" / "running.md"
OT = str(Path(sys.executable).with_name("ot"))
CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu, seed: 3}
model: {sequential: {inputs: [x], layers: [{_type_: nn.Linear, in_features: 4, out_features: 2}]}}
data: {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 5, x_shape: [4], y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: SGD, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_epochs: 1}
imports: [local_parts]
settings: {allowed_import_prefixes: [local_parts]}
"""
LOCAL_PARTS = """
import os
import signal
import time
from pathlib import Path


class Signals:
    def __init__(self, count: int = 1):
        self.count = count

    def on_train_step_end(self, context):
        os.kill(os.getpid(), signal.SIGTERM)
        if self.count == 2:
            time.sleep(1.2)
            os.kill(os.getpid(), signal.SIGTERM)


class Fails:
    def on_train_step_end(self, context):
        raise ValueError("I fail")


class Empty:
    def setup(self, stage):
        return None

    def train_dataloader(self):
        return []

    def val_dataloader(self):
        return None


def register(registry):
    registry.register_module("cb.local.signals", Signals)
    registry.register_module("cb.local.fails", Fails)
    registry.register_module("data.local.empty", Empty)
"""
EARNED = {
    0: [],
    2: ["run.device=gpu"],
    3: ["+callbacks=[{_type_: cb.local.fails}]"],
    4: ["data={_type_: data.local.empty}"],
    5: ["--resume", "no-such-checkpoint"],
    6: ["optimizer.kwargs.lr=1e30", "trainer.max_epochs=9"],
    7: ["run.device=cuda:99"],
    75: ["+callbacks=[{_type_: cb.local.signals}]"],
    130: ["+callbacks=[{_type_: cb.local.signals, count: 2}]"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codes")
    folder.joinpath("exp.yaml").write_text(CONFIGURATION)
    folder.joinpath("local_parts.py").write_text(LOCAL_PARTS)
    return folder


@pytest.mark.parametrize("code", EARNED)
def test_a_run_ends_with_the_code_that_the_page_has_for_it(folder, code):
    command = [OT, "run", "exp.yaml", f"run.name=code{code}", *EARNED[code]]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_every_code_of_the_page_is_earned():
    table = PAGE.read_text().partition("## Exit codes")[2].partition("## ")[0]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert documented - {1} == EARNED.keys()  # 1 is for what nobody expects


LOADING = """
import sys, time
import torch
from torch.utils.data import DataLoader, Dataset
from offline_trainer_core.distributed import endure_signals

class Rows(Dataset):
    def __len__(self): return 10**6
    def __getitem__(self, index): return torch.zeros(3)

for batch in DataLoader(Rows(), batch_size=2, num_workers=2, worker_init_fn=endure_signals):
    print("loaded", flush=True)
    time.sleep(60)
"""


def test_workers_of_a_loader_end_soon_after_the_process_that_they_load_for_is_killed():
    loading = subprocess.Popen([sys.executable, "-c", LOADING], stdout=subprocess.PIPE, text=True)
    assert loading.stdout.readline() == "loaded\n"
    workers = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(pid) == loading.pid]
    assert len(workers) == 2
    os.kill(loading.pid, signal.SIGKILL)
    loading.communicate()
    end = time.monotonic() + 30
    while alive := [pid for pid in workers if parent_of(pid) is not None]:
        assert time.monotonic() < end, alive
        time.sleep(0.1)


def parent_of(pid):
    """Return the parent of a process, or None where that has ended."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
        return None if state == "Z" else int(parent)
    except OSError:
        return None
