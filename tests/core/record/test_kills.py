"""A process that is killed while it saves leaves the previous checkpoint."""

import os
import signal
import subprocess
import sys
import time

import pytest

from offline_trainer_core.record import CheckpointStore

pytestmark = pytest.mark.slow

KILLED_AT_EVERY_OPERATION = """
import os, signal, sys
import torch
from pathlib import Path
from offline_trainer_core.record import CheckpointStore

def state(step):
    return {"models.policy": {"w": torch.full((100,), float(step))}, "rank0.generators": {"torch": torch.tensor(step)}}

def count_down(n):
    left = [n]
    def counted(operation):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*args, **kwargs)
        return call
    for name in ("open", "fsync", "replace", "mkdir", "rmdir", "unlink", "write"):
        setattr(os, name, counted(getattr(os, name)))

folder, name = Path(sys.argv[1]), sys.argv[2]
for n in range(1, 1000):
    store = CheckpointStore(folder / str(n))
    store.save("step_1", state(1), counters={})
    child = os.fork()
    if child == 0:
        count_down(n)
        store.save(name, state(2), counters={})
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(n)
"""

SAVES_FOR_EVER = """
import sys, torch
from itertools import count
from pathlib import Path
from offline_trainer_core.record import CheckpointStore

store = CheckpointStore(Path(sys.argv[1]))
for step in count():
    state = {"models.policy": {f"layer_{n}": torch.full((2000,), float(step)) for n in range(20)}}
    store.save(f"step_{step % 3}", state, counters={"global_step": step}, asynchronous=step % 2 == 0)
    if step == 3:
        print("ready", flush=True)
"""


def start(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("name", ["step_2", "step_1"], ids=["new", "replacing"])
def test_a_kill_at_any_operation_leaves_a_good_checkpoint(tmp_path, name):
    process = start(KILLED_AT_EVERY_OPERATION, tmp_path, name)
    output, _ = process.communicate(timeout=300)
    kills = int(output) - 1
    assert kills > 20
    seen = set()
    for n in range(1, kills + 1):
        store = CheckpointStore(tmp_path / str(n))
        latest = store.latest()
        assert latest is not None, f"nothing is left of a kill before operation {n}"
        state = store.load(latest).state
        step = state["rank0.generators"]["torch"].item()
        assert state["models.policy"]["w"].tolist() == [step] * 100
        seen.add(step)
    assert seen == {1, 2}


@pytest.mark.parametrize("delay", [0.0, 0.007, 0.031, 0.113])
def test_a_kill_at_any_instant_leaves_a_good_checkpoint(tmp_path, delay):
    process = start(SAVES_FOR_EVER, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    store = CheckpointStore(tmp_path)
    checkpoint = store.load(store.latest())
    step = checkpoint.manifest.counters["global_step"]
    assert step >= 2
    assert {value for w in checkpoint.state["models.policy"].values() for value in w.tolist()} == {float(step)}
