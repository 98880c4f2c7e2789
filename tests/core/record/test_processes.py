"""Several processes save one checkpoint, or none."""

import os
import socket
import subprocess
import sys
import threading

import pytest
import torch

from offline_trainer_core.distributed import OneProcess
from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import CheckpointStore

pytestmark = pytest.mark.slow

PROCESS = """
import errno, os, sys
import torch
from datetime import timedelta
from pathlib import Path
from offline_trainer_core.distributed import connect
from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import CheckpointStore

folder, asynchronous, broken = Path(sys.argv[1]), sys.argv[2] == "asynchronous", int(sys.argv[3])
collectives = connect()
rank = collectives.rank
store = CheckpointStore(folder, collectives)

def state(step):
    shared = {"models.policy": {"w": torch.full((4,), float(step))}} if rank == 0 else {}
    return {**shared, f"rank{rank}.generators": {"torch": torch.tensor([rank, step])}}

store.save("step_1", state(1), counters={"global_step": 1}, asynchronous=asynchronous)
for _ in range(200):  # training goes on, and what its processes say does not meet what the saving ones say
    assert collectives.all_reduce_sum(torch.ones(1)).item() == collectives.world_size
store.wait()
if rank == broken:
    def full(path, *rest, **options):
        raise OSError(errno.ENOSPC, "No space left on device")
    from offline_trainer_core.record import sections
    sections.write_tensors = sections.write_file = full
try:
    store.save("step_2", state(2), counters={"global_step": 2}, asynchronous=asynchronous)
    store.wait()
    print("saved")
except CheckpointError as error:
    print(error)
collectives.barrier()
collectives.close()
"""


def run_processes(folder, mode, broken=-1, world_size=2):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rendezvous = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world_size)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(folder), mode, str(broken)],
            env={**os.environ, **rendezvous, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(world_size)
    ]
    outputs = [process.communicate(timeout=180)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * world_size
    return outputs


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_each_process_writes_its_own_part_of_one_checkpoint(tmp_path, mode):
    assert run_processes(tmp_path, mode) == ["saved", "saved"]
    checkpoint = CheckpointStore(tmp_path).load("last")
    assert checkpoint.manifest.world_size == 2
    assert checkpoint.manifest.name == "step_2"
    assert set(checkpoint.state) == {"models.policy", "rank0.generators", "rank1.generators"}
    assert [checkpoint.state[f"rank{rank}.generators"]["torch"].tolist() for rank in (0, 1)] == [[0, 2], [1, 2]]


@pytest.mark.parametrize("broken", [0, 1])
def test_a_disk_that_is_full_for_one_process_stops_the_save_on_all(tmp_path, broken):
    outputs = run_processes(tmp_path, "synchronous", broken)
    assert outputs[0] == outputs[1]
    assert "the disk is full" in outputs[0]
    store = CheckpointStore(tmp_path)
    assert store.names() == ["step_1"]
    assert store.load("last").state["rank1.generators"]["torch"].tolist() == [1, 1]
    assert not list(tmp_path.glob(".*"))


class Threads(OneProcess):
    """Processes as threads: what one gives, all may take at the barrier."""

    def __init__(self, rank, world_size, shared):
        self.rank, self.world_size, self._shared = rank, world_size, shared

    def _exchange(self, value):
        self._shared["values"][self.rank] = value
        self._shared["barrier"].wait()
        values = list(self._shared["values"])
        self._shared["barrier"].wait()
        return values

    def gather_object(self, value):
        values = self._exchange(value)
        return values if self.rank == 0 else None

    def broadcast_object(self, value):
        return self._exchange(value)[0]


@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_a_checkpoint_holds_the_sections_of_every_process(tmp_path, world_size):
    shared = {"values": [None] * world_size, "barrier": threading.Barrier(world_size)}

    def save(rank):
        own = {f"rank{rank}.generators": {"torch": torch.tensor([rank])}}
        store = CheckpointStore(tmp_path, Threads(rank, world_size, shared))
        store.save("step_1", {"models.policy": {"w": torch.ones(2)}, **own}, counters={})

    threads = [threading.Thread(target=save, args=(rank,)) for rank in range(world_size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = CheckpointStore(tmp_path).load("step_1").state
    assert set(state) == {"models.policy", *(f"rank{rank}.generators" for rank in range(world_size))}
    assert all(state[f"rank{rank}.generators"]["torch"].item() == rank for rank in range(world_size))


def test_a_process_cannot_write_for_another(store):
    with pytest.raises(CheckpointError, match="belongs to process 1"):
        store.save("step_1", {"rank1.generators": {}}, counters={})
